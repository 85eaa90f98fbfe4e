"""What the API server itself says to a spec that cannot work: the message names the field and the mend (S2.4, S4.8)."""

from typing import Any

import pytest

from headgate_dev.cluster import Cluster, CommandError

from .manifests import ACCOUNT, FLEET, POLICY, PROVIDER, changed

pytestmark = pytest.mark.cluster


def apply(cluster: Cluster, namespace: str, manifest: dict[str, Any]) -> str:
    return cluster.apply(manifest, namespace=namespace)


@pytest.mark.parametrize("manifest", [PROVIDER, ACCOUNT, FLEET, POLICY], ids=lambda m: m["kind"])
def test_the_smallest_manifests_are_accepted_and_get_their_defaults(
    cluster: Cluster, crds: None, namespace: str, manifest: dict[str, Any]
) -> None:
    apply(cluster, namespace, manifest)

    kind, name = manifest["kind"], manifest["metadata"]["name"]
    stored = cluster.get("-n", namespace, kind, name)["spec"]
    if kind == "LLMProvider":
        assert stored["auth"]["fallback"]["revoked"] == "Deny"
        assert stored["timeouts"]["firstByteSeconds"] == 600
    if kind == "SubscriptionAccount":
        assert (stored["sharing"], stored["deletionPolicy"], stored["suspend"]) == ("OwnerOnly", "Retain", False)
    if kind == "ProxyFleet":
        assert stored["allowances"] == {"plainHTTP": False, "privateAddresses": False}
        assert stored["limits"]["maxRequestBytes"] == 32 * 1024 * 1024
        assert stored["tls"] == {"plainHTTP": True}
    if kind == "RolloutPolicy":
        assert stored["targets"] == [{"kind": "LLMProvider", "name": "anthropic"}]
        assert stored["approval"]["distinctFromAuthor"] is True
        assert (stored["onFailure"], stored["deadline"], stored["rollbackWindow"]) == ("Rollback", "72h", "24h")
        assert [source["source"] for source in stored["stickiness"]] == ["Header", "ClientSession", "Pod", "Consumer"]


BAD: list[tuple[str, dict[str, Any], str, Any, str]] = [
    ("no-scheme", PROVIDER, "spec.endpoint", "api.anthropic.com", "must be an absolute URL such as https://"),
    ("ftp", PROVIDER, "spec.endpoint", "ftp://x.example/", "must be an absolute URL such as https://"),
    ("userinfo", PROVIDER, "spec.endpoint", "https://me:pw@x.example", "put the credential into a Secret"),
    ("query", PROVIDER, "spec.endpoint", "https://x.example/?key=1", "must not have a query"),
    ("fragment", PROVIDER, "spec.endpoint", "https://x.example/#a", "must not have a fragment"),
    ("protocol", PROVIDER, "spec.protocol", "Cohere", "supported values: "),
    ("no-models", PROVIDER, "spec.models", [], "spec.models"),
    ("same-model-twice", PROVIDER, "spec.models", [{"name": "m"}, {"name": "m"}], "duplicate entries for key"),
    ("no-modes", PROVIDER, "spec.auth.modes", [], "spec.auth.modes"),
    ("unknown-mode", PROVIDER, "spec.auth.modes", ["Cookie"], "supported values: "),
    ("mode-twice", PROVIDER, "spec.auth.modes", ["APIKey", "APIKey"], "lists a mode twice"),
    ("key-missing", PROVIDER, "spec.auth.apiKey", None, "spec.auth.apiKey is missing; add apiKey"),
    ("key-unused", PROVIDER, "spec.auth.modes", ["Subscription"], "does not list APIKey; add it to modes or remove"),
    (
        "selector-unused",
        PROVIDER,
        "spec.auth.subscription",
        {},
        "does not list Subscription; add it to modes or remove",
    ),
    ("auth-header", PROVIDER, "spec.headers", {"X-Api-Key": "x"}, "put credentials under spec.auth"),
    (
        "identity-header",
        PROVIDER,
        "spec.headers",
        {"User-Agent": "x"},
        "in spec.auth.subscription.identity, with an ack",
    ),
    ("client-header", PROVIDER, "spec.headers", {"x-stainless-lang": "x"}, "that is theirs to say; remove it"),
    ("header-newline", PROVIDER, "spec.headers", {"x-a": "b\r\nx-c: d"}, "that HTTP does not allow"),
    ("ca-bundle", PROVIDER, "spec.tls", {"caBundle": "hello"}, "at least one PEM certificate"),
    ("secret-elsewhere", PROVIDER, "spec.auth.apiKey.importSecretRef.name", "other/secret", "spec.auth.apiKey"),
    ("fallback-word", PROVIDER, "spec.auth.fallback", {"revoked": "Maybe"}, 'supported values: "Allow", "Deny"'),
    ("timeout-zero", PROVIDER, "spec.timeouts", {"connectSeconds": 0}, "spec.timeouts.connectSeconds"),
    ("long-name", PROVIDER, "metadata.name", "p" * 64, "metadata.name must be at most 63 characters"),
    ("nobody", ACCOUNT, "spec.owner.subjects", [], "name at least one ServiceAccount, or set sharing: Pool"),
    ("email", ACCOUNT, "spec.owner.email", "alice", "spec.owner.email"),
    ("sharing", ACCOUNT, "spec.sharing", "Everyone", 'supported values: "OwnerOnly", "Pool"'),
    ("provider-elsewhere", ACCOUNT, "spec.providerRef.name", "team-b/anthropic", "spec.providerRef.name"),
    ("no-namespaces", FLEET, "spec.allowedNamespaces", [], "spec.allowedNamespaces"),
    ("low-port", FLEET, "spec.ports", {"http": 80}, "spec.ports.http"),
    ("long-fleet", FLEET, "metadata.name", "f" * 41, "metadata.name must be at most 40 characters"),
    ("dotted-fleet", FLEET, "metadata.name", "a.b", "must not contain a dot"),
    ("no-canary", FLEET, "spec.canaryReplicas", 0, "spec.canaryReplicas"),
    ("low-tls-port", FLEET, "spec.ports", {"https": 443}, "spec.ports.https"),
    ("tls-secret", FLEET, "spec.tls", {"secretName": "other/secret"}, "spec.tls.secretName"),
]

TESTERS = {"serviceAccounts": [{"name": "tester"}]}
FLEET_TARGET = [{"kind": "ProxyFleet", "name": "default"}]
WEIGHTS = "weights must rise from step to step; order them, and give each only once"
ONE_OF = "each step sets exactly one of audience, approval and weight; make a step of its own for each"

BAD_POLICIES: list[tuple[str, str, Any, str]] = [
    ("no-targets", "targets", [], "spec.targets"),
    ("other-kind", "targets", [{"kind": "Consumer", "name": "x"}], 'supported values: "LLMProvider", "ProxyFleet"'),
    ("target-elsewhere", "targets", [{"name": "team-b/anthropic"}], "spec.targets[0].name"),
    ("target-twice", "targets", [{"name": "a"}, {"name": "a"}], "spec.targets names an object twice; name each once"),
    ("no-steps", "steps", [], "spec.steps"),
    ("no-final-100", "steps", [{"weight": 5}, {"weight": 50}], "the last step must be weight: 100"),
    ("approval-last", "steps", [{"weight": 100}, {"approval": {}}], "the last step must be weight: 100"),
    ("weights-fall", "steps", [{"weight": 50}, {"weight": 5}, {"weight": 100}], WEIGHTS),
    ("weights-repeat", "steps", [{"weight": 5}, {"approval": {}}, {"weight": 5}, {"weight": 100}], WEIGHTS),
    ("100-twice", "steps", [{"weight": 100}, {"weight": 100}], WEIGHTS),
    ("weight-0", "steps", [{"weight": 0}, {"weight": 100}], "spec.steps[0].weight"),
    ("weight-101", "steps", [{"weight": 101}], "spec.steps[0].weight"),
    ("empty-step", "steps", [{}, {"weight": 100}], ONE_OF),
    ("only-hold", "steps", [{"hold": "1m"}, {"weight": 100}], ONE_OF),
    ("two-in-one-step", "steps", [{"audience": TESTERS, "weight": 5}, {"weight": 100}], ONE_OF),
    (
        "hold-of-approval",
        "steps",
        [{"approval": {}, "hold": "1m"}, {"weight": 100}],
        "hold does not apply to an approval",
    ),
    ("hold-number", "steps", [{"weight": 5, "hold": 60}, {"weight": 100}], "spec.steps[0].hold"),
    ("hold-words", "steps", [{"weight": 5, "hold": "a while"}, {"weight": 100}], "spec.steps[0].hold"),
    (
        "nobody-in-audience",
        "steps",
        [{"audience": {"serviceAccounts": []}}, {"weight": 100}],
        "spec.steps[0].audience.serviceAccounts",
    ),
    ("audience-without-name", "steps", [{"audience": {}}, {"weight": 100}], "spec.steps[0].audience.serviceAccounts"),
    (
        "no-bound",
        "analysis",
        {"metrics": [{"name": "ErrorRate"}]},
        "a metric needs a bound: set max (absolute) or maxRatio",
    ),
    ("no-metrics", "analysis", {"metrics": []}, "spec.analysis.metrics"),
    ("metric-twice", "analysis", {"metrics": [{"name": "ErrorRate", "max": 1}] * 2}, "duplicate entries for key"),
    ("unknown-metric", "analysis", {"metrics": [{"name": "Errors", "max": 1}]}, "unless query gives a PromQL query"),
    (
        "ratio-of-query",
        "analysis",
        {"metrics": [{"name": "own", "query": "vector(1)", "maxRatio": 2}]},
        "use max with query",
    ),
    ("bound-below-0", "analysis", {"metrics": [{"name": "ErrorRate", "max": -1}]}, "spec.analysis.metrics[0].max"),
    (
        "no-samples",
        "analysis",
        {"minSamples": 0, "metrics": [{"name": "ErrorRate", "max": 1}]},
        "spec.analysis.minSamples",
    ),
    ("sticky-to-nothing", "stickiness", [], "spec.stickiness"),
    (
        "header-missing",
        "stickiness",
        [{"source": "Header"}],
        "header belongs to source Header, and source Header needs it",
    ),
    ("header-idle", "stickiness", [{"source": "Pod", "header": "x-a"}], "header belongs to source Header"),
    ("sticky-to-cookie", "stickiness", [{"source": "Cookie"}], "supported values: "),
    ("expires-words", "approval", {"expiresAfter": "soon"}, "spec.approval.expiresAfter"),
    ("nameless-approver", "approval", {"approvers": {"users": [""]}}, "spec.approval.approvers.users[0]"),
    ("on-failure", "onFailure", "Ignore", 'supported values: "Rollback", "Pause"'),
    ("deadline", "deadline", "forever", "spec.deadline"),
]


@pytest.mark.parametrize(("field", "value", "message"), [b[1:] for b in BAD_POLICIES], ids=[b[0] for b in BAD_POLICIES])
def test_a_rollout_that_cannot_work_is_refused_with_field_and_mend(
    cluster: Cluster, crds: None, namespace: str, field: str, value: Any, message: str
) -> None:
    with pytest.raises(CommandError) as refused:
        apply(cluster, namespace, changed(POLICY, f"spec.{field}", value))

    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            [{"weight": 5}, {"weight": 100}],
            "the first step must be an approval: no candidate image starts before a person",
        ),
        ([{"audience": TESTERS}, {"approval": {}}, {"weight": 100}], "the first step must be an approval"),
    ],
)
def test_an_image_needs_a_first_approval(
    cluster: Cluster, crds: None, namespace: str, steps: list[dict[str, Any]], message: str
) -> None:
    image = changed(changed(POLICY, "spec.targets", FLEET_TARGET), "spec.steps", steps)

    with pytest.raises(CommandError, match=message):
        apply(cluster, namespace, image)


def test_an_image_has_the_canary_to_itself(cluster: Cluster, crds: None, namespace: str) -> None:
    both = changed(POLICY, "spec.targets", [*FLEET_TARGET, {"name": "anthropic"}])

    with pytest.raises(CommandError, match="a ProxyFleet must be the policy's only target"):
        apply(cluster, namespace, changed(both, "spec.steps", [{"approval": {}}, {"weight": 100}]))


GOOD_POLICIES: dict[str, dict[str, Any]] = {
    "testers, approval, shares, approval": {
        "steps": [
            {"audience": TESTERS, "hold": "10m"},
            {"approval": {"description": "read the testers' report"}},
            {"weight": 1, "hold": "1h"},
            {"weight": 25, "hold": "30m", "analysis": False},
            {"approval": {}},
            {"weight": 100},
        ]
    },
    "testers of another namespace": {
        "steps": [{"audience": {"serviceAccounts": [{"name": "t", "namespace": "qa"}]}}, {"weight": 100}]
    },
    "an image": {"targets": FLEET_TARGET, "steps": [{"approval": {}}, {"weight": 10}, {"weight": 100}]},
    "several providers": {"targets": [{"name": "a"}, {"name": "b"}, {"name": "c"}]},
    "a provider and a fleet's namesake elsewhere": {"targets": [{"kind": "LLMProvider", "name": "default"}]},
    "every built-in metric": {
        "analysis": {
            "interval": "10s",
            "minSamples": 5,
            "consecutiveFailures": 3,
            "metrics": [
                {"name": "ErrorRate", "max": 1.5},
                {"name": "AuthFailureRate", "max": 0},
                {"name": "FallbackRate", "maxRatio": 1.2},
                {"name": "TruncationRate", "max": 1, "maxRatio": 2},
                {"name": "TimeToFirstTokenP95", "max": 2000},
                {"name": "CostPerRequest", "maxRatio": 1.1, "dryRun": True},
            ],
        }
    },
    "a query": {"analysis": {"metrics": [{"name": "own-metric", "query": 'sum(x{policy="{{policy}}"})', "max": 3}]}},
    "stickiness": {"stickiness": [{"source": "Header", "header": "x-my-session"}, {"source": "Consumer"}]},
    "approvers": {
        "approval": {
            "distinctFromAuthor": False,
            "approvers": {"users": ["ivy"], "groups": ["release"], "serviceAccounts": [{"name": "bot"}]},
            "expiresAfter": "8h",
        }
    },
    "the most patient": {"onFailure": "Pause", "deadline": "720h", "rollbackWindow": "0s"},
}


@pytest.mark.parametrize("spec", GOOD_POLICIES.values(), ids=GOOD_POLICIES)
def test_rollouts_that_can_work_are_accepted_as_written(
    cluster: Cluster, crds: None, namespace: str, spec: dict[str, Any]
) -> None:
    manifest = changed(POLICY, "spec", {**POLICY["spec"], **spec})

    apply(cluster, namespace, manifest)

    stored = cluster.get("-n", namespace, "rolloutpolicy", "claude")["spec"]
    assert _within(manifest["spec"], stored)


def _within(given: Any, stored: Any) -> bool:
    """Tell whether ``stored`` is what was given, defaults added."""
    if isinstance(given, dict):
        return all(name in stored and _within(value, stored[name]) for name, value in given.items())
    if isinstance(given, list):
        return len(given) == len(stored) and all(_within(*pair) for pair in zip(given, stored, strict=True))
    return bool(given == stored)


@pytest.mark.parametrize(("manifest", "path", "value", "message"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_a_spec_that_cannot_work_is_refused_with_field_and_mend(
    cluster: Cluster, crds: None, namespace: str, manifest: dict[str, Any], path: str, value: Any, message: str
) -> None:
    with pytest.raises(CommandError) as refused:
        apply(cluster, namespace, changed(manifest, path, value))

    assert message in str(refused.value)


def test_an_account_cannot_be_moved_to_another_provider(cluster: Cluster, crds: None, namespace: str) -> None:
    apply(cluster, namespace, ACCOUNT)

    with pytest.raises(CommandError, match=r"spec\.providerRef is immutable.*create another SubscriptionAccount"):
        apply(cluster, namespace, changed(ACCOUNT, "spec.providerRef.name", "other"))


def test_kubectl_knows_short_names_and_the_category(cluster: Cluster, crds: None, namespace: str) -> None:
    for manifest in (PROVIDER, ACCOUNT, FLEET, POLICY):
        apply(cluster, namespace, manifest)

    assert "anthropic" in cluster.kubectl("get", "-n", namespace, "llmp")
    assert "claude" in cluster.kubectl("get", "-n", namespace, "rollout")
    assert "alice@example.com" in cluster.kubectl("get", "-n", namespace, "subacc")
    everything = cluster.kubectl("get", "-n", namespace, "headgate")
    assert all(text in everything for text in ("llmprovider", "subscriptionaccount", "proxyfleet", "rolloutpolicy"))
