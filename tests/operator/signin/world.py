"""A person, their account, the vendor they sign in at, and as many replicas of the broker as a test wants."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, urlsplit

import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry
from tests.operator.credentials.objects import NS
from tests.operator.refresh.world import CLIENT, World

from headgate_api import names
from headgate_api.secret import Secret
from headgate_api.signin import CALLBACK_PATH, SIGN_IN_CODE_PATH, SIGN_IN_PATH, key_hash
from headgate_dev.emulator.oauth import Client as Registered
from headgate_dev.emulator.oauth import OAuthServer
from headgate_dev.emulator.vendor import Answer, Call
from headgate_operator.credentials.store import Store
from headgate_operator.refresh.subject import Subjects
from headgate_operator.revoke.executor import RevokeExecutor
from headgate_operator.revoke.metrics import RevokeMetrics
from headgate_operator.signin.assembly import SigningIn
from headgate_operator.signin.flows import Listing

if TYPE_CHECKING:
    from headgate_runtime.kube import Kube

PASTE = "https://console.vendor.example/oauth/code/callback"
HERE = f"https://headgate.example{CALLBACK_PATH}"


def registered(**options: Any) -> OAuthServer:
    """The vendor, which knows a client that may send people to its own page, or to the broker."""
    return OAuthServer(Registered(CLIENT, redirect_uris=(PASTE, HERE)), **options)


@dataclass
class SignInWorld(World):
    """``redirect``: where the account's profile has the vendor send browsers; ``device``: whether it names that endpoint."""

    redirect: str | None = PASTE
    device: bool = False
    revocation: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    keys: int = 0

    def __post_init__(self) -> None:
        self.oauth = self.oauth or registered()
        super().__post_init__()

    def put_account(self, **spec: Any) -> None:
        oauth: dict[str, Any] = {
            "tokenEndpoint": f"{self.url}/oauth/token",
            "clientId": CLIENT,
            "scopes": ["inference"],
        }
        if self.redirect is not None:
            oauth |= {"authorizationEndpoint": f"{self.url}/oauth/authorize", "redirectURI": self.redirect}
        if self.device:
            oauth["deviceAuthorizationEndpoint"] = f"{self.url}/oauth/device/code"
        if self.revocation:
            oauth["revocationEndpoint"] = f"{self.url}/oauth/revoke"
        super().put_account(**({"oauth": oauth | self.extra} | spec))

    def annotate(self, **values: str | None) -> None:
        """Set annotations of the account; underscores stand for dashes, None removes."""
        body = self.kube.objects[self.key.kind, NS, self.name]
        found = body["metadata"].setdefault("annotations", {})
        for name, value in values.items():
            found.pop(f"headgate.dev/{name.replace('_', '-')}", None)
            if value is not None:
                found[f"headgate.dev/{name.replace('_', '-')}"] = value
        self.kube._touch(body)

    def new_key(self, by: str = "ada") -> Secret:
        """Do what a person's command line does first: make a key, and let the API server vouch for its hash."""
        key = Secret("emulated-key-" + secrets.token_urlsafe(32))
        self.annotate(**{names.ANNOTATION_SIGN_IN.partition("/")[2].replace("-", "_"): key_hash(key), "sign_in_by": by})
        return key

    def signing_in(self, vault: Listing | None = None) -> SigningIn:
        """Return the sign-ins of a freshly started replica."""
        return SigningIn(
            cast("Kube", self.kube),
            vault or cast("Listing", self.kv),
            self.told,
            namespace="headgate-system",
            clock=self.clock,
            redactor=self.redactor,
            registry=CollectorRegistry(),
            leads=lambda: True,
            http=self.direct,
        )

    def revoker(self) -> RevokeExecutor:
        """Return what tells the vendor of revocations, of a freshly started operator."""
        return RevokeExecutor(
            Subjects(cast("Kube", self.kube), self.redactor, fleet_namespace="headgate-system"),
            Store(self.kv),
            self.direct,
            self.told,
            clock=self.clock,
            fence=lambda: None,
            metrics=RevokeMetrics(CollectorRegistry()),
            redactor=self.redactor,
        )

    def visit(self, url: str) -> str:
        """Open the vendor's authorization page as a person does, and return where it sends the browser."""
        parts = urlsplit(url)
        call = Call(0, "GET", parts.path, dict(parse_qsl(parts.query)), {}, b"", self.clock.now())
        answer: Answer = self.direct.vendor.answer(call, self.credentials)
        return dict(answer.headers)["location"]

    def code(self, url: str) -> str:
        """Sign in at the vendor and return what its page shows to paste."""
        query = dict(parse_qsl(urlsplit(self.visit(url)).query))
        return f"{query['code']}#{query['state']}"


@dataclass
class Replica:
    """One broker over HTTP."""

    http: aiohttp.ClientSession
    signing_in: SigningIn
    world: SignInWorld

    async def call(
        self, method: str, key: Secret | str | None, body: Any = None, *, path: str = SIGN_IN_PATH, name: str = "ada"
    ) -> tuple[int, dict[str, Any]]:
        given = key.reveal() if isinstance(key, Secret) else key
        headers = {"authorization": f"Bearer {given}"} if given is not None else {}
        url = path.format(namespace=NS, name=name)
        options = {"data": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
        async with self.http.request(method, url, headers=headers, **options) as answer:
            assert answer.headers.get("cache-control", "no-store") == "no-store"
            return answer.status, {} if answer.status == 204 else await answer.json()

    async def begin(
        self, key: Secret | str | None, method: str | None = None, **more: Any
    ) -> tuple[int, dict[str, Any]]:
        return await self.call("POST", key, {"method": method} if method is not None else {}, **more)

    async def tell(self, key: Secret | str | None) -> tuple[int, dict[str, Any]]:
        return await self.call("GET", key)

    async def bring(self, key: Secret | str | None, code: str) -> tuple[int, dict[str, Any]]:
        return await self.call("POST", key, {"code": code}, path=SIGN_IN_CODE_PATH)

    async def page(
        self, method: str, url: str, cookie: str | None = None, form: Mapping[str, str] | None = None, **headers: str
    ) -> tuple[int, str, Mapping[str, str], str | None]:
        """Open a page as a browser; return status, text, headers and the cookie it sets."""
        parts = urlsplit(url)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if cookie is not None:
            sent["cookie"] = cookie
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        async with self.http.request(method, path, headers=sent, data=form, allow_redirects=False) as answer:
            cookies = answer.headers.getall("set-cookie", [])
            return answer.status, await answer.text(), answer.headers, cookies[0] if cookies else None


@asynccontextmanager
async def replica(world: SignInWorld, vault: Listing | None = None) -> AsyncIterator[Replica]:
    """Start a replica; its sign-ins run until the end."""
    made = world.signing_in(vault)
    app = web.Application(client_max_size=256 * 1024)
    app.router.add_routes(made.routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with asyncio.TaskGroup() as group:
            running = group.create_task(made.sign_ins.run())
            await asyncio.sleep(0)
            try:
                async with aiohttp.ClientSession(base, cookie_jar=aiohttp.DummyCookieJar()) as http:
                    yield Replica(http, made, world)
            finally:
                running.cancel()
    finally:
        await runner.cleanup()
