"""A guard is as strong as the way around it: who may only edit cannot remove, weaken or evade a RolloutPolicy."""

import copy
import json
import re
import time
from typing import Any

import pytest
from tests.resources.manifests import FLEET, PROVIDER, changed

from headgate_api.resources import RolloutPolicySpec
from headgate_dev.cluster import Cluster, CommandError
from headgate_dev.release import NAMESPACE

from .team import AT, EDITOR, GITOPS, OPERATOR, REVISION, Team, awaiting, policy, refusal

pytestmark = pytest.mark.cluster
POLICY = "rolloutpolicy/claude"
LACKS = r"needs the verb approve on it, which '{user}' does not have; bind the ClusterRole headgate-approver"


def provider(name: str) -> dict[str, Any]:
    return changed(changed(PROVIDER, "spec.auth.apiKey", {}), "metadata.name", name)


def naming(name: str, *targets: str) -> dict[str, Any]:
    return changed(policy(name), "spec.targets", [{"kind": "LLMProvider", "name": target} for target in targets])


@pytest.fixture
def guarded(cluster: Cluster, team: Team) -> Team:
    """A team whose policy guards ``anthropic`` and ``second``; ann and a GitOps ServiceAccount only edit."""
    cluster.kubectl("delete", "rolebinding", "approvers", "-n", team.namespace)
    team.bind("approvers", "headgate-approver", "--user=ivy")
    cluster.apply(provider("second"), namespace=team.namespace)
    manifest = naming("claude", "anthropic", "second")
    manifest["spec"]["approval"] = {"approvers": {"users": ["ivy"]}}
    team.create_policy(manifest, awaiting())
    return team


@pytest.mark.parametrize("user", [EDITOR, GITOPS])
def test_deleting_a_policy_takes_the_right_to_approve(guarded: Team, user: str) -> None:
    with pytest.raises(CommandError, match=f"RolloutPolicy claude: deleting it {LACKS.format(user=user)}"):
        guarded.delete(POLICY, user)
    with pytest.raises(CommandError, match=f"deleting it {LACKS.format(user=user)}"):
        guarded.cluster.kubectl(
            "delete", "rolloutpolicies", "--all", "-n", guarded.namespace, "--wait=false", as_user=user
        )  # fmt: skip


def test_who_may_approve_deletes_it(guarded: Team) -> None:
    guarded.bind("also", "headgate-editor", "--user=ivy")

    guarded.delete(POLICY, "ivy")


def steps(change: Any) -> Any:
    def altered(spec: dict[str, Any]) -> None:
        change(spec["steps"])

    return altered


WEAKER = {
    "an approval step less": steps(lambda s: s.pop(3)),
    "another audience": steps(lambda s: s[0].update(audience={"serviceAccounts": [{"name": "mallory"}]})),
    "a shorter hold": steps(lambda s: s[2].update(hold="0s")),
    "a step without analysis": steps(lambda s: s[2].update(analysis=False)),
    "no analysis": lambda spec: spec.pop("analysis"),
    "a higher bound": lambda spec: spec["analysis"].update(metrics=[{"name": "ErrorRate", "max": 99}]),
    "verdicts without effect": lambda spec: spec["analysis"].update(dryRun=True),
    "authors may approve": lambda spec: spec["approval"].update(distinctFromAuthor=False),
    "more approvers": lambda spec: spec["approval"].update(approvers=None),
    "no rollback": lambda spec: spec.update(onFailure="Pause"),
    "a longer deadline": lambda spec: spec.update(deadline="99h"),
    "a longer rollback window": lambda spec: spec.update(rollbackWindow="99h"),
    "other stickiness": lambda spec: spec.update(stickiness=[{"source": "Consumer"}]),
}


@pytest.mark.parametrize("change", WEAKER.values(), ids=WEAKER)
def test_asking_less_of_a_rollout_takes_the_right_to_approve(cluster: Cluster, guarded: Team, change: Any) -> None:
    spec = copy.deepcopy(cluster.get(POLICY, "-n", guarded.namespace)["spec"])
    before = copy.deepcopy(spec)
    change(spec)
    assert spec != before
    gone = {name: None for name in before if name not in spec}

    with pytest.raises(
        CommandError,
        match=rf"changing what spec asks of a rollout \(all but adding targets\) {LACKS.format(user='ann')}",
    ):
        guarded.patch(POLICY, {"spec": {**spec, **gone}}, EDITOR)
    guarded.patch(POLICY, {"spec": {**spec, **gone}}, "ivy")


def test_every_field_of_the_spec_is_guarded() -> None:
    """What test_asking_less… changes is all there is, targets aside; a new field needs a row there."""
    fields = set(RolloutPolicySpec.model_json_schema(by_alias=True)["properties"])
    assert fields == {
        "targets", "steps", "analysis", "approval", "onFailure", "deadline", "rollbackWindow", "stickiness"
    }  # fmt: skip


def test_removing_a_target_takes_the_right_to_approve_and_adding_one_does_not(guarded: Team) -> None:
    def targets(*names: str) -> dict[str, Any]:
        return {"spec": {"targets": [{"kind": "LLMProvider", "name": name} for name in names]}}

    with pytest.raises(CommandError, match=f"removing the target LLMProvider/second {LACKS.format(user='ann')}"):
        guarded.patch(POLICY, targets("anthropic"), EDITOR)
    with pytest.raises(CommandError, match="removing the target LLMProvider/second"):
        guarded.patch(POLICY, targets("anthropic", "third"), EDITOR)

    guarded.patch(POLICY, targets("third", "second", "anthropic"), EDITOR)
    guarded.patch(POLICY, targets("anthropic"), "ivy")


def test_a_guarded_provider_is_deleted_by_who_may_approve(cluster: Cluster, guarded: Team) -> None:
    with pytest.raises(
        CommandError,
        match=r"LLMProvider anthropic: RolloutPolicy claude guards it, so deleting it .*which 'ann' does not",
    ):
        guarded.delete("llmprovider/anthropic", EDITOR)

    guarded.bind("also", "headgate-editor", "--user=ivy")
    guarded.delete("llmprovider/anthropic", "ivy")


@pytest.mark.parametrize("resource", [POLICY, "llmprovider/anthropic"])
def test_nobody_has_kubernetes_delete_what_they_may_not(cluster: Cluster, guarded: Team, resource: str) -> None:
    """Whose owner goes, goes: an editor could own a guard by a ConfigMap, and delete that."""
    where = ("-n", guarded.namespace)
    cluster.kubectl("create", "configmap", "doomed", *where)
    uid = cluster.get("configmap/doomed", *where)["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "doomed", "uid": uid}
    owned: dict[str, Any] = {"metadata": {"ownerReferences": [owner]}}

    with pytest.raises(
        CommandError, match="giving it other owners, with which Kubernetes would delete it, needs the verb"
    ):
        guarded.patch(resource, owned, EDITOR)
    another = naming("another", "third")
    another["metadata"].update(owned["metadata"])
    with pytest.raises(CommandError, match="RolloutPolicy another: giving it other owners"):
        guarded.create_policy(another)

    guarded.bind("also", "headgate-editor", "--user=ivy")
    guarded.patch(resource, owned, "ivy")
    cluster.kubectl("delete", "configmap/doomed", *where)
    cluster.wait_for(resource, "delete", namespace=guarded.namespace, timeout=60)


def test_of_several_policies_the_one_that_guards_it_decides(cluster: Cluster, guarded: Team) -> None:
    for name in ("third", "free"):
        cluster.apply(provider(name), namespace=guarded.namespace)
    guarded.create_policy(naming("another", "third"))

    for name, guard in (("anthropic", "claude"), ("third", "another")):
        with pytest.raises(CommandError, match=f"RolloutPolicy {guard} guards it"):
            guarded.delete(f"llmprovider/{name}", EDITOR)
    guarded.delete("llmprovider/free", EDITOR)


def test_where_no_policy_is_anybody_deletes_who_may_edit(team: Team) -> None:
    team.delete("llmprovider/anthropic", EDITOR)


def test_a_namespace_goes_with_everything_in_it(cluster: Cluster, admission: None) -> None:
    cluster.kubectl("create", "namespace", "short-lived")
    Team.create(cluster, "short-lived").create_policy(status=awaiting())

    cluster.kubectl("delete", "namespace", "short-lived", "--wait=false")

    cluster.wait_for("namespace/short-lived", "delete", timeout=60)


def test_only_the_operator_lets_a_policy_go_while_its_rollout_is_not_ended(cluster: Cluster, guarded: Team) -> None:
    fasten: dict[str, Any] = {"metadata": {"finalizers": ["headgate.dev/rollout"]}}
    loose: dict[str, Any] = {"metadata": {"finalizers": []}}
    guarded.patch(POLICY, fasten, OPERATOR)

    with pytest.raises(CommandError, match=f"removing the finalizer headgate.dev/rollout {LACKS.format(user='ann')}"):
        guarded.patch(POLICY, loose, EDITOR)

    guarded.patch(POLICY, loose, OPERATOR)


def test_an_object_has_one_policy(guarded: Team) -> None:
    taken = r"RolloutPolicy other: spec.targets names LLMProvider/second, which RolloutPolicy claude guards already; leave it out"
    with pytest.raises(CommandError, match=taken):
        guarded.create_policy(naming("other", "third", "second"))

    guarded.create_policy(naming("other", "third"))
    with pytest.raises(CommandError, match=taken):
        guarded.patch("rolloutpolicy/other", {"spec": naming("other", "third", "second")["spec"]}, EDITOR)
    with pytest.raises(CommandError, match=r"RolloutPolicy claude: .*LLMProvider/third, which RolloutPolicy other"):
        guarded.patch(
            POLICY, {"spec": {"targets": naming("x", "anthropic", "second", "third")["spec"]["targets"]}}, "ivy"
        )


def test_what_is_held_back_is_not_let_through_by_a_policy_of_ones_own(cluster: Cluster, guarded: Team) -> None:
    """Held content is for who may approve to release; a lenient policy would promote it as well."""
    held_back(guarded, "held")
    cluster.apply(provider("free"), namespace=guarded.namespace)
    lenient = changed(naming("lenient", "held"), "spec.steps", [{"weight": 100}])

    held = r"names LLMProvider/held, whose spec .* held back .* needs the verb approve, which 'ann' does not have"
    eventually_refused(guarded, lenient, f"RolloutPolicy lenient: spec.targets {held}")
    guarded.create_policy(naming("lenient", "free"))
    with pytest.raises(CommandError, match=held):
        guarded.patch("rolloutpolicy/lenient", {"spec": naming("x", "free", "held")["spec"]}, EDITOR)

    guarded.bind("also", "headgate-editor", "--user=ivy")
    cluster.apply(naming("approved", "held"), namespace=guarded.namespace, as_user="ivy")


def test_what_is_held_back_is_not_let_through_by_making_the_object_anew(guarded: Team) -> None:
    """A provider of the old name would be another object, of which nothing is kept."""
    held_back(guarded, "held")

    with pytest.raises(
        CommandError, match=r"LLMProvider held: .* held back, so deleting it needs the verb .* which 'ann'"
    ):
        guarded.delete("llmprovider/held", EDITOR)
    guarded.bind("also", "headgate-editor", "--user=ivy")
    guarded.delete("llmprovider/held", "ivy")


def held_back(team: Team, name: str) -> None:
    """Make a provider that lost its guard before its new spec was promoted."""
    team.cluster.apply(provider(name), namespace=team.namespace)
    stable = {"type": "Stable", "status": "False", "reason": "CandidateHeld", "message": "held"}
    stable |= {"lastTransitionTime": AT, "observedGeneration": 1}  # type: ignore[dict-item]
    team.patch(f"llmprovider/{name}", {"status": {"conditions": [stable]}}, OPERATOR, "--subresource=status")


def eventually_refused(team: Team, manifest: dict[str, Any], match: str) -> None:
    """Admission reads parameters from a cache, which takes a moment to see a status."""
    deadline = time.monotonic() + 10
    while True:
        try:
            team.cluster.kubectl(
                *("create", "-n", team.namespace, "--dry-run=server", "-f", "-"),
                input=json.dumps(manifest),
                as_user=EDITOR,
            )
        except CommandError as error:
            assert re.search(match, refusal(error)), error
            return
        assert time.monotonic() < deadline, "the policy was never refused"
        time.sleep(0.1)


def test_objects_of_the_same_name_and_another_kind_do_not_collide(cluster: Cluster, guarded: Team) -> None:
    fleet = changed(policy("image"), "spec.targets", [{"kind": "ProxyFleet", "name": "anthropic"}])
    fleet["spec"]["steps"].pop(0)
    cluster.kubectl("create", "rolebinding", "ann", "-n", NAMESPACE, "--clusterrole=headgate-editor", "--user=ann")

    cluster.apply(fleet, namespace=NAMESPACE, as_user=EDITOR)
    try:
        with pytest.raises(CommandError, match="RolloutPolicy image guards it"):
            cluster.apply(changed(FLEET, "metadata.name", "anthropic"), namespace=NAMESPACE)
            cluster.kubectl("delete", "proxyfleet/anthropic", "-n", NAMESPACE, as_user=EDITOR)
    finally:
        cluster.kubectl("delete", "rolloutpolicy/image", "-n", NAMESPACE)
        cluster.kubectl("delete", "proxyfleet/anthropic", "-n", NAMESPACE)
        cluster.kubectl("delete", "rolebinding/ann", "-n", NAMESPACE)


def test_a_policy_for_a_fleet_belongs_to_the_fleets_namespace(team: Team) -> None:
    fleet = changed(policy("image"), "spec.targets", [{"kind": "ProxyFleet", "name": "default"}])
    fleet["spec"]["steps"].pop(0)

    with pytest.raises(
        CommandError, match=r"names a ProxyFleet, but this is namespace .* run from headgate-system; make"
    ):
        team.create_policy(fleet)


def test_a_query_needs_a_prometheus(team: Team) -> None:
    metrics = [{"name": "ErrorRate", "max": 5}, {"name": "latency", "query": "vector(1)", "max": 1}]

    with pytest.raises(
        CommandError, match=r"spec\.analysis\.metrics: latency asks a Prometheus.*set prometheus\.address"
    ):
        team.create_policy(changed(policy(), "spec.analysis", {"metrics": metrics}))


def test_the_largest_policies_are_within_the_cost_that_expressions_may_have(guarded: Team) -> None:
    sized = [naming(name, *(f"{name}-{index}-{'x' * 200}" for index in range(32))) for name in ("one", "two")]
    for manifest in sized:
        many = [f"{index}-{'x' * 500}" for index in range(64)]
        robots = [{"name": f"bot-{index}", "namespace": "argocd"} for index in range(64)]
        manifest["spec"]["approval"] = {
            "approvers": {"users": [*many[:-1], "ivy"], "groups": many, "serviceAccounts": robots}
        }
        manifest["spec"]["steps"] = [
            {"approval": {}},
            *({"weight": 4 * index} for index in range(1, 23)),
            {"weight": 100},
        ]
        guarded.create_policy(manifest, awaiting(0, authors=tuple(many)))

    for name in ("one", "two"):
        guarded.annotate(f"rolloutpolicy/{name}", "ivy", approve=f"{REVISION}/0")
    with pytest.raises(CommandError, match=r"spec\.targets names .*guards already"):
        guarded.create_policy(changed(sized[0], "metadata.name", "three"))
