"""Guarded objects and what is kept of them, as the API server would return them."""

from typing import Any

from headgate_api.resources import LLMProvider, RolloutPolicy, SubscriptionAccount
from headgate_operator.engine.keys import Key
from headgate_operator.revisions.bundles import Form, provider_bundle
from headgate_operator.revisions.guards import Rollouts
from headgate_operator.revisions.history import History, Kept

NS = "team"
KEY = Key("LLMProvider", NS, "claude")


def provider(
    model: str = "m", *, version: int = 1, generation: int = 1, observed: int = 1, **metadata: Any
) -> LLMProvider:
    return LLMProvider.from_wire(
        {
            "metadata": {"name": "claude", "namespace": NS, "uid": "u", "generation": generation, **metadata},
            "spec": {
                "protocol": "Anthropic",
                "endpoint": "https://api.vendor.example",
                "models": [{"name": model}],
                "auth": {"modes": ["APIKey"], "apiKey": {}},
            },
            "status": {"apiKey": {"version": version}, "observedGeneration": observed, "conditions": []},
        }
    )


def account(
    name: str = "ada", *, version: int = 1, grant: str = "grant", deleted: bool = False, labels: Any = None, **spec: Any
) -> SubscriptionAccount:
    metadata = {"name": name, "namespace": NS, "generation": 1, "labels": labels or {}}
    return SubscriptionAccount.from_wire(
        {
            "metadata": metadata | ({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {}),
            "spec": {"providerRef": {"name": "claude"}, "owner": {"email": "a@b.example"}, "sharing": "Pool", **spec},
            "status": {
                "credential": {"version": version, "grantId": grant},
                "observedGeneration": 1,
                "conditions": [],
            },
        }
    )


def policy(
    name: str = "p", *, created: str = "2026-01-01T00:00:00Z", status: Any = None, **metadata: Any
) -> RolloutPolicy:
    return RolloutPolicy.from_wire(
        {
            "metadata": {"name": name, "namespace": NS, "uid": f"uid-{name}", "creationTimestamp": created, **metadata},
            "spec": {"targets": [{"name": "claude"}], "steps": [{"weight": 50}, {"weight": 100}]},
            "status": {"conditions": [], **(status or {})},
        }
    )


def kept(item: LLMProvider, *accounts: SubscriptionAccount, number: int = 1) -> Kept:
    bundle = provider_bundle(item, accounts)
    return Kept(f"r-{bundle.revision}", "1", "u", bundle.revision, number, Form(bundle.revision, bundle))


def rollout(candidate: str, *, weight: int = 50, policy_revision: str = "spec") -> dict[str, Any]:
    """Return the status of a policy whose candidate is at this weight."""
    at = "2026-01-01T00:00:00Z"
    return {
        "weight": weight,
        "targets": [{"name": "claude"}],
        "step": {
            "index": 0,
            "kind": "Weight",
            "reason": "Holding",
            "message": "",
            "since": at,
            "deadline": at,
            "nextAction": "",
        },
        "rollout": {
            "revision": f"{candidate}-1",
            "content": candidate,
            "policyRevision": policy_revision,
            "started": at,
            "deadline": at,
            "targets": [{"kind": "LLMProvider", "name": "claude", "candidate": candidate}],
        },
    }


def world(item: LLMProvider, *found: Kept, policies: tuple[RolloutPolicy, ...] = ()) -> Rollouts:
    """Return what was read; each policy's own spec is kept too, as ``spec``."""
    histories = {Key(p.KIND, *p.key): History((Kept("s", "1", "u", "spec", 0, policy=p.spec),)) for p in policies}
    return Rollouts(policies, histories | ({KEY: History(tuple(found))} if found else {}))
