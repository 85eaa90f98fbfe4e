"""An authority counts as known only when every live proxy says that it runs on a head that names it."""

from collections.abc import Callable

import pytest

from headgate_api import names
from headgate_api.report import SILENT_AFTER_SECONDS, ProxyReport
from headgate_api.snapshot import HEAD_KEY, Head
from headgate_operator.broker.reports import Reports
from headgate_operator.delivery.published import SETTLING_SECONDS, Published
from headgate_operator.pki.acknowledged import Acknowledged

from .conftest import World

OLD, NEW = ("-----BEGIN CERTIFICATE-----\n" + word + "\n-----END CERTIFICATE-----\n" for word in ("old", "new"))


async def publish(world: World, bundle: str | None) -> Head:
    head = Head(revision="r", chunks=(), trust_bundle=bundle)
    metadata = {"name": names.head_name("edge"), "namespace": world.namespace}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {HEAD_KEY: head.to_json()}}
    await world.kube.apply(body)
    return head


@pytest.fixture
def reports(world: World) -> Reports:
    return Reports(world.clock)


@pytest.fixture
def says(world: World, reports: Reports) -> Callable[[str, Head | None], None]:
    def say(pod: str, head: Head | None) -> None:
        digest = None if head is None else head.digest
        reports.accept(ProxyReport(fleet="edge", pod=pod, revision="r", head=digest), world.namespace)

    return say


async def test_every_live_proxy_must_run_on_a_head_that_names_it(
    world: World, reports: Reports, says: Callable[[str, Head | None], None]
) -> None:
    published = Published(reports, world.clock)
    acknowledged = Acknowledged(world.kube, world.namespace, reports, published)
    assert not await acknowledged("edge", NEW), "a new leader has not heard of everyone yet"
    world.clock.advance(SETTLING_SECONDS + 1)
    assert await acknowledged("edge", NEW), "without a head nobody runs on anything"

    before = await publish(world, OLD)
    says("a", before)
    says("b", before)
    assert not await acknowledged("edge", NEW)
    after = await publish(world, OLD + NEW)
    says("a", after)
    assert not await acknowledged("edge", NEW), "b has not taken it up"
    world.clock.advance(SILENT_AFTER_SECONDS + 1)
    says("a", after)
    assert await acknowledged("edge", NEW), "a proxy that is silent cannot be waited for for ever"
    says("b", None)
    assert not await acknowledged("edge", NEW)
    says("b", after)
    assert await acknowledged("edge", NEW)
