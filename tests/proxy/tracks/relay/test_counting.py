"""What the deciding pod counts of both tracks, and what it leaves out."""

from typing import Any

from headgate_api.pricing import cost_micro_usd, price
from headgate_dev.emulator import Fault, FaultKind

MODEL = "claude-sonnet-4-5"
STABLE, CANDIDATE = "emulated-key-stable", "emulated-key-candidate"


async def test_both_tracks_are_counted_alike(world: Any) -> None:
    tester, stable = world.headers("tester"), world.headers("tester", x_headgate_track="stable")
    for headers in (tester, stable):
        await world.ask("write 12 words", stream=True, headers=headers)
        world.emu.add_fault(Fault(kind=FaultKind.SERVER_ERROR))
        await world.ask(headers=headers)
        world.emu.add_fault(Fault(kind=FaultKind.UNAUTHORIZED))
        await world.ask(headers=headers)
    on_stable, on_canary = world.counted()
    for counts in (on_stable, on_canary):
        assert (counts.requests, counts.errors, counts.auth_failures, counts.truncated) == (3, 2, 1, 0)
        assert (counts.costed, sum(counts.first_token.values())) == (1, 1)
        assert counts.cost_micro_usd > 0
    assert on_stable.cost_micro_usd == on_canary.cost_micro_usd


async def test_the_cost_is_what_the_vendor_would_charge(world: Any) -> None:
    answer = await world.ask("write 12 words")
    usage = (await answer.json())["usage"]
    pricing = price(MODEL)
    assert pricing is not None
    expected = cost_micro_usd(pricing, input_tokens=usage["input_tokens"], output_tokens=usage["output_tokens"])
    assert world.counted()[1].cost_micro_usd == expected


async def test_the_candidates_own_price_counts_for_the_candidate(world: Any) -> None:
    free = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite5M": 0, "cacheWrite1H": 0}
    world.candidate = {"models": [{"name": MODEL, "pricing": free}]}
    world.publish()
    await world.ask()
    assert (world.counted()[1].costed, world.counted()[1].cost_micro_usd) == (1, 0)


async def test_a_model_without_a_price_is_not_costed(world: Any) -> None:
    world.candidate = {"models": [{"name": MODEL, "upstreamName": "claude-sonnet-5-5"}]}
    world.publish()
    assert (await world.ask()).status == 200
    assert (world.counted()[1].requests, world.counted()[1].costed) == (1, 0)


async def test_a_fallback_on_the_canary_is_told_to_the_pod_that_counts(world: Any) -> None:
    world.candidate = {
        "auth": {
            "modes": ["Subscription", "APIKey"],
            "apiKey": {},
            "subscription": {},
            "fallback": {"unavailable": "Allow", "expired": "Allow", "revoked": "Allow"},
        }
    }
    world.account()
    world.publish()
    answer = await world.ask()
    assert answer.headers["x-headgate-auth-mode"] == "APIKey"
    assert answer.headers["x-headgate-fallback-reason"] == "Missing"
    assert "x-headgate-relay-notes" not in answer.headers
    assert world.counted()[1].fallbacks == 1


async def test_a_step_begins_at_zero_and_what_ended_is_forgotten(world: Any) -> None:
    await world.ask()
    world.publish()
    assert world.counted()[1].requests == 1  # the same step goes on
    world.split["step"] = 2
    world.publish()
    assert world.counted()[1].requests == 0
    world.split = {}
    world.publish()
    assert world.stable.counts.observations() == ()


async def test_requests_that_no_rollout_governs_are_not_counted(world: Any) -> None:
    async with world.http.get(f"{world.url}/v1/models", headers=world.headers()) as response:
        assert response.status == 200
    assert (await world.ask(model="unknown")).status == 404
    assert [counts.requests for counts in world.counted()] == [0, 0]
