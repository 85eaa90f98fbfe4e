"""A policy in the states a person meets, as the API server would return it."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from headgate_api.clock import rfc3339
from headgate_api.resources import RolloutPolicy
from headgate_api.resources.rolloutspec import RolloutPolicySpec
from headgate_cli.rollout.subject import Subject

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
CONTENT = "1a2b3c4d5e6f"
STABLE = "0f0e0d0c0b0a"
REVISION = f"{CONTENT}-3"
PINNED = "aaaabbbbcccc"

SPEC: dict[str, Any] = {
    "targets": [{"kind": "LLMProvider", "name": "anthropic"}],
    "steps": [
        {"audience": {"serviceAccounts": [{"name": "tester"}]}, "hold": "10m"},
        {"approval": {"description": "the tester's answers"}},
        {"weight": 5, "hold": "10m"},
        {"weight": 25, "hold": "1h"},
        {"approval": {}},
        {"weight": 100, "analysis": False},
    ],
    "analysis": {
        "metrics": [{"name": "ErrorRate", "max": 5, "maxRatio": 1.5}, {"name": "TimeToFirstTokenP95", "max": 2500}]
    },
}


def at(minutes: float) -> str:
    return rfc3339(NOW + timedelta(minutes=minutes))


def condition(kind: str, status: str, reason: str, message: str = "because") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": at(-5)}


def step(index: int, kind: str, reason: str, **more: Any) -> dict[str, Any]:
    return {
        "index": index,
        "kind": kind,
        "reason": reason,
        "message": f"it is {reason}",
        "since": at(-3),
        "deadline": at(60),
        "nextAction": "it goes on by itself",
        **more,
    }


def rollout(**more: Any) -> dict[str, Any]:
    return {
        "revision": REVISION,
        "content": CONTENT,
        "policyRevision": PINNED,
        "started": at(-30),
        "deadline": at(600),
        "authors": ["alice"],
        "targets": [{"kind": "LLMProvider", "name": "anthropic", "stable": STABLE, "candidate": CONTENT}],
        **more,
    }


def idle() -> dict[str, Any]:
    return {
        "sequence": 2,
        "stableRevision": STABLE,
        "weight": 0,
        "conditions": [condition("Ready", "True", "Ready", "stable traffic runs on what the targets ask for")],
    }


def awaiting(index: int = 1, **more: Any) -> dict[str, Any]:
    """A status that waits for the approval of step ``index``; ``more`` goes into the rollout."""
    return {
        "sequence": 3,
        "stableRevision": STABLE,
        "canaryRevision": REVISION,
        "weight": 0 if index == 1 else 25,
        "step": step(index, "Approval", "AwaitingApproval"),
        "rollout": rollout(**more),
        "conditions": [condition("Ready", "False", "AwaitingApproval"), condition("Accepted", "True", "Accepted")],
    }


def weighing(**more: Any) -> dict[str, Any]:
    """A status in the 5 % step, with verdicts; ``more`` goes into the step."""
    return awaiting() | {
        "weight": 5,
        "step": step(2, "Weight", "Analysing", **more),
        "rollout": rollout(approvals=[approval(1, "carol")]),
        "verdicts": [
            {
                "metric": "ErrorRate",
                "outcome": "Pass",
                "canary": 0.5,
                "stable": 0.4,
                "samples": 120,
                "message": "fine",
                "at": at(-1),
            },
            {
                "metric": "TimeToFirstTokenP95",
                "outcome": "Insufficient",
                "samples": 3,
                "message": "canary 3 of 20 requests",
                "at": at(-1),
            },
        ],
    }


def approval(index: int, by: str, revision: str = REVISION) -> dict[str, Any]:
    return {"revision": revision, "step": index, "by": by, "at": at(-2)}


def ended(outcome: str, revision: str = REVISION, **more: Any) -> dict[str, Any]:
    return {
        "revision": revision,
        "content": CONTENT,
        "outcome": outcome,
        "message": f"it ended {outcome}",
        "started": at(-30),
        "ended": at(-1),
        **more,
    }


def body(
    status: dict[str, Any], namespace: str = "team-a", annotations: dict[str, str] | None = None
) -> dict[str, Any]:
    return {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "RolloutPolicy",
        "metadata": {"name": "careful", "namespace": namespace, "annotations": annotations or {}},
        "spec": copy.deepcopy(SPEC),
        "status": copy.deepcopy(status),
    }


def subject(status: dict[str, Any], annotations: dict[str, str] | None = None, **pinned: Any) -> Subject:
    """What views show; ``pinned`` replaces fields of the spec that the rollout runs under."""
    running = RolloutPolicySpec.model_validate(SPEC | pinned) if status.get("rollout") else None
    return Subject(RolloutPolicy.from_wire(body(status, annotations=annotations)), running)
