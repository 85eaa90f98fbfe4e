"""Limits on the whole system: met on one proxy, known on all, shown in the status, and polled where nobody asks for anything."""

import re
from datetime import timedelta

import httpx

from headgate_api.clock import SystemClock, rfc3339
from headgate_dev.emulator.plans import Plan, Window

from .tenant import Tenant, eventually


def test_a_limit_met_on_one_proxy_is_known_on_the_other_and_shown(tenant: Tenant) -> None:
    tenant.with_subscription({"rateLimited": "Allow", "quotaExhausted": "Allow"})
    reset = (SystemClock().now() + timedelta(hours=1)).replace(microsecond=0)
    tenant.vendor.credentials.plans[tenant.oauth_token] = Plan().used_up(reset)
    urls, admins = tenant.headgate.urls(), tenant.headgate.urls(port="admin")
    first, other = urls

    answer = tenant.message(url=urls[first])

    assert answer.status_code == 200
    assert answer.headers["x-headgate-auth-mode"] == "APIKey"
    assert answer.headers["x-headgate-fallback-reason"] in ("RateLimited", "QuotaExhausted")
    path = f"{tenant.namespace}/subscriptionaccounts/alice/access"
    gauge = re.compile(rf'headgate_proxy_limit_reset_timestamp_seconds{{path="{path}",reason="\w+"}} (\S+)')

    def knows() -> bool:
        found = gauge.search(httpx.get(f"{admins[other]}/metrics").text)
        return found is not None and float(found[1]) == reset.timestamp()

    eventually("the other proxy has heard of the limit", knows, timeout=15)
    assert tenant.message(url=urls[other]).headers["x-headgate-auth-mode"] == "APIKey"
    messages = [r.credential_kind for r in tenant.vendor.requests if r.path == "/v1/messages"]
    assert messages == ["oauth", "api_key", "api_key"]

    tenant.wait("subscriptionaccount/alice", f"jsonpath={{.status.limitedUntil}}={rfc3339(reset)}")
    within = tenant.condition("subscriptionaccount/alice", "WithinLimits")
    assert within["status"] == "False"
    assert rfc3339(reset) in within["message"]
    tenant.wait("subscriptionaccount/alice")  # Ready: nobody needs to do anything


def test_an_idle_account_is_asked_about_where_the_provider_says_so(tenant: Tenant) -> None:
    tenant.with_subscription({}, modes=("Subscription",))
    reset = (SystemClock().now() + timedelta(hours=2)).replace(microsecond=0)
    tenant.vendor.credentials.plans[tenant.oauth_token] = Plan(
        five_hours=Window(used_percent=61.5, resets_at=reset), seven_days=Window(used_percent=7)
    )
    usage = {"endpoint": f"{tenant.vendor.url}/api/oauth/usage", "interval": "10s"}
    tenant.provider(auth={"modes": ["Subscription"], "subscription": {"usage": usage}})

    tenant.wait("subscriptionaccount/alice", "jsonpath={.status.windowsAt}", timeout=60)

    status = tenant.cluster.get("subscriptionaccount/alice", "-n", tenant.namespace)["status"]
    assert [(w["name"], w["usedPercent"]) for w in status["windows"]] == [("5h", 61), ("7d", 7)]
    assert status["windows"][0]["resetsAt"] == rfc3339(reset)
    (asked, *_) = [r for r in tenant.vendor.requests if r.path == "/api/oauth/usage"]
    assert asked.credential == tenant.oauth_token
    assert asked.header("user-agent") == "headgate"
    assert [r.path for r in tenant.vendor.requests if r.path == "/v1/messages"] == []
