"""A sign-in in a real browser: its own ideas of cookies, redirects and content policies decide, not a test client's."""

import html
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Browser, async_playwright

from headgate_dev.browser import chromium
from headgate_dev.emulator import throwaway_tls
from headgate_dev.host.packages import PackagesUnavailable

from .world import HERE, SignInWorld, replica

GATE, VENDOR = "headgate.example", "auth.vendor.example"


@pytest.fixture(scope="module")
def executable() -> Path:
    try:
        return chromium()
    except PackagesUnavailable as unavailable:
        pytest.skip(str(unavailable))


@asynccontextmanager
async def https(world: SignInWorld, *routes: web.RouteDef) -> AsyncIterator[int]:
    """Serve by TLS on a free port; a browser takes it for the names above."""
    app = web.Application()
    app.router.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=throwaway_tls((GATE, VENDOR)).server_context()).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def browser(executable: Path, gate: int, vendor: int) -> AsyncIterator[Browser]:
    hosts = f"MAP {GATE}:443 127.0.0.1:{gate}, MAP {VENDOR}:443 127.0.0.1:{vendor}"
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", f"--host-resolver-rules={hosts}"]
        )
        try:
            yield started
        finally:
            await started.close()


@pytest.mark.timeout(900)  # a fresh machine installs the browser first
async def test_a_person_signs_in_and_nobody_elses_browser_goes_on_with_it(executable: Path) -> None:
    world = SignInWorld(redirect=HERE)

    async def consent(request: web.Request) -> web.Response:
        back = html.escape(world.visit(f"https://{VENDOR}{request.raw_path}"))
        return web.Response(text=f'<a id="allow" href="{back}">Allow</a>', content_type="text/html")

    async with replica(world) as broker:
        key = world.new_key()
        _, state = await broker.begin(key)
        async with (
            https(world, *broker.signing_in.routes()) as gate,
            https(world, web.get("/oauth/authorize", consent)) as vendor,
            browser(executable, gate, vendor) as started,
        ):
            person = await (await started.new_context(ignore_https_errors=True)).new_page()
            await person.goto(state["authorizationUrl"])
            assert "ada@team.example" in await person.inner_text("table")
            await person.click("button")
            assert person.url.startswith(f"https://{VENDOR}/oauth/authorize?")

            stranger = await (await started.new_context(ignore_https_errors=True)).new_page()
            opened = await stranger.goto(state["authorizationUrl"])
            assert opened is not None and opened.status == 410
            link = await person.get_attribute("#allow", "href")
            stolen = await stranger.goto(str(link))
            assert stolen is not None and stolen.status == 403

            await person.click("#allow")
            await person.wait_for_url(f"{HERE}?*")
            assert await person.inner_text("h1") == "Signed in"
            assert [cookie["name"] for cookie in await person.context.cookies(HERE)] == []
        assert (await broker.tell(key))[1]["state"] == "Completed"
