"""The roles for people: looking and editing come with Kubernetes' own view and edit; approving is granted by name alone."""

import pytest
from tests.chart.rendering import STAMPS, named, one, render
from tests.resources.manifests import FLEET

from headgate_dev.cluster import Cluster

from .team import Team

pytestmark = pytest.mark.cluster


def may(cluster: Cluster, namespace: str, user: str, verb: str, resource: str = "rolloutpolicies.headgate.dev") -> bool:
    resource, _, part = resource.partition("/")
    said = cluster.kubectl(
        "auth", "can-i", verb, resource, f"--subresource={part}", "-n", namespace, as_user=user, check=False
    )
    return said.strip() == "yes"


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("view", {"get"}),
        ("edit", {"get", "create", "patch", "delete"}),
        ("admin", {"get", "create", "patch", "delete"}),
        ("headgate-approver", {"get", "patch", "approve"}),
    ],
)
def test_no_role_of_kubernetes_brings_the_right_to_approve(
    cluster: Cluster, team: Team, role: str, allowed: set[str]
) -> None:
    team.bind("one", role, f"--user=one-{role}")

    verbs = ("get", "create", "patch", "delete", "approve")
    assert {verb for verb in verbs if may(cluster, team.namespace, f"one-{role}", verb)} == allowed


def test_no_policy_of_the_chart_has_an_expression_the_api_server_doubts(cluster: Cluster, admission: None) -> None:
    ours = named(render(cluster, *STAMPS), "ValidatingAdmissionPolicy")
    for name in ours:  # it looks at them a moment after they were stored
        cluster.wait_for(f"validatingadmissionpolicy/{name}", "jsonpath={.status.observedGeneration}=1")

    policies = cluster.get("validatingadmissionpolicies")["items"]
    doubts = {p["metadata"]["name"]: p["status"].get("typeChecking") for p in policies if p["metadata"]["name"] in ours}
    assert {name: doubt for name, doubt in doubts.items() if doubt} == {}
    assert doubts.keys() == ours


def test_every_policy_is_bound_and_fails_closed(cluster: Cluster) -> None:
    objects = render(cluster, *STAMPS)

    for kind in ("ValidatingAdmissionPolicy", "MutatingAdmissionPolicy"):
        assert named(objects, kind) == named(objects, f"{kind}Binding")
        for name in named(objects, kind):
            actions = one(objects, f"{kind}Binding", name)["spec"].get("validationActions")
            expected = "Ignore" if actions == ["Warn"] else "Fail"  # a warning that cannot be given stops nobody
            assert one(objects, kind, name)["spec"]["failurePolicy"] == expected


def test_the_operator_may_do_its_work_and_no_more(cluster: Cluster, team: Team) -> None:
    operator = "system:serviceaccount:headgate-system:headgate-operator"

    everywhere = {
        "rolloutpolicies.headgate.dev": {"get", "list", "watch", "patch"},
        "rolloutpolicies.headgate.dev/status": {"get", "patch"},
        "controllerrevisions.apps": {"get", "list", "watch", "create", "patch", "delete"},
        "secrets": {"get", "patch"},
    }
    verbs = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "approve")
    for resource, expected in everywhere.items():
        found = {verb for verb in verbs if may(cluster, team.namespace, operator, verb, resource)}
        assert found == expected, resource
    assert may(cluster, "headgate-system", operator, "create", "secrets")
    assert not may(cluster, "headgate-system", operator, "list", "secrets")


def test_scaling_a_fleet_takes_no_more_than_the_right_to_edit_and_is_nobody_s_change(
    cluster: Cluster, team: Team
) -> None:
    cluster.apply(FLEET, namespace=team.namespace, as_user="ivy")

    cluster.kubectl("scale", "proxyfleet/default", "--replicas=5", "-n", team.namespace, as_user="ann")

    assert cluster.get("proxyfleet/default", "-n", team.namespace)["spec"]["replicas"] == 5
    assert team.annotation("proxyfleet/default", "authors") == "1=ivy"
