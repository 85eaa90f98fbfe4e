"""Who may report for which proxy."""

from typing import Any

import pytest

from headgate_operator.broker.authentication import Caller, Refused, authorize, caller_of

USERNAME = "system:serviceaccount:headgate-system:headgate-proxy-default"


def review(**changed: Any) -> dict[str, Any]:
    return {
        "authenticated": True,
        "audiences": ["headgate-broker"],
        "user": {"username": USERNAME, "extra": {"authentication.kubernetes.io/pod-name": ["p1"]}},
    } | changed


def test_a_reviewed_token_names_service_account_and_pod() -> None:
    assert caller_of(review()) == Caller(USERNAME, "p1")


@pytest.mark.parametrize("changed", [{"authenticated": False}, {"audiences": ["vault"]}, {"audiences": []}])
def test_a_token_that_is_not_for_the_broker_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        caller_of(review(**changed))
    assert refused.value.status == 401


@pytest.mark.parametrize(
    ("username", "pod"),
    [
        ("system:serviceaccount:headgate-system:headgate-proxy-other", "p1"),
        ("system:serviceaccount:team:headgate-proxy-default", "p1"),
        ("system:serviceaccount:headgate-system:headgate-proxy-default-x", "p1"),
        (USERNAME, "p2"),
        (USERNAME, None),
    ],
)
def test_nobody_reports_for_another_fleet_namespace_or_pod(username: str, pod: str | None) -> None:
    with pytest.raises(Refused) as refused:
        authorize(Caller(username, pod), namespace="headgate-system", fleet="default", pod="p1")
    assert refused.value.status == 403


def test_a_proxy_reports_for_itself() -> None:
    authorize(Caller(USERNAME, "p1"), namespace="headgate-system", fleet="default", pod="p1")
