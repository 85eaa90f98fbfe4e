"""How much of a credential's limits is used, in one shape for every vendor: what scheduling goes by and status shows.

A proxy reads windows from response headers; the control plane polls them where an account is idle; the broker shares the newest.
"""

from typing import Final

from pydantic import Field

from headgate_api.reasons import SkipReason
from headgate_api.resources.base import KubeModel, Moment

MAX_WINDOWS: Final = 16

Scope = tuple[str, str]
"""Whose limits are meant: a Vault path, and the grant (or the version of an API key) that is there."""


class LimitWindow(KubeModel):
    """One window of a limit, by the vendor's own name for it (``5h``, ``7d``, ``primary``, ``input-tokens``)."""

    name: str = Field(min_length=1, max_length=64)
    used_percent: float | None = Field(
        default=None, ge=0, description="How much of it is used; None: the vendor did not say."
    )
    resets_at: Moment | None = Field(default=None, description="When it begins anew.")
    exhausted: bool = Field(default=False, description="The vendor refuses requests until it resets.")


class LimitObservation(KubeModel):
    """What a vendor last said of one credential's limits; they belong to the account, whatever version its token has."""

    path: str = Field(max_length=512, description="Vault path of the credential, below the mount.")
    grant: str = Field(
        max_length=128,
        description="The grant whose limits they are (its id); of an API key, the version that is the key.",
    )
    windows: tuple[LimitWindow, ...] = Field(default=(), max_length=MAX_WINDOWS)
    limited_until: Moment | None = Field(
        default=None, description="The vendor refuses requests until then; None: it takes them."
    )
    reason: SkipReason | None = Field(
        default=None, description="RateLimited or QuotaExhausted: what the refusal that told of the limit was."
    )
    at: Moment = Field(description="When the vendor said so: the newest observation counts.")

    @property
    def scope(self) -> Scope:
        """Return whose limits they are."""
        return self.path, self.grant
