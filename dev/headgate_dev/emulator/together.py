"""Several vendors behind one origin, for demos and system tests: each keeps its own paths and its own sign-in.

Their credentials are the emulator's, so they accept each other's; where that matters, run one emulator per vendor.
"""

from headgate_dev.emulator.credentials import Credentials
from headgate_dev.emulator.faults import Fault
from headgate_dev.emulator.oauth.vendor import WithOAuth, signs_in
from headgate_dev.emulator.vendor import Answer, Call, Vendor

_OPENAI_PATHS = ("/v1/responses", "/v1/chat/", "/backend-api/")
_MODELS = "/v1/models"


class Together:
    """A ``Vendor`` of ``members`` named ``anthropic``, ``openai`` and ``gemini``; the first is asked what nobody else serves."""

    def __init__(self, **members: Vendor) -> None:
        self.members = members

    def answer(self, call: Call, credentials: Credentials) -> Answer:
        """Return what the vendor of this path would answer."""
        return self._of(call).answer(call, credentials)

    def refusal(self, call: Call, fault: Fault) -> Answer | None:
        """Return ``fault`` in the words of the vendor of this path."""
        return self._of(call).refusal(call, fault)

    def stream_error(self, call: Call, fault: Fault) -> bytes:
        """Return the event with which the vendor of this path breaks off a stream."""
        return self._of(call).stream_error(call, fault)

    def forget(self) -> None:
        """Drop what the vendors remember between requests."""
        for member in self.members.values():
            member.forget()

    def _of(self, call: Call) -> Vendor:
        if signs_in(call):
            servers = [member for member in self.members.values() if isinstance(member, WithOAuth)]
            for server in servers:
                if server.concerns(call):
                    return server
            return servers[0] if servers else self._first
        return self.members.get(_api(call), self._first)

    @property
    def _first(self) -> Vendor:
        return next(iter(self.members.values()))


def _api(call: Call) -> str:
    """Return whose API ``call`` is for; ``/v1/models`` they all have, told apart by the headers that only one of them knows."""
    if call.path.startswith("/v1beta/"):
        return "gemini"
    if call.path.startswith(_OPENAI_PATHS):
        return "openai"
    if not call.path.startswith(_MODELS):
        return "anthropic"
    if {"anthropic-version", "x-api-key"} & call.headers.keys():
        return "anthropic"
    return "gemini" if call.method == "POST" or "x-goog-api-key" in call.headers or "key" in call.query else "openai"
