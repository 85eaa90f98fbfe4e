"""``headgate operator`` as a process refreshes an imported account at a vendor, by itself, in good time."""

import json
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from headgate_api.acknowledgement import TEXT_VERSION
from headgate_api.clock import SystemClock, rfc3339
from headgate_dev.cluster import Cluster
from headgate_dev.emulator import EmulatorThread, Fault, FaultKind, TokenState, throwaway_tls
from headgate_dev.emulator.anthropic.vendor import Anthropic
from headgate_dev.emulator.oauth import Client, OAuthServer, WithOAuth, refreshes_at_once

from .process import OperatorProcess, condition, until
from .test_process import PROVIDER

Start = Callable[..., OperatorProcess]
LIFETIME = timedelta(seconds=12)


class Stage:
    """A vendor, and an account whose imported token is about to expire."""

    def __init__(self, cluster: Cluster, namespace: str, emulator: EmulatorThread, oauth: OAuthServer) -> None:
        self.cluster, self.namespace, self.emulator, self.oauth = cluster, namespace, emulator, oauth

    def apply(self, lifetime: timedelta) -> None:
        now, cluster, namespace = SystemClock().now(), self.cluster, self.namespace
        issued = self.oauth.grants.begin("not-a-real-client", "user:inference", now, self.emulator.credentials)
        expires = int((now + lifetime).timestamp() * 1000)
        tokens = {"accessToken": issued.access_token, "refreshToken": issued.refresh_token, "expiresAt": expires}
        file = json.dumps({"claudeAiOauth": tokens})
        cluster.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "plan"}, "stringData": {"file": file}},
            namespace=namespace,
        )
        cluster.apply(
            PROVIDER | {"spec": PROVIDER["spec"] | {"auth": {"modes": ["Subscription"]}}}, namespace=namespace
        )
        user = json.loads(cluster.kubectl("auth", "whoami", "-o", "json"))["status"]["userInfo"]["username"]
        spec = {
            "providerRef": {"name": "vendor"},
            "owner": {"email": "ada@team.example"},
            "sharing": "Pool",
            "credential": {"importSecretRef": {"name": "plan", "key": "file"}},
            "acknowledgement": {"by": user, "at": rfc3339(now), "textVersion": TEXT_VERSION},
            "oauth": {
                "tokenEndpoint": f"{self.emulator.url}/oauth/token",
                "clientId": "not-a-real-client",
                "tls": {"caBundle": self.emulator.ca_pem},
            },
        }
        account = {"apiVersion": "headgate.dev/v1alpha1", "kind": "SubscriptionAccount", "metadata": {"name": "ada"}}
        cluster.apply(account | {"spec": spec}, namespace=namespace)

    def generation(self) -> int:
        status = self.cluster.get("subscriptionaccount/ada", "-n", self.namespace).get("status", {})
        return int(status.get("generation") or 0)

    def condition(self, kind: str) -> tuple[str, str, str]:
        return condition(self.cluster, "subscriptionaccount/ada", kind, self.namespace) or ("", "", "")

    def token_state(self) -> TokenState | None:
        """Return what the vendor thinks of the access token that proxies read."""
        read = self.cluster.bao.client().secrets.kv.v2.read_secret_version(
            f"{self.namespace}/subscriptionaccounts/ada/access", mount_point="headgate", raise_on_deleted_version=True
        )
        return self.emulator.oauth_tokens.get(read["data"]["data"]["access_token"])

    def errors(self) -> int:
        return len([call for call in self.oauth.calls if call.error])


@pytest.fixture
def stage(cluster: Cluster, namespace: str) -> Iterator[Stage]:
    oauth = OAuthServer(Client("not-a-real-client"))
    with EmulatorThread(vendor=WithOAuth(Anthropic(), oauth), tls=throwaway_tls(("127.0.0.1",))) as emulator:
        yield Stage(cluster, namespace, emulator, oauth)


def test_an_imported_account_is_refreshed_before_it_expires_and_says_when_it_no_longer_can(
    start_operator: Start, stage: Stage
) -> None:
    start_operator(allowances={"privateAddresses": True})
    stage.oauth.grants.lifetime = LIFETIME
    stage.apply(LIFETIME)
    until(lambda: stage.generation() >= 3, seconds=60, what="two refreshes")
    assert stage.condition("RefreshHealthy")[:2] == ("True", "Refreshed")
    assert stage.token_state() is TokenState.VALID
    assert refreshes_at_once(stage.oauth.calls, stage.emulator.requests) == 1
    assert stage.errors() == 0

    stage.oauth.grants.revoke(stage.oauth.grants.grants[0], stage.emulator.credentials)
    until(
        lambda: stage.condition("RefreshHealthy")[1] == "ReauthenticationRequired",
        seconds=60,
        what="the end of the grant to show",
    )
    assert stage.errors() == 1


def test_a_leader_frozen_in_a_refresh_loses_its_lease_but_not_the_new_tokens(
    start_operator: Start, stage: Stage
) -> None:
    operators = [start_operator(allowances={"privateAddresses": True}) for _ in range(2)]
    leader = until(lambda: next((o for o in operators if o.leads()), None), what="a leader")
    (other,) = [o for o in operators if o is not leader]
    hold = stage.emulator.add_fault(Fault(kind=FaultKind.HOLD, path="/oauth/token"))
    stage.apply(LIFETIME)
    stage.emulator.wait_held(hold, 1, 40)
    leader.process.send_signal(signal.SIGSTOP)
    try:
        stage.emulator.release(hold)
        until(other.leads, what="the other operator to lead")
    finally:
        leader.process.send_signal(signal.SIGCONT)
    until(lambda: stage.generation() == 2, seconds=60, what="the new leader to see the tokens")
    assert stage.condition("CredentialValid")[0] == "True"
    assert stage.token_state() is TokenState.VALID
    assert [call.grant_type for call in stage.oauth.calls] == ["refresh_token"]
    assert stage.errors() == 0
