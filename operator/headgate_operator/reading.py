"""Objects that the API server took but this build cannot read: each is told so on itself, and never stops the others.

They exist: stored before a CRD changed, or with a value that the two validators judge differently.
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources import LLMProvider, ProxyFleet, RolloutPolicy, SubscriptionAccount
from headgate_api.resources.base import Condition, Observation, Resource, merge_conditions, problem_of
from headgate_operator.engine.keys import Key
from headgate_runtime.kube import Kube, kind_of, unchanged_since

_R = TypeVar("_R", bound=Resource)
_CONDITIONS: Final[Mapping[str, tuple[ConditionType, ...]]] = {
    LLMProvider.KIND: (ConditionType.READY, ConditionType.ACCEPTED),
    SubscriptionAccount.KIND: (ConditionType.READY,),
    ProxyFleet.KIND: (ConditionType.READY,),
    RolloutPolicy.KIND: (ConditionType.READY, ConditionType.ACCEPTED),
}
_LEAVING: Final[Mapping[str, Mapping[str, Any]]] = {
    LLMProvider.KIND: {
        "protocol": "Anthropic",
        "endpoint": "https://unreadable.invalid",
        "models": [{"name": "unreadable"}],
        "auth": {"modes": ["APIKey"], "apiKey": {}},
    },
    SubscriptionAccount.KIND: {"providerRef": {"name": "unreadable"}, "owner": {"email": "the@owner"}},
    RolloutPolicy.KIND: {"targets": [{"name": "unreadable"}], "steps": [{"weight": 100}]},
}
"""What stands in for the spec of an object that leaves: its records are found by namespace and name alone."""
_log = logging.getLogger(__name__)


class Unreadable(Exception):  # noqa: N818 - a state of the object
    """The object ``body`` does not fit the contract; the message names the field and the mend."""

    def __init__(self, body: Mapping[str, Any], error: ValidationError) -> None:
        super().__init__(f"{problem_of(error)}; correct that field, then it is read again")
        self.body = body


def read(kind: type[_R], body: Mapping[str, Any]) -> _R:
    """Return the object as a model; one that is being deleted is always readable. Raises Unreadable."""
    try:
        return kind.from_wire(body)
    except ValidationError as error:
        if not body["metadata"].get("deletionTimestamp") or kind.KIND not in _LEAVING:
            raise Unreadable(body, error) from None
    given = body.get("spec") or {}
    policy = {"deletionPolicy": "Revoke"} if given.get("deletionPolicy") == "Revoke" else {}
    return kind.from_wire({"metadata": body["metadata"], "spec": {**_LEAVING[kind.KIND], **policy}})


def readable(kind: type[_R], bodies: Iterable[Mapping[str, Any]]) -> list[_R]:
    """Return those objects that can be read; the others say so themselves."""
    found = []
    for body in bodies:
        try:
            found.append(kind.from_wire(body))
        except ValidationError as error:
            _log.debug("%s cannot be read and is left out", Key.of(body), extra={"error": problem_of(error)})
    return found


def conditions_in(body: Mapping[str, Any]) -> list[Condition]:
    """Return the conditions of an object (given as JSON) that can be read."""
    found = []
    status = body.get("status")
    for condition in (status.get("conditions") if isinstance(status, dict) else None) or ():
        try:
            found.append(Condition.model_validate(condition))
        except ValidationError:
            continue
    return found


async def say_so(kube: Kube, unreadable: Unreadable, now: datetime) -> bool:
    """Write on the object what is wrong with it; tell whether that was news. Raises KubeError, KubeUnavailable.

    By JSON Patch: server-side apply answers 500 where the object as stored does not fit the schema.
    """
    status = refused_status(unreadable, now)
    if status is None:
        return False
    metadata = unreadable.body["metadata"]
    operations = [
        unchanged_since(metadata["resourceVersion"]),
        {"op": "add", "path": "/status", "value": status},
    ]
    kind = kind_of(unreadable.body)
    await kube.json_patch(kind, metadata["namespace"], metadata["name"], operations, subresource="status")
    return True


def refused_status(unreadable: Unreadable, now: datetime) -> dict[str, Any] | None:
    """Return the status that tells people what is wrong with the object, or None when it stands already."""
    body = unreadable.body
    observed = [
        Observation(kind, False, ConditionReason.SPEC_INVALID, str(unreadable)) for kind in _CONDITIONS[body["kind"]]
    ]
    generation = int(body["metadata"].get("generation", 0))
    merged = merge_conditions(conditions_in(body), observed, generation=generation, now=now)
    before = body.get("status")
    status = {
        **(before if isinstance(before, dict) else {}),
        "observedGeneration": generation,
        "conditions": [condition.to_wire() for condition in merged],
    }
    return None if status == before else status
