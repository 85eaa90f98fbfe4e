"""``headgate operator`` as a process refreshes an imported account at a vendor, by itself, in good time."""

import json
from collections.abc import Callable
from datetime import timedelta

from headgate_api.acknowledgement import TEXT_VERSION
from headgate_api.clock import SystemClock, rfc3339
from headgate_dev.cluster import Cluster
from headgate_dev.emulator import EmulatorThread, TokenState, throwaway_tls
from headgate_dev.emulator.anthropic.vendor import Anthropic
from headgate_dev.emulator.oauth import Client, OAuthServer, WithOAuth, refreshes_at_once

from .process import OperatorProcess, condition, until
from .test_process import PROVIDER

LIFETIME = timedelta(seconds=12)


def test_an_imported_account_is_refreshed_before_it_expires_and_says_when_it_no_longer_can(
    cluster: Cluster, start_operator: Callable[..., OperatorProcess], namespace: str
) -> None:
    oauth = OAuthServer(Client("not-a-real-client"), lifetime=LIFETIME)
    vendor = WithOAuth(Anthropic(), oauth)
    with EmulatorThread(vendor=vendor, tls=throwaway_tls(("127.0.0.1",))) as emulator:
        start_operator(allowances={"privateAddresses": True})
        now = SystemClock().now()
        issued = oauth.grants.begin("not-a-real-client", "user:inference", now, emulator.credentials)
        expires = int((now + LIFETIME).timestamp() * 1000)
        tokens = {"accessToken": issued.access_token, "refreshToken": issued.refresh_token, "expiresAt": expires}
        file = json.dumps({"claudeAiOauth": tokens})
        cluster.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "plan"}, "stringData": {"file": file}},
            namespace=namespace,
        )
        cluster.apply(
            PROVIDER | {"spec": PROVIDER["spec"] | {"auth": {"modes": ["Subscription"]}}}, namespace=namespace
        )
        spec = {
            "providerRef": {"name": "vendor"},
            "owner": {"email": "ada@team.example"},
            "sharing": "Pool",
            "credential": {"importSecretRef": {"name": "plan", "key": "file"}},
            "oauth": {
                "tokenEndpoint": f"{emulator.url}/oauth/token",
                "clientId": "not-a-real-client",
                "tls": {"caBundle": emulator.ca_pem},
            },
        }
        account = {"apiVersion": "headgate.dev/v1alpha1", "kind": "SubscriptionAccount", "metadata": {"name": "ada"}}
        user = json.loads(cluster.kubectl("auth", "whoami", "-o", "json"))["status"]["userInfo"]["username"]
        given = {"by": user, "at": rfc3339(now), "textVersion": TEXT_VERSION}
        cluster.apply(account | {"spec": spec | {"acknowledgement": given}}, namespace=namespace)

        def status() -> dict[str, object]:
            found: dict[str, object] = cluster.get("subscriptionaccount/ada", "-n", namespace).get("status", {})
            return found

        until(lambda: int(str(status().get("generation") or 0)) >= 3, seconds=60, what="two refreshes")
        shown = condition(cluster, "subscriptionaccount/ada", "RefreshHealthy", namespace)
        assert shown is not None and shown[:2] == ("True", "Refreshed")
        client = cluster.bao.client()
        read = client.secrets.kv.v2.read_secret_version(
            f"{namespace}/subscriptionaccounts/ada/access", mount_point="headgate", raise_on_deleted_version=True
        )
        assert emulator.oauth_tokens[read["data"]["data"]["access_token"]] is TokenState.VALID
        assert refreshes_at_once(oauth.calls, emulator.requests) == 1
        assert not [call for call in oauth.calls if call.error]

        oauth.grants.revoke(oauth.grants.grants[0], emulator.credentials)
        until(
            lambda: (
                (condition(cluster, "subscriptionaccount/ada", "RefreshHealthy", namespace) or ("", ""))[1]
                == "ReauthenticationRequired"
            ),
            seconds=60,
            what="the end of the grant to show",
        )
        assert len([call for call in oauth.calls if call.error]) == 1
