"""An emulated vendor that also signs people in: the OAuth endpoints before the vendor's own API, on one origin."""

import html
from typing import TYPE_CHECKING, Any, Final, Literal

from headgate_dev.emulator.credentials import Credentials
from headgate_dev.emulator.faults import Fault, FaultKind
from headgate_dev.emulator.oauth.errors import OAuthRefused
from headgate_dev.emulator.oauth.server import Asked, OAuthServer
from headgate_dev.emulator.sse import compact_json
from headgate_dev.emulator.vendor import Answer, Call, Headers, Vendor

if TYPE_CHECKING:
    from collections.abc import Callable

AUTHORIZE: Final = "/oauth/authorize"
TOKEN: Final = "/oauth/token"  # noqa: S105 - a path
TOKEN_PATHS: Final = (TOKEN, "/v1/oauth/token")
REVOKE: Final = "/oauth/revoke"
DEVICE: Final = "/oauth/device/code"
VERIFY: Final = "/oauth/device"
SHOW_CODE: Final = "/oauth/code/callback"
"""The vendor's own page that shows a code to paste, as ``code#state``."""

_NO_STORE: Final[Headers] = (("cache-control", "no-store"),)


class WithOAuth:
    """A ``Vendor``: everything below ``/oauth/`` and the token endpoint is the authorization server's, the rest ``inner``'s."""

    def __init__(self, inner: Vendor, oauth: OAuthServer) -> None:
        self._inner = inner
        self.oauth = oauth

    def answer(self, call: Call, credentials: Credentials) -> Answer:
        """Return what the vendor would answer to ``call``."""
        self.oauth.grants.expire(call.at, credentials)
        routes: dict[tuple[str, str], Callable[[Call, Credentials], Answer]] = {
            ("GET", AUTHORIZE): self._authorize,
            ("GET", SHOW_CODE): self._show_code,
            ("GET", VERIFY): self._verify,
            ("POST", DEVICE): self._device,
            **{("POST", path): self._token for path in TOKEN_PATHS},
            **({("POST", REVOKE): self._revoke} if self.oauth.revocation else {}),
        }
        route = routes.get((call.method, call.path))
        if route is None:
            return self._inner.answer(call, credentials)
        try:
            return route(call, credentials)
        except OAuthRefused as refused:
            return _json(refused.body(self.oauth.dialect), refused.answered(self.oauth.dialect))

    def refusal(self, call: Call, fault: Fault) -> Answer | None:
        """Return the answer that ``fault`` puts in the place of the authorization server's own, if it does."""
        if not (call.path.startswith("/oauth/") or call.path in TOKEN_PATHS):
            return self._inner.refusal(call, fault)
        match fault.kind:
            case FaultKind.OAUTH_ERROR:
                refused = OAuthRefused(fault.message or "invalid_grant", "scripted", fault.status or 400, fault.message)
                return _json(refused.body(self.oauth.dialect), refused.answered(self.oauth.dialect))
            case FaultKind.RATE_LIMITED:
                wait = (("retry-after", str(int(fault.seconds))),) if fault.seconds else ()
                return _json({"error": "rate_limited"}, 429, (*wait, *fault.headers.items()))
            case FaultKind.SERVER_ERROR | FaultKind.OVERLOADED:
                return _json({"error": "server_error"}, fault.status or 503, tuple(fault.headers.items()))
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
        return Answer(302, (("location", self.oauth.authorize(call.query, call.at)), *_NO_STORE), (b"",))

    def _show_code(self, call: Call, _: Credentials) -> Answer:
        shown = html.escape(f"{call.query.get('code', '')}#{call.query.get('state', '')}")
        return _page(f"<p>Paste this code: <code id=code>{shown}</code></p>")

    def _verify(self, call: Call, _: Credentials) -> Answer:
        """Let a person decide about a device: ``?user_code=…&decision=allowed`` (or ``denied``)."""
        decisions: dict[str, Literal["allowed", "denied"]] = {"allowed": "allowed", "denied": "denied"}
        decision = decisions.get(call.query.get("decision", ""))
        if decision is not None:
            try:
                self.oauth.codes.decide(call.query.get("user_code", ""), decision)
            except KeyError:
                raise OAuthRefused("invalid_request", "user_code is unknown") from None
        return _page(
            f"<p>Device {html.escape(call.query.get('user_code', ''))}: {html.escape(decision or 'undecided')}</p>"
        )

    def _token(self, call: Call, credentials: Credentials) -> Answer:
        return _json(self.oauth.token(_asked(call), credentials))

    def _device(self, call: Call, _: Credentials) -> Answer:
        host = call.headers.get("host", "")
        return _json(self.oauth.device(_asked(call), f"https://{host}{VERIFY}"))

    def _revoke(self, call: Call, credentials: Credentials) -> Answer:
        self.oauth.revoke(_asked(call), credentials)
        return Answer(200, _NO_STORE, (b"",))


def _asked(call: Call) -> Asked:
    headers = call.headers
    return Asked(call.number, call.body, headers.get("content-type", ""), headers.get("authorization", ""), call.at)


def _json(value: dict[str, Any], status: int = 200, headers: Headers = ()) -> Answer:
    return Answer(status, (("content-type", "application/json"), *_NO_STORE, *headers), (compact_json(value),))


def _page(content: str) -> Answer:
    text = f"<!doctype html><title>Emulated vendor</title>{content}".encode()
    return Answer(200, (("content-type", "text/html; charset=utf-8"), *_NO_STORE), (text,))
