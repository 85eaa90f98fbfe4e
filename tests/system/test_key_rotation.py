"""A key that is rotated disturbs nobody: streams that run go on, and the next request of the same agent has the new one (S4.7)."""

import secrets
import threading

from headgate_dev.emulator import Fault, FaultKind

from .tenant import Tenant, eventually


def test_a_running_stream_outlives_its_key_and_the_next_request_has_the_new_one(tenant: Tenant) -> None:
    tenant.with_api_key()
    token = tenant.token()  # an agent that read its token once
    fault = tenant.vendor.add_fault(Fault(kind=FaultKind.HOLD, after_events=4))
    streams: list[str] = []
    running = threading.Thread(target=lambda: streams.append(tenant.stream()))
    running.start()
    tenant.vendor.wait_held(fault)

    newer = f"emulated-key-{secrets.token_hex(8)}"
    tenant.vendor.api_keys.add(newer)
    tenant.secret("vendor-key", key=newer)
    urls = tenant.headgate.urls().values()

    def rotated() -> bool:
        assert all(tenant.message(token=token, url=url).status_code == 200 for url in urls)
        return {request.credential for request in tenant.vendor.requests[-len(urls) :]} == {newer}

    # The operator looks at Secrets once a minute; until then the old key serves, and no request fails.
    eventually("both proxies have the new key", rotated, timeout=90)
    tenant.vendor.api_keys.discard(tenant.api_key)
    tenant.vendor.release(fault)
    running.join(timeout=30)

    assert "message_stop" in streams[0]
    assert tenant.message(token=token).status_code == 200
    seen = tenant.cluster.kubectl("get", "llmproviders,subscriptionaccounts,events,configmaps", "-A", "-o", "json")
    assert newer not in seen and tenant.api_key not in seen
