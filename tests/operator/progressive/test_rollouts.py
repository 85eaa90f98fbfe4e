"""A change on its way to traffic, on the real API server: what heads and snapshots hold at every step of it."""

from tests.operator.progressive.team import Team, policy, provider

from headgate_dev.release import NAMESPACE


def test_a_change_reaches_traffic_in_steps_and_unguarded_ones_at_once(team: Team) -> None:
    team.apply(provider("plain"))
    team.until(lambda: team.served() == (["plain"], None), what="an unguarded change")
    team.apply(policy({"weight": 50, "hold": "2s"}, {"weight": 100}))
    team.adopted()
    assert list(team.revisions().values()) == [1]

    team.apply(provider("new"))
    team.until(lambda: team.split(), what="the split")
    split = team.split()
    assert split is not None
    assert split["weight"] == 5000
    assert team.served() == (["plain"], ["new"])
    assert [e["port"] for e in team.head()["canaryEndpoints"]] == [8443]
    stable = team.cluster.get("llmprovider/vendor", "-n", team.namespace)["status"]
    (told,) = [c for c in stable["conditions"] if c["type"] == "Stable"]
    assert (told["status"], told["reason"]) == ("False", "InRollout")

    team.until(
        lambda: team.status().get("rollout") is None and team.status()["history"][0]["outcome"] == "Promoted",
        what="promotion",
    )
    team.until(lambda: team.served() == (["new"], None) and team.split() is None, what="the new stable form")
    assert sorted(team.revisions().values()) == [1, 2]


def test_a_rollback_leaves_the_stable_form_and_is_published_at_once(team: Team) -> None:
    team.apply(policy({"weight": 50, "hold": "1h"}, {"weight": 100}))
    team.adopted()
    team.apply(provider("bad"))
    team.until(lambda: team.split(), what="the split")
    team.annotate("rolloutpolicy", "careful", abort=team.status()["rollout"]["revision"])
    team.until(lambda: team.split() is None, what="the rollback")
    team.until(lambda: team.served() == (["old"], None), what="the stable form alone")
    assert team.status()["history"][0]["outcome"] == "Aborted"
    team.until(lambda: list(team.revisions().values()) == [1], what="the candidate to be forgotten")


def test_a_proxy_that_does_not_take_up_a_weight_is_named_and_waited_for(team: Team) -> None:
    team.apply(policy({"weight": 50}, {"weight": 100}))
    team.adopted()
    listed = team.cluster.kubectl("get", "pods", "-n", NAMESPACE, "-l", "headgate.dev/track=stable", "-o", "name")
    (slow,) = [line.removeprefix("pod/") for line in listed.split()]
    team.proxies.frozen.add(slow)
    team.apply(provider("new"))

    def waits() -> bool:
        step = team.status().get("step") or {}
        return step.get("reason") == "WaitingForProxies" and slow in step["message"]

    team.until(waits, what="the wait to name the proxy")
    assert (team.split() or {})["weight"] == 5000
    team.proxies.frozen.clear()
    team.until(lambda: team.status()["history"][0]["outcome"] == "Promoted", what="promotion")
