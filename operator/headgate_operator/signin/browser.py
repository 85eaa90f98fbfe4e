"""The browser's part of a sign-in: a page that says who signs in what, the way to the vendor, and back.

Only a browser whose person looked at that page and pressed its button can end the sign-in: it holds a cookie that the flow is
bound to, and brings the state of the same flow. So nobody can have another's browser end a sign-in (RFC 6819, section 4.4.1.8), and
a link that leaks opens nothing a second time.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from aiohttp import web

from headgate_api.clock import rfc3339
from headgate_api.origins import origin_of
from headgate_api.secret import Secret
from headgate_api.signin import CALLBACK_PATH, START_PATH
from headgate_operator.broker.authentication import Refused
from headgate_operator.oauth.authorization import authorization_url
from headgate_operator.refresh.verdict import profile_id
from headgate_operator.signin.asking import Asked
from headgate_operator.signin.bodies import read_form
from headgate_operator.signin.endpoint import refusal
from headgate_operator.signin.flow import BEGIN_AGAIN, LIFETIME, Flow, opened
from headgate_operator.signin.flows import Kept
from headgate_operator.signin.pages import PAGE_HEADERS, end_page, start_page
from headgate_operator.signin.signins import SignIns
from headgate_runtime.vault import CasMismatch

COOKIE: Final = "__Host-headgate-sign-in"
"""The prefix has browsers refuse it over plain HTTP, from other hosts and for other paths (RFC 6265bis, section 4.1.3.2)."""
_BYTES: Final = 32
_VALUE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_NAMED: Final = re.compile(r"([0-9a-f]{64})[.]([A-Za-z0-9_-]{43})")
_CODE: Final = re.compile(r"[\x21-\x7e]{1,4096}")
_ELSEWHERE: Final = (
    "This sign-in was not begun in this browser. Open the address that the command line shows, in this browser; if you were to "
    "paste a code there, paste the whole address of this page."
)


class BrowserPages:
    """The routes to mount on the broker."""

    def __init__(self, sign_ins: SignIns) -> None:
        self._sign_ins = sign_ins

    def routes(self) -> list[web.RouteDef]:
        """Return what to mount."""
        return [
            web.get(START_PATH, self._showing(self._start), allow_head=False),
            web.post(START_PATH, self._showing(self._open)),
            web.get(CALLBACK_PATH, self._showing(self._back), allow_head=False),
        ]

    async def _start(self, request: web.Request) -> web.Response:
        """Show who signs in what. Nothing changes by looking: links are followed by more than people."""
        given = request.query.get("ticket", "")
        asked, _, flow = await self._of_ticket(given)
        browser = secrets.token_urlsafe(_BYTES)
        page = _page(start_page(_facts(asked, flow), given, _digest(browser)))
        _set_cookie(page, browser)
        return page

    async def _open(self, request: web.Request) -> web.Response:
        """Bind the flow to this browser and send it to the vendor."""
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise Refused(
                403, "Forbidden", "Another site sent this form. Open the address that the command line shows."
            )
        form = await read_form(request)
        browser = request.cookies.get(COOKIE, "").rpartition(".")[2]
        if not _VALUE.fullmatch(browser) or not _same(form.get("proof", ""), _digest(browser)):
            raise Refused(
                403, "Forbidden", "This browser kept no cookie of the page before. Let it, and open that address again."
            )
        asked, kept, flow = await self._of_ticket(form.get("ticket", ""), browser)
        if flow.ticket is not None:
            try:
                await self._sign_ins.write(asked, kept, opened(flow, _digest(browser)))
            except CasMismatch:
                raise _used() from None
        profile = asked.profile()
        if profile_id(profile) != flow.profile:
            raise Refused(409, "Changed", f"The account's spec.oauth was changed meanwhile; {BEGIN_AGAIN}.")
        answer = web.Response(status=303, headers={"location": authorization_url(profile, flow.proof())})
        _set_cookie(answer, f"{asked.name}.{browser}")
        return answer

    async def _back(self, request: web.Request) -> web.Response:
        """Take the code that the vendor sent the browser back with."""
        named = _NAMED.fullmatch(request.cookies.get(COOKIE, ""))
        if named is None:
            raise Refused(403, "Forbidden", _ELSEWHERE)
        try:
            asked, kept = await self._sign_ins.kept(named[1])
        except Refused as refused:
            raise Refused(refused.status, refused.reason, f"This sign-in cannot go on; {BEGIN_AGAIN}.") from None
        flow = kept.flow
        if flow is None or flow.browser is None or not _same(flow.browser, _digest(named[2])):
            over = flow is not None and flow.phase != "Waiting"
            raise Refused(409 if over else 403, "Over" if over else "Forbidden", _over(flow) if over else _ELSEWHERE)
        if flow.state is None or not _same(request.query.get("state", ""), flow.state.reveal()):
            raise Refused(403, "Forbidden", _ELSEWHERE)
        code = request.query.get("code", "")
        if "error" in request.query or not _CODE.fullmatch(code):
            ended: Flow | None = await self._sign_ins.fail(
                asked, kept, f"the vendor refused the sign-in, or it was declined there; {BEGIN_AGAIN}"
            )
        else:
            ended = await self._sign_ins.redeem(asked, kept, Secret(code))
        page = _ended(ended)
        page.del_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Lax")
        return page

    async def _of_ticket(self, given: str, browser: str | None = None) -> tuple[Asked, Kept, Flow]:
        """Return the flow that a ticket opens; once it was used, only for the browser that used it. Raises Refused."""
        named = _NAMED.fullmatch(given)
        if named is None:
            raise Refused(404, "NotFound", "This address is not whole. Copy all of it from the command line.")
        asked, kept = await self._sign_ins.kept(named[1])
        flow = self._sign_ins.still_open(kept)
        if flow.ticket is None and browser is not None and _same(flow.browser or "", _digest(browser)):
            return asked, kept, flow
        if flow.ticket is None or not _same(flow.ticket.reveal(), named[2]):
            raise _used()
        return asked, kept, flow

    def _showing(
        self, handle: Callable[[web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def showing(request: web.Request) -> web.Response:
            try:
                answer = await handle(request)
            except Exception as error:
                answer = _failure(error)
            for name, value in PAGE_HEADERS.items():
                answer.headers[name] = value
            return answer

        return showing


def _facts(asked: Asked, flow: Flow) -> tuple[tuple[str, str], ...]:
    spec = asked.account.spec
    return (
        ("Account", asked.where),
        ("Owner", spec.owner.email),
        ("Provider", spec.provider_ref.name),
        ("Begun by", flow.began_by),
        ("Sign in at", origin_of(asked.profile().authorization_endpoint or "")),
        ("Tokens go to", ", ".join(flow.origins)),
        ("Open until", rfc3339(flow.expires_at)),
    )


def _ended(flow: Flow | None) -> web.Response:
    if flow is None:
        return _page(
            end_page("Not yet", "The vendor's answer is awaited, or being stored. The command line says how it ends.")
        )
    if flow.phase == "Completed":
        return _page(end_page("Signed in", flow.message))
    return _page(end_page("Not signed in", flow.message), 400)


def _over(flow: Flow | None) -> str:
    return f"This sign-in is over: {flow.message if flow is not None and flow.message else 'its code was taken'}."


def _failure(error: Exception) -> web.Response:
    """Return a page for what went wrong, in the words that the command line would get."""
    if isinstance(error, Refused):
        return _page(end_page("Not signed in", error.message), error.status)
    status = refusal(error).status
    said = "Headgate cannot go on just now; try again in some seconds." if status == 503 else HTTPStatus(status).phrase
    return _page(end_page("Not signed in", said), status)


def _used() -> Refused:
    return Refused(410, "Used", f"This address was opened before, or is none. It works once; {BEGIN_AGAIN}.")


def _page(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")


def _set_cookie(answer: web.Response, value: str) -> None:
    age = int(LIFETIME.total_seconds())
    answer.set_cookie(COOKIE, value, max_age=age, path="/", secure=True, httponly=True, samesite="Lax")


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _same(one: str, other: str) -> bool:
    return bool(one) and hmac.compare_digest(one.encode(), other.encode())
