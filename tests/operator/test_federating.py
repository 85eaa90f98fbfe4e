"""``headgate operator`` as a process exchanges workload identities with nothing but the rights that were granted by name."""

import json
import signal
from collections.abc import Callable, Iterator
from typing import Any

import hvac
import pytest

from headgate_dev.cluster import Cluster
from headgate_dev.emulator import EmulatorThread, Fault, FaultKind, TokenState, throwaway_tls
from headgate_dev.emulator.anthropic.vendor import Anthropic
from headgate_dev.emulator.oauth import Federation, FederationRule, OAuthServer, WithOAuth
from headgate_dev.release import NAMESPACE

from .process import OperatorProcess, condition, until
from .test_process import PROVIDER

Start = Callable[..., OperatorProcess]
AUDIENCE = "https://api.vendor.example"
TOKENS = "/v1/oauth/token"


class Stage:
    """A vendor that trusts the API server's signatures, and providers that authenticate by them."""

    def __init__(self, cluster: Cluster, namespace: str, emulator: EmulatorThread, federation: Federation) -> None:
        self.cluster, self.namespace, self.emulator, self.federation = cluster, namespace, emulator, federation
        issuer = str(json.loads(cluster.kubectl("get", "--raw", "/.well-known/openid-configuration"))["issuer"])
        federation.assertions.issuers[issuer] = json.loads(cluster.kubectl("get", "--raw", "/openid/v1/jwks"))
        subject = f"system:serviceaccount:{namespace}:caller"
        federation.rules["fdrl_1"] = FederationRule("fdrl_1", "org-1", "svac_1", issuer, AUDIENCE, subject)
        cluster.kubectl("create", "serviceaccount", "caller", "-n", namespace)
        rule = ("--verb=create", "--resource=serviceaccounts/token", "--resource-name=caller")
        cluster.kubectl("create", "role", "minting", "-n", namespace, *rule)
        bound = ("--role=minting", f"--serviceaccount={NAMESPACE}:headgate-operator")
        cluster.kubectl("create", "rolebinding", "minting", "-n", namespace, *bound)

    def apply(self, account: str = "caller") -> None:
        settings: dict[str, Any] = {
            "serviceAccountName": account,
            "audience": AUDIENCE,
            "federationRuleId": "fdrl_1",
            "organizationId": "org-1",
            "serviceAccountId": "svac_1",
        }
        spec = PROVIDER["spec"] | {
            "endpoint": self.emulator.url,
            "tls": {"caBundle": self.emulator.ca_pem},
            "auth": {"modes": ["WorkloadIdentity"], "workloadIdentity": settings},
        }
        self.cluster.apply(PROVIDER | {"spec": spec}, namespace=self.namespace)

    def ready(self) -> tuple[str, str, str]:
        return condition(self.cluster, "llmprovider/vendor", "CredentialsReady", self.namespace) or ("", "", "")

    def token(self) -> TokenState | None:
        """Return what the vendor thinks of the token that proxies are told to read."""
        known = self.cluster.get("llmprovider/vendor", "-n", self.namespace)["status"]["workloadIdentity"]
        path = f"{self.namespace}/llmproviders/vendor/federated/{known['grantId']}"
        read = self.cluster.bao.client().secrets.kv.v2.read_secret_version(
            path, version=known["version"], mount_point="headgate", raise_on_deleted_version=True
        )
        return self.emulator.oauth_tokens.get(read["data"]["data"]["access_token"])


@pytest.fixture
def stage(cluster: Cluster, namespace: str, rights: None) -> Iterator[Stage]:
    federation = Federation()
    vendor = WithOAuth(Anthropic(), OAuthServer(), federation)
    with EmulatorThread(vendor=vendor, tls=throwaway_tls(("127.0.0.1",))) as emulator:
        yield Stage(cluster, namespace, emulator, federation)


def test_it_mints_for_the_named_service_account_and_for_no_other(
    start_operator: Start, stage: Stage, cluster: Cluster
) -> None:
    operator = start_operator(allowances={"privateAddresses": True})
    stage.apply()
    until(lambda: stage.ready()[:2] == ("True", "Valid"), what="the first token")
    assert stage.token() is TokenState.VALID
    assert 'headgate_operator_federation_exchanges_total{outcome="Granted"} 1.0' in operator.metrics()

    stage.apply("default")
    until(lambda: stage.ready()[1] == "TokenRequestForbidden", what="the missing right to show")
    assert "resourceNames: [default]" in stage.ready()[2]
    told = cluster.kubectl("get", "events.events.k8s.io", "-n", stage.namespace, "-o", "jsonpath={.items[*].reason}")
    assert "TokenRequestForbidden" in told
    assert len(stage.federation.attempts) == 1
    assert "sk-ant-oat01-emulated" not in operator.log.read_text()
    assert "eyJ" not in operator.log.read_text()


def test_a_restart_exchanges_nothing_and_a_deletion_leaves_nothing(start_operator: Start, stage: Stage) -> None:
    first = start_operator(allowances={"privateAddresses": True})
    stage.apply()
    until(lambda: stage.ready()[:2] == ("True", "Valid"), what="the first token")
    first.kill()
    second = start_operator(allowances={"privateAddresses": True})
    until(second.leads, seconds=60, what="the next leader")
    until(lambda: 'kind="LLMProvider",outcome="success"' in second.metrics(), what="a look at the provider")
    assert len(stage.federation.attempts) == 1

    stage.cluster.kubectl("delete", "llmprovider", "vendor", "-n", stage.namespace)
    assert not _any(stage)


def test_a_leader_frozen_in_an_exchange_overwrites_nothing_when_it_goes_on(start_operator: Start, stage: Stage) -> None:
    operators = [start_operator(allowances={"privateAddresses": True}) for _ in range(2)]
    leader = until(lambda: next((o for o in operators if o.leads()), None), what="a leader")
    (other,) = [o for o in operators if o is not leader]
    hold = stage.emulator.add_fault(Fault(kind=FaultKind.HOLD, path=TOKENS))
    stage.apply()
    stage.emulator.wait_held(hold, 1, 40)
    leader.process.send_signal(signal.SIGSTOP)
    try:
        until(other.leads, seconds=60, what="the other operator to lead")
        until(lambda: stage.ready()[:2] == ("True", "Valid"), what="its own exchange")
        stage.emulator.release(hold)
    finally:
        leader.process.send_signal(signal.SIGCONT)
    until(lambda: not leader.leads() and leader.probe("/readyz")[0], what="the frozen one to know it leads no more")
    known = stage.cluster.get("llmprovider/vendor", "-n", stage.namespace)["status"]["workloadIdentity"]
    assert known["version"] == 1
    assert stage.token() is TokenState.VALID
    assert stage.ready()[:2] == ("True", "Valid")


def _any(stage: Stage) -> bool:
    """Tell whether Vault holds anything of the namespace."""
    try:
        found = stage.cluster.bao.client().secrets.kv.v2.list_secrets("", mount_point="headgate")
    except hvac.exceptions.InvalidPath:
        return False
    return f"{stage.namespace}/" in found["data"]["keys"]
