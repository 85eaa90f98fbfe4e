"""What each auth mode sends and where: the one table of it (S1.2, S1.3).

Sources: Anthropic API docs, "Authentication" (``x-api-key`` or ``Authorization: Bearer``, never both); OAuth bearers need
the beta ``oauth-2025-04-20``.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from headgate_api.reasons import AuthMode
from headgate_proxy.routing.provider import Provider
from headgate_proxy.selection.states import Held


class Operation(StrEnum):
    """What a caller asks of a model."""

    MESSAGES = "messages"
    COUNT_TOKENS = "count_tokens"


@dataclass(frozen=True, slots=True)
class ModeRule:
    """How one auth mode presents its credential, which betas it needs, and its path for each operation."""

    header: str
    prefix: str
    betas: tuple[str, ...]
    paths: dict[Operation, str]


_DIRECT: Final = {Operation.MESSAGES: "/v1/messages", Operation.COUNT_TOKENS: "/v1/messages/count_tokens"}

MODES: Final = {
    AuthMode.API_KEY: ModeRule("x-api-key", "", (), _DIRECT),
    AuthMode.SUBSCRIPTION: ModeRule("authorization", "Bearer ", ("oauth-2025-04-20",), _DIRECT),
}


class OriginNotBoundError(Exception):
    """A credential was about to be sent to an origin it is not bound to: a defect, stopped at the last moment."""


def credential_header(mode: AuthMode, held: Held, provider: Provider) -> tuple[str, str]:
    """Return the header that carries the credential to the provider.

    Raises OriginNotBoundError unless the record itself names the provider's origin: selection has asked already, and
    this is the one place where a credential leaves the process.
    """
    if provider.origin not in held.origins:
        raise OriginNotBoundError(f"the credential of {provider.label} is not bound to {provider.origin}")
    rule = MODES[mode]
    return rule.header, rule.prefix + held.secret.reveal()
