"""Sign-in in a browser: who sees what, whose browser may end it, and what no other site can bring about."""

import html
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from headgate_api import acknowledgement
from headgate_api.secret import Secret
from headgate_dev.emulator.oauth import Consent

from .world import HERE, Replica, SignInWorld, replica

COOKIE = "__Host-headgate-sign-in"


@dataclass
class Person:
    """A person at a command line and a browser."""

    broker: Replica
    world: SignInWorld
    key: Secret | None = None
    start: str = ""
    cookie: str | None = None
    form: dict[str, str] | None = None

    async def begin(self) -> None:
        self.key = self.world.new_key()
        status, state = await self.broker.begin(self.key)
        assert (status, state["method"]) == (200, "Browser")
        self.start = state["authorizationUrl"]

    async def look(self) -> str:
        status, text, _, cookie = await self.broker.page("GET", self.start)
        assert status == 200 and cookie is not None
        self.cookie = cookie.partition(";")[0]
        self.form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', text))
        return text

    async def press(self, **headers: str) -> tuple[int, str]:
        """Press the button; return the status, and where the browser is sent (or what it reads)."""
        status, text, sent, cookie = await self.broker.page("POST", self.start, self.cookie, self.form, **headers)
        if cookie is not None:
            self.cookie = cookie.partition(";")[0]
        return status, sent.get("location", text)

    async def come_back(self, url: str) -> tuple[int, str]:
        status, text, _, _ = await self.broker.page("GET", url, self.cookie)
        return status, text


async def _to_vendor(person: Person) -> str:
    await person.begin()
    await person.look()
    status, location = await person.press()
    assert status == 303
    return location


def _world() -> SignInWorld:
    return SignInWorld(redirect=HERE)


async def test_a_person_signs_in_in_a_browser() -> None:
    world = _world()
    async with replica(world) as broker:
        person = Person(broker, world)
        await person.begin()
        assert urlsplit(person.start)[:3] == ("https", "headgate.example", "/oauth/start")
        text = await person.look()
        for fact in (
            "team/ada",
            "ada@team.example",
            "https://api.vendor.example",
            "https://auth.vendor.example",
            "<td>ada</td>",
            html.escape(acknowledgement.TEXT),
        ):
            assert fact in text
        _, location = await person.press()
        status, text = await person.come_back(world.visit(location))
        assert status == 200 and "Signed in" in text
        assert (await broker.tell(person.key))[1]["state"] == "Completed"
    await world.condition()
    assert await world.works()


async def test_the_browser_may_meet_another_replica_each_time() -> None:
    world = _world()
    async with replica(world) as one, replica(world) as two, replica(world) as three:
        person = Person(one, world)
        await person.begin()
        await person.look()
        person.broker = two
        _, location = await person.press()
        person.broker = three
        assert (await person.come_back(world.visit(location)))[0] == 200


async def test_the_cookie_is_for_this_host_and_https_alone_and_no_script_reads_it() -> None:
    world = _world()
    async with replica(world) as broker:
        person = Person(broker, world)
        await person.begin()
        _, _, _, cookie = await broker.page("GET", person.start)
        assert cookie is not None and cookie.startswith(f"{COOKIE}=")
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"secure", "httponly", "samesite=lax", "path=/", "max-age=600"} <= attributes
        assert not any(attribute.startswith("domain") for attribute in attributes)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/oauth/start"), ("POST", "/oauth/start"), ("GET", "/oauth/callback"), ("GET", "/oauth/start?ticket=x")],
)
async def test_every_page_forbids_scripts_frames_referrers_and_keeping(method: str, path: str) -> None:
    world = _world()
    async with replica(world) as broker:
        status, _, headers, _ = await broker.page(method, path)
        assert 400 <= status < 500
        assert headers["content-security-policy"].startswith("default-src 'none'; frame-ancestors 'none'")
        assert (headers["x-frame-options"], headers["cache-control"]) == ("DENY", "no-store")
        assert (headers["referrer-policy"], headers["x-content-type-options"]) == ("no-referrer", "nosniff")
        assert headers["content-type"] == "text/html; charset=utf-8"


async def test_looking_at_the_page_changes_nothing_and_pressing_twice_neither() -> None:
    world = _world()
    async with replica(world) as broker:
        person = Person(broker, world)
        await person.begin()
        for _ in range(3):
            await person.look()
        first = await person.press()
        assert first[0] == 303
        assert await person.press() == first


async def test_an_address_that_was_used_opens_nothing_for_another_browser() -> None:
    world = _world()
    async with replica(world) as broker:
        person, thief = Person(broker, world), Person(broker, world)
        await person.begin()
        thief.start = person.start
        await person.look()
        await thief.look()
        await person.press()
        status, text = await thief.press()
        assert status == 410 and "works once" in text
        status, _, _, cookie = await broker.page("GET", person.start)
        assert (status, cookie) == (410, None)


async def test_another_site_cannot_press_the_button() -> None:
    world = _world()
    async with replica(world) as broker:
        person = Person(broker, world)
        await person.begin()
        await person.look()
        cookie, form = person.cookie, person.form
        assert form is not None
        assert (await person.press(sec_fetch_site="cross-site"))[0] == 403
        person.cookie = None
        assert (await person.press())[0] == 403
        person.cookie, person.form = cookie, form | {"proof": "0" * 64}
        assert (await person.press())[0] == 403
        person.form = form
        assert (await person.press(sec_fetch_site="same-origin"))[0] == 303


async def test_a_browser_that_did_not_begin_the_sign_in_cannot_end_it() -> None:
    """An attacker sends their own callback to a victim, or the victim's to themselves."""
    world = _world()
    async with replica(world) as broker:
        person = Person(broker, world)
        back = world.visit(await _to_vendor(person))
        mine = person.cookie
        assert mine is not None
        name, _, value = mine.partition("=")
        forged = [
            None,
            f"{name}={value[:-4]}AAAA",
            f"{name}=x",
            f"{name}={'0' * 64}.{'A' * 43}",
            f"{name}={value[65:]}",
        ]
        for cookie in forged:
            person.cookie = cookie
            status, text = await person.come_back(back)
            assert status in (403, 404), cookie
            assert "begin" in text or "begun" in text
        assert world.server.calls == []
        person.cookie = mine
        assert (await person.come_back(back))[0] == 200


async def test_a_wrong_or_missing_state_redeems_nothing_and_ends_nothing() -> None:
    world = _world()
    async with replica(world) as broker:
        person = Person(broker, world)
        back = world.visit(await _to_vendor(person))
        query = dict(parse_qsl(urlsplit(back).query))
        for wrong in (
            {"code": query["code"]},
            query | {"state": "x"},
            query | {"state": ""},
            {"error": "x", "state": "y"},
        ):
            assert (await person.come_back(f"{HERE}?{urlencode(wrong)}"))[0] == 403
        assert world.server.calls == []
        assert (await person.come_back(back))[0] == 200


async def test_a_callback_that_is_repeated_redeems_nothing_twice() -> None:
    world = _world()
    async with replica(world) as broker:
        person = Person(broker, world)
        back = world.visit(await _to_vendor(person))
        assert (await person.come_back(back))[0] == 200
        status, text = await person.come_back(back)
        assert status == 409 and "over" in text
    assert len(world.server.calls) == 1


async def test_a_person_who_declines_reads_our_words_not_the_vendors() -> None:
    world = _world()
    world.server.consent = Consent.DENY
    async with replica(world) as broker:
        person = Person(broker, world)
        back = world.visit(await _to_vendor(person))
        status, text = await person.come_back(back + "&error_description=<script>alert(1)</script>")
        assert status == 400 and "declined" in text and "script" not in text
        assert (await broker.tell(person.key))[1]["state"] == "Failed"


@pytest.mark.parametrize("planted", ["<script>x</script>", '"><img src=x>', "'onload='x", "&lt;b&gt;<b>"])
async def test_nothing_from_outside_becomes_markup(planted: str) -> None:
    world = _world()
    body = world.kube.objects[world.key.kind, "team", "ada"]
    body["spec"]["owner"]["email"] = f"{planted.replace(' ', '')}@team.example"
    async with replica(world) as broker:
        key = world.new_key(by=planted)
        _, state = await broker.begin(key)
        pages = [(await broker.page("GET", state["authorizationUrl"]))[1]]
        for query in ({"ticket": planted}, {"code": planted, "state": planted, "error": planted}):
            for path in ("/oauth/start", "/oauth/callback"):
                pages.append(
                    (await broker.page("GET", f"{path}?{urlencode(query)}", f"{COOKIE}={'0' * 64}.{'A' * 43}"))[1]
                )
        pages.append(
            (await broker.page("POST", "/oauth/start", f"{COOKIE}={'A' * 43}", {"ticket": planted, "proof": planted}))[
                1
            ]
        )
    assert re.search(r"<th>Begun by</th><td>[^<>\"']*</td>", pages[0])
    for page in pages:
        assert planted not in page
        assert set(re.findall(r"<(/?\w+)", page)) <= {
            *(
                "html",
                "head",
                "meta",
                "title",
                "/title",
                "/head",
                "body",
                "h1",
                "/h1",
                "p",
                "/p",
                "blockquote",
                "/blockquote",
                "table",
                "tr",
                "th",
                "/th",
            ),
            *("td", "/td", "/tr", "/table", "form", "input", "button", "/button", "/form", "/body", "/html"),
        }


async def test_pages_and_addresses_hold_no_secret_but_what_oauth_demands() -> None:
    world = _world()
    async with replica(world) as broker:
        person = Person(broker, world)
        await person.begin()
        text = await person.look()
        _, location = await person.press()
        _, last = await person.come_back(world.visit(location))
        flow = next(data for path, data in world.memory.written if "verifier" in data)
        for secret in (flow["state"], flow["verifier"], person.key.reveal() if person.key else ""):
            assert secret not in text + last + person.start
        assert flow["verifier"] not in location
        grant = await world.grant()
        assert grant is not None and grant.access_token.reveal() not in last


@pytest.mark.parametrize("body", [b"x" * 100_000, b"a=b&" * 1000, b"\xff\xfe"])
async def test_forms_that_are_none_are_refused(body: bytes) -> None:
    world = _world()
    async with replica(world) as broker:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        async with broker.http.post("/oauth/start", data=body, headers=headers) as answer:
            assert answer.status in (400, 413)
            assert answer.headers["x-frame-options"] == "DENY"


async def test_a_code_for_the_browser_can_be_pasted_as_well() -> None:
    world = _world()
    async with replica(world) as broker:
        person = Person(broker, world)
        back = world.visit(await _to_vendor(person))
        assert (await broker.bring(person.key, back))[1]["state"] == "Completed"


async def test_a_page_that_is_opened_too_late_says_so() -> None:
    world = _world()
    async with replica(world) as broker:
        person = Person(broker, world)
        back = world.visit(await _to_vendor(person))
        world.advance(minutes=10)
        assert (await person.come_back(back))[0] == 410
        assert (await broker.page("GET", person.start))[0] == 410
    assert world.server.calls == []


async def test_a_sign_in_that_was_replaced_cannot_be_ended_in_its_browser() -> None:
    world = _world()
    async with replica(world) as broker:
        person = Person(broker, world)
        back = world.visit(await _to_vendor(person))
        world.new_key("bob")
        assert (await person.come_back(back))[0] == 403
    assert world.server.calls == []
