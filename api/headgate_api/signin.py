"""How a person signs an account in by way of the broker: paths and shapes, for the broker and the command line alike.

The person makes a random key and writes its SHA-256 into the account's annotation ``headgate.dev/sign-in``, beside their own user
name: the API server vouches for who they are, whatever way they authenticate there. The key itself is the bearer of every
call here, so that only whoever began a sign-in can go on with it.
"""

import hashlib
from typing import Final, Literal

from pydantic import Field

from headgate_api.resources.base import KubeModel, Moment
from headgate_api.secret import Secret

SIGN_IN_PATH: Final = "/v1/accounts/{namespace}/{name}/sign-in"
"""POST begins (SignInRequest), GET tells (SignInState), DELETE gives up."""
SIGN_IN_CODE_PATH: Final = SIGN_IN_PATH + "/code"
"""POST brings the code a person pasted (SignInCode)."""
START_PATH: Final = "/oauth/start"
"""What a person opens in a browser when the redirect leads back to the broker."""
CALLBACK_PATH: Final = "/oauth/callback"

Method = Literal["Browser", "Paste", "DeviceCode"]


class SignInRequest(KubeModel):
    """Begin. ``method`` None: what the account's OAuth profile offers, Browser or Paste before DeviceCode."""

    method: Method | None = None


class SignInState(KubeModel):
    """A sign-in as it stands; what a person needs to go on with it is there while it is ``Pending``."""

    state: Literal["Pending", "Completed", "Failed", "Expired"]
    method: Method
    began_by: str = Field(description="The user who began it.")
    expires_at: Moment
    message: str = Field(default="", description="What to do, or what went wrong and the mend.")
    authorization_url: str | None = Field(default=None, description="Where the person signs in, for Browser and Paste.")
    redirect_uri: str | None = Field(
        default=None, alias="redirectURI", description="Where the vendor sends the browser."
    )
    user_code: str | None = Field(default=None, description="What the person types, for DeviceCode.")
    verification_uri: str | None = Field(default=None, alias="verificationURI", description="Where they type it.")
    verification_uri_complete: str | None = Field(default=None, alias="verificationURIComplete")
    grant_id: str | None = Field(default=None, description="The grant that came of it, once Completed.")


class SignInCode(KubeModel):
    """What the vendor's page showed: ``code#state``, or the whole address the browser was sent to."""

    code: str = Field(min_length=1, max_length=4096)


def key_hash(key: Secret) -> str:
    """Return what stands in the annotation for a key (SHA-256, hexadecimal)."""
    return hashlib.sha256(key.reveal().encode()).hexdigest()
