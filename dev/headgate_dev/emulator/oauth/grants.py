"""What the vendor remembers of each grant: its one live refresh token, those already spent, and the access tokens of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from headgate_dev.emulator.credentials import Credentials, TokenState
from headgate_dev.emulator.oauth.errors import OAuthRefused

_REFUSALS: Final = {
    "refresh_token_expired": "Refresh token has expired",
    "refresh_token_reused": "Refresh token was already used",
    "refresh_token_invalidated": "Refresh token not found, invalid or revoked",
}


def _refused(code: str) -> OAuthRefused:
    return OAuthRefused("invalid_grant", _REFUSALS[code], code=code)


@dataclass
class Grant:
    """One person's consent to one client."""

    number: int
    client_id: str
    scope: str
    refresh_token: str = ""
    spent: set[str] = field(default_factory=set)
    access_tokens: dict[str, datetime] = field(default_factory=dict)
    generation: int = 0
    revoked: bool = False
    expired: bool = False

    @property
    def current(self) -> str:
        """Return the access token issued last; empty before the first."""
        return next(reversed(self.access_tokens), "")


@dataclass(frozen=True)
class Issued:
    """What one answer of the token endpoint hands out."""

    access_token: str
    refresh_token: str | None
    grant: Grant


class Grants:
    """All grants. ``rotate``: each refresh spends its token and hands out the next one.

    ``mint`` makes an access token of a grant, a name that no other has, and the time.
    """

    def __init__(
        self,
        *,
        lifetime: timedelta,
        rotate: bool = True,
        prefix: str = "emulated",
        mint: Callable[[Grant, str, datetime], str] | None = None,
    ) -> None:
        self.lifetime = lifetime
        self.rotate = rotate
        self._prefix = prefix
        self._mint = mint or (lambda _grant, name, _now: f"{prefix}-access-{name}")
        self.grants: list[Grant] = []

    def begin(self, client_id: str, scope: str, now: datetime, credentials: Credentials) -> Issued:
        """Make a grant and issue its first tokens."""
        grant = Grant(len(self.grants) + 1, client_id, scope)
        self.grants.append(grant)
        return self._issue(grant, now, credentials, rotate=True)

    def refresh(self, token: str, client_id: str, now: datetime, credentials: Credentials) -> Issued:
        """Spend a refresh token. Raises OAuthRefused; a token that was spent before revokes its whole grant."""
        grant = self.of(token)
        if grant is None or grant.client_id != client_id:
            raise _refused("refresh_token_invalidated")
        if grant.revoked:
            raise _refused("refresh_token_invalidated")
        if token in grant.spent:
            self.revoke(grant, credentials)
            raise _refused("refresh_token_reused")
        if grant.expired:
            raise _refused("refresh_token_expired")
        return self._issue(grant, now, credentials, rotate=self.rotate)

    def of(self, token: str) -> Grant | None:
        """Return the grant of a refresh or access token, spent ones included."""
        for grant in self.grants:
            if token == grant.refresh_token or token in grant.spent or token in grant.access_tokens:
                return grant
        return None

    def revoke(self, grant: Grant, credentials: Credentials) -> None:
        """End a grant: its refresh token and every access token of it."""
        grant.revoked = True
        for token in grant.access_tokens:
            credentials.oauth_tokens[token] = TokenState.REVOKED

    def expire(self, now: datetime, credentials: Credentials) -> None:
        """Let the access tokens expire whose time has come."""
        for grant in self.grants:
            for token, end in grant.access_tokens.items():
                if now >= end and credentials.oauth_tokens.get(token) is TokenState.VALID:
                    credentials.oauth_tokens[token] = TokenState.EXPIRED

    def _issue(self, grant: Grant, now: datetime, credentials: Credentials, *, rotate: bool) -> Issued:
        grant.generation += 1
        name = f"{self._prefix}-{grant.number}-{grant.generation}"
        access = self._mint(grant, name, now)
        if grant.current in credentials.plans:  # an account's plan does not change with its tokens
            credentials.plans[access] = credentials.plans[grant.current]
        grant.access_tokens[access] = now + self.lifetime
        credentials.oauth_tokens[access] = TokenState.VALID
        if not rotate:
            return Issued(access, None, grant)
        if grant.refresh_token:
            grant.spent.add(grant.refresh_token)
        grant.refresh_token = f"{self._prefix}-refresh-{name}"
        return Issued(access, grant.refresh_token, grant)
