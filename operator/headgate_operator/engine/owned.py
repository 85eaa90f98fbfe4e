"""Watches what the operator owns in its own namespace: Deployments of fleets, and the ConfigMaps of snapshots.

kopf watches whole clusters; the operator's rights on these kinds end at its namespace, and its interest at a label.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from headgate_api import names
from headgate_runtime.kube import Kind, Kube, KubeError, KubeUnavailable

OWNED_SELECTOR: Final = f"{names.LABEL_MANAGED_BY}={names.FIELD_MANAGER}"
_WATCH_SECONDS: Final = 120.0
_PAUSE_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


async def watch_owned(kube: Kube, kind: Kind, namespace: str, changed: Callable[[str, dict[str, Any]], None]) -> None:
    """Call ``changed(event type, object)`` for every event about owned objects of this kind, until cancelled."""
    while True:
        try:
            async for event, body in kube.watch(
                kind, namespace, timeout_seconds=_WATCH_SECONDS, label_selector=OWNED_SELECTOR
            ):
                if event != "BOOKMARK":
                    changed(event, body)
        except (KubeError, KubeUnavailable) as error:
            _log.warning("The watch of %s broke; watching again", kind.plural, extra={"error": str(error)})
        await asyncio.sleep(_PAUSE_SECONDS)
