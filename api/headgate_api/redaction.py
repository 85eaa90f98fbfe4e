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


def _mask(match: re.Match[str]) -> str:
    groups = match.groupdict()
    kept = groups["scheme"] or groups["field"] or ""
    return kept + MASK


class Redactor:
    """Masks credentials in text; remembers the values this process has held."""

    def __init__(self, known: Iterable[Secret] = ()) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for secret in known:
            self.remember(secret)

    def remember(self, secret: Secret) -> None:
        """Mask this exact value from now on, whatever its shape."""
        value = secret.reveal()
        if len(value) < _SHORTEST_KNOWN or value in self._known:
            return
        self._known.add(value)
        self._pattern = None

    def redact(self, text: str) -> str:
        """Return ``text`` with every known value and every credential-shaped run replaced by ``***``."""
        if self._known:
            pattern = self._pattern  # a local: other threads redact and remember too
            if pattern is None:  # compiled on use: a proxy remembers thousands at its start, one after another
                pattern = re.compile("|".join(re.escape(v) for v in sorted(self._known, key=len, reverse=True)))
                self._pattern = pattern
            text = pattern.sub(MASK, text)
        return _SHAPES.sub(_mask, text)
