"""What the plans of providers and accounts say alike: a status only when it is news, and a deletion that waits for Vault."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from headgate_api import names
from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources import LLMProvider, LLMProviderStatus, SubscriptionAccount, SubscriptionAccountStatus
from headgate_api.resources.base import Observation, merge_conditions
from headgate_operator.credentials.observe import trouble_reason
from headgate_operator.credentials.plan import Plan, notes_on_change, retry_in
from headgate_runtime.vault import VaultError


def changed_status(
    body: Mapping[str, Any], status: LLMProviderStatus | SubscriptionAccountStatus
) -> dict[str, object] | None:
    """Return the status to write, or None when the object (as JSON) has it already."""
    wire = status.to_wire()
    wire["conditions"] = [c.to_wire() for c in status.conditions]
    return None if wire == body.get("status") else wire


def deletion_waits(
    body: Mapping[str, Any], item: LLMProvider | SubscriptionAccount, cause: str, trouble: VaultError, now: datetime
) -> Plan:
    """Return the plan of an object whose deletion waits: Ready says what for (``cause``), and how to let it go without."""
    text = (
        f"{cause}: {trouble}. To let the object go without it, remove the finalizer {names.FINALIZER}; the record then "
        "stays in Vault"
    )
    return waits(body, item, trouble_reason(trouble), text, now)


def waits(
    body: Mapping[str, Any],
    item: LLMProvider | SubscriptionAccount,
    reason: ConditionReason,
    message: str,
    now: datetime,
) -> Plan:
    """Return the plan of an object whose deletion waits: Ready says what for."""
    waiting = Observation(ConditionType.READY, False, reason, message)
    before = item.status.conditions
    others = [c for c in before if c.type != ConditionType.READY]
    merged = merge_conditions(before, [waiting], generation=item.metadata.generation, now=now)
    status = item.status.model_copy(update={"conditions": [*merged, *others]})
    return Plan(
        notes=notes_on_change(before, [waiting], {ConditionType.READY: True}),
        status=changed_status(body, status),
        requeue=retry_in(before, ConditionType.READY, now),
    )
