"""Selection: deterministic, total, in the order of the spec, and never across a boundary that is not open."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate_api.decisions import DECISIONS, at_limit, configured
from headgate_api.limits import Limit
from headgate_api.reasons import AuthMode, SkipReason
from headgate_proxy.callers.caller import Caller
from headgate_proxy.selection.explain import fallback_header, why_not
from headgate_proxy.selection.select import Candidate, Situation, select
from headgate_proxy.selection.states import Exhausted, Held, Selection
from headgate_proxy.selection.verdicts import Verdict

NOW = datetime(2026, 11, 20, tzinfo=UTC)
AGENT = Caller("team-a", "agent", "u")
ROWS = ("expired", "revoked", "rateLimited", "quotaExhausted", "unavailable")
ALLOW = dict.fromkeys(ROWS, "Allow")


def situation(vault: Any, against: dict[str, SkipReason] | None = None) -> Situation:
    end = NOW + timedelta(minutes=1)

    def verdict(credential: Held) -> Verdict | None:
        reason = (against or {}).get(credential.path)
        return None if reason is None or at_limit(reason) else Verdict(reason, end, NOW)

    def limit(credential: Held) -> Limit | None:
        reason = (against or {}).get(credential.path)
        return None if reason is None or not at_limit(reason) else Limit(reason, end)

    return Situation(vault, verdict, NOW, limit=limit)


def test_accounts_go_by_priority_then_name(provider: Any, vault: Any) -> None:
    accounts = [
        {"name": "b"},
        {"name": "a"},
        {"name": "z", "priority": 1},
        {"name": "elsewhere", "provider": "q", "priority": 9},
    ]
    chosen = provider(accounts=accounts)
    order = []
    failed: dict[Any, SkipReason] = {}
    while isinstance(decision := select(chosen, AGENT, situation(vault), failed), Selection):
        order.append(decision.account)
        failed[(decision.mode, decision.account)] = SkipReason.REVOKED
    assert order == ["z", "a", "b"]


def test_a_selector_narrows_and_pool_opens(provider: Any, vault: Any) -> None:
    pool = provider(accounts=[{"name": "a", "owner": "other", "sharing": "Pool"}])
    assert select(pool, AGENT, situation(vault), {}).skipped == ()
    foreign = select(pool, Caller("team-b", "agent", "u"), situation(vault), {})
    assert isinstance(foreign, Selection)
    owned = provider(accounts=[{"name": "a"}])
    stranger = select(owned, Caller("team-b", "agent", "u"), situation(vault), {})
    assert isinstance(stranger, Selection)
    assert (stranger.mode, stranger.fallback) == (AuthMode.API_KEY, None)


def test_one_denied_reason_among_several_accounts_keeps_the_money(provider: Any, vault: Any) -> None:
    both = provider(accounts=[{"name": "a"}, {"name": "b"}], fallback={"revoked": "Allow"})
    failed: dict[Candidate, SkipReason] = {
        (AuthMode.SUBSCRIPTION, "a"): SkipReason.REVOKED,
        (AuthMode.SUBSCRIPTION, "b"): SkipReason.UNAVAILABLE,
    }
    decision = select(both, AGENT, situation(vault), failed)
    assert isinstance(decision, Exhausted)
    assert decision.denied is not None
    assert decision.denied.reason is SkipReason.UNAVAILABLE


def test_a_grant_that_its_owner_revoked_goes_by_the_row_of_revoked_ones(provider: Any, vault: Any) -> None:
    def ask(**fallback: str) -> Selection | Exhausted:
        return select(
            provider(accounts=[{"name": "a", "revoked": True}], fallback=fallback), AGENT, situation(vault), {}
        )

    paid = ask(revoked="Allow")
    assert isinstance(paid, Selection)
    assert (paid.mode, fallback_header(paid)) == (AuthMode.API_KEY, "Revoked")
    assert isinstance(ask(unavailable="Allow"), Exhausted)


def test_a_limited_credential_is_the_last_resort_only(provider: Any, vault: Any) -> None:
    one = provider(accounts=[{"name": "a"}], fallback=ALLOW)
    around = situation(vault, {"a": SkipReason.RATE_LIMITED})
    paid = select(one, AGENT, around, {})
    assert isinstance(paid, Selection)
    assert paid.mode is AuthMode.API_KEY
    last = select(one, AGENT, around, {(AuthMode.API_KEY, None): SkipReason.UNAVAILABLE})
    assert isinstance(last, Selection)
    assert (last.mode, last.account) == (AuthMode.SUBSCRIPTION, "a")


def test_reasons_read_well(provider: Any, vault: Any) -> None:
    one = provider(accounts=[{"name": "a"}, {"name": "theirs", "owner": "x"}], fallback=ALLOW)
    around = situation(vault, {"a": SkipReason.REVOKED})
    decision = select(one, AGENT, around, {})
    assert isinstance(decision, Selection)
    assert fallback_header(decision) == "Revoked"
    over = select(one, AGENT, around, {(AuthMode.API_KEY, None): SkipReason.REVOKED})
    assert isinstance(over, Exhausted)
    assert "Subscription/a: Revoked (" in why_not(over)
    assert "theirs" not in why_not(over)


accounts = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["a", "b", "c"]),
            "owner": st.sampled_from(["agent", "other"]),
            "acknowledged": st.booleans(),
            "suspend": st.booleans(),
            "priority": st.integers(-1, 1),
        }
    ),
    max_size=3,
    unique_by=lambda account: account["name"],
)
reasons = st.dictionaries(st.sampled_from(["a", "b", "c", "key"]), st.sampled_from(list(SkipReason)))
tables = st.fixed_dictionaries({row: st.sampled_from(["Allow", "Deny"]) for row in ROWS})
lost = st.sets(st.sampled_from(["a", "b", "key"]))
modes = st.permutations(["Subscription", "APIKey"]) | st.sampled_from([["APIKey"], ["Subscription"]])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    modes=modes,
    table=tables,
    accounts=accounts,
    against=reasons,
    missing=st.sets(st.sampled_from(["a", "b", "key"])),
    data=st.data(),
)
def test_every_decision_holds_the_rules(
    provider: Any, held: Any, modes: Any, table: Any, accounts: Any, against: Any, missing: Any, data: st.DataObject
) -> None:
    chosen = provider(modes=list(modes), fallback=table, accounts=[dict(account) for account in accounts])
    around = situation(lambda pointer: None if pointer.path in missing else held(pointer.path), against)
    order = [AuthMode(mode) for mode in modes]
    failed: dict[Any, SkipReason] = {}
    for _ in range(8):
        decision = select(chosen, AGENT, around, failed)
        assert decision == select(chosen, AGENT, around, failed)
        if isinstance(decision, Exhausted):
            return
        candidate = (decision.mode, decision.account)
        assert candidate not in failed
        assert decision.held.path not in missing
        verdict = against.get(decision.held.path)
        assert verdict is None or at_limit(verdict)
        if decision.mode is AuthMode.SUBSCRIPTION:
            account = next(a for a in accounts if a["name"] == decision.account)
            assert account["owner"] == "agent"
            assert account["acknowledged"]
            assert not account["suspend"]
        for skip in decision.skipped:
            earlier = order.index(skip.mode) < order.index(decision.mode)
            if earlier and configured(skip.reason):
                assert decision.fallback is not None
                boundary = DECISIONS[skip.reason].boundary
                assert boundary is not None
                assert chosen.spec.auth.fallback.allows(boundary)
        failed[candidate] = data.draw(
            st.sampled_from([SkipReason.REVOKED, SkipReason.RATE_LIMITED, SkipReason.UNAVAILABLE])
        )
    raise AssertionError("selection did not come to an end")
