"""An emulated vendor that also signs people in: the OAuth endpoints before the vendor's own API, on one origin."""

import html
from typing import TYPE_CHECKING, Final, Literal

from headgate_dev.emulator.credentials import Credentials
from headgate_dev.emulator.faults import Fault, FaultKind
from headgate_dev.emulator.oauth import deviceauth
from headgate_dev.emulator.oauth.answers import NO_STORE, json_answer, page
from headgate_dev.emulator.oauth.errors import Dialect, OAuthRefused
from headgate_dev.emulator.oauth.exchange import asks_federation, exchange
from headgate_dev.emulator.oauth.federation import JWT_BEARER, Federation
from headgate_dev.emulator.oauth.journal import TokenCall
from headgate_dev.emulator.oauth.parameters import parameters
from headgate_dev.emulator.oauth.server import Asked, OAuthServer
from headgate_dev.emulator.vendor import Answer, Call, Vendor

if TYPE_CHECKING:
    from collections.abc import Callable

AUTHORIZE: Final = "/oauth/authorize"
TOKEN: Final = "/oauth/token"  # noqa: S105 - a path
TOKEN_PATHS: Final = (TOKEN, "/v1/oauth/token")
REVOKE: Final = "/oauth/revoke"
DEVICE: Final = "/oauth/device/code"
VERIFY: Final = "/oauth/device"
VERIFY_PATHS: Final = (VERIFY, "/codex/device")
SHOW_CODE: Final = "/oauth/code/callback"
"""The vendor's own page that shows a code to paste, as ``code#state``."""


class WithOAuth:
    """A ``Vendor``: everything below ``/oauth/`` and the token endpoint is the authorization server's, the rest ``inner``'s.

    With ``federation`` the token endpoint also exchanges workloads' assertions.
    """

    def __init__(self, inner: Vendor, oauth: OAuthServer, federation: Federation | None = None) -> None:
        self._inner = inner
        self.oauth = oauth
        self.federation = federation

    def answer(self, call: Call, credentials: Credentials) -> Answer:
        """Return what the vendor would answer to ``call``."""
        self.oauth.grants.expire(call.at, credentials)
        if self.federation is not None:
            self.federation.expire(call.at, credentials)
        routes: dict[tuple[str, str], Callable[[Call, Credentials], Answer]] = {
            ("GET", AUTHORIZE): self._authorize,
            ("GET", SHOW_CODE): self._show_code,
            **{("GET", path): self._verify for path in VERIFY_PATHS},
            ("POST", DEVICE): self._device,
            **{("POST", path): self._token for path in TOKEN_PATHS},
            **({("POST", REVOKE): self._revoke} if self.oauth.revocation else {}),
            **(self._openai_device() if self.oauth.dialect is Dialect.OPENAI else {}),
        }
        route = routes.get((call.method, call.path))
        if route is None:
            return self._inner.answer(call, credentials)
        try:
            return route(call, credentials)
        except OAuthRefused as refused:
            return json_answer(refused.body(self.oauth.dialect), refused.answered(self.oauth.dialect))

    def concerns(self, call: Call) -> bool:
        """Say whether ``call``, a sign-in call, names a client, token or device of this server."""
        given = parameters(call)
        if self.federation is not None and given.get("grant_type") == JWT_BEARER:
            return True
        if self.oauth.dialect is Dialect.OPENAI and call.path in deviceauth.PATHS:
            return True
        tokens = (given.get("refresh_token", ""), given.get("token", ""))
        return (
            given.get("client_id") in self.oauth.clients
            or any(token and self.oauth.grants.of(token) is not None for token in tokens)
            or any(device.user_code == given.get("user_code") for device in self.oauth.codes.devices.values())
        )

    def refusal(self, call: Call, fault: Fault) -> Answer | None:
        """Return the answer that ``fault`` puts in the place of the authorization server's own, if it does."""
        if not signs_in(call):
            return self._inner.refusal(call, fault)
        match fault.kind:
            case FaultKind.OAUTH_ERROR:
                refused = OAuthRefused(fault.message or "invalid_grant", "scripted", fault.status or 400, fault.message)
                return json_answer(refused.body(self.oauth.dialect), refused.answered(self.oauth.dialect))
            case FaultKind.RATE_LIMITED:
                wait = (("retry-after", str(int(fault.seconds))),) if fault.seconds else ()
                return json_answer({"error": "rate_limited"}, 429, (*wait, *fault.headers.items()))
            case FaultKind.SERVER_ERROR | FaultKind.OVERLOADED:
                return json_answer({"error": "server_error"}, fault.status or 503, tuple(fault.headers.items()))
            case FaultKind.BAD_GATEWAY:
                return Answer(502, (("content-type", "text/html"),), (b"<html>502 Bad Gateway</html>",))
            case FaultKind.REDIRECT:
                return Answer(307, (("location", fault.location or "/"),), (b"",))
            case _:
                return None

    def stream_error(self, call: Call, fault: Fault) -> bytes:
        """Return the event with which the vendor breaks off a stream that has begun."""
        return self._inner.stream_error(call, fault)

    def forget(self) -> None:
        """Drop what the vendor remembers between requests; grants stay."""
        self._inner.forget()

    def _authorize(self, call: Call, _: Credentials) -> Answer:
        return Answer(302, (("location", self.oauth.authorize(call.query, call.at)), *NO_STORE), (b"",))

    def _show_code(self, call: Call, _: Credentials) -> Answer:
        shown = html.escape(f"{call.query.get('code', '')}#{call.query.get('state', '')}")
        return page(f"<p>Paste this code: <code id=code>{shown}</code></p>")

    def _verify(self, call: Call, _: Credentials) -> Answer:
        """Let a person decide about a device: ``?user_code=…&decision=allowed`` (or ``denied``)."""
        decisions: dict[str, Literal["allowed", "denied"]] = {"allowed": "allowed", "denied": "denied"}
        decision = decisions.get(call.query.get("decision", ""))
        if decision is not None:
            try:
                self.oauth.codes.decide(call.query.get("user_code", ""), decision)
            except KeyError:
                raise OAuthRefused("invalid_request", "user_code is unknown") from None
        return page(
            f"<p>Device {html.escape(call.query.get('user_code', ''))}: {html.escape(decision or 'undecided')}</p>"
        )

    def _openai_device(self) -> "dict[tuple[str, str], Callable[[Call, Credentials], Answer]]":
        return {
            ("POST", deviceauth.USER_CODE): lambda call, _: deviceauth.user_code(self.oauth, call),
            ("POST", deviceauth.POLL): lambda call, _: deviceauth.poll(self.oauth, call),
        }

    def _token(self, call: Call, credentials: Credentials) -> Answer:
        if self.federation is not None and (given := asks_federation(call)) is not None:
            answer = exchange(call, given, self.federation, credentials)
            error = None if answer.status == 200 else "invalid_grant"
            self.oauth.calls.append(TokenCall(call.number, JWT_BEARER, None, error))
            return answer
        return json_answer(self.oauth.token(_asked(call), credentials))

    def _device(self, call: Call, _: Credentials) -> Answer:
        host = call.headers.get("host", "")
        return json_answer(self.oauth.device(_asked(call), f"https://{host}{VERIFY}"))

    def _revoke(self, call: Call, credentials: Credentials) -> Answer:
        self.oauth.revoke(_asked(call), credentials)
        return Answer(200, NO_STORE, (b"",))


def signs_in(call: Call) -> bool:
    """Say whether ``call`` is for an authorization server, not for an API."""
    prefixes = ("/oauth/", "/api/accounts/deviceauth/")
    return call.path.startswith(prefixes) or call.path in (*TOKEN_PATHS, *VERIFY_PATHS)


def _asked(call: Call) -> Asked:
    headers = call.headers
    return Asked(call.number, call.body, headers.get("content-type", ""), headers.get("authorization", ""), call.at)
