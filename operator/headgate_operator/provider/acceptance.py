"""Which fleets may carry a provider: its endpoint and namespace against what whoever runs the fleet allows."""

from collections.abc import Iterable

from headgate_api.origins import is_plain_http, is_private_host, origin_of
from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources import LLMProvider, ProxyFleet
from headgate_api.resources.base import Observation
from headgate_api.resources.llmprovider import LLMProviderSpec


def endpoint_origin(provider: LLMProvider) -> str | None:
    """Return the origin of the provider's endpoint, or None when the endpoint is no usable URL."""
    return _origin(provider.spec.endpoint)


def plan_origin(provider: LLMProvider) -> str | None:
    """Return the origin that subscription requests go to, likewise: accounts' tokens are bound to it."""
    return _origin(provider.spec.plan_endpoint)


def _origin(endpoint: str) -> str | None:
    try:
        return origin_of(endpoint)
    except ValueError:
        return None


def refusal(namespace: str, spec: LLMProviderSpec, fleet: ProxyFleet) -> Observation | None:
    """Return why this fleet must not carry such a provider of a namespace, or None when it may."""
    no = _refused(namespace, "spec.endpoint", spec.endpoint, fleet)
    if no is None and spec.plan_endpoint != spec.endpoint:
        no = _refused(namespace, "spec.auth.subscription.endpoint", spec.plan_endpoint, fleet)
    return no


def _refused(namespace: str, field: str, endpoint: str, fleet: ProxyFleet) -> Observation | None:
    allowances = fleet.spec.allowances
    try:
        origin_of(endpoint)
    except ValueError as error:
        return _no(ConditionReason.SPEC_INVALID, f"{field}: {error}")
    if not fleet.spec.serves(namespace):
        return _no(
            ConditionReason.NAMESPACE_NOT_SERVED,
            f"ProxyFleet {fleet.metadata.name} does not serve namespace {namespace}; add it to the fleet's "
            "spec.allowedNamespaces",
        )
    if is_plain_http(endpoint) and not allowances.plain_http:
        return _no(
            ConditionReason.ENDPOINT_NOT_ALLOWED,
            f"{field} {endpoint} is plain HTTP; use https://, or set spec.allowances.plainHTTP on ProxyFleet "
            f"{fleet.metadata.name}",
        )
    if is_private_host(endpoint) and not allowances.private_addresses:
        return _no(
            ConditionReason.ENDPOINT_NOT_ALLOWED,
            f"{field} {endpoint} is on a private address or an in-cluster name; use a public host, or set "
            f"spec.allowances.privateAddresses on ProxyFleet {fleet.metadata.name}",
        )
    return None


def accept(provider: LLMProvider, fleets: Iterable[ProxyFleet]) -> Observation:
    """Return the Accepted condition: True when at least one fleet may carry the provider."""
    refusals: list[Observation] = []
    carrying: list[str] = []
    for fleet in sorted(fleets, key=lambda f: f.key):
        no = refusal(provider.metadata.namespace, provider.spec, fleet)
        if no is None:
            carrying.append(fleet.metadata.name)
        else:
            refusals.append(no)
    if carrying:
        message = "; ".join((f"ProxyFleet {', '.join(carrying)} may carry it", *(no.message for no in refusals)))
        return Observation(ConditionType.ACCEPTED, True, ConditionReason.ACCEPTED, message)
    if refusals:
        # The closest fleet says what to mend: one that serves the namespace before one that does not.
        refusals.sort(key=lambda no: no.reason == ConditionReason.NAMESPACE_NOT_SERVED)
        return refusals[0]
    return _no(ConditionReason.NO_FLEET, "there is no ProxyFleet; create one in the operator's namespace")


def _no(reason: ConditionReason, message: str) -> Observation:
    return Observation(ConditionType.ACCEPTED, False, reason, message)
