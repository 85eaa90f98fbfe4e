"""The credential of a request on its way out: the one place where it leaves the process."""

from headgate_api.reasons import AuthMode
from headgate_proxy.protocols.modes import ModeRule
from headgate_proxy.protocols.registry import DIALECTS
from headgate_proxy.routing.provider import Provider
from headgate_proxy.selection.states import Held


class OriginNotBoundError(Exception):
    """A credential was about to be sent to an origin it is not bound to: a defect, stopped at the last moment."""


def rule_of(provider: Provider, mode: AuthMode) -> ModeRule:
    """Return how a mode presents itself to a provider; selection picks only modes that there is a rule for."""
    return DIALECTS[provider.spec.protocol].modes[mode]


def credential_header(mode: AuthMode, held: Held, provider: Provider) -> tuple[str, str]:
    """Return the header that carries the credential to the provider.

    Raises OriginNotBoundError unless the record itself names the origin that the mode's requests go to: selection has asked
    already, and this is the last look.
    """
    origin = provider.at(mode).origin
    if origin not in held.origins:
        raise OriginNotBoundError(f"the credential of {provider.label} is not bound to {origin}")
    rule = rule_of(provider, mode)
    return rule.header, rule.prefix + held.secret.reveal()
