"""The demo's second act: a change that reaches everyone step by step, and a harmful one that leaves by itself."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from headgate_api import names
from headgate_dev.cluster import Cluster
from headgate_dev.demo import cast
from headgate_dev.demo.stage import Stage
from headgate_dev.emulator import EmulatorThread, throwaway_tls
from headgate_dev.installation import Installation
from headgate_dev.traffic import Round, Traffic

_POLICY: Final = f"rolloutpolicy/{cast.POLICY}"
_TIMEOUT: Final = 120.0
_BAR: Final = 20


class RolloutAct:
    """Plays on the cluster that the first act left behind: provider ``anthropic`` serves, nobody guards it yet."""

    def __init__(self, stage: Stage, cluster: Cluster, headgate: Installation, vendor: EmulatorThread) -> None:
        self._stage = stage
        self._cluster = cluster
        self._headgate = headgate
        self._vendor = vendor
        self._modes = ["Subscription", "APIKey"]

    def run(self) -> None:
        """Play every scene; raises what went wrong."""
        self._guard()
        self._good_change()
        self._bad_change()

    def _guard(self) -> None:
        self._stage.step("a RolloutPolicy: from now on a change of this provider needs testers, numbers, and carol")
        for command in (
            ("create", "serviceaccount", "tester", "-n", cast.NAMESPACE),
            (
                "create", "rolebinding", cast.APPROVER, "-n", cast.NAMESPACE, "--clusterrole=headgate-approver",
                f"--user={cast.APPROVER}",
            ),
        ):  # fmt: skip
            self._cluster.kubectl(*command)
        self._apply(cast.policy())
        self._wait("condition=Ready")

    def _good_change(self) -> None:
        self._stage.step("alice changes the provider; only the tester meets the change")
        self._apply(self._provider(headers={"x-team": "team-a"}), as_user=cast.OWNER)
        self._wait("condition=AwaitingApproval")
        self._tracks_of("tester")
        self._tracks_of("agent")
        self._headgate_command("status", cast.POLICY)
        self._approve()
        self._stage.step("5 % of the sessions, then 25 %, as long as the numbers are good")
        self._ask_until("condition AwaitingApproval", lambda status: _awaits_approval(status, 4))
        self._stage.step("carol agrees to 100 %")
        self._approve()
        self._ask_until("condition Promoted", lambda status: _is(status, "Promoted"))
        self._tracks_of("agent")
        self._headgate_command("history", cast.POLICY)

    def _bad_change(self) -> None:
        self._stage.step("a harmful change: the provider's certificate authority is replaced by a wrong one")
        wrong = throwaway_tls().ca_pem
        change = self._provider(headers={"x-team": "team-a"})
        change["spec"]["tls"] = {"caBundle": wrong}
        self._apply(change, as_user=cast.OWNER)
        self._wait("condition=AwaitingApproval")
        self._stage.say("carol agrees without having looked:")
        self._approve()
        self._ask_until("it is rolled back by itself", lambda status: status.get("canaryRevision") is None)
        self._tracks_of("agent")
        self._headgate_command("explain", cast.POLICY)

    def _provider(self, **spec: Any) -> dict[str, Any]:
        provider = cast.provider(self._vendor.url, self._vendor.ca_pem, self._modes)
        provider["spec"] |= spec
        return provider

    def _apply(self, manifest: dict[str, Any], as_user: str | None = None) -> None:
        who = f" --as={as_user}" if as_user else ""
        self._stage.command(f"kubectl apply -n {cast.NAMESPACE} -f -{who}")
        self._stage.say(self._cluster.apply(manifest, namespace=cast.NAMESPACE, as_user=as_user).strip())

    def _wait(self, condition: str) -> None:
        with self._stage.waiting(f"{_POLICY}: {condition}"):
            self._cluster.wait_for(_POLICY, condition, namespace=cast.NAMESPACE)

    def _status(self) -> dict[str, Any]:
        found: dict[str, Any] = self._cluster.get(_POLICY, "-n", cast.NAMESPACE)
        return dict(found["status"])

    def _approve(self) -> None:
        status = self._status()
        value = f"{status['canaryRevision']}/{status['step']['index']}"
        self._stage.command(
            f"kubectl annotate {_POLICY} -n {cast.NAMESPACE} --overwrite {names.ANNOTATION_APPROVE}={value} --as={cast.APPROVER}"
        )
        said = self._cluster.kubectl(
            "annotate", _POLICY, "-n", cast.NAMESPACE, "--overwrite", f"{names.ANNOTATION_APPROVE}={value}",
            as_user=cast.APPROVER,
        )  # fmt: skip
        self._stage.say(said.strip())

    def _traffic(self, service_account: str, sessions: int) -> Traffic:
        token = self._cluster.create_token(cast.NAMESPACE, service_account, names.AUDIENCE_CALLER, "1h")
        return Traffic(tuple(self._headgate.urls().values()), token, cast.MODEL, sessions)

    def _tracks_of(self, service_account: str) -> None:
        met = self._traffic(service_account, 4).round()
        seen = ", ".join(f"{count} x {track} ({status})" for (track, status), count in sorted(met.answers.items()))
        self._stage.say(f"{service_account}'s requests: {seen}")

    def _ask_until(self, what: str, holds: Any) -> None:
        """Have 200 sessions ask again and again, and show split and verdicts, until the policy's status ``holds``."""
        traffic = self._traffic("agent", 200)
        deadline = time.monotonic() + _TIMEOUT
        with self._stage.waiting(what):
            while True:
                met = traffic.round()
                status = self._status()
                self._stage.say(_line(met, status))
                if holds(status):
                    return
                if time.monotonic() > deadline:
                    raise TimeoutError(f"not within {_TIMEOUT:.0f} s: {what}; {status.get('step')}")

    def _headgate_command(self, *arguments: str) -> None:
        """Run ``kubectl headgate`` as a user would."""
        command = [*arguments, "-n", cast.NAMESPACE]
        self._stage.command("kubectl headgate " + " ".join(command))
        program = Path(sys.executable).with_name("headgate")
        done = subprocess.run(
            [program, *command, "--kubeconfig", str(self._cluster.kubeconfig)],
            check=True,
            capture_output=True,
            text=True,
        )
        self._stage.say(done.stdout.rstrip())


def _line(met: Round, status: dict[str, Any]) -> str:
    asked, canary = sum(met.answers.values()), met.count("canary")
    filled = round(_BAR * canary / asked)
    verdicts = ", ".join(f"{v['metric']} {v['outcome']}" for v in status.get("verdicts", ()))
    step = status.get("step") or {}
    return (
        f"weight {status.get('weight', 0):3} %  ▕{'█' * filled}{'░' * (_BAR - filled)}▏ canary answered {canary} of {asked}, "
        f"failed {met.failed('canary')}; {step.get('reason', 'no rollout')}{'; ' + verdicts if verdicts else ''}"
    )


def _is(status: dict[str, Any], condition: str) -> bool:
    return any(c["type"] == condition and c["status"] == "True" for c in status["conditions"])


def _awaits_approval(status: dict[str, Any], step: int) -> bool:
    return _is(status, "AwaitingApproval") and status["step"]["index"] == step
