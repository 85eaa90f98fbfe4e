"""A fleet is Ready when its pods run what spec asks for now, and says what keeps them from it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from headgate_operator.fleet.rollout import unfinished
from headgate_operator.fleet.status import FleetView, fleet_status

from .objects import fleet


def deployment(*, generation: int = 2, observed: int = 2, **status: Any) -> dict[str, Any]:
    return {"metadata": {"generation": generation}, "status": {"observedGeneration": observed, **status}}


DONE = {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}


def pod(name: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": status}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return pod("new", containerStatuses=[{"state": {"waiting": {"reason": reason, "message": message}}}])


def test_a_rollout_has_ended_when_only_new_ready_pods_are_left() -> None:
    assert unfinished(deployment(**DONE), [], 2) is None


@pytest.mark.parametrize(
    "given",
    [
        deployment(observed=1, **DONE),
        deployment(**{**DONE, "replicas": 3}),
        deployment(**{**DONE, "updatedReplicas": 1}),
        deployment(**{**DONE, "readyReplicas": 1}),
        None,
    ],
)
def test_until_then_it_has_not(given: dict[str, Any] | None) -> None:
    assert unfinished(given, [], 2) is not None


@pytest.mark.parametrize(
    ("pods", "conditions", "said"),
    [
        ([waiting("ImagePullBackOff", "no such image")], [], "pod new: ImagePullBackOff: no such image"),
        (
            [pod("p", conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}])],
            [],
            "Unschedul",
        ),
        ([], [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}], "exceeded quota"),
        ([waiting("ContainerCreating")], [], "1 of 2 proxies have the present template"),
    ],
)
def test_what_keeps_a_pod_from_running_is_told(pods: list[Any], conditions: list[Any], said: str) -> None:
    told = unfinished(deployment(**{**DONE, "updatedReplicas": 1}, conditions=conditions), pods, 2)
    assert told is not None and said in told


def test_a_fleet_with_a_wrong_image_is_not_ready_though_its_old_pods_serve() -> None:
    view = FleetView(
        replicas=3, ready_replicas=2, revision="r", revisions={"a": "r"}, rollout="1 of 2 …; pod new: ErrImagePull"
    )
    status = fleet_status(fleet(replicas=2), view, datetime(2026, 1, 1, tzinfo=UTC))
    stand = {c.type: (c.status, c.reason) for c in status.conditions}
    assert stand["Available"] == ("True", "Available")
    assert stand["Ready"] == ("False", "RollingOut")
    assert any("ErrImagePull" in c.message for c in status.conditions if c.type == "Ready")
