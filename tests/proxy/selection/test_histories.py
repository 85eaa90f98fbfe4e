"""Whole requests against whatever vendors may answer: each ends, spends only what the spec allows, and uses only what it may."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate_api.clock import ManualClock
from headgate_api.decisions import DECISIONS, at_limit, configured
from headgate_api.reasons import AuthMode, SkipReason
from headgate_api.resources.limits import LimitWindow
from headgate_api.snapshot import CredentialPointer
from headgate_proxy.callers.caller import Caller
from headgate_proxy.routing.provider import Provider
from headgate_proxy.selection.limits import Told
from headgate_proxy.selection.select import MOST_ACCOUNTS, Candidate, Situation, select
from headgate_proxy.selection.states import Exhausted, Failure, Held, Selection
from headgate_proxy.selection.verdicts import Verdicts

NOW = datetime(2026, 11, 20, tzinfo=UTC)
ROWS = ("expired", "revoked", "rateLimited", "quotaExhausted", "unavailable")
NAMES = [f"n{n}" for n in range(12)]
MODELS = ["claude-sonnet-5-5", "claude-opus-5"]

account = st.fixed_dictionaries(
    {
        "owner": st.sampled_from(["agent", "other"]),
        "sharing": st.sampled_from(["OwnerOnly", "OwnerOnly", "Pool"]),
        "acknowledged": st.sampled_from([True, True, True, False]),
        "suspend": st.sampled_from([False, False, False, True]),
        "priority": st.integers(-1, 1),
    }
)
accounts = st.dictionaries(st.sampled_from(NAMES), account, max_size=len(NAMES))
tables = st.fixed_dictionaries({row: st.sampled_from(["Allow", "Deny"]) for row in ROWS})
modes = st.permutations(["Subscription", "APIKey"]) | st.sampled_from([["APIKey"], ["Subscription"]])
strategies = st.sampled_from(["FillFirst", "Spread", "LeastUsed"])
callers = st.sampled_from(
    [Caller("team-a", "agent", "u1"), Caller("team-a", "other", "u2"), Caller("team-b", "agent", "u3")]
)


class History:
    """One proxy's memory over several requests of one provider."""

    def __init__(
        self, provider: Provider, spec: dict[str, Any], held: Any, missing: frozenset[str], data: st.DataObject
    ) -> None:
        self.provider, self.spec, self.data = provider, spec, data
        self.clock = ManualClock(NOW)
        self.verdicts = Verdicts(self.clock)
        self._held, self._missing = held, missing

    def get(self, pointer: CredentialPointer) -> Held | None:
        found: Held | None = None if pointer.path in self._missing else self._held(pointer.path)
        return found

    def situation(self, model: str, session: str) -> Situation:
        now, limits = self.clock.now(), self.verdicts.limits
        return Situation(
            self.get,
            self.verdicts.against,
            now,
            limit=lambda held: limits.in_force(held.scope, model, now),
            used=lambda held: limits.used(held.scope, model, now),
            session=lambda: session,
        )

    def request(self, caller: Caller) -> None:
        model, session = self.data.draw(st.sampled_from(MODELS)), self.data.draw(st.sampled_from("abc"))
        failed: dict[Candidate, SkipReason] = {}
        order = self.provider.spec.auth.modes
        for _ in range(len(order) * MOST_ACCOUNTS + 1):
            situation = self.situation(model, session)
            decision = select(self.provider, caller, situation, failed)
            assert decision == select(self.provider, caller, situation, failed)
            if isinstance(decision, Exhausted):
                return
            candidate = (decision.mode, decision.account)
            assert candidate not in failed
            self._may_use(decision, caller)
            self._spends_only_what_is_allowed(decision, failed)
            if situation.limit(decision.held) is not None:
                assert not any(at_limit(reason) for reason in failed.values())
            if not self._answer(decision, failed):
                return
        raise AssertionError("a request did not come to an end")

    def _may_use(self, decision: Selection, caller: Caller) -> None:
        if decision.mode is not AuthMode.SUBSCRIPTION:
            return
        assert decision.account is not None
        spec = self.spec[decision.account]
        owns = (caller.namespace, caller.service_account) == ("team-a", spec["owner"])
        assert owns or spec["sharing"] == "Pool"
        assert spec["acknowledged"]
        assert not spec["suspend"]

    def _spends_only_what_is_allowed(self, decision: Selection, failed: dict[Candidate, SkipReason]) -> None:
        order = self.provider.spec.auth.modes
        before = order[: order.index(decision.mode)]
        stood = [skip.reason for skip in decision.skipped if skip.mode in before and configured(skip.reason)]
        stood += [reason for (mode, _), reason in failed.items() if mode in before]
        for reason in stood:
            boundary = DECISIONS[reason].boundary
            assert boundary is not None
            assert self.provider.spec.auth.fallback.allows(boundary)
        assert (decision.fallback is not None) == bool(stood)

    def _answer(self, decision: Selection, failed: dict[Candidate, SkipReason]) -> bool:
        """Let the vendor answer as it likes; tell whether it was a failure."""
        answer = self.data.draw(st.sampled_from([None, *_FAILURES]))
        told = self.data.draw(st.none() | st.builds(Told, st.builds(_window, st.integers(0, 100), st.integers(1, 9))))
        if answer is None:
            self.verdicts.succeeded(decision.held, self.clock.now(), told)
            return False
        until = self.data.draw(st.none() | st.integers(1, 400).map(lambda s: self.clock.now() + timedelta(seconds=s)))
        self.verdicts.failed(decision.held, Failure(answer, 400, until), told)
        failed[decision.mode, decision.account] = answer
        return True


_FAILURES = [
    SkipReason.EXPIRED,
    SkipReason.REVOKED,
    SkipReason.REAUTHENTICATION_REQUIRED,
    SkipReason.PLAN_SUSPENDED,
    SkipReason.RATE_LIMITED,
    SkipReason.RATE_LIMITED,
    SkipReason.QUOTA_EXHAUSTED,
    SkipReason.OVERLOADED,
    SkipReason.UNAVAILABLE,
    SkipReason.UNREACHABLE,
    SkipReason.UNSUPPORTED,
]


def _window(used: int, minutes: int) -> tuple[LimitWindow, ...]:
    resets = NOW + timedelta(minutes=minutes)
    return (
        LimitWindow(name="7d_opus" if used % 2 else "5h", used_percent=used, resets_at=resets, exhausted=used == 100),
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(
    modes=modes,
    table=tables,
    accounts=accounts,
    strategy=strategies,
    missing=st.frozensets(st.sampled_from([*NAMES, "key"]), max_size=3),
    data=st.data(),
)
def test_every_request_of_every_history_holds_the_rules(
    provider: Any,
    held: Any,
    modes: Any,
    table: Any,
    accounts: Any,
    strategy: str,
    missing: frozenset[str],
    data: st.DataObject,
) -> None:
    given_accounts = [{"name": name} | spec for name, spec in accounts.items()]
    one = provider(modes=list(modes), fallback=table, accounts=given_accounts, strategy=strategy)
    history = History(one, accounts, held, missing, data)
    for _ in range(data.draw(st.integers(1, 5))):
        history.request(data.draw(callers))
        history.clock.advance(data.draw(st.sampled_from([0, 1, 59, 60, 300])))
