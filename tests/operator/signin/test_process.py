"""``headgate operator`` as processes: a person signs in at a replica that does not lead, and revokes; real API server and Vault."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from tests.operator.process import OperatorProcess, condition, until
from tests.operator.test_process import PROVIDER

from headgate_api.secret import Secret
from headgate_api.signin import SIGN_IN_CODE_PATH, SIGN_IN_PATH, key_hash
from headgate_dev.cluster import Cluster
from headgate_dev.emulator import EmulatorThread, throwaway_tls
from headgate_dev.emulator.anthropic.vendor import Anthropic
from headgate_dev.emulator.oauth import Client, OAuthServer, WithOAuth
from headgate_runtime.trusting_tls import client_context

Start = Callable[..., OperatorProcess]
PASTE = "https://console.vendor.example/code"


@pytest.fixture
def vendor() -> Iterator[tuple[EmulatorThread, OAuthServer]]:
    oauth = OAuthServer(Client("not-a-real-client", redirect_uris=(PASTE,)))
    with EmulatorThread(vendor=WithOAuth(Anthropic(), oauth), tls=throwaway_tls(("127.0.0.1",))) as emulator:
        yield emulator, oauth


def _account(url: str, ca: str) -> dict[str, Any]:
    oauth = {
        "tokenEndpoint": f"{url}/oauth/token",
        "authorizationEndpoint": f"{url}/oauth/authorize",
        "revocationEndpoint": f"{url}/oauth/revoke",
        "redirectURI": PASTE,
        "clientId": "not-a-real-client",
        "tls": {"caBundle": ca},
    }
    spec = {
        "providerRef": {"name": "vendor"},
        "owner": {"email": "ada@team.example"},
        "sharing": "Pool",
        "oauth": oauth,
    }
    return {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "SubscriptionAccount",
        "metadata": {"name": "ada"},
        "spec": spec,
    }


def test_a_person_signs_in_at_a_replica_that_does_not_lead_and_revokes(
    start_operator: Start, cluster: Cluster, namespace: str, vendor: tuple[EmulatorThread, OAuthServer]
) -> None:
    emulator, oauth = vendor
    operators = [start_operator(allowances={"privateAddresses": True}) for _ in range(2)]
    leader = until(lambda: next((o for o in operators if o.leads()), None), what="a leader")
    (other,) = [o for o in operators if o is not leader]
    until(lambda: other.probe("/readyz")[0] == 200, what="the other replica to have its certificate")
    cluster.apply(PROVIDER | {"spec": PROVIDER["spec"] | {"auth": {"modes": ["Subscription"]}}}, namespace=namespace)
    cluster.apply(_account(emulator.url, emulator.ca_pem or ""), namespace=namespace)
    cluster.kubectl("create", "rolebinding", "signers", "-n", namespace, "--clusterrole=headgate-signer", "--user=ada")

    key = Secret("emulated-key-" + secrets.token_urlsafe(32))
    annotations = (f"headgate.dev/sign-in={key_hash(key)}", "headgate.dev/sign-in-by=ada")
    cluster.kubectl("annotate", "-n", namespace, "subscriptionaccount/ada", *annotations, as_user="ada")
    path = SIGN_IN_PATH.format(namespace=namespace, name="ada")
    headers = {"authorization": f"Bearer {key.reveal()}"}
    began = other.ask("POST", path, headers=headers, json={}).json()
    assert (began["state"], began["method"], began["beganBy"]) == ("Pending", "Paste", "ada"), began
    sent = httpx.get(began["authorizationUrl"], verify=client_context(emulator.ca_pem or "")).headers["location"]
    query = dict(parse_qsl(urlsplit(sent).query))
    code = {"code": f"{query['code']}#{query['state']}"}
    state = other.ask(
        "POST", SIGN_IN_CODE_PATH.format(namespace=namespace, name="ada"), headers=headers, json=code
    ).json()
    assert state["state"] == "Completed", state
    assert leader.ask("GET", path, headers=headers).json()["grantId"] == state["grantId"]

    def status() -> dict[str, Any]:
        found: dict[str, Any] = cluster.get("subscriptionaccount/ada", "-n", namespace).get("status", {})
        return found

    until(lambda: status().get("credential", {}).get("grantId") == state["grantId"], what="the leader to see the grant")
    assert status()["signIn"]["by"] == "ada"
    assert condition(cluster, "subscriptionaccount/ada", "CredentialValid", namespace) is not None
    events = cluster.kubectl("get", "events", "-n", namespace, "-o", "jsonpath={.items[*].reason}")
    assert events.split().count("SignedIn") == 1

    revoke = f"headgate.dev/revoke={state['grantId']}"
    cluster.kubectl("annotate", "-n", namespace, "subscriptionaccount/ada", revoke, as_user="ada")
    until(lambda: oauth.grants.grants[0].revoked, what="the vendor to be told")
    until(lambda: "revoked at the vendor" in str(status()), what="status to tell")
    assert "version" not in status()["credential"]
    for operator in operators:
        text = operator.log.read_text()
        for secret in (key.reveal(), query["code"], query["state"], "emulated-access", "emulated-refresh"):
            assert secret not in text
    assert 'headgate_operator_sign_ins_total{outcome="Completed"} 1.0' in other.metrics()
