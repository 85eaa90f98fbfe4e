"""The emulated vendors by name, each with the sign-in it has in the world: what the emulator as a process serves."""

from collections.abc import Mapping, Sequence
from typing import Final

from headgate_dev.emulator.anthropic.vendor import Anthropic
from headgate_dev.emulator.gemini.vendor import Gemini
from headgate_dev.emulator.oauth import Client, Dialect, Federation, OAuthServer, WithOAuth
from headgate_dev.emulator.openai.vendor import OpenAI
from headgate_dev.emulator.together import Together
from headgate_dev.emulator.vendor import Vendor

NAMES: Final = ("anthropic", "openai", "gemini")


def anthropic(*clients: Client) -> WithOAuth:
    """Return Anthropic: JSON at the token endpoint, the state repeated, no revocation endpoint, workload identities."""
    oauth = OAuthServer(*clients, encoding="JSON", state_needed=True, revocation=False)
    return WithOAuth(Anthropic(), oauth, Federation())


def openai(*clients: Client) -> WithOAuth:
    """Return OpenAI with the Codex backend; its tokens name the ChatGPT account."""
    return WithOAuth(OpenAI(), OAuthServer(*clients, dialect=Dialect.OPENAI))


def gemini(*clients: Client) -> WithOAuth:
    """Return Gemini; its refresh tokens stay."""
    return WithOAuth(Gemini(), OAuthServer(*clients, dialect=Dialect.GOOGLE))


def vendor(names: Sequence[str], clients: Mapping[str, Sequence[Client]]) -> Vendor:
    """Return the vendors called ``names`` (of NAMES) with their OAuth ``clients``: one alone, or several together."""
    made = {"anthropic": anthropic, "openai": openai, "gemini": gemini}
    members = {name: made[name](*clients.get(name, ())) for name in names}
    return Together(**members) if len(members) > 1 else next(iter(members.values()))
