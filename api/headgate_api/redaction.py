"""The one redaction boundary: every log line, span attribute, error message and Event passes through a ``Redactor``.

Two nets: shapes that credentials have (vendor prefixes, JWTs, ``Authorization`` values, secrets in URLs), and the exact
values this process has held, which catches a credential that has no recognisable shape.
"""

import re
from collections.abc import Iterable
from typing import Final

from headgate_api.secret import Secret

MASK: Final = "***"

_SHAPES: Final = re.compile(
    r"""
    (?P<pem>-----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*?-----END[ ][A-Z ]*PRIVATE[ ]KEY-----)
  | (?P<jwt>\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.?[A-Za-z0-9_-]*)
  | (?P<vendor>\b(?:sk|rk|pk)-[A-Za-z0-9_-]{6,}|\bAIza[A-Za-z0-9_-]{10,}|\bya29\.[A-Za-z0-9._-]{6,}
      |\b(?:hvs|hvb|hvr|s|b|r)\.[A-Za-z0-9_-]{20,}|\bgh[opsu]_[A-Za-z0-9]{20,})
  | (?P<scheme>\b(?:bearer|basic|token)\s+)[A-Za-z0-9._~+/=-]{6,}
  | (?P<field>["']?\b(?:authorization|proxy-authorization|x-api-key|x-goog-api-key|x-vault-token|api[-_]?key|cookie|set-cookie
      |access[-_]?token|refresh[-_]?token|id[-_]?token|client[-_]?secret|password|code_verifier|assertion)["']?\s*[:=]\s*)
      (?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|(?:(?:bearer|basic|token)\s+)?[^\s,;&}\]]+)
  | (?P<userinfo>(?<=://))[^\s/@]+(?=@)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_SHORTEST_KNOWN: Final = 6
"""Shorter values would mask ordinary words; no vendor issues such credentials."""
_HINTS: Final = (
    *("-----begin", "eyj", "sk-", "rk-", "pk-", "aiza", "ya29.", "s.", "b.", "r."),
    *("gho_", "ghp_", "ghs_", "ghu_", "bearer", "basic", "token", "authorization", "key", "cookie", "secret"),
    *("password", "code_verifier", "assertion", "://"),
)
"""Every shape holds one of these, in lower case: most text holds none, and looking for them costs a tenth of the pattern."""


def _mask(match: re.Match[str]) -> str:
    groups = match.groupdict()
    kept = groups["scheme"] or groups["field"] or ""
    return kept + MASK


class _Known:
    """Finds a fixed set of values; compiled once for all look-ups."""

    def __init__(self, values: Iterable[str]) -> None:
        longest_first = sorted(values, key=len, reverse=True)
        self.size = len(longest_first)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        self._beginnings = frozenset(value[:_SHORTEST_KNOWN] for value in longest_first)

    def mask(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._may_be_in(text) else text

    def _may_be_in(self, text: str) -> bool:
        """Tell whether a value begins anywhere, in time that does not grow with the number of values."""
        if len(self._beginnings) < len(text):
            for beginning in self._beginnings:  # noqa: SIM110 - see _may_hold_shape
                if beginning in text:
                    return True
            return False
        places = range(len(text) - _SHORTEST_KNOWN + 1)
        return not self._beginnings.isdisjoint([text[at : at + _SHORTEST_KNOWN] for at in places])


class Redactor:
    """Masks credentials in text; remembers the values this process has held."""

    def __init__(self, known: Iterable[Secret] = ()) -> None:
        self._values: set[str] = set()
        self._known = _Known(())
        for secret in known:
            self.remember(secret)

    def remember(self, secret: Secret) -> None:
        """Mask this exact value from now on, whatever its shape."""
        value = secret.reveal()
        if len(value) >= _SHORTEST_KNOWN:
            self._values.add(value)

    def redact(self, text: str) -> str:
        """Return ``text`` with every known value and every credential-shaped run replaced by ``***``."""
        if self._values:
            known = self._known  # a local: other threads redact and remember too
            if known.size != len(
                self._values
            ):  # compiled on use: a proxy remembers thousands at its start, one after another
                known = self._known = _Known(self._values.copy())
            text = known.mask(text)
        return _SHAPES.sub(_mask, text) if _may_hold_shape(text) else text


def _may_hold_shape(text: str) -> bool:
    if not text.isascii():
        return True  # letters of other alphabets match some of ours where case is ignored
    lower = text.lower()
    for hint in _HINTS:  # noqa: SIM110 - any() over a generator takes twice as long, and this is on every request's way
        if hint in lower:
            return True
    return False
