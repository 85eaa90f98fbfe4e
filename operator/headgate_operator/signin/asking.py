"""Who asks: the holder of a key whose hash the API server let them write into an account's annotation, beside their own name.

Unknown account and unknown key get one answer, so that nobody without a key learns which accounts there are.
"""

import asyncio
import hmac
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from headgate_api import names
from headgate_api.redaction import Redactor
from headgate_api.resources import OAuthProfile, SubscriptionAccount
from headgate_api.secret import Secret
from headgate_api.signin import key_hash
from headgate_operator.broker.authentication import Refused
from headgate_operator.reading import Unreadable, read
from headgate_operator.signin.flow import Flow
from headgate_runtime.kube import Kube, Object
from headgate_runtime.kube_kinds import SUBSCRIPTION_ACCOUNT

_AT_ONCE: Final = 8
_MOST_WAITING: Final = 64
_KEY: Final = re.compile(r"[A-Za-z0-9._~+/=-]{32,256}")
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Asked:
    """An account, and whoever may sign it in: ``name`` of the flow (the key's hash), ``by`` the user."""

    body: Object
    account: SubscriptionAccount
    name: str
    by: str

    @property
    def where(self) -> str:
        """Return how messages name the account."""
        return f"{self.account.metadata.namespace}/{self.account.metadata.name}"

    def profile(self) -> OAuthProfile:
        """Return the account's OAuth profile. Raises Refused (409) where it has none."""
        profile = self.account.spec.oauth
        if profile is None:
            raise Refused(
                409,
                "NoOAuthProfile",
                f"SubscriptionAccount {self.where} has no spec.oauth; add the vendor's profile, or import a credential file",
            )
        return profile


class Gate:
    """Lets some look at the API server and Vault at once, and a few more wait: a flood of strangers meets 503."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Take a slot. Raises Refused (503) where too many wait."""
        if self._waiting >= _MOST_WAITING:
            raise Refused(503, "Busy", "too many sign-ins are asked about at once; try again in some seconds")
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()


class Asking:
    """Reads accounts and compares keys with their annotations."""

    def __init__(self, kube: Kube, redactor: Redactor) -> None:
        self._kube = kube
        self._redactor = redactor

    async def of_key(self, authorization: str, namespace: str, name: str) -> Asked:
        """Return the account that the bearer of a key may sign in. Raises Refused, KubeError, KubeUnavailable."""
        key = bearer(authorization)
        if not (_NAME.fullmatch(namespace) and _NAME.fullmatch(name)):
            raise _stranger(namespace, name)
        found = await self._asked(namespace, name, key_hash(key))
        self._redactor.remember(key)
        return found

    async def of_flow(self, flow: Flow, name: str) -> Asked:
        """Return the account of a flow, if it is still the one, and the flow still its latest. Raises as ``of_key``."""
        asked = await self._asked(flow.namespace, flow.name, name)
        if asked.account.metadata.uid != flow.uid or asked.by != flow.began_by:
            raise _stranger(flow.namespace, flow.name)
        return asked

    async def _asked(self, namespace: str, name: str, hashed: str) -> Asked:
        body = await self._kube.get(SUBSCRIPTION_ACCOUNT, namespace, name)
        annotations = (body["metadata"].get("annotations") or {}) if body is not None else {}
        expected = str(annotations.get(names.ANNOTATION_SIGN_IN, ""))
        same = hmac.compare_digest(expected.encode(), hashed.encode())
        by = annotations.get(names.ANNOTATION_SIGN_IN_BY)
        if body is None or not same or not by:
            raise _stranger(namespace, name)
        try:
            account = read(SubscriptionAccount, body)
        except Unreadable as error:
            raise Refused(409, "SpecInvalid", str(error)) from None
        if account.metadata.deletion_timestamp is not None:
            raise Refused(
                409, "Deleting", f"SubscriptionAccount {namespace}/{name} is being deleted; create another one"
            )
        return Asked(body, account, hashed, str(by))


def bearer(authorization: str) -> Secret:
    """Return the key in an Authorization header. Raises Refused (401)."""
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not _KEY.fullmatch(key.strip()):
        raise Refused(
            401,
            "Unauthenticated",
            "send Authorization: Bearer and a random key of 32 to 256 characters, the SHA-256 of which stands in the account's "
            f"annotation {names.ANNOTATION_SIGN_IN}; headgate account login does all of it",
        )
    return Secret(key.strip())


def _stranger(namespace: str, name: str) -> Refused:
    return Refused(
        403,
        "Forbidden",
        f"there is no SubscriptionAccount {namespace}/{name} whose latest sign-in was begun with this key; begin anew with "
        f"headgate account login, which sets {names.ANNOTATION_SIGN_IN} and {names.ANNOTATION_SIGN_IN_BY} there",
    )
