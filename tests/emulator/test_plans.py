"""An account's plan: what tests say it has used is what its headers, its usage page and its refusals say."""

from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from headgate_api.clock import ManualClock
from headgate_dev.emulator import Emulator, Plan, Window

from .conftest import OAUTH_HEADERS, OAUTH_TOKEN

START = datetime(2026, 11, 1, 9, tzinfo=UTC)
RESET = START + timedelta(minutes=30)
MESSAGE = {"model": "claude-sonnet-4-6", "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}]}
UNIFIED = "anthropic-ratelimit-unified-"


async def test_a_plan_at_91_percent_says_so_everywhere() -> None:
    clock = ManualClock(START)
    async with (
        Emulator(oauth_tokens=[OAUTH_TOKEN], clock=clock) as emu,
        aiohttp.ClientSession(emu.url, headers=OAUTH_HEADERS) as http,
    ):
        change = {"plans": {OAUTH_TOKEN: {"five_hours": {"used_percent": 91, "resets_at": RESET.isoformat()}}}}
        async with http.post("/_emulator/tokens", json=change) as answer:
            assert answer.status == 200
        async with http.post("/v1/messages", json=MESSAGE) as answer:
            said = {name: value for name, value in answer.headers.items() if name.startswith(UNIFIED)}
        assert said[f"{UNIFIED}status"] == said[f"{UNIFIED}5h-status"] == "allowed_warning"
        assert said[f"{UNIFIED}5h-utilization"] == "0.91"
        assert said[f"{UNIFIED}reset"] == said[f"{UNIFIED}5h-reset"] == str(int(RESET.timestamp()))
        assert said[f"{UNIFIED}7d-utilization"] == "0.1"
        async with http.get("/api/oauth/usage") as answer:
            usage = await answer.json()
        assert usage["five_hour"] == {"utilization": 91.0, "resets_at": RESET.isoformat()}
        assert usage["seven_day"]["utilization"] == 10.0


@pytest.mark.parametrize("window", ["five_hours", "seven_days"])
async def test_a_plan_that_is_used_up_refuses_until_its_window_starts_anew(window: str) -> None:
    clock = ManualClock(START)
    async with (
        Emulator(oauth_tokens=[OAUTH_TOKEN], clock=clock) as emu,
        aiohttp.ClientSession(emu.url, headers=OAUTH_HEADERS) as http,
    ):
        emu.credentials.plans[OAUTH_TOKEN] = Plan(**{window: Window(used_percent=100, resets_at=RESET)})
        async with http.post("/v1/messages", json=MESSAGE) as answer:
            assert (answer.status, answer.headers["retry-after"]) == (429, "1800")
            assert answer.headers[f"{UNIFIED}status"] == "rejected"
            assert answer.headers[f"{UNIFIED}representative-claim"] == window.removesuffix("s")
            assert (await answer.json())["error"]["type"] == "rate_limit_error"
        clock.advance(1800)
        async with http.post("/v1/messages", json=MESSAGE) as answer:
            assert answer.status == 200
            assert answer.headers[f"{UNIFIED}{'5h' if window == 'five_hours' else '7d'}-utilization"] == "0.0"


async def test_the_usage_page_is_for_plans(emu: Emulator, http: aiohttp.ClientSession) -> None:
    async with http.get("/api/oauth/usage") as answer:
        assert answer.status == 401


def test_windows_that_nobody_set_end_at_regular_moments() -> None:
    reading = Plan().at(START)
    assert reading.five_hours.resets_at - START <= timedelta(hours=5)
    assert reading.seven_days.resets_at - START <= timedelta(days=7)
    assert Plan().at(START + timedelta(minutes=1)).five_hours.resets_at == reading.five_hours.resets_at
