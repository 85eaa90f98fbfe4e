"""How a fleet is shown: every condition says what to do, and times change only with what they speak of."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources import ProxyFleet, ProxyFleetStatus
from headgate_api.resources.base import Condition, Observation
from headgate_operator.fleet.status import FleetView, fleet_status, not_served

from .objects import fleet

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OLD = NOW - timedelta(hours=1)
HEALTHY = FleetView(
    replicas=2,
    ready_replicas=2,
    revision="r2",
    pods={"p1": OLD, "p2": OLD},
    revisions={"p1": "r2", "p2": "r2"},
)


def condition(status: ProxyFleetStatus, kind: ConditionType) -> Condition:
    return next(c for c in status.conditions if c.type == kind)


def with_status(status: ProxyFleetStatus) -> ProxyFleet:
    return fleet().model_copy(update={"status": status})


def test_all_replicas_ready_on_the_snapshot_is_ready() -> None:
    status = fleet_status(fleet(), HEALTHY, NOW)
    assert {c.status for c in status.conditions} == {"True"}
    assert status.ready == "2/2"
    assert status.snapshot is not None
    assert (status.snapshot.acknowledged, status.snapshot.lagging) == (2, ())


def test_a_missing_replica_says_where_to_look() -> None:
    ready = condition(fleet_status(fleet(), replace(HEALTHY, ready_replicas=1), NOW), ConditionType.READY)
    assert (ready.status, ready.reason) == ("False", ConditionReason.PENDING)
    assert "kubectl -n headgate-system get pods -l headgate.dev/fleet=default" in ready.message


def test_a_proxy_on_an_older_snapshot_is_named_and_holds_delivery_back() -> None:
    status = fleet_status(fleet(), replace(HEALTHY, revisions={"p1": "r2", "p2": "r1"}), NOW)
    delivered = condition(status, ConditionType.SNAPSHOT_DELIVERED)
    assert (delivered.status, delivered.reason) == ("False", ConditionReason.DELIVERING)
    assert "p2" in delivered.message
    assert status.snapshot is not None
    assert status.snapshot.lagging == ("p2",)


def test_a_silent_proxy_is_named_but_leaves_the_quorum() -> None:
    status = fleet_status(fleet(), replace(HEALTHY, revisions={"p1": "r2"}), NOW)
    delivered = condition(status, ConditionType.SNAPSHOT_DELIVERED)
    assert delivered.status == "True"
    assert "p2" in delivered.message
    assert status.snapshot is not None
    assert status.snapshot.lagging == ("p2",)


def test_a_pod_that_has_just_started_is_not_called_silent() -> None:
    status = fleet_status(fleet(), replace(HEALTHY, pods={"p1": OLD, "p2": OLD, "p3": NOW}), NOW)
    assert status.snapshot is not None
    assert status.snapshot.lagging == ()


def test_a_new_leader_keeps_what_the_former_one_knew_until_proxies_can_have_reported() -> None:
    before = with_status(fleet_status(fleet(), HEALTHY, OLD))
    settling = replace(HEALTHY, revisions={}, settling=True)
    assert fleet_status(before, settling, NOW) == before.status
    settled = replace(settling, settling=False)
    assert condition(fleet_status(before, settled, NOW), ConditionType.READY).status == "False"


def test_no_report_at_all_points_at_the_broker() -> None:
    status = fleet_status(fleet(), replace(HEALTHY, revisions={}), NOW)
    delivered = condition(status, ConditionType.SNAPSHOT_DELIVERED)
    assert delivered.reason == ConditionReason.NO_PROXY_READY
    assert "broker" in delivered.message


def test_a_fleet_scaled_to_nothing_is_ready() -> None:
    status = fleet_status(fleet(replicas=0), FleetView(revision="r2"), NOW)
    assert condition(status, ConditionType.READY).status == "True"


def test_what_the_api_server_refused_is_the_reason() -> None:
    problem = Observation(
        ConditionType.SNAPSHOT_DELIVERED, False, ConditionReason.SPEC_INVALID, "correct spec.podTemplate"
    )
    ready = condition(fleet_status(fleet(), replace(HEALTHY, problem=problem), NOW), ConditionType.READY)
    assert (ready.reason, ready.message) == (ConditionReason.SPEC_INVALID, "correct spec.podTemplate")


def test_looking_again_changes_nothing() -> None:
    before = with_status(fleet_status(fleet(), HEALTHY, OLD))
    assert fleet_status(before, HEALTHY, NOW) == before.status


def test_a_fleet_elsewhere_is_told_where_it_belongs() -> None:
    ready = condition(not_served(fleet(namespace="team"), "headgate-system", NOW), ConditionType.READY)
    assert (ready.status, ready.reason) == ("False", ConditionReason.NAMESPACE_NOT_SERVED)
    assert "headgate-system" in ready.message
