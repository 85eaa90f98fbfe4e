"""Canary secrets are planted in every input, everything is made to fail once, and every output is searched for them."""

import base64
import json

import httpx

from headgate_dev.cluster import Cluster
from headgate_dev.emulator import Fault, FaultKind, TokenState
from headgate_dev.otlp import OTLPSinkThread

from .tenant import Tenant

KINDS = "llmproviders,subscriptionaccounts,proxyfleets,configmaps,events,deployments,replicasets,pods,leases,services"


def test_no_credential_is_found_in_any_resource_event_log_trace_metric_or_error(
    tenant: Tenant, cluster: Cluster, sink: OTLPSinkThread
) -> None:
    tenant.with_subscription({"revoked": "Allow", "unavailable": "Allow"})
    refresh = "emulated-refresh"
    caller = tenant.token()
    prompt = f"canary-prompt-{tenant.namespace}"
    said: list[str] = []
    for fault in (
        None,
        Fault(kind=FaultKind.UNAUTHORIZED, times=2, message=f"bad token {tenant.oauth_token}"),
        Fault(kind=FaultKind.BAD_GATEWAY, times=2, message=f"upstream {tenant.api_key}"),
        Fault(kind=FaultKind.CUT_BEFORE_HEADERS, times=2),
        Fault(kind=FaultKind.STREAM_ERROR, times=1),
    ):
        if fault is not None:
            tenant.vendor.add_fault(fault)
        response = tenant.message(prompt, token=caller)
        said.append(json.dumps(dict(response.headers)) + ("" if response.status_code == 200 else response.text))
    tenant.vendor.clear_faults()
    tenant.vendor.oauth_tokens[tenant.oauth_token] = TokenState.REVOKED
    said.append(json.dumps(dict(tenant.message(prompt, token=caller).headers)))
    tenant.wait_reason("subscriptionaccount/alice", "CredentialValid", "Revoked")
    said.append(tenant.message(token=caller[:-8] + "AAAAAAAA").text)

    outputs = {
        "resources": cluster.kubectl("get", KINDS, "-A", "-o", "json", "--show-managed-fields"),
        "responses": "\n".join(said),
        "metrics": "\n".join(httpx.get(f"{u}/metrics").text for u in tenant.headgate.urls(port="admin").values()),
        "readiness": "\n".join(httpx.get(f"{u}/readyz").text for u in tenant.headgate.urls(port="admin").values()),
    }
    for pod in tenant.headgate.proxy_pods() + tenant.headgate.operator_pods():
        outputs[f"log of {pod}"] = cluster.pod_log("headgate-system", pod)

    hidden = {
        "API key": tenant.api_key, "access token": tenant.oauth_token, "refresh token": refresh, "caller's token": caller,
        "prompt": prompt,
    }  # fmt: skip
    leaks = [
        f"{what} in {where}" for what, value in hidden.items() for where, text in outputs.items() if found(value, text)
    ]
    leaks += [f"{what} in the traces" for what, value in hidden.items() if sink.contains(value.encode())]
    assert leaks == []
    assert all(outputs.values())


def found(value: str, text: str) -> bool:
    encoded = base64.b64encode(value.encode()).decode().rstrip("=")[:-2]
    return value in text or encoded in text
