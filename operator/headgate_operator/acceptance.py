"""Whether a fleet serves a provider: the one rule behind the Accepted condition and the content of the snapshot."""

from headgate_api import origins
from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources import LLMProvider, ProxyFleet
from headgate_api.resources.base import Observation


def refusal(provider: LLMProvider, fleet: ProxyFleet) -> Observation | None:
    """Return why ``fleet`` does not serve ``provider`` (an Accepted=False observation), or None when it does."""
    name, endpoint = f"{fleet.metadata.namespace}/{fleet.metadata.name}", provider.spec.endpoint
    if not fleet.spec.serves(provider.metadata.namespace):
        return _refused(
            ConditionReason.NAMESPACE_NOT_SERVED,
            f"ProxyFleet {name} does not serve namespace {provider.metadata.namespace}; add it to the fleet's "
            "spec.allowedNamespaces",
        )
    try:
        origins.origin_of(endpoint)
    except ValueError as error:
        return _refused(ConditionReason.SPEC_INVALID, f"spec.endpoint: {error}")
    if origins.is_plain_http(endpoint) and not fleet.spec.allowances.plain_http:
        return _refused(
            ConditionReason.ENDPOINT_NOT_ALLOWED,
            f"spec.endpoint is plain HTTP, which ProxyFleet {name} does not allow; use https://, or set "
            "spec.allowances.plainHTTP on the fleet",
        )
    if origins.is_private_host(endpoint) and not fleet.spec.allowances.private_addresses:
        return _refused(
            ConditionReason.ENDPOINT_NOT_ALLOWED,
            f"spec.endpoint names a private or in-cluster host, which ProxyFleet {name} does not allow; use a public host, "
            "or set spec.allowances.privateAddresses on the fleet",
        )
    return None


def _refused(reason: ConditionReason, message: str) -> Observation:
    return Observation(ConditionType.ACCEPTED, False, reason, message)
