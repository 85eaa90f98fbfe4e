"""Whatever people, crashes, partitions and clocks do, in any order: no gate is passed unopened, nothing is lost or stuck.

The oracle shares no code with the engine: it keeps its own book of who was allowed to approve what, and when.
"""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from headgate_api.report import TrackCounts
from headgate_api.resources.base import seconds_of
from headgate_api.resources.rolloutspec import RolloutPolicySpec
from headgate_api.resources.rolloutstatus import RolloutPolicyStatus, RolloutStatus
from headgate_operator.analysis.windows import Pair, Windows
from headgate_operator.rollout.plan import Plan

from .world import APPROVAL, AUDIENCE, ERRORS, World, weight

if TYPE_CHECKING:
    from datetime import datetime

PEOPLE = ("alice", "bob", "carol", "dora", "mallory", "system:serviceaccount:ci:robot")
ALLOWED = ("alice", "bob", "carol", "dora")
POLICIES: dict[str, dict[str, Any]] = {
    "p": {
        "targets": [{"name": "a"}, {"name": "b"}],
        "steps": [AUDIENCE, APPROVAL, weight(10, "1m"), weight(50, "30s", analysis=False), APPROVAL, weight(100)],
        "analysis": ERRORS,
        "approval": {"expiresAfter": "2h", "approvers": {"users": list(ALLOWED)}},
        "deadline": "6h",
        "rollbackWindow": "10m",
    },
    "q": {
        "targets": [{"name": "c"}],
        "steps": [APPROVAL, weight(25, "1m"), weight(100)],
        "analysis": ERRORS,
        "approval": {"approvers": {"users": list(ALLOWED)}},
        "onFailure": "Pause",
        "deadline": "3h",
        "rollbackWindow": "0s",
    },
    "image": {
        "targets": [{"kind": "ProxyFleet", "name": "default"}],
        "steps": [APPROVAL, weight(50, "30s"), weight(100)],
        "approval": {"approvers": {"users": list(ALLOWED)}},
        "deadline": "3h",
        "rollbackWindow": "0s",
    },
}
WEAKER = {"steps": [weight(100)], "approval": {"distinctFromAuthor": False}}
LABELS = ("LLMProvider/a", "LLMProvider/b", "LLMProvider/c", "ProxyFleet/default")
OWNER = {"LLMProvider/a": "p", "LLMProvider/b": "p", "LLMProvider/c": "q", "ProxyFleet/default": "image"}
WITHDRAWN = (
    "Aborted",
    "AnalysisFailed",
    "ApprovalExpired",
    "DeadlineExceeded",
    "Reverted",
    "Superseded",
    "TargetDeleted",
)

policies = st.sampled_from(sorted(POLICIES))
people = st.sampled_from(PEOPLE)
labels = st.sampled_from(LABELS)
contents = st.sampled_from(("v1", "v2", "v3"))


class Book(World):
    """The world, with a record of what was decided: each rollout's policy, authors, permitted approvals and weights."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: dict[tuple[str, str], tuple[RolloutStatus, RolloutPolicySpec]] = {}
        self.permitted: dict[tuple[str, str, int], set[str]] = {}
        self.raised: dict[tuple[str, str], list[tuple[int, datetime]]] = {}
        self.authors: dict[str, dict[str, set[str]]] = {label: {} for label in LABELS}
        self.pending: dict[str, tuple[str, str, int]] = {}
        self.secured: set[str] = set()
        """Objects that had a stable form since they were made."""
        self.gone: set[str] = set()
        """Objects that were deleted since a rollout last began for them."""
        self.restored: set[str] = set()
        """Objects that were promoted again, outside of a rollout, since one last began for them."""
        self.ever: dict[str, set[str]] = {label: set() for label in LABELS}
        """What was ever stable under a name."""

    def delete(self, label: str) -> None:
        self.remember_stable()
        super().delete(label)
        self.secured.discard(label)
        self.gone.add(label)

    def remember_stable(self) -> None:
        for label, promoted in self.promoted.items():
            self.ever[label] |= set(promoted)

    def write_down_approval(self, name: str, by: str, approve: str) -> None:
        """Note whom the rules allow, at the moment the annotation is set; it counts only when seen in time."""
        status = self.read(name).status
        revision, _, index = approve.rpartition("/")
        if status.rollout is None or status.step is None or status.step.kind != "Approval" or by not in ALLOWED:
            return
        if (status.rollout.revision, str(status.step.index)) != (revision, index) or self.now >= status.step.deadline:
            return
        _, spec = self.begun[name, revision]
        if spec.approval.distinct_from_author and by in status.rollout.authors:
            return
        self.permitted.setdefault((name, revision, int(index)), set()).add(by)

    def _do_promote(self, name: str, plan: Plan) -> None:
        for promotion in plan.promote:
            label = promotion.target.label
            assert OWNER[label] == name, "a policy promotes only what it guards"
            status = self.read(name).status
            if status.rollout is None:
                self.remember_stable()
                assert promotion.revision in self.ever[label], "what never was stable is promoted without a rollout"
                self.restored.add(label)
            elif plan.status.rollout is not None:
                self.gates_open(name, status.rollout.revision, 1000)
        super()._do_promote(name, plan)

    def _do_status(self, name: str, plan: Plan) -> None:
        before = self.read(name).status
        super()._do_status(name, plan)
        after = plan.status
        if after.rollout is not None and (name, after.rollout.revision) not in self.begun:
            spec = self.pinned[after.rollout.policy_revision]
            self.begun[name, after.rollout.revision] = (after.rollout, spec)
            for target in after.rollout.targets:
                label = f"{target.kind}/{target.name}"
                self.gone.discard(label)
                self.restored.discard(label)
                assert target.stable is None or target.stable in self.promoted.get(label, ()), (
                    "nothing is there to go back to"
                )
            if before.rollout is not None:
                assert set(before.rollout.authors) <= set(after.rollout.authors), "an author was forgotten"
            targets = {f"{t.kind}/{t.name}": t for t in after.rollout.targets}
            changed = [self.objects[label] for label, t in targets.items() if t.stable != t.candidate]
            for made in changed:
                assert made.authors <= set(after.rollout.authors), "an author was forgotten"
                assert after.rollout.author_unknown or not made.author_unknown
        if after.rollout is not None and after.weight > before.weight:
            self.rose(name, before, after)

    def rose(self, name: str, before: RolloutPolicyStatus, after: RolloutPolicyStatus) -> None:
        rollout = after.rollout
        assert rollout is not None
        key = (name, rollout.revision)
        _, spec = self.begun[key]
        weights = [(i, s) for i, s in enumerate(spec.steps) if s.weight is not None]
        raised = self.raised.setdefault(key, [])
        assert [w for w, _ in raised] + [after.weight] == [s.weight for _, s in weights][: len(raised) + 1], (
            "a weight was jumped"
        )
        if raised:
            index, last = weights[len(raised) - 1]
            assert (self.now - raised[-1][1]).total_seconds() >= seconds_of(last.hold), "a hold was cut short"
            for pod, proxy in self.proxies.items():
                fresh = (self.now - proxy.heard).total_seconds() < 300
                assert not fresh or (name, rollout.revision, index) in proxy.confirmed, (
                    f"{pod} never took {last.weight} % up"
                )
            if last.analysis and spec.analysis is not None and weights[len(raised)][0] == index + 1:
                assert before.step is not None
                assert before.verdicts == () or all(v.outcome == "Pass" for v in before.verdicts)
        raised.append((after.weight, self.now))
        self.gates_open(name, rollout.revision, weights[len(raised) - 1][0])

    def gates_open(self, name: str, revision: str, index: int) -> None:
        """Assert that each approval step before ``index`` was approved, by as many people as it takes."""
        rollout, spec = self.begun[name, revision]
        if self.returns(name, rollout):
            return
        need = 2 if spec.approval.distinct_from_author and rollout.author_unknown else 1
        for gate, step in enumerate(spec.steps[:index]):
            if step.approval is not None:
                by = self.permitted.get((name, revision, gate), set())
                assert len(by) >= need, f"{revision} passed gate {gate} of {name} with {by}"

    def returns(self, name: str, rollout: RolloutStatus) -> bool:
        """Tell whether the content was stable before, and ceased to be lately, as far as a clock that jumps can tell."""
        history = self.read(name).status.history
        window = seconds_of(POLICIES[name]["rollbackWindow"])
        stable = [e for e in history if e.outcome in ("Promoted", "Returned", "Adopted")]
        return any(
            old.content == rollout.content and 0 <= (rollout.started - new.ended).total_seconds() < window
            for new, old in pairwise(stable)
        )


class Rollouts(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.world = Book()
        for label in LABELS:
            self.world.serve(label, "v1")
        for name, spec in POLICIES.items():
            self.world.apply(name, spec)
            self.world.settle(name)

    # people

    @rule(label=labels, content=contents, author=st.sampled_from(ALLOWED), unknown=st.booleans())
    def change(self, label: str, content: str, author: str, unknown: bool) -> None:
        self.world.change(label, content, author, unknown=unknown)

    @rule(label=labels, problem=st.sampled_from((None, "no key")))
    def trouble(self, label: str, problem: str | None) -> None:
        self.world.objects[label].problem = problem

    @rule(name=policies, by=people)
    def approve(self, name: str, by: str) -> None:
        status = self.world.read(name).status if name in self.world.policies else None
        if status is not None and status.rollout is not None and status.step is not None:
            self._approve(name, by, f"{status.rollout.revision}/{status.step.index}")

    @rule(
        name=policies,
        by=people,
        revision=st.sampled_from(("v1", "v2", "v3")),
        n=st.integers(1, 4),
        step=st.integers(0, 5),
    )
    def approve_something(self, name: str, by: str, revision: str, n: int, step: int) -> None:
        if name in self.world.policies:
            rollout = self.world.read(name).status.rollout
            named = rollout.revision if rollout is not None and n == 1 else f"{revision}-{n}"
            self._approve(name, by, f"{named}/{step}")

    @rule(name=policies, by=st.sampled_from(("bob", "carol")))
    def approve_ahead(self, name: str, by: str) -> None:
        """The next gate but this one, seen by the operator, and then all goes well."""
        status = self.world.read(name).status if name in self.world.policies else None
        if status is None or status.rollout is None or status.step is None:
            return
        _, spec = self.world.begun[name, status.rollout.revision]
        gates = [i for i, s in enumerate(spec.steps) if s.approval is not None and i > status.step.index]
        if gates:
            self._approve(name, by, f"{status.rollout.revision}/{gates[0]}")
            self.carry_on(name)
            self.carry_on(name)

    @rule(label=labels, anew=st.sampled_from((None, "v1", "v2")))
    def delete_target(self, label: str, anew: str | None) -> None:
        """By somebody who may; perhaps made anew under its name before anybody looks, and then nothing of it is kept."""
        world, name = self.world, OWNER[label]
        rollout = world.read(name).status.rollout if name in world.policies else None
        world.delete(label)
        if anew is not None:
            world.change(label, anew, "alice")
        elif rollout is not None and any(f"{t.kind}/{t.name}" == label for t in rollout.targets):
            world.look(name)
            status = world.read(name).status
            on = status.rollout is not None and status.rollout.revision == rollout.revision
            assert not on or (status.step is not None and status.step.kind == "Promoting"), "what was approved is gone"

    @rule(name=policies)
    def withdraw_approval(self, name: str) -> None:
        if name in self.world.policies:
            self.world.annotate(name, approve=None, approved_by=None)

    def _approve(self, name: str, by: str, approve: str) -> None:
        annotations = self.world.policies[name]["metadata"]["annotations"]
        if annotations.get("headgate.dev/approve") != approve or annotations.get("headgate.dev/approved-by") != by:
            self.world.write_down_approval(name, by, approve)
        self.world.annotate(name, approve=approve, approved_by=by)

    @rule(name=policies)
    def abort(self, name: str) -> None:
        rollout = self.world.read(name).status.rollout if name in self.world.policies else None
        if rollout is not None:
            self.world.annotate(name, abort=rollout.revision)
            self.world.look(name)
            assert self.world.read(name).status.canary_revision != rollout.revision, "an abort was not heeded"

    @rule(name=policies, on=st.booleans())
    def pause(self, name: str, on: bool) -> None:
        if name in self.world.policies:
            self.world.annotate(name, pause="true" if on else None)

    @rule(name=policies, on=st.booleans())
    def release(self, name: str, on: bool) -> None:
        if name in self.world.policies:
            self.world.annotate(name, release=self.world.read(name).status.rejected if on else None)

    @rule(name=policies, weak=st.booleans())
    def rewrite(self, name: str, weak: bool) -> None:
        if name in self.world.policies and name != "image":
            self.world.apply(name, POLICIES[name] | (WEAKER if weak else {}))

    @rule(name=policies)
    def delete_policy(self, name: str) -> None:
        if name not in self.world.policies:
            return
        self.world.policies[name]["metadata"]["deletionTimestamp"] = "2026-03-01T10:00:00Z"
        for _ in range(3):
            if name in self.world.policies:
                self.world.look(name)
        assert name not in self.world.policies, "a deleted policy was not let go"
        self.world.publish()
        self.world.apply(name, POLICIES[name])
        self.world.begun = {key: value for key, value in self.world.begun.items() if key[0] != name}
        self.world.raised = {key: value for key, value in self.world.raised.items() if key[0] != name}
        self.world.permitted = {key: value for key, value in self.world.permitted.items() if key[0] != name}
        for proxy in self.world.proxies.values():
            proxy.head.pop(name, None)
            proxy.confirmed = {step for step in proxy.confirmed if step[0] != name}

    # the world

    @rule(name=policies, errors=st.sampled_from((0, 0, 0, 60)), requests=st.sampled_from((100, 100, 3)))
    def count(self, name: str, errors: int, requests: int) -> None:
        status = self.world.read(name).status if name in self.world.policies else None
        if status is not None and status.rollout is not None and status.step is not None:
            pair = Pair(TrackCounts(requests=requests), TrackCounts(requests=requests, errors=min(errors, requests)))
            self.world.windows[status.rollout.revision, status.step.index] = Windows(recent=None, whole=pair)

    @rule(seconds=st.sampled_from((1, 30, 60, 301)))
    def wait(self, seconds: int) -> None:
        self.world.wait(seconds)
        self._hear()

    @rule(seconds=st.sampled_from((-3600, 3600, 7200)))
    def jump(self, seconds: int) -> None:
        world = self.world
        world.wait(seconds)
        world.raised = {k: [(w, min(t, world.now)) for w, t in v] for k, v in world.raised.items()}
        for proxy in world.proxies.values():
            proxy.heard = min(proxy.heard, world.now)
        self._hear()

    def _hear(self) -> None:
        for proxy in self.world.proxies.values():
            if proxy.reachable:
                proxy.heard = self.world.now

    @rule(canary=st.integers(0, 2), surge=st.sampled_from((None, None, "1 of 2")))
    def capacity(self, canary: int, surge: str | None) -> None:
        self.world.canary_ready, self.world.surge = canary, surge

    @rule(pod=st.sampled_from(("proxy-1", "proxy-2")), reachable=st.booleans())
    def partition(self, pod: str, reachable: bool) -> None:
        self.world.proxies[pod].reachable = reachable

    # the operator

    @rule(name=policies, crash=st.sampled_from((None, None, "adopt", "keep", "promote", "status")))
    def look(self, name: str, crash: str | None) -> None:
        if name in self.world.policies:
            self.world.look(name, crash_before=crash)

    @rule()
    def publish(self) -> None:
        self.world.publish()

    @rule()
    def deliver(self) -> None:
        self.world.deliver()

    @rule(name=policies)
    def settle(self, name: str) -> None:
        if name in self.world.policies:
            self.world.settle(name)

    @rule(name=policies)
    def carry_on(self, name: str) -> None:
        """Everything a rollout could wish for, but no approval that was not given."""
        if name not in self.world.policies:
            return
        world = self.world
        world.canary_ready, world.surge = 2, None
        for proxy in world.proxies.values():
            proxy.reachable = True
        self.count(name, 0, 100)
        self.wait(60)
        world.settle(name)

    @rule(name=policies, by=st.lists(st.sampled_from(("bob", "carol", "dora")), min_size=1, max_size=8))
    def walk(self, name: str, by: list[str]) -> None:
        """On and on, with a change if there is none, and each of these people approving in turn."""
        label = next(label for label in LABELS if OWNER[label] == name)
        if name in self.world.policies and self.world.read(name).status.rollout is None:
            found = self.world.stable(label)
            self.world.change(label, "v2" if found == "v1" else "v3" if found == "v2" else "v1", "alice")
        for person in by:
            self.approve(name, person)
            self.carry_on(name)

    @rule(name=policies)
    def harm(self, name: str) -> None:
        """From now on the candidate fails: with as many verdicts as the policy wants it is gone, or held."""
        world = self.world
        running = world.running(name) if name in world.policies else None
        if running is None or running.analysis is None or world.split(name) is None:
            return
        before, step = world.rollout(name), world.step(name)
        for _ in range(
            running.analysis.consecutive_failures + 1
        ):  # the first may belong to a hold that a person overrules
            self.count(name, 60, 100)
            self.wait(30)
            world.look(name)
        status = world.read(name).status
        ended = next((e for e in status.history if e.revision == before.revision), None)
        if ended is not None:
            assert ended.outcome != "Promoted" or step.kind == "Promoting", "a change that harms was promoted"
            assert world.split(name) is None or status.canary_revision != before.revision
        elif running.on_failure == "Pause":
            assert status.rollout is not None
            assert status.rollout.held_by_failure, "harm went unheeded"
        else:
            assert any(t.stable is None for t in before.targets), f"a change that harms stays: {status.step}"

    @rule(name=st.sampled_from(("p", "q")), by=st.permutations(("bob", "carol", "dora")), on=st.integers(1, 3))
    def walk_and_harm(self, name: str, by: list[str], on: int) -> None:
        self.walk(name, by[:on])
        self.harm(name)

    @rule(label=labels, by=st.permutations(("bob", "carol")), anew=st.sampled_from((None, "v1", "v2")))
    def walk_and_delete(self, label: str, by: list[str], anew: str | None) -> None:
        self.walk(OWNER[label], by)
        self.delete_target(label, anew)

    @rule(name=policies, author=st.sampled_from(ALLOWED))
    def change_and_walk(self, name: str, author: str) -> None:
        label = next(label for label in LABELS if OWNER[label] == name)
        self.world.change(label, "v2" if self.world.stable(label) != "v2" else "v3", author, unknown=author == "dora")
        self.carry_on(name)

    @precondition(lambda self: any(self.world.read(n).status.rollout for n in self.world.policies))
    @rule(chance=st.integers(0, 3))
    def outwait(self, chance: int) -> None:
        """Past every deadline nothing is under way any more, whatever the world is like."""
        if chance:
            return
        world = self.world
        running = {n: r.revision for n in world.policies if (r := world.read(n).status.rollout) is not None}
        for name, revision in running.items():
            deadline = world.read(name).status.step
            assert deadline is not None
            world.now = max(world.now, world.rollout(name).deadline)
            world.look(name)
            world.look(name)
            rollout = world.read(name).status.rollout
            assert rollout is None or rollout.revision != revision, f"{name} is stuck: {world.step(name)}"
        self._hear()

    # what must always hold

    @invariant()
    def nobody_sees_what_was_not_approved(self) -> None:
        for proxy in self.world.proxies.values():
            for name, split in self.world.effective(proxy).items():
                if (name, split.revision) not in self.world.begun:
                    continue
                _, spec = self.world.begun[name, split.revision]
                levels = [
                    i for i, s in enumerate(spec.steps) if s.weight is not None and s.weight * 100 <= split.weight
                ]
                testers = {f"system:serviceaccount:team:{a.name}" for a in AUDIENCE_STEP} if split.testers else set()
                assert set(split.testers) <= testers
                first = next((i for i, s in enumerate(spec.steps) if s.kind != "Approval"), 0)
                self.world.gates_open(name, split.revision, max([*levels, first]))

    @invariant()
    def an_image_has_the_canary_to_itself(self) -> None:
        lanes = [s.lane for n in self.world.policies if (s := self.world.split(n)) is not None]
        assert "Image" not in lanes or len(lanes) == 1

    @invariant()
    def no_policy_touches_another_s_objects(self) -> None:
        for name in self.world.policies:
            rollout = self.world.read(name).status.rollout
            for target in rollout.targets if rollout is not None else ():
                assert OWNER[f"{target.kind}/{target.name}"] == name
            split = self.world.split(name)
            assert split is None or (rollout is not None and split.revision == rollout.revision)

    @invariant()
    def a_withdrawn_candidate_is_not_stable(self) -> None:
        for name in self.world.policies:
            status = self.world.read(name).status
            if status.rollout is not None or not status.history or status.history[0].outcome not in WITHDRAWN:
                continue
            ended = self.world.begun.get((name, status.history[0].revision))
            for target in ended[0].targets if ended is not None else ():
                label = f"{target.kind}/{target.name}"
                if label in self.world.restored:
                    continue
                stable = self.world.stable(label)
                changed = target.candidate != target.stable
                anew = label in self.world.gone
                assert (not changed or stable != target.candidate) if anew else stable == target.stable, (
                    f"{status.history[0].outcome} left {stable}, not {target.stable}"
                )

    @invariant()
    def stable_is_never_lost(self) -> None:
        world = self.world
        world.secured |= {label for label, promoted in world.promoted.items() if promoted}
        for label in world.secured:
            assert world.promoted.get(label), f"{label} has lost its stable form"

    @invariant()
    def every_wait_explains_itself(self) -> None:
        for name in self.world.policies:
            status = self.world.read(name).status
            if status.rollout is None:
                assert (status.step, status.canary_revision, status.weight) == (None, None, 0)
                continue
            step = status.step
            assert step is not None and step.reason and step.message and step.next_action
            assert step.deadline <= status.rollout.deadline

    @invariant()
    def somebody_looks_before_the_deadline(self) -> None:
        plan = self.world.plan
        if plan is not None and plan.status.rollout is not None:
            assert plan.requeue is not None
            assert plan.status.step is not None


AUDIENCE_STEP = RolloutPolicySpec.model_validate(POLICIES["p"]).steps[0].audience.service_accounts  # type: ignore[union-attr]

TestRollouts = Rollouts.TestCase
TestRollouts.settings = settings(
    max_examples=50,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
