"""The fleet named ``default``, which the chart describes and the operator applies when it begins to lead.

Not a template of the chart: helm would have to create it before the CRD it is an instance of is established.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from headgate_api import names
from headgate_runtime.kube import Kube, KubeError, KubeUnavailable
from headgate_runtime.kube_kinds import PROXY_FLEET

DEFAULT_FLEET: Final = "default"
_RETRY_SECONDS: Final = 2.0
_REFUSED_RETRY_SECONDS: Final = 60.0
_log = logging.getLogger(__name__)


async def apply_default_fleet(kube: Kube, namespace: str, spec: Mapping[str, Any]) -> None:
    """Apply the fleet, trying until the API server takes it; fields the spec does not name stay as others set them."""
    body = {
        "apiVersion": PROXY_FLEET.api_version,
        "kind": PROXY_FLEET.kind,
        "metadata": {
            "name": DEFAULT_FLEET,
            "namespace": namespace,
            "labels": {names.LABEL_NAME: "headgate", names.LABEL_MANAGED_BY: names.FIELD_MANAGER},
        },
        "spec": dict(spec),
    }
    while True:
        try:
            await kube.apply(body)
            return
        except KubeUnavailable as error:
            _log.warning("The default fleet cannot be applied yet", extra={"error": str(error)})
            await asyncio.sleep(_RETRY_SECONDS)
        except KubeError as error:
            _log.error(
                "The API server refuses the default fleet; correct defaultFleet.spec in the chart's values",
                extra={"error": str(error)},
            )
            await asyncio.sleep(_REFUSED_RETRY_SECONDS)
