"""Kubernetes Events for people: one when there is news, not one per look; redacted like every other output.

Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

import logging
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, Literal

from headgate_api import names
from headgate_api.clock import Clock
from headgate_api.redaction import Redactor
from headgate_operator.leadership import micro_time
from headgate_runtime.kube import Kube, KubeError, KubeUnavailable
from headgate_runtime.kube_kinds import EVENT

_REMEMBERED: Final = 10_000
_LONGEST_NOTE: Final = 1024
_log = logging.getLogger(__name__)


class Events:
    """Posts Events; ``instance`` names this process in them."""

    def __init__(self, kube: Kube, *, instance: str, clock: Clock, redactor: Redactor) -> None:
        self._kube = kube
        self._instance = instance
        self._clock = clock
        self._redactor = redactor
        self._last: OrderedDict[tuple[str, str], tuple[str, str]] = OrderedDict()

    async def emit(
        self,
        regarding: Mapping[str, Any],
        type_: Literal["Normal", "Warning"],
        reason: str,
        action: str,
        message: str,
    ) -> None:
        """Post an Event about an object (given as JSON), unless the last one of this ``action`` said the same.

        Never raises: an Event that cannot be posted is logged, since no decision depends on it.
        """
        metadata = regarding["metadata"]
        subject = (metadata.get("uid", ""), action)
        if self._last.get(subject) == (reason, message):
            return
        try:
            await self._kube.create(self._body(regarding, type_, reason, action, message))
        except (KubeError, KubeUnavailable) as error:
            _log.warning("An Event could not be posted", extra={"reason": reason, "error": str(error)})
            return
        self._last[subject] = (reason, message)
        self._last.move_to_end(subject)
        if len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)

    def _body(self, regarding: Mapping[str, Any], kind: str, reason: str, action: str, message: str) -> dict[str, Any]:
        metadata = regarding["metadata"]
        note = self._redactor.redact(message)
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {"name": f"{metadata['name']}.{uuid.uuid4().hex[:16]}", "namespace": metadata["namespace"]},
            "eventTime": micro_time(self._clock.now()),
            "reportingController": f"{names.GROUP}/operator",
            "reportingInstance": self._instance,
            "action": action,
            "reason": reason,
            "type": kind,
            "note": note if len(note) <= _LONGEST_NOTE else note[: _LONGEST_NOTE - 1] + "…",
            "regarding": {
                "apiVersion": regarding["apiVersion"],
                "kind": regarding["kind"],
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata.get("uid", ""),
                "resourceVersion": metadata.get("resourceVersion", ""),
            },
        }
