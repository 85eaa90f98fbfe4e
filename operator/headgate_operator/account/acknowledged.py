"""Whether a person has opted in to the text as it reads now (S1.8, S1.9)."""

from headgate_api import acknowledgement
from headgate_api.clock import rfc3339
from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources import SubscriptionAccount
from headgate_api.resources.base import Observation


def is_acknowledged(account: SubscriptionAccount) -> bool:
    """Tell whether the account may be used as far as opting in goes."""
    recorded = account.spec.acknowledgement
    return recorded is not None and recorded.text_version == acknowledgement.TEXT_VERSION


def acknowledged(account: SubscriptionAccount) -> Observation:
    """Return the Acknowledged condition; while it is False the warning text stands in its message."""
    recorded = account.spec.acknowledgement
    if recorded is None:
        return Observation(ConditionType.ACKNOWLEDGED, False, ConditionReason.NOT_ACKNOWLEDGED, acknowledgement.WARNING)
    if not is_acknowledged(account):
        return Observation(
            ConditionType.ACKNOWLEDGED,
            False,
            ConditionReason.TEXT_CHANGED,
            f"textVersion {recorded.text_version} was acknowledged, and the text has changed: {acknowledgement.WARNING}",
        )
    message = f"by {recorded.by} at {rfc3339(recorded.at)}, text {recorded.text_version}"
    return Observation(ConditionType.ACKNOWLEDGED, True, ConditionReason.ACKNOWLEDGED, message)
