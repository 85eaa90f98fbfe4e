"""Where a grant's refresh token may go: bound at import, and widened only by whoever may write its Secret (guarantee 3)."""

from headgate_api.vault import GrantRecord
from headgate_operator.account.observed import ObservedAccount
from headgate_operator.credentials.decide import Question, owns
from headgate_operator.refresh.verdict import token_origin


def bound_at_import(seen: ObservedAccount) -> tuple[str, ...]:
    """Return the origins that a refresh token imported now is bound to: the token endpoint's, where the Secret allows it."""
    profile = seen.account.spec.oauth
    origin = token_origin(profile) if profile is not None else None
    allowed = seen.secret.origins if seen.secret is not None else None
    return (origin,) if origin is not None and (allowed is None or origin in allowed) else ()


def rebound(seen: ObservedAccount, asked: Question) -> GrantRecord | None:
    """Return the grant bound to the token endpoint as well, where the Secret it came from says so; else None."""
    grant, secret, profile = seen.grant.record, seen.secret, seen.account.spec.oauth
    origin = token_origin(profile) if profile is not None else None
    if grant is None or secret is None or origin is None or origin in grant.token_origins:
        return None
    if secret.problem is not None or not secret.origins or origin not in secret.origins or not owns(asked, secret):
        return None
    return grant.model_copy(update={"token_origins": (*grant.token_origins, origin)})
