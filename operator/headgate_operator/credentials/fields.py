"""Reads the fields of a credential file one by one: each mistake is named with its place and mend, and never echoed."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
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
class Fields:
    """One JSON object of a file. ``where`` names Secret and key, ``prefix`` the object, ``product`` who wrote the file."""

    values: Mapping[str, Any]
    where: str
    prefix: str
    product: str

    def place(self, name: str) -> str:
        """Return how messages name a field."""
        return f"{self.where}: field {self.prefix}{name}"

    def token(self, name: str) -> Secret | None:
        """Return a token, or None where the field is absent. Raises ContentError."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or not value:
            raise ContentError(
                f"{self.place(name)} is not a non-empty string; sign in again with {self.product} and copy the file"
            )
        return Secret(visible_token(value, self.place(name), "copy the file unchanged"))

    def needed(self, name: str) -> Secret:
        """Return a token that has to be there. Raises ContentError."""
        found = self.token(name)
        if found is None:
            raise ContentError(f"{self.place(name)} is missing; sign in again and copy the file")
        return found

    def milliseconds(self, name: str) -> datetime | None:
        """Return a time in milliseconds since 1970, or None where the field is absent. Raises ContentError."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not value == value:
            raise ContentError(
                f"{self.place(name)} is not a number; it is milliseconds since 1970, copy the file unchanged"
            )
        if not _YEAR_2001_MS <= value <= _YEAR_9999_MS:
            raise ContentError(f"{self.place(name)} is no plausible time; it is milliseconds since 1970, not seconds")
        return datetime.fromtimestamp(int(value) // 1000, UTC)

    def text(self, name: str) -> str | None:
        """Return a short text of visible ASCII, or None where the field is absent. Raises ContentError."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or not _PRINTABLE.fullmatch(value) or len(value) > 256:
            raise ContentError(f"{self.place(name)} is no word of visible ASCII; copy the file unchanged")
        return value

    def strings(self, name: str) -> tuple[str, ...]:
        """Return a list of strings, empty where the field is absent. Raises ContentError."""
        value = self.values.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(scope, str) for scope in value):
            raise ContentError(f"{self.place(name)} is not a list of strings; copy the file unchanged")
        return tuple(value)

    def words(self, name: str) -> tuple[str, ...]:
        """Return the words of a text, empty where the field is absent. Raises ContentError."""
        value = self.values.get(name)
        if value is None:
            return ()
        if not isinstance(value, str):
            raise ContentError(f"{self.place(name)} is not a string; copy the file unchanged")
        return tuple(value.split())


def visible_token(value: str, place: str, mend: str) -> str:
    """Return ``value`` when it can stand in an HTTP header as one token (RFC 9110, section 5.5, visible ASCII).

    Raises ContentError.
    """
    if len(value) > _LONGEST:
        raise ContentError(f"{place} is longer than {_LONGEST} characters; {mend}")
    if not value.isascii():
        raise ContentError(f"{place} holds characters outside ASCII; {mend}")
    if not _PRINTABLE.fullmatch(value):
        raise ContentError(f"{place} holds white space or control characters; {mend}")
    return value


def claims(token: Secret | None) -> Mapping[str, Any]:
    """Return what a JWT says of itself, unverified: only good for what its holder may claim. Not a JWT: nothing."""
    parts = token.reveal().split(".") if token is not None else []
    if len(parts) != 3:
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def claimed_expiry(token: Secret) -> datetime | None:
    """Return when a JWT says it expires, or None."""
    value = claims(token).get("exp")
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not _YEAR_2001_MS <= value * 1000 <= _YEAR_9999_MS
    ):
        return None
    return datetime.fromtimestamp(int(value), UTC)
