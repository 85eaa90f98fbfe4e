from collections.abc import AsyncIterator

import aiohttp
import anthropic
import pytest

from headgate_dev.emulator import Emulator

API_KEY = "emulated-api-key"
OAUTH_TOKEN = "emulated-oauth-token"
OAUTH_HEADERS = {
    "authorization": f"Bearer {OAUTH_TOKEN}",
    "anthropic-beta": "oauth-2025-04-20",
    "anthropic-version": "2023-06-01",
}


@pytest.fixture
async def emu() -> AsyncIterator[Emulator]:
    async with Emulator(api_keys=[API_KEY], oauth_tokens=[OAUTH_TOKEN]) as emulator:
        yield emulator


@pytest.fixture
async def sdk(emu: Emulator) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(api_key=API_KEY, base_url=emu.url, max_retries=0) as client:
        yield client


@pytest.fixture
async def http(emu: Emulator) -> AsyncIterator[aiohttp.ClientSession]:
    """A plain client that adds a good API key and inflates nothing."""
    headers = {"x-api-key": API_KEY, "anthropic-version": "2023-06-01"}
    async with aiohttp.ClientSession(emu.url, headers=headers, auto_decompress=False) as session:
        yield session
