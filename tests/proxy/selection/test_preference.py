"""Sessions keep their account, are spread evenly, and move only when their account cannot take them."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headgate_api.limits import Limit
from headgate_api.reasons import AuthMode, SkipReason
from headgate_proxy.callers.caller import Caller
from headgate_proxy.routing.provider import Provider
from headgate_proxy.selection.preference import hash_of, score
from headgate_proxy.selection.select import MOST_ACCOUNTS, Candidate, Situation, select
from headgate_proxy.selection.states import Exhausted, Held, Selection

NOW = datetime(2026, 11, 20, tzinfo=UTC)
AGENT = Caller("team-a", "agent", "u")
NAMES = [f"plan-{n}" for n in range(8)]
SESSIONS = [f"session-{n}" for n in range(2000)]


def pool(provider: Any, strategy: str, names: list[str] = NAMES, **more: Any) -> Provider:
    accounts = [{"name": name, "sharing": "Pool"} for name in names]
    found: Provider = provider(modes=["Subscription"], accounts=accounts, strategy=strategy, **more)
    return found


def chosen(
    one: Provider,
    vault: Any,
    session: str,
    *,
    limited: frozenset[str] = frozenset(),
    used: dict[str, float] | None = None,
) -> str:
    def limit(held: Held) -> Limit | None:
        return Limit(SkipReason.RATE_LIMITED, NOW + timedelta(hours=1)) if held.path in limited else None

    situation = Situation(
        vault,
        lambda _: None,
        NOW,
        limit=limit,
        used=lambda held: (used or {}).get(held.path, 0.0),
        session=lambda: session,
    )
    decision = select(one, AGENT, situation, {})
    assert isinstance(decision, Selection)
    assert decision.account is not None
    return decision.account


def test_fill_first_goes_to_the_next_name_when_the_first_is_at_its_limit(provider: Any, vault: Any) -> None:
    one = pool(provider, "FillFirst")
    assert {chosen(one, vault, session) for session in SESSIONS[:50]} == {"plan-0"}
    assert chosen(one, vault, "s", limited=frozenset({"plan-0", "plan-1"})) == "plan-2"


def test_spread_is_even_and_moves_only_the_sessions_of_an_account_that_falls_out(provider: Any, vault: Any) -> None:
    one = pool(provider, "Spread")
    before = {session: chosen(one, vault, session) for session in SESSIONS}
    counts = Counter(before.values())
    assert min(counts.values()) > 0.7 * len(SESSIONS) / len(NAMES)
    assert max(counts.values()) < 1.3 * len(SESSIONS) / len(NAMES)
    after = {session: chosen(one, vault, session, limited=frozenset({"plan-3"})) for session in SESSIONS}
    moved = {session for session in SESSIONS if before[session] != after[session]}
    assert moved == {session for session in SESSIONS if before[session] == "plan-3"}
    assert len({after[session] for session in moved}) == len(NAMES) - 1
    fewer = pool(provider, "Spread", NAMES[:-1])
    assert all(chosen(fewer, vault, s) == before[s] for s in SESSIONS if before[s] != NAMES[-1])


def test_a_large_pool_is_spread_too_and_every_account_of_it_is_tried_in_the_end(provider: Any, vault: Any) -> None:
    names = [f"p{n}" for n in range(200)]
    one = pool(provider, "Spread", names)
    before = {session: chosen(one, vault, session) for session in SESSIONS}
    counts = Counter(before.values())
    assert len(counts) > 190
    assert max(counts.values()) <= 40  # 10 on average
    out = frozenset(names[:50])
    after = {session: chosen(one, vault, session, limited=out) for session in SESSIONS}
    assert all(after[session] == before[session] for session in SESSIONS if before[session] not in out)
    assert chosen(one, vault, "s", limited=frozenset(names) - {"p123"}) == "p123"


@pytest.mark.parametrize("strategy", ["Spread", "LeastUsed"])
def test_priority_comes_before_any_strategy(provider: Any, vault: Any, strategy: str) -> None:
    accounts = [{"name": "a", "sharing": "Pool"}, {"name": "z", "sharing": "Pool", "priority": 1}]
    one = provider(modes=["Subscription"], accounts=accounts, strategy=strategy)
    assert {chosen(one, vault, session, used={"z": 89.0}) for session in SESSIONS[:20]} == {"z"}


def test_least_used_takes_the_account_with_most_left_and_does_not_flap_for_a_few_percent(
    provider: Any, vault: Any
) -> None:
    one = pool(provider, "LeastUsed", ["a", "b"])
    assert {chosen(one, vault, session, used={"a": 80.0, "b": 35.0}) for session in SESSIONS[:50]} == {"b"}
    alike = {session: chosen(one, vault, session, used={"a": 31.0, "b": 38.9}) for session in SESSIONS}
    assert set(alike.values()) == {"a", "b"}
    assert alike == {session: chosen(one, vault, session, used={"a": 38.0, "b": 32.0}) for session in SESSIONS}


def test_a_request_does_not_ask_a_thousand_accounts_in_turn(provider: Any, vault: Any) -> None:
    one = pool(provider, "Spread", [f"p{n}" for n in range(1000)])
    situation = Situation(vault, lambda _: None, NOW, session=lambda: "s")
    failed: dict[Candidate, SkipReason] = {}
    while isinstance(decision := select(one, AGENT, situation, failed), Selection):
        failed[decision.mode, decision.account] = SkipReason.RATE_LIMITED
    assert len(failed) == MOST_ACCOUNTS


def test_an_overloaded_vendor_is_not_asked_again_by_another_account(provider: Any, vault: Any) -> None:
    one = pool(provider, "FillFirst")
    situation = Situation(vault, lambda _: None, NOW)
    failed: dict[Candidate, SkipReason] = {(AuthMode.SUBSCRIPTION, "plan-0"): SkipReason.OVERLOADED}
    assert isinstance(select(one, AGENT, situation, failed), Exhausted)
    failed[AuthMode.SUBSCRIPTION, "plan-0"] = SkipReason.UNAVAILABLE
    assert isinstance(select(one, AGENT, situation, failed), Selection)


def test_everybody_computes_the_same_preference() -> None:
    """Proxies of two versions stand side by side: sessions must not change accounts when a fleet is upgraded."""
    assert hash_of("session-1") == 12558777036138866604
    assert score(1, 2) == 11743184359930348175
