"""Which forms traffic may see: without a policy, before adoption, in a rollout, and after the guard was lost."""

from datetime import UTC, datetime
from typing import Any

from headgate_api.resources import LLMProvider, ProxyFleet
from headgate_api.revisions import revision_labels
from headgate_api.snapshot import Snapshot
from headgate_operator.delivery.assemble import SigningKeys, account_entry, assemble, provider_entry
from headgate_operator.revisions.bundles import provider_bundle
from headgate_operator.revisions.guard import State, governing
from headgate_operator.revisions.history import Kept, histories
from headgate_operator.revisions.shown import account_condition, stable_condition

from .things import KEY, account, kept, policy, provider, rollout, world

OLD, NEW = provider("old"), provider("new")


def fleet() -> ProxyFleet:
    spec = {"image": "headgate:test", "allowedNamespaces": ["*"]}
    return ProxyFleet.from_wire({"metadata": {"name": "default", "namespace": "headgate-system"}, "spec": spec})


def served(item: LLMProvider) -> Snapshot:
    return assemble(fleet(), [item], [], SigningKeys("https://issuer.example", {"keys": []}))


def test_without_a_policy_the_live_form_serves_at_once() -> None:
    guard = world(NEW).of_provider(NEW, [])
    assert guard.state is State.UNGUARDED
    assert stable_condition(guard) is None
    entry = provider_entry(NEW, guard)
    assert entry.stable is not None
    assert entry.stable.spec == NEW.spec


def test_an_object_that_is_not_adopted_yet_is_served_as_published() -> None:
    published = served(OLD)
    guard = world(NEW, policies=(policy(),)).of_provider(NEW, [], [None, published])
    assert guard.state is State.UNADOPTED
    entry = provider_entry(NEW, guard)
    assert entry.stable is not None
    assert entry.stable.spec == OLD.spec
    assert entry.policy == "team/p"


def test_an_object_that_was_never_published_is_served_to_nobody_before_its_rollout() -> None:
    guard = world(NEW, policies=(policy(),)).of_provider(NEW, [])
    assert provider_entry(NEW, guard).stable is None


def test_the_candidate_is_shown_only_while_the_rollout_exposes_it() -> None:
    new = kept(NEW, number=0)
    stable = kept(OLD)
    for weight, shown in ((50, True), (0, False)):
        status = rollout(new.revision, weight=weight)
        guard = world(NEW, stable, new, policies=(policy(status=status),)).of_provider(NEW, [])
        entry = provider_entry(NEW, guard)
        assert entry.stable is not None
        assert entry.stable.spec == OLD.spec
        assert (entry.candidate is not None) is shown


def test_a_rollout_whose_policy_is_lost_exposes_nobody() -> None:
    new = kept(NEW, number=0)
    lost = policy(status=rollout(new.revision, policy_revision="lost"))
    guard = world(NEW, kept(OLD), new, policies=(lost,)).of_provider(NEW, [])
    assert guard.candidate is None
    assert guard.stable is not None


def test_the_form_promoted_last_is_stable_whatever_came_before() -> None:
    first, second, third = kept(provider("a"), number=4), kept(provider("b"), number=5), kept(provider("c"), number=0)
    guard = world(NEW, first, second, third, policies=(policy(),)).of_provider(NEW, [])
    assert guard.stable is not None
    assert guard.stable.revision == second.revision


def test_a_stable_form_that_this_build_cannot_read_is_served_as_published() -> None:
    published = served(OLD)
    unreadable = Kept("r", "1", "u", "later", 3)
    guard = world(NEW, kept(provider("ancient")), unreadable, policies=(policy(),)).of_provider(NEW, [], [published])
    assert guard.stable is not None
    assert guard.stable.revision == "later"
    assert provider_entry(NEW, guard).stable == provider_entry(OLD).stable


def test_a_stable_form_whose_controllerrevision_is_gone_is_served_as_published_until_it_is_secured_anew() -> None:
    published = served(OLD)
    new = kept(NEW, number=0)
    for left, status in ([], {"targets": [{"name": "claude"}]}), ([new], rollout(new.revision)):
        guard = world(NEW, *left, policies=(policy(status=status),)).of_provider(NEW, [], [published])
        assert guard.state is State.UNADOPTED, "it is adopted again"
        assert provider_entry(NEW, guard).stable == provider_entry(OLD).stable
        assert guard.candidate is None


def test_losing_the_policy_holds_the_stable_form_until_released_or_reverted() -> None:
    held = world(NEW, kept(OLD)).of_provider(NEW, [])
    assert held.state is State.HELD
    said = stable_condition(held)
    assert said is not None
    live = provider_bundle(NEW, []).revision
    assert (said.status, said.reason) == (False, "CandidateHeld")
    assert f"headgate.dev/release={live}" in said.message
    released = provider("new", annotations={"headgate.dev/release": live})
    assert world(released, kept(OLD)).of_provider(released, []).state is State.UNGUARDED
    stale = provider("new", annotations={"headgate.dev/release": "another"})
    assert world(stale, kept(OLD)).of_provider(stale, []).state is State.HELD
    assert world(OLD, kept(OLD)).of_provider(OLD, []).state is State.UNGUARDED


def test_a_held_object_whose_new_key_is_not_known_yet_stays_held() -> None:
    behind = provider("old", generation=2, observed=1)
    assert world(behind, kept(OLD)).of_provider(behind, []).state is State.HELD


def test_suspending_and_deleting_an_account_act_at_once_on_every_form() -> None:
    stable, new = kept(OLD, account()), kept(NEW, account(), number=0)
    rollouts = world(NEW, stable, new, policies=(policy(status=rollout(new.revision)),))
    suspended = account(suspend=True)
    entry = account_entry(suspended, rollouts.of_provider(NEW, [suspended]))
    assert entry.stable is not None
    assert entry.candidate is not None
    assert entry.stable.spec.suspend
    assert entry.candidate.spec.suspend


def test_an_account_that_is_new_in_the_candidate_has_no_stable_form_and_says_so() -> None:
    new = kept(OLD, account(), number=0)
    rollouts = world(OLD, kept(OLD), new, policies=(policy(status=rollout(new.revision)),))
    guard = rollouts.of_provider(OLD, [account()])
    entry = account_entry(account(), guard)
    assert entry.stable is None
    assert entry.candidate is not None
    said = account_condition(guard, account())
    assert said is not None
    assert (said.status, said.reason) == (False, "InRollout")


def test_of_two_policies_the_older_has_the_object_unless_the_other_changes_it_now() -> None:
    older, younger = policy("z", created="2026-01-01T00:00:00Z"), policy("a", created="2026-02-01T00:00:00Z")
    assert governing((younger, older), "team", "LLMProvider", "claude") is older
    running = policy("a", created="2026-02-01T00:00:00Z", status=rollout("x"))
    assert governing((running, older), "team", "LLMProvider", "claude") is running
    assert older.metadata.creation_timestamp == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_revision_of_a_former_object_of_that_name_counts_as_absent() -> None:
    bundle = provider_bundle(NEW, [])
    labels = revision_labels("LLMProvider", "claude", bundle.revision)
    metadata = {"name": "r", "namespace": "team", "resourceVersion": "1", "labels": labels}

    def of(uid: str) -> dict[str, Any]:
        owned = {"metadata": metadata | {"ownerReferences": [{"uid": uid}]}}
        return owned | {"revision": 1, "data": bundle.to_wire()}

    assert histories([of("former")], {KEY: "u"}) == {}
    assert histories([of("u")], {KEY: "u"})[KEY].stable is not None
