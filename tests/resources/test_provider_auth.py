"""What the API server says to protocols and auth modes that cannot work together, each with the mend (S2.4, S4.8)."""

from typing import Any

import pytest

from headgate_dev.cluster import Cluster, CommandError

from .manifests import PROVIDER, changed

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("crds")]

FEDERATED = {
    "serviceAccountName": "gate",
    "audience": "https://api.anthropic.com",
    "federationRuleId": "fdrl_emulated",
    "organizationId": "org-emulated",
    "serviceAccountId": "svac_emulated",
}
PERSON = {"by": "ada", "at": "2026-11-26T08:00:00Z", "textVersion": "2026-11-01"}
CODEX: dict[str, Any] = {
    "protocol": "OpenAI",
    "apis": ["Responses", "Codex"],
    "endpoint": "https://api.openai.com",
    "models": [{"name": "gpt-test"}],
    "auth": {
        "modes": ["Subscription", "APIKey"],
        "apiKey": {},
        "subscription": {"endpoint": "https://chatgpt.com/backend-api"},
    },
}
ALL_MODES: dict[str, Any] = {
    "modes": ["Subscription", "WorkloadIdentity", "APIKey"],
    "apiKey": {},
    "workloadIdentity": FEDERATED,
    "subscription": {"strategy": "Spread"},
}


def provider(**spec: Any) -> dict[str, Any]:
    return changed(PROVIDER, "spec", PROVIDER["spec"] | spec)


def subscription(**settings: Any) -> dict[str, Any]:
    return provider(auth={"modes": ["Subscription"], "subscription": settings})


@pytest.mark.parametrize(
    "spec",
    [
        {"auth": ALL_MODES},
        CODEX,
        {"protocol": "Gemini", "endpoint": "https://generativelanguage.googleapis.com"},
        {"protocol": "OpenAI", "endpoint": "https://api.vendor.example/coding/v4"},
    ],
    ids=["three modes", "codex", "gemini", "chat by key"],
)
def test_each_protocol_with_modes_that_fit_it_is_accepted(
    cluster: Cluster, namespace: str, spec: dict[str, Any]
) -> None:
    cluster.apply(provider(**spec), namespace=namespace)

    stored = cluster.get("-n", namespace, "llmprovider", "anthropic")["spec"]
    assert stored["auth"]["modes"] == spec.get("auth", PROVIDER["spec"]["auth"])["modes"]


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        (provider(apis=["Chat"]), "spec.apis is for protocol OpenAI alone; remove it"),
        (provider(protocol="OpenAI", auth={"modes": ["Subscription"]}), "add Codex to spec.apis"),
        (provider(protocol="OpenAI", apis=["Codex"]), "add Subscription to spec.auth.modes, or remove Codex"),
        (
            provider(protocol="Gemini", auth={"modes": ["WorkloadIdentity"], "workloadIdentity": FEDERATED}),
            "exists for protocol Anthropic alone; remove the mode",
        ),
        (
            provider(auth={"modes": ["WorkloadIdentity"]}),
            "spec.auth.workloadIdentity is missing; add serviceAccountName",
        ),
        (
            provider(auth={"modes": ["APIKey"], "apiKey": {}, "workloadIdentity": FEDERATED}),
            "does not list WorkloadIdentity; add it to modes or remove",
        ),
        (
            provider(auth={"modes": ["WorkloadIdentity"], "workloadIdentity": FEDERATED | {"audience": "vault"}}),
            "opens doors inside this cluster; use one that only the vendor accepts",
        ),
        (
            provider(
                auth={
                    "modes": ["WorkloadIdentity"],
                    "workloadIdentity": FEDERATED | {"tokenEndpoint": "http://x.example"},
                }
            ),
            "must be an https:// URL",
        ),
        (subscription(strategy="Random"), 'supported values: "FillFirst", "Spread", "LeastUsed"'),
        (subscription(endpoint="chatgpt.com"), "must be an absolute URL"),
        (subscription(usage={"endpoint": "http://vendor.example/usage"}), "must be an https:// URL"),
        (
            provider(
                protocol="Gemini",
                auth={"modes": ["Subscription"], "subscription": {"usage": {"endpoint": "https://v.example/usage"}}},
            ),
            "no usage endpoint of protocol Gemini is known; remove it",
        ),
        (subscription(identity={"type": "Profile"}), "add acknowledgement {by, at, textVersion}"),
        (subscription(identity={"systemPreamble": "x"}), "set type: Profile, or remove them"),
        (
            subscription(identity={"type": "Profile", "headers": {"authorization": "x"}}, acknowledgement=PERSON),
            "put credentials under spec.auth",
        ),
        (
            subscription(identity={"type": "Profile", "toolNames": {"a": "x", "b": "x"}}, acknowledgement=PERSON),
            "maps two tools to one name",
        ),
    ],
)
def test_what_cannot_work_is_refused_with_field_and_mend(
    cluster: Cluster, namespace: str, manifest: dict[str, Any], says: str
) -> None:
    with pytest.raises(CommandError) as refused:
        cluster.apply(manifest, namespace=namespace)

    assert says in str(refused.value)
