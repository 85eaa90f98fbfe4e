"""Losing the guard in the middle of a rollout changes nothing for traffic, until somebody says so."""

from tests.operator.progressive.team import Team, policy, provider


def test_deleting_the_policy_keeps_the_stable_form_until_the_content_is_released(team: Team) -> None:
    team.apply(policy({"weight": 50, "hold": "1h"}, {"weight": 100}))
    team.adopted()
    team.apply(provider("new"))
    team.until(lambda: team.split(), what="the split")
    team.cluster.kubectl("delete", "rolloutpolicy", "careful", "-n", team.namespace, "--wait=false")

    def stable() -> dict[str, str] | None:
        status = team.cluster.get("llmprovider/vendor", "-n", team.namespace).get("status", {})
        return next((c for c in status.get("conditions", ()) if c["type"] == "Stable"), None)

    team.until(lambda: (stable() or {}).get("reason") == "CandidateHeld", what="the hold")
    team.until(lambda: team.served() == (["old"], None) and team.split() is None, what="the stable form alone")
    told = stable()
    assert told is not None
    live = told["message"].rpartition("headgate.dev/release=")[2]
    team.annotate("llmprovider", "vendor", release="another")
    team.proxies.sync()
    assert team.served() == (["old"], None)
    team.annotate("llmprovider", "vendor", release=live)
    team.until(lambda: team.served() == (["new"], None), what="the released form")
    team.until(lambda: team.revisions() == {} and stable() is None, what="nothing to be kept")


def test_the_stable_form_outlives_the_controllerrevisions_that_keep_it(team: Team) -> None:
    """Deleted in the middle of a rollout, by the one hand that may: what serves is never dropped, and kept again."""
    team.apply(policy({"weight": 50, "hold": "1h"}, {"weight": 100}))
    team.adopted()
    team.apply(provider("new"))
    team.until(lambda: team.served() == (["old"], ["new"]), what="the split")
    before = team.revisions()
    what = ("controllerrevisions", "-l", "headgate.dev/revision-of-kind=LLMProvider")
    janitor = "system:serviceaccount:kube-system:generic-garbage-collector"
    team.cluster.kubectl("delete", *what, "-n", team.namespace, as_user=janitor)
    team.annotate("rolloutpolicy", "careful", pause="look")

    def mended() -> bool:
        stable, candidate = team.served()
        assert stable == ["old"], "the stable form was dropped"
        return candidate == ["new"] and team.revisions() == before

    team.until(mended, what="both forms to be kept again")
