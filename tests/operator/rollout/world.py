"""A world for the engine: objects, their ControllerRevisions, heads and proxies in memory, and an executor that may crash.

It knows nothing of the rules it is to test: it carries plans out in the order the operator does, hands heads to proxies,
and remembers what happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from headgate_api import names
from headgate_api.report import WEIGHT_TTL_SECONDS, TrackCounts
from headgate_api.resources.base import Condition
from headgate_api.resources.rolloutpolicy import RolloutPolicy
from headgate_api.resources.rolloutspec import RolloutPolicySpec, Target
from headgate_api.resources.rolloutstatus import RolloutStatus, StepStatus
from headgate_api.snapshot import Split, content_revision
from headgate_operator.analysis.windows import Answer, Pair, Windows
from headgate_operator.rollout import exposure as rules
from headgate_operator.rollout.advance import advance
from headgate_operator.rollout.observed import Capacity, Delivery, Observed, TargetSeen
from headgate_operator.rollout.plan import Plan

if TYPE_CHECKING:
    from headgate_operator.credentials.plan import Note

NS = "team"
START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
AUDIENCE = {"audience": {"serviceAccounts": [{"name": "tester"}]}}
APPROVAL: dict[str, Any] = {"approval": {}}
ERRORS = {"interval": "30s", "minSamples": 20, "consecutiveFailures": 2, "metrics": [{"name": "ErrorRate", "max": 5}]}


def weight(percent: int, hold: str = "0s", **more: Any) -> dict[str, Any]:
    return {"weight": percent, "hold": hold, **more}


@dataclass
class Object:
    """A guarded object as its owner left it."""

    live: str | None
    exists: bool = True
    problem: str | None = None
    authors: frozenset[str] = frozenset({"alice"})
    author_unknown: bool = False


@dataclass
class Proxy:
    """A proxy, with the head it runs on and when the control plane last heard of it."""

    head: dict[str, Split] = field(default_factory=dict)
    heard: datetime = START
    reachable: bool = True
    confirmed: set[tuple[str, str, int]] = field(default_factory=set)
    """Every (policy, rollout, step) that it ran on."""


class World:
    def __init__(self) -> None:
        self.now = START
        self.objects: dict[str, Object] = {}
        self.served: dict[str, str] = {}
        """The published snapshot's forms of objects before anybody guarded them."""
        self.kept: set[tuple[str, str]] = set()
        """Which content is kept of the objects as they are now; nothing else can be promoted."""
        self.promoted: dict[str, list[str]] = {}
        self.policies: dict[str, dict[str, Any]] = {}
        self.pinned: dict[str, RolloutPolicySpec] = {}
        self.head: dict[str, Split] = {}
        self.proxies: dict[str, Proxy] = {"proxy-1": Proxy(), "proxy-2": Proxy()}
        self.stable_ready = 2
        self.canary_ready = 2
        self.windows: dict[tuple[str, int], Windows] = {}
        """What was counted, by rollout and step."""
        self.answers: dict[str, Answer] = {}
        self.surge: str | None = None
        self.taken: tuple[str, ...] = ()
        self.unsupported: tuple[str, ...] = ()
        self.notes: list[Note] = []
        self.plan: Plan | None = None

    # what people do

    def serve(self, label: str, content: str) -> None:
        """An unguarded object has been serving this content."""
        self.objects[label] = Object(content)
        self.served[label] = content

    def change(self, label: str, content: str, *authors: str, unknown: bool = False) -> None:
        self.objects[label] = Object(content, authors=frozenset(authors or ("alice",)), author_unknown=unknown)

    def delete(self, label: str) -> None:
        self.objects[label] = Object(None, exists=False)
        self.promoted.pop(label, None)
        self.served.pop(label, None)
        self.kept = {(kept, content) for kept, content in self.kept if kept != label}

    def apply(self, name: str, spec: dict[str, Any]) -> None:
        old = self.policies.get(name)
        if old is None:
            uid = f"uid-{name}-{len(self.policies)}"
            meta = {"name": name, "namespace": NS, "uid": uid, "generation": 1, "annotations": {}}
            self.policies[name] = {"metadata": meta, "spec": spec}
        else:
            old["spec"] = spec
            old["metadata"]["generation"] += 1

    def annotate(self, policy: str, **annotations: str | None) -> None:
        """Set annotations (``approved_by`` is ``approved-by``); None removes one."""
        kept = self.policies[policy]["metadata"]["annotations"]
        for key, value in annotations.items():
            name = f"{names.GROUP}/{key.replace('_', '-')}"
            kept.pop(name, None)
            if value is not None:
                kept[name] = value

    def approve(self, policy: str, by: str = "bob", *, at: str | None = None) -> str:
        """Approve what status shows (or ``at``); returns what was written."""
        approve = at or f"{self.rollout(policy).revision}/{self.step(policy).index}"
        self.annotate(policy, approve=approve, approved_by=by)
        return approve

    # what the operator does

    def observe(self, name: str) -> Observed:
        policy = self.read(name)
        running = self._running(policy)
        spec = running or policy.spec
        others = [(other, self._running(other)) for key in self.policies if key != name for other in (self.read(key),)]
        split = rules.exposure(policy, running)
        return Observed(
            policy=policy,
            running=running,
            policy_revision=self._policy_revision(name),
            targets=tuple(self._target(policy, target) for target in spec.targets),
            taken=self.taken,
            unsupported=self.unsupported,
            delivery=Delivery(self._behind(), published=self.head.get(name) == split),
            capacity=Capacity(self.stable_ready, self.canary_ready, rules.lane(policy, running, others)),
            windows=self._windows(policy),
            answers=self.answers,
            surge=self.surge if spec.lane == "Image" else None,
            deleting=policy.metadata.deletion_timestamp is not None,
        )

    def look(self, name: str, *, crash_before: str | None = None) -> Plan:
        """Look once and carry the plan out, up to the point of a crash: adopt, keep, promote or status."""
        seen = self.observe(name)
        plan = advance(seen, self.now)
        self.plan = plan
        for stage in ("adopt", "keep", "promote", "status"):
            if stage == crash_before:
                return plan
            getattr(self, f"_do_{stage}")(name, plan)
        self.notes.extend(plan.notes)
        return plan

    def settle(self, name: str = "p") -> Plan:
        """Look, publish and deliver until nothing moves without the clock or a person."""
        for _ in range(60):
            self.publish()
            self.deliver()
            before = self.policies[name].get("status")
            plan = self.look(name)
            if name not in self.policies:
                return plan
            if plan.requeue != 0 and self.policies[name].get("status") == before:
                return plan
        raise AssertionError("it never comes to rest")

    def publish(self) -> None:
        splits = {n: rules.exposure(p, self._running(p)) for n in self.policies for p in (self.read(n),)}
        self.head = {name: split for name, split in splits.items() if split is not None}

    def deliver(self) -> None:
        for proxy in self.proxies.values():
            if proxy.reachable:
                proxy.head, proxy.heard = dict(self.head), self.now
                proxy.confirmed |= {(name, s.revision, s.step) for name, s in self.head.items()}

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def count(self, policy: str, *, errors: int, requests: int = 100) -> None:
        """The proxies counted this on the canary; stable is well."""
        canary = TrackCounts(requests=requests, errors=errors)
        pair = Pair(stable=TrackCounts(requests=requests), canary=canary)
        self.windows[self.rollout(policy).revision, self.step(policy).index] = Windows(recent=None, whole=pair)

    # what there is to see

    def read(self, name: str) -> RolloutPolicy:
        return RolloutPolicy.from_wire(self.policies[name])

    def rollout(self, name: str = "p") -> RolloutStatus:
        found = self.read(name).status.rollout
        assert found is not None, "no rollout is under way"
        return found

    def step(self, name: str = "p") -> StepStatus:
        found = self.read(name).status.step
        assert found is not None, "no rollout is under way"
        return found

    def condition(self, type_: str, name: str = "p") -> Condition:
        return next(c for c in self.read(name).status.conditions if c.type == type_)

    def stable(self, label: str) -> str | None:
        found = self.promoted.get(label)
        return found[-1] if found else None

    def split(self, name: str = "p") -> Split | None:
        policy = self.read(name)
        return rules.exposure(policy, self._running(policy))

    def running(self, name: str) -> RolloutPolicySpec | None:
        return self._running(self.read(name))

    def effective(self, proxy: Proxy) -> Mapping[str, Split]:
        """Return what a proxy sends to the canary now: nothing once it could not confirm the weight for its TTL."""
        lapsed = (self.now - proxy.heard).total_seconds() >= WEIGHT_TTL_SECONDS
        return {} if lapsed else proxy.head

    # the executor

    def _do_adopt(self, _name: str, plan: Plan) -> None:
        for target in plan.adopt:
            if target.label not in self.promoted:
                served = self.served.get(target.label)
                self.promoted[target.label] = [served] if served is not None else []
                self.kept |= {(target.label, content) for content in self.promoted[target.label]}

    def _do_keep(self, name: str, plan: Plan) -> None:
        rollout = plan.status.rollout
        if rollout is None:
            return
        asked = {(f"{t.kind}/{t.name}", t.candidate) for t in rollout.targets}
        self.kept |= {(label, content) for label, content in asked if self.objects[label].live == content}
        if rollout.policy_revision == self._policy_revision(name):
            self.pinned.setdefault(rollout.policy_revision, self.read(name).spec)

    def _do_promote(self, _name: str, plan: Plan) -> None:
        for promotion in plan.promote:
            label = promotion.target.label
            if (label, promotion.revision) not in self.kept:
                if self.objects[label].live == promotion.revision:
                    self.kept.add((label, promotion.revision))  # the next look promotes it
                continue
            history = self.promoted.setdefault(label, [])
            if not history or history[-1] != promotion.revision:
                history.append(promotion.revision)

    def _do_status(self, name: str, plan: Plan) -> None:
        self.policies[name]["status"] = plan.status.to_wire()
        if plan.release and self.policies[name]["metadata"].get("deletionTimestamp"):
            del self.policies[name]

    def _running(self, policy: RolloutPolicy) -> RolloutPolicySpec | None:
        rollout = policy.status.rollout
        return None if rollout is None else self.pinned.get(rollout.policy_revision)

    def _windows(self, policy: RolloutPolicy) -> Windows | None:
        rollout, step = policy.status.rollout, policy.status.step
        return None if rollout is None or step is None else self.windows.get((rollout.revision, step.index))

    def _policy_revision(self, name: str) -> str:
        return content_revision(name, self.policies[name]["metadata"]["uid"], self.read(name).spec.to_wire())

    def _target(self, policy: RolloutPolicy, target: Target) -> TargetSeen:
        found = self.objects.get(target.label, Object(None, exists=False))
        return TargetSeen(
            target=target,
            exists=found.exists,
            live=found.live,
            stable=self.stable(target.label),
            promoted=frozenset(self.promoted.get(target.label, ())),
            adopted=target in policy.status.targets and target.label in self.promoted,
            problem=found.problem,
            authors=found.authors,
            author_unknown=found.author_unknown,
        )

    def _behind(self) -> tuple[str, ...]:
        return tuple(
            pod
            for pod, proxy in self.proxies.items()
            if proxy.head != self.head and (self.now - proxy.heard).total_seconds() < WEIGHT_TTL_SECONDS
        )


def given(*steps: dict[str, Any], targets: tuple[str, ...] = ("LLMProvider/a",), **spec: Any) -> World:
    """Given: targets that serve content ``v1``, and a policy ``p`` that has adopted them."""
    world = World()
    for label in targets:
        world.serve(label, "v1")
    refs = [{"kind": label.split("/")[0], "name": label.split("/")[1]} for label in targets]
    world.apply("p", {"targets": refs, "steps": list(steps), **spec})
    world.settle()
    return world
