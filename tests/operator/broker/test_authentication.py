"""Who may report for which proxy."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import pytest

from headgate_api.clock import SystemClock
from headgate_operator.broker.authentication import Authenticator, Caller, Refused, authorize, caller_of

if TYPE_CHECKING:
    from headgate_runtime.kube import Kube

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


class SlowReviews:
    """An API server that takes its time; it takes every token for the proxy's."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = asyncio.Event()

    async def token_review(self, token: str, audiences: Sequence[str]) -> dict[str, Any]:
        self.asked += 1
        await self.go.wait()
        return review()


async def test_a_flood_of_unknown_tokens_meets_a_bound_and_known_ones_pass() -> None:
    reviews = SlowReviews()
    reviews.go.set()
    authenticator = Authenticator(cast("Kube", reviews), SystemClock())
    await authenticator.caller("Bearer known")
    reviews.go.clear()
    refused: list[int] = []

    async def forge(number: int) -> None:
        try:
            await authenticator.caller(f"Bearer forged-{number}")
        except Refused as error:
            refused.append(error.status)

    async with asyncio.TaskGroup() as flood:
        for number in range(500):
            flood.create_task(forge(number))
        await asyncio.sleep(0)
        assert len(refused) > 400
        assert set(refused) == {503}
        assert await authenticator.caller("Bearer known") == Caller(USERNAME, "p1")
        assert reviews.asked < 20
        reviews.go.set()
