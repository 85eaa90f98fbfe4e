"""The objects of the demo as a user would write them, with credentials made up for this run."""

import json
from typing import Any, Final

from headgate_api import acknowledgement, names
from headgate_api.clock import Clock, rfc3339

NAMESPACE: Final = "team-a"
MODEL: Final = "claude-sonnet-4-6"
OWNER: Final = "alice"
APPROVER: Final = "carol"
POLICY: Final = "careful"
CLIENT: Final = "demo-client"
"""What the emulated vendor calls this installation: no other application's."""
CODE_PAGE: Final = "/oauth/code/callback"


def provider(endpoint: str, ca_pem: str | None, modes: list[str]) -> dict[str, Any]:
    """Return the LLMProvider, with the fallback table that lets a revoked plan go on by API key."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": "LLMProvider",
        "metadata": {"name": "anthropic"},
        "spec": {
            "protocol": "Anthropic",
            "endpoint": endpoint,
            "tls": {"caBundle": ca_pem},
            "models": [{"name": MODEL}],
            "auth": {
                "modes": modes,
                "fallback": {"expired": "Allow", "revoked": "Allow"},
                "apiKey": {"importSecretRef": {"name": "anthropic-key", "key": "key"}},
            },
        },
    }


def account(clock: Clock | None = None) -> dict[str, Any]:
    """Return alice's SubscriptionAccount; with a clock, acknowledged by her at that time."""
    spec: dict[str, Any] = {
        "providerRef": {"name": "anthropic"},
        "owner": {"email": "alice@example.com", "subjects": [{"kind": "ServiceAccount", "name": "agent"}]},
        "credential": {"importSecretRef": {"name": "alice-claude", "key": "credentials.json"}},
    }
    if clock is not None:
        at = rfc3339(clock.now())
        spec["acknowledgement"] = {"by": OWNER, "at": at, "textVersion": acknowledgement.TEXT_VERSION}
    metadata = {"name": OWNER}
    return {"apiVersion": names.API_VERSION, "kind": "SubscriptionAccount", "metadata": metadata, "spec": spec}


def profile(vendor: str, ca_pem: str | None) -> str:
    """Return the OAuth profile (JSON is YAML) of the emulated vendor, with the client registered there for this run."""
    return json.dumps(
        {
            "tokenEndpoint": f"{vendor}/v1/oauth/token",
            "authorizationEndpoint": f"{vendor}/oauth/authorize",
            "revocationEndpoint": f"{vendor}/oauth/revoke",
            "redirectURI": f"{vendor}{CODE_PAGE}",
            "clientId": CLIENT,
            "tls": {"caBundle": ca_pem},
        }
    )


def policy() -> dict[str, Any]:
    """Return the RolloutPolicy of the provider: a tester, then carol, then a growing share, then carol again."""
    metrics: list[dict[str, Any]] = [{"name": "ErrorRate", "max": 5}, {"name": "AuthFailureRate", "max": 5}]
    return {
        "apiVersion": names.API_VERSION,
        "kind": "RolloutPolicy",
        "metadata": {"name": POLICY},
        "spec": {
            "targets": [{"kind": "LLMProvider", "name": "anthropic"}],
            "steps": [
                {"audience": {"serviceAccounts": [{"name": "tester"}]}},
                {"approval": {"description": "the tester's answers"}},
                {"weight": 5, "hold": "3s"},
                {"weight": 25, "hold": "3s"},
                {"approval": {"description": "the numbers at 25 %"}},
                {"weight": 100, "analysis": False},
            ],
            "analysis": {"interval": "2s", "minSamples": 20, "consecutiveFailures": 2, "metrics": metrics},
        },
    }


def secret(name: str, key: str, value: str) -> dict[str, Any]:
    """Return a Secret with one key."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {key: value}}


def agent_pod(name: str, python: str, url: str, traceparent: str, prompt: str) -> dict[str, Any]:
    """Return a pod that streams one message, holding nothing but a projected token of audience ``headgate``."""
    token = "/var/run/secrets/tokens"  # noqa: S105
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "serviceAccountName": "agent",
            "automountServiceAccountToken": False,
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "agent",
                    "image": "agent:dev",
                    "command": [python, "-m", "headgate_dev.agent"],
                    "args": [
                        f"--url={url}", f"--token-file={token}/headgate", f"--model={MODEL}", f"--traceparent={traceparent}",
                        prompt,
                    ],
                    "volumeMounts": [{"name": "token", "mountPath": token, "readOnly": True}],
                }
            ],
            "volumes": [
                {
                    "name": "token",
                    "projected": {
                        "sources": [
                            {
                                "serviceAccountToken": {
                                    "audience": names.AUDIENCE_CALLER,
                                    "expirationSeconds": 3600,
                                    "path": "headgate",
                                }
                            }
                        ]
                    },
                }
            ],
        },
    }  # fmt: skip
