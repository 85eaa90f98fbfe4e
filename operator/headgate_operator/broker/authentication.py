"""Proves which proxy pod speaks: a TokenReview of its projected token, bound to the fleet and the pod by name.

Source: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from headgate_api import names
from headgate_api.clock import Clock
from headgate_runtime.kube import Kube

CACHE_SECONDS: Final = 60.0
_CACHED: Final = 4096
_AT_ONCE: Final = 8
_MOST_WAITING: Final = 64
"""Unknown tokens that may wait for a review: whoever floods with them meets a 503, and those known already pass."""
_LONGEST_TOKEN: Final = 16 * 1024
_POD_NAME: Final = "authentication.kubernetes.io/pod-name"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who presented a token: the ServiceAccount's user name, and the pod the token is bound to (None: to no pod)."""

    username: str
    pod: str | None


class Refused(Exception):  # noqa: N818 - an answer, not a defect
    """A report that is not taken: HTTP ``status``, a CamelCase ``reason``, and a ``message`` that names the mend."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


class Authenticator:
    """Reviews tokens of audience ``headgate-broker``; an accepted one is remembered, by its hash, for a minute."""

    def __init__(self, kube: Kube, clock: Clock) -> None:
        self._kube = kube
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()
        self._reviews = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def caller(self, authorization: str) -> Caller:
        """Return who sent this Authorization header. Raises Refused (401, 503), KubeError, KubeUnavailable."""
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > _LONGEST_TOKEN:
            raise Refused(
                401, "Unauthenticated", f"send Authorization: Bearer and a token of audience {names.AUDIENCE_BROKER}"
            )
        digest = hashlib.sha256(token.encode()).digest()
        now = self._clock.monotonic()
        known = self._known.get(digest)
        if known is not None and now - known[1] < CACHE_SECONDS:
            return known[0]
        if self._waiting >= _MOST_WAITING:
            raise Refused(503, "Busy", "too many tokens wait for their review; send the report again in some seconds")
        self._waiting += 1
        try:
            async with self._reviews:
                review = await self._kube.token_review(token, [names.AUDIENCE_BROKER])
        finally:
            self._waiting -= 1
        caller = caller_of(review)
        self._known[digest] = (caller, now)
        self._known.move_to_end(digest)
        if len(self._known) > _CACHED:
            self._known.popitem(last=False)
        return caller


def caller_of(review: Mapping[str, Any]) -> Caller:
    """Return who a TokenReview's status names. Raises Refused (401)."""
    if review.get("authenticated") is not True or names.AUDIENCE_BROKER not in (review.get("audiences") or ()):
        raise Refused(
            401,
            "Unauthenticated",
            f"the API server does not accept this token for audience {names.AUDIENCE_BROKER}; project one into the pod",
        )
    user = review.get("user") or {}
    pods = (user.get("extra") or {}).get(_POD_NAME) or [None]
    return Caller(username=user.get("username", ""), pod=pods[0])


def authorize(caller: Caller, *, namespace: str, fleet: str, pod: str) -> None:
    """Raise Refused (403) unless the caller is this pod of this fleet, in the operator's namespace."""
    accounts = (names.proxy_name(fleet), names.canary_name(fleet))
    wanted = tuple(f"system:serviceaccount:{namespace}:{account}" for account in accounts)
    if caller.username not in wanted:
        raise Refused(
            403, "Forbidden", f"{caller.username} may not report for fleet {fleet}; only {' and '.join(wanted)} may"
        )
    if caller.pod != pod:
        raise Refused(
            403, "Forbidden", f"the token is bound to pod {caller.pod or '(none)'}, so it cannot report for pod {pod}"
        )
