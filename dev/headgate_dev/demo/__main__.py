"""The demo's plot: a provider, a stream, subscriptions imported, signed in and revoked, the trace; then changes rolled out."""

import json
import secrets
import sys
import time

from headgate_api.clock import SystemClock
from headgate_dev.cluster import Cluster, ClusterError
from headgate_dev.demo import cast
from headgate_dev.demo.rollout import RolloutAct
from headgate_dev.demo.signin import SignInAct
from headgate_dev.demo.stage import Stage
from headgate_dev.emulator import EmulatorThread, TokenState, throwaway_tls
from headgate_dev.emulator.anthropic.vendor import Anthropic
from headgate_dev.emulator.oauth import Client, OAuthServer, WithOAuth
from headgate_dev.installation import Installation
from headgate_dev.otlp import OTLPSinkThread, render
from headgate_dev.release import NAMESPACE
from headgate_dev.toolchain import find_tools

_AGENT_TIMEOUT = 60.0
_SPANS_WITH_FALLBACK = 6
_TOLD = (
    "gen_ai.request.model", "gen_ai.usage.*", "headgate.*", "http.status_code", "http.response.status_code", "error.type",
)  # fmt: skip
"""The attributes that the trace is shown with."""


class Demo:
    """One run: the parts it stands on, and its scenes in order."""

    def __init__(self, stage: Stage, cluster: Cluster, vendor: EmulatorThread, sink: OTLPSinkThread) -> None:
        self._stage = stage
        self._cluster = cluster
        self._vendor = vendor
        self._sink = sink
        self._headgate = Installation(cluster)
        self._clock = SystemClock()
        self._oauth_token = f"emulated-token-{secrets.token_hex(8)}"

    def run(self) -> None:
        """Play every scene; raises what went wrong."""
        self._install()
        self._api_key()
        self._subscription()
        self._revoked()
        SignInAct(self._stage, self._cluster, self._vendor, self._ask).run()
        RolloutAct(self._stage, self._cluster, self._headgate, self._vendor).run()

    def _install(self) -> None:
        self._stage.step("helm install: operator and a fleet of two proxies")
        self._stage.command(f"helm install headgate charts/headgate -n {NAMESPACE} --set vault.address=$VAULT_ADDR …")
        with self._stage.waiting("the fleet is Ready"):
            self._headgate.install(
                {
                    "replicas": 2,
                    "allowances": {"privateAddresses": True},
                    "telemetry": {"otlpEndpoint": self._sink.url, "samplingPercent": 100},
                }
            )
        self._show("get", "proxyfleets", "-n", NAMESPACE)
        for command in (
            ("create", "namespace", cast.NAMESPACE),
            ("create", "serviceaccount", "agent", "-n", cast.NAMESPACE),
            (
                "create",
                "rolebinding",
                cast.OWNER,
                "-n",
                cast.NAMESPACE,
                "--clusterrole=cluster-admin",
                f"--user={cast.OWNER}",
            ),
        ):
            self._cluster.kubectl(*command)

    def _api_key(self) -> None:
        self._stage.step("kubectl apply: a provider with an API key")
        key = f"emulated-key-{secrets.token_hex(8)}"
        self._vendor.api_keys.add(key)
        self._apply(cast.secret("anthropic-key", "key", key))
        self._apply(cast.provider(self._vendor.url, self._vendor.ca_pem, ["APIKey"]))
        self._wait("llmprovider/anthropic")
        self._conditions("llmprovider/anthropic")
        self._stage.step("an agent pod streams a message; all it holds is its ServiceAccount token")
        self._ask("first", "write 24 words")

    def _subscription(self) -> None:
        self._stage.step("a subscription, opted in by the person whose plan it is")
        self._vendor.oauth_tokens[self._oauth_token] = TokenState.VALID
        file = {
            "accessToken": self._oauth_token,
            "refreshToken": f"emulated-refresh-{secrets.token_hex(8)}",
            "expiresAt": int((self._clock.now().timestamp() + 28800) * 1000),
            "scopes": ["user:inference"],
        }
        self._apply(cast.secret("alice-claude", "credentials.json", json.dumps({"claudeAiOauth": file})))
        self._apply(cast.provider(self._vendor.url, self._vendor.ca_pem, ["Subscription", "APIKey"]))
        self._apply(cast.account())
        self._wait(
            "subscriptionaccount/alice", 'jsonpath={.status.conditions[?(@.type=="Ready")].reason}=NotAcknowledged'
        )
        self._conditions("subscriptionaccount/alice")
        self._stage.say("alice reads it and acknowledges, as herself:")
        self._apply(cast.account(self._clock), as_user=cast.OWNER)
        self._wait("subscriptionaccount/alice")
        self._wait("llmprovider/anthropic")
        self._conditions("subscriptionaccount/alice")
        self._ask("second", "write 12 words")

    def _revoked(self) -> None:
        self._stage.step("the vendor revokes the subscription's token; the same request again")
        self._vendor.oauth_tokens[self._oauth_token] = TokenState.REVOKED
        trace_id = self._ask("third", "write 12 words")
        reason = 'jsonpath={.status.conditions[?(@.type=="FallbackActive")].reason}=Revoked'
        self._wait("llmprovider/anthropic", reason)
        self._wait(
            "subscriptionaccount/alice", 'jsonpath={.status.conditions[?(@.type=="CredentialValid")].reason}=Revoked'
        )
        self._conditions("llmprovider/anthropic")
        self._conditions("subscriptionaccount/alice")
        self._show("get", "llmproviders,subscriptionaccounts", "-n", cast.NAMESPACE)
        self._stage.step("the trace of that request")
        spans = self._sink.wait_for_trace(trace_id, spans=_SPANS_WITH_FALLBACK, timeout=20)
        self._stage.say(render(spans, _TOLD))

    def _apply(self, manifest: dict[str, object], as_user: str | None = None) -> None:
        who = f" --as={as_user}" if as_user else ""
        self._stage.command(f"kubectl apply -n {cast.NAMESPACE} -f -{who}")
        self._stage.say(self._cluster.apply(manifest, namespace=cast.NAMESPACE, as_user=as_user).strip())

    def _wait(self, resource: str, condition: str = "condition=Ready") -> None:
        with self._stage.waiting(f"{resource}: {condition.removeprefix('jsonpath=')}"):
            self._cluster.wait_for(resource, condition, namespace=cast.NAMESPACE)

    def _show(self, *arguments: str) -> None:
        self._stage.command("kubectl " + " ".join(arguments))
        self._stage.say(self._cluster.kubectl(*arguments).rstrip())

    def _conditions(self, resource: str) -> None:
        self._stage.command(f"kubectl get {resource} -n {cast.NAMESPACE} -o yaml   # .status.conditions")
        for condition in self._cluster.get(resource, "-n", cast.NAMESPACE)["status"]["conditions"]:
            self._stage.say(
                f"{condition['type']:<17} {condition['status']:<6} {condition['reason']:<17} {condition['message']}"
            )

    def _ask(self, name: str, prompt: str) -> str:
        """Run an agent pod and print its text as it arrives; return the trace id. Raises RuntimeError when it was refused."""
        trace_id = secrets.token_hex(16)
        traceparent = f"00-{trace_id}-{secrets.token_hex(8)}-01"
        pod = cast.agent_pod(name, sys.executable, self._headgate.url(), traceparent, prompt)
        self._cluster.apply(pod, namespace=cast.NAMESPACE)
        self._stage.command(f"kubectl logs -f -n {cast.NAMESPACE} {name}")
        self._stage.raw("   ")
        seen = 0
        deadline = time.monotonic() + _AGENT_TIMEOUT
        while time.monotonic() < deadline:
            lines = self._log_of(name)
            for line in lines[seen:]:
                if not line.startswith("{"):
                    raise RuntimeError("\n".join(lines))
                told = json.loads(line)
                if "error" in told:
                    raise RuntimeError(f"the agent was refused: {told['error']}")
                if "done" in told:
                    self._stage.raw("\n")
                    for header, value in told["done"].items():
                        self._stage.say(f"{header}: {value}")
                    return trace_id
                self._stage.raw(told["text"])
            seen = len(lines)
            time.sleep(0.05)
        raise RuntimeError(f"the agent pod {name} said nothing more for {_AGENT_TIMEOUT:.0f} s")

    def _log_of(self, pod: str) -> list[str]:
        try:
            return self._cluster.pod_log(cast.NAMESPACE, pod).splitlines()
        except ClusterError:  # its container has not started yet
            return []


def main() -> int:
    """Run the demo from nothing to nothing; return 0."""
    stage = Stage(SystemClock())
    stage.step("a real control plane: etcd, kube-apiserver, kube-controller-manager, OpenBao and a development node")
    find_tools(("etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "helm"))
    cluster = Cluster()
    with stage.waiting("the cluster answers"):
        cluster.start()
    try:
        oauth = OAuthServer(Client(cast.CLIENT, redirect_uris=(cast.CODE_PAGE,)))
        vendor_with_plans = WithOAuth(Anthropic(), oauth)
        with (
            EmulatorThread(vendor=vendor_with_plans, tls=throwaway_tls(), event_delay=0.03) as vendor,
            OTLPSinkThread() as sink,
        ):
            Demo(stage, cluster, vendor, sink).run()
    finally:
        with stage.waiting("everything is stopped and removed"):
            cluster.stop()
    stage.say("That was Headgate: keys in Vault, a mode picked and explained, bytes passed as they are.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
