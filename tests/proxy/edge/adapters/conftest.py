"""A gate in front of the emulated vendor of one adapter."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from headgate_dev.emulator import Emulator
from headgate_dev.emulator.openai.vendor import OpenAI
from headgate_dev.emulator.vendor import Vendor

from .vendors import ACCOUNT_ID, ADAPTERS, API_KEY, GPT, OAUTH, Adapter


@pytest.fixture
def adapter(request: pytest.FixtureRequest) -> Adapter:
    """Return the adapter that the test names."""
    chosen: Adapter = request.param
    return chosen


@pytest.fixture
def vendor(request: pytest.FixtureRequest) -> Callable[[], Vendor]:
    """Return the adapter's vendor, or OpenAI where a test is of no adapter."""
    of_adapter: Callable[[], Vendor] = OpenAI
    if "adapter" in request.fixturenames:
        of_adapter = request.getfixturevalue("adapter").vendor
    return of_adapter


@pytest.fixture
async def emu(vendor: Callable[[], Vendor]) -> AsyncIterator[Emulator]:
    async with Emulator(vendor=vendor(), api_keys=[API_KEY], oauth_tokens=[OAUTH]) as emulator:
        yield emulator


@pytest.fixture
def serve(gate: Any) -> Callable[..., None]:
    """Return what configures a gate for an adapter: its provider, its account, and what may be spent."""

    def configured(adapter: Adapter, *modes: str, fallback: dict[str, str] | None = None, **spec: Any) -> None:
        chosen = modes or adapter.modes
        auth: dict[str, Any] = {"modes": list(chosen), "fallback": fallback or {}}
        if "APIKey" in chosen:
            auth["apiKey"] = {}
        if "Subscription" in chosen:
            auth["subscription"] = {k: v.replace("{emu}", gate.emu.url) for k, v in adapter.subscription.items()}
        gate.provider("llm", auth=auth, **adapter.spec, **spec)
        if "Subscription" in chosen:
            gate.account(provider="llm", account_id=ACCOUNT_ID)

    return configured


@pytest.fixture
def codex(gate: Any, serve: Callable[..., None]) -> Callable[..., None]:
    """Return what configures the gate for plans at the Codex backend, and keys for the rest as the table allows."""
    of_codex = next(adapter for adapter in ADAPTERS if adapter.name == "codex")

    def configured(*modes: str, apis: tuple[str, ...] = ("Chat", "Responses", "Codex"), **more: Any) -> None:
        fallback = more.pop("fallback", None)
        serve(
            Adapter(
                "codex",
                OpenAI,
                of_codex.modes,
                {"protocol": "OpenAI", "models": [{"name": GPT}]},
                {},
                of_codex.subscription,
            ),
            *modes,
            fallback=fallback,
            apis=list(apis),
            **more,
        )

    return configured
