"""The vendor's sign-in, as strict as the strictest: single-use refresh tokens that rotate, and reuse ends the whole grant."""

from headgate_dev.emulator.oauth.assertions import JwksUrl
from headgate_dev.emulator.oauth.errors import Dialect
from headgate_dev.emulator.oauth.federation import Federation, FederationRule
from headgate_dev.emulator.oauth.journal import TokenCall, refreshes_at_once
from headgate_dev.emulator.oauth.server import Client, Consent, OAuthServer
from headgate_dev.emulator.oauth.vendor import WithOAuth

__all__ = [
    "Client",
    "Consent",
    "Dialect",
    "Federation",
    "FederationRule",
    "JwksUrl",
    "OAuthServer",
    "TokenCall",
    "WithOAuth",
    "refreshes_at_once",
]
