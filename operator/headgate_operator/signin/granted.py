"""What a sign-in brought, as the account's grant: what it holds, and what it may replace. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from headgate_api.resources import OAuthProfile
from headgate_api.resources.base import seconds_of
from headgate_api.vault import GrantRecord, SignedIn
from headgate_operator.credentials.content import openai_account
from headgate_operator.credentials.store import Stored
from headgate_operator.oauth.outcomes import Granted
from headgate_operator.refresh.verdict import token_origin
from headgate_operator.signin.flow import Flow


@dataclass(frozen=True, slots=True)
class Standing:
    """The record needs no write: it is this grant, or (``ours`` False) a newer one that somebody else brought."""

    ours: bool


def grant_of(flow: Flow, profile: OAuthProfile, granted: Granted, now: datetime) -> GrantRecord:
    """Return the grant of a sign-in. ``now``: before the vendor was asked, so that its lifetime is not overrated."""
    began = now.replace(microsecond=0)
    lifetime = granted.lifetime
    if lifetime is None and profile.access_token_lifetime is not None:
        lifetime = timedelta(seconds=seconds_of(profile.access_token_lifetime))
    origin = token_origin(profile)
    return GrantRecord(
        origins=flow.origins,
        access_token=granted.access_token,
        refresh_token=granted.refresh_token,
        expires_at=began + lifetime if lifetime is not None else None,
        grant_id=flow.grant_id,
        generation=1,
        account_id=openai_account(granted.id_token, granted.access_token),
        scopes=granted.scopes if granted.scopes is not None else profile.scopes,
        token_origins=(origin,) if origin is not None else (),
        obtained_at=began,
        sign_in=SignedIn(by=flow.began_by, at=began),
    )


def stored_over(stored: Stored[GrantRecord], grant: GrantRecord, replaces: str | None) -> GrantRecord | Standing:
    """Return what to write over what Vault holds now, or that nothing is to be written.

    A grant that came while these tokens waited, and is newer, stays: whoever brought it did so later. What was ever imported is
    remembered on, and so is what the vendor has yet to be told to revoke.
    """
    held = stored.record
    if held is not None and held.grant_id == grant.grant_id:
        return Standing(ours=True)
    if held is not None and held.grant_id != replaces and _later(held.obtained_at, grant.obtained_at):
        return Standing(ours=False)
    before = held or stored.forgotten
    if before is None:
        return grant
    return grant.model_copy(update={"imports": before.imports, "revoking": before.revoking, "revoked": before.revoked})


def _later(held: datetime | None, ours: datetime | None) -> bool:
    return held is not None and ours is not None and held > ours
