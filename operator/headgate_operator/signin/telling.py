"""Tells people and the leader that a sign-in brought a grant: an Event, and status.signIn, whose change wakes the leader."""

import logging

from headgate_api.clock import Clock, rfc3339
from headgate_api.reasons import ConditionReason
from headgate_api.resources import SubscriptionAccount
from headgate_api.vault import GrantRecord
from headgate_operator.account.acknowledged import is_acknowledged
from headgate_operator.account.signing import ACTION, signed_in_message
from headgate_operator.credentials.seams import EventSink
from headgate_runtime.kube import Kube, KubeError, KubeUnavailable, Object
from headgate_runtime.kube_kinds import SUBSCRIPTION_ACCOUNT

_log = logging.getLogger(__name__)


def completed_message(account: SubscriptionAccount, grant: GrantRecord) -> str:
    """Return what to tell whoever signed in."""
    found = [f"signed in: grant {grant.grant_id}"]
    if grant.refresh_token is None:
        found.append("the vendor gave no refresh token, so it serves until its access token expires")
    if not is_acknowledged(account):
        found.append("nothing uses it before spec.acknowledgement is given; the condition Acknowledged shows the text")
    if account.spec.suspend:
        found.append("spec.suspend is true, so nothing uses it; set it to false to resume")
    return "; ".join(found)


class Telling:
    """Posts the Event and the status. Neither is a decision's ground: the leader finds both out from the grant as well."""

    def __init__(self, kube: Kube, events: EventSink, clock: Clock) -> None:
        self._kube = kube
        self._events = events
        self._clock = clock

    async def signed_in(self, body: Object, grant: GrantRecord) -> None:
        """Tell of a new grant; never raises."""
        metadata, record = body["metadata"], grant.sign_in
        if record is None:
            return
        await self._events.emit(body, "Normal", ConditionReason.SIGNED_IN, ACTION, signed_in_message(grant))
        value = {"by": record.by, "at": rfc3339(record.at), "grantId": grant.grant_id}
        try:
            now = await self._kube.get(SUBSCRIPTION_ACCOUNT, metadata["namespace"], metadata["name"])
            if now is None or now["metadata"].get("uid") != metadata.get("uid"):
                return
            status = now.get("status")
            if isinstance(status, dict) and status.get("signIn") == value:
                return
            same = {"op": "test", "path": "/metadata/uid", "value": metadata.get("uid")}
            into = (
                {"op": "add", "path": "/status/signIn", "value": value}
                if isinstance(status, dict)
                else {"op": "add", "path": "/status", "value": {"signIn": value, "conditions": []}}
            )
            await self._kube.json_patch(
                SUBSCRIPTION_ACCOUNT, metadata["namespace"], metadata["name"], [same, into], subresource="status"
            )
        except (KubeError, KubeUnavailable) as error:
            _log.warning(
                "%s/%s: the leader learns of a sign-in at its next look",
                metadata["namespace"],
                metadata["name"],
                extra={"error": str(error)},
            )
