"""Keeps an upstream that repeats the credential it was sent from handing it to the caller (S4.1).

Masked text is as long as the credential was, so that lengths stay right and nothing else of the answer changes.
"""

from typing import Final

from headgate_api.secret import Secret

_SHORTEST: Final = 6
"""Shorter values would mask ordinary words; no vendor issues such credentials."""


def masked(data: bytes, secret: Secret) -> bytes:
    """Return ``data`` with every occurrence of the credential starred out."""
    value = secret.reveal().encode("utf-8", "surrogateescape")
    return data.replace(value, b"*" * len(value)) if len(value) >= _SHORTEST and value in data else data


def masked_text(text: str, secret: Secret) -> str:
    """Return ``text`` with every occurrence of the credential starred out."""
    value = secret.reveal()
    return text.replace(value, "*" * len(value)) if len(value) >= _SHORTEST and value in text else text
