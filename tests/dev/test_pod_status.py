"""How container states, probe results and exits add up."""

import pytest

from headgate_dev.node.container import next_backoff, restarts
from headgate_dev.node.probes import Tally
from headgate_dev.node.status import ContainerState, container_status, pod_status

NOW = "2030-01-01T00:00:00Z"


def conditions(
    main: list[ContainerState], since: dict[str, tuple[str, str]] | None = None
) -> dict[str, tuple[str, str]]:
    status = pod_status([], main, ports={}, since=since or {}, now=NOW, started_at=NOW)
    return {each["type"]: (each["status"], each["lastTransitionTime"]) for each in status["conditions"]}


def test_a_pod_is_ready_when_all_its_containers_are() -> None:
    one = ContainerState("one", state="running", started=True, ready=True)
    two = ContainerState("two", state="running", started=True)
    assert conditions([one, two])["Ready"] == ("False", NOW)
    two.ready = True
    assert conditions([one, two])["Ready"] == ("True", NOW)


def test_a_condition_keeps_its_time_until_it_changes() -> None:
    one = ContainerState("one", state="running", started=True, ready=True)
    assert conditions([one], {"Ready": ("True", "before")})["Ready"] == ("True", "before")
    assert conditions([one], {"Ready": ("False", "before")})["Ready"] == ("True", NOW)


@pytest.mark.parametrize(
    ("codes", "phase"), [([0, 0], "Succeeded"), ([0, 1], "Failed"), ([0, None], "Running"), ([None, None], "Pending")]
)
def test_phase_follows_the_exit_codes(codes: list[int | None], phase: str) -> None:
    main = [
        ContainerState(str(index), state="waiting" if code is None else "terminated", exit_code=code)
        for index, code in enumerate(codes)
    ]
    assert pod_status([], main, ports={}, since={}, now=NOW, started_at=NOW)["phase"] == phase


def test_a_failed_init_container_fails_the_pod() -> None:
    init = [ContainerState("init", state="terminated", exit_code=3)]
    status = pod_status(init, [ContainerState("main")], ports={}, since={}, now=NOW, started_at=NOW)
    assert status["phase"] == "Failed"


def test_a_crashing_container_shows_why_and_its_last_exit() -> None:
    shown = container_status(
        ContainerState("c", state="waiting", reason="CrashLoopBackOff", message="again soon", exit_code=137, restarts=2)
    )
    assert shown["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "again soon"}}
    assert shown["lastState"]["terminated"]["exitCode"] == 137
    assert shown["restartCount"] == 2


def test_a_probe_changes_its_verdict_at_its_thresholds_only() -> None:
    probe = {"successThreshold": 1, "failureThreshold": 2}
    tally = Tally()
    verdicts = []
    for success in (False, True, False, True, False, False):
        tally = tally.after(success, probe)
        verdicts.append(tally.verdict)
    assert verdicts == [None, True, True, True, True, False]


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [("Always", 0, True), ("Always", 1, True), ("OnFailure", 0, False), ("OnFailure", 1, True), ("Never", 1, False)],
)
def test_restart_policy(policy: str, code: int, again: bool) -> None:
    assert restarts(policy, code) is again


def test_back_off_doubles_up_to_ten_seconds_and_forgets_after_a_stable_run() -> None:
    waits = [0.0]
    for _ in range(8):
        waits.append(next_backoff(waits[-1], ran_seconds=0.1))
    assert waits[1:] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert next_backoff(10.0, ran_seconds=10.0) == 0.2
