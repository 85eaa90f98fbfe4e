"""What people put into credential Secrets, checked before it is stored: each mistake is named with its mend.

Nothing here echoes content: an error names the Secret, the key and the field, and what a right one looks like.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from headgate_api.secret import Secret

_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")
_LONGEST: Final = 16384
_YEAR_2001_MS: Final = 1_000_000_000_000
"""Milliseconds since 1970 have this size; a smaller number was most likely written in seconds."""
_YEAR_9999_MS: Final = 253_402_300_799_000


class ContentError(ValueError):
    """Content that is not a credential; the message names Secret, key, field and mend, and never the content."""


@dataclass(frozen=True, slots=True)
class PlanCredential:
    """A Claude Code credential file's OAuth part."""

    access_token: Secret
    refresh_token: Secret | None
    expires_at: datetime | None
    scopes: tuple[str, ...]

    def identity(self) -> Secret:
        """Return what makes this credential this one: its tokens, however the file around them is formatted."""
        refresh = self.refresh_token.reveal() if self.refresh_token is not None else ""
        return Secret(json.dumps([self.access_token.reveal(), refresh]))


def parse_api_key(content: Secret, where: str) -> Secret:
    """Return the API key that ``content`` holds: one trailing line break is forgiven, nothing else.

    ``where`` names Secret and key for people. Raises ContentError.
    """
    value = content.reveal()
    value = value.removesuffix("\n").removesuffix("\r")
    if not value:
        raise ContentError(f"{where} is empty; put the API key into it")
    return Secret(_token(value, where, "put the API key alone into it, without quotes, blanks or line breaks"))


def parse_plan(content: Secret, where: str) -> PlanCredential:
    """Return the OAuth part of a Claude Code credential file (``claudeAiOauth``). Raises ContentError."""
    text = content.reveal()
    if not text.strip():
        raise ContentError(f"{where} is empty; put a Claude Code credential file (JSON) into it")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ContentError(f"{where} is not JSON; put a Claude Code credential file into it, unchanged") from None
    if not isinstance(document, dict):
        raise ContentError(f"{where} is JSON but not an object; put a Claude Code credential file into it, unchanged")
    if "claudeAiOauth" not in document:
        raise ContentError(
            f"{where} has no field claudeAiOauth; put a Claude Code credential file into it, unchanged (an API key belongs "
            "into an LLMProvider's spec.auth.apiKey)"
        )
    oauth = document["claudeAiOauth"]
    if not isinstance(oauth, dict):
        raise ContentError(
            f"{where}: field claudeAiOauth is not an object; sign in again with Claude Code and copy the file"
        )
    access = _field(oauth, "accessToken", where)
    if access is None:
        raise ContentError(f"{where}: field claudeAiOauth.accessToken is missing; sign in again and copy the file")
    return PlanCredential(
        access_token=access,
        refresh_token=_field(oauth, "refreshToken", where),
        expires_at=_expiry(oauth.get("expiresAt"), where),
        scopes=_scopes(oauth.get("scopes"), where),
    )


def _field(oauth: dict[str, Any], name: str, where: str) -> Secret | None:
    value = oauth.get(name)
    if value is None:
        return None
    place = f"{where}: field claudeAiOauth.{name}"
    if not isinstance(value, str) or not value:
        raise ContentError(f"{place} is not a non-empty string; sign in again with Claude Code and copy the file")
    return Secret(_token(value, place, "copy the file unchanged"))


def _token(value: str, place: str, mend: str) -> str:
    """Return ``value`` when it can stand in an HTTP header as one token (RFC 9110, section 5.5, visible ASCII)."""
    if len(value) > _LONGEST:
        raise ContentError(f"{place} is longer than {_LONGEST} characters; {mend}")
    if not value.isascii():
        raise ContentError(f"{place} holds characters outside ASCII; {mend}")
    if not _PRINTABLE.fullmatch(value):
        raise ContentError(f"{place} holds white space or control characters; {mend}")
    return value


def _expiry(value: Any, where: str) -> datetime | None:
    if value is None:
        return None
    place = f"{where}: field claudeAiOauth.expiresAt"
    if isinstance(value, bool) or not isinstance(value, int | float) or not value == value:
        raise ContentError(f"{place} is not a number; it is milliseconds since 1970, copy the file unchanged")
    if not _YEAR_2001_MS <= value <= _YEAR_9999_MS:
        raise ContentError(f"{place} is no plausible time; it is milliseconds since 1970, not seconds")
    return datetime.fromtimestamp(int(value) // 1000, UTC)


def _scopes(value: Any, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(scope, str) for scope in value):
        raise ContentError(f"{where}: field claudeAiOauth.scopes is not a list of strings; copy the file unchanged")
    return tuple(value)
