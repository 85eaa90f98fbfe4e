"""What a leader makes of the Secrets on a real API server, and what clients make of that."""

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from headgate_api import names
from headgate_api.clock import ManualClock
from headgate_api.reasons import ConditionReason
from headgate_api.secret import Secret
from headgate_operator.broker.authentication import Authenticator
from headgate_operator.broker.reports import Reports
from headgate_operator.broker.server import Broker, broker_tls
from headgate_operator.metrics import Metrics
from headgate_operator.pki.following import BrokerCertificate
from headgate_operator.pki.issue import Authority, issue, make_authority, proxy_names
from headgate_operator.pki.kept import encoded
from headgate_runtime.certificates import Pair, read_leaf
from headgate_runtime.kube import Conflict
from headgate_runtime.kube_kinds import CONFIG_MAP, SECRET
from headgate_runtime.serving_tls import ServingTLS
from headgate_runtime.trusting_tls import refusal

from .conftest import World

Connect = Callable[[int, str, str], Awaitable[bytes]]
EDGE = names.tls_secret("edge")
DAY = timedelta(days=1)


def broker(world: World, tls: ServingTLS) -> Broker:
    return Broker(
        0,
        namespace=world.namespace,
        authenticator=Authenticator(world.kube, world.clock),
        reports=Reports(world.clock),
        leads=lambda: True,
        touched=lambda _: None,
        metrics=Metrics(),
        tls=tls,
        host="127.0.0.1",
    )


async def pair(world: World, secret: str) -> Pair:
    values = await world.values(secret)
    return Pair(values["tls.crt"], Secret(values["tls.key"]))


async def test_a_fleet_gets_a_certificate_that_its_clients_believe(world: World) -> None:
    body = await world.fleet()
    made = await world.ensure()
    assert (made.secret, made.condition.status, made.condition.reason) == (EDGE, True, "Issued")
    assert made.trust_bundle is not None
    for name in proxy_names("edge", world.namespace):
        assert refusal(await pair(world, EDGE), made.trust_bundle, name) is None
    assert refusal(await pair(world, EDGE), made.trust_bundle, "somebody.else.svc") is not None
    broker_name = names.broker_server_name(world.namespace)
    assert refusal(await pair(world, names.BROKER_TLS_SECRET), made.trust_bundle, broker_name) is None

    secret = await world.secret(EDGE)
    assert secret["type"] == "kubernetes.io/tls"
    assert [owner["uid"] for owner in secret["metadata"]["ownerReferences"]] == [body["metadata"]["uid"]]
    assert (await world.values(EDGE))["ca.crt"] == made.trust_bundle
    published = await world.kube.get(CONFIG_MAP, world.namespace, names.CA_SECRET)
    assert published is not None and published["data"] == {"ca.crt": made.trust_bundle}
    ninety = (world.clock.now() + timedelta(days=90)).timestamp()
    assert world.expires("fleet/edge") == pytest.approx(ninety, abs=1)
    assert world.expires("broker") == pytest.approx(ninety, abs=1)
    assert (world.expires("authority") or 0) > ninety + timedelta(days=3000).total_seconds()


async def test_looking_again_writes_nothing_until_a_leaf_is_due(world: World) -> None:
    await world.fleet()
    secrets = (names.CA_SECRET, names.BROKER_TLS_SECRET, EDGE)

    async def versions() -> list[str]:
        return [(await world.secret(name))["metadata"]["resourceVersion"] for name in secrets]

    await world.certificates.look()
    before = await versions()
    await world.certificates.look()
    await world.ensure()
    await world.leader().look()
    assert await versions() == before
    world.clock.advance(timedelta(days=61).total_seconds())
    await world.certificates.look()
    authority, *leaves = await versions()
    assert authority == before[0]
    assert leaves[0] != before[1] and leaves[1] != before[2]


async def test_who_does_not_lead_writes_nothing(world: World) -> None:
    await world.fleet()
    world.leading = False
    with pytest.raises(RuntimeError, match="without leading"):
        await world.certificates.look()
    assert await world.kube.get(SECRET, world.namespace, names.CA_SECRET) is None


async def test_two_leaders_at_once_end_with_one_authority(world: World) -> None:
    await world.fleet()
    leaders = [world.leader() for _ in range(3)]
    results = await asyncio.gather(*(leader.look() for leader in leaders), return_exceptions=True)
    assert all(result is None or isinstance(result, Conflict) for result in results)
    assert any(isinstance(result, Conflict) for result in results)
    for leader in leaders:
        await leader.look()
    made = await world.ensure()
    assert made.trust_bundle is not None and made.trust_bundle.count("BEGIN CERTIFICATE") == 1
    dns_name = names.proxy_server_name("edge", world.namespace)
    assert refusal(await pair(world, EDGE), made.trust_bundle, dns_name) is None


async def test_nobody_fails_while_authority_and_leaves_rotate(world: World, connect: Connect) -> None:
    """Requests go on over new connections, believing the head's bundle as it was when each began."""
    await world.fleet()
    tls = broker_tls(ManualClock(world.clock.now()))
    follower = BrokerCertificate(world.kube, world.namespace, tls)
    head = (await world.ensure()).trust_bundle or ""
    old = head
    await follower.look()
    seen: list[bytes] = []
    stop, progress = asyncio.Event(), asyncio.Event()

    async def ask(port: int) -> None:
        while not stop.is_set():
            seen.append(await connect(port, head, names.broker_server_name(world.namespace)))
            progress.set()

    async def rounds() -> None:
        for _ in range(3):
            progress.clear()
            await progress.wait()

    async with broker(world, tls) as serving, asyncio.TaskGroup() as group:
        group.create_task(ask(serving.port))
        await rounds()
        await world.rotate("leak-1")
        await world.certificates.look()
        both = (await world.ensure()).trust_bundle or ""
        assert old in both and both.count("BEGIN") == 2
        await follower.look()
        await rounds()
        assert len(set(seen)) == 1, "nothing is signed by what the proxies do not know yet"
        head, world.acknowledged = both, True
        for _ in range(3):
            await world.certificates.look()
            await follower.look()
            await rounds()
            world.clock.advance(61)
        await world.certificates.look()
        head = (await world.ensure()).trust_bundle or ""
        await follower.look()
        await rounds()
        stop.set()
    assert len(set(seen)) == 2, "the certificate changed once, under running requests"
    assert old not in head and head in both
    assert (await world.values(names.CA_SECRET)).keys() == {"tls.crt", "tls.key", "ca.crt", "rotation.json"}
    before = (await world.secret(names.CA_SECRET))["metadata"]["resourceVersion"]
    await world.certificates.look()
    assert (await world.secret(names.CA_SECRET))["metadata"]["resourceVersion"] == before, "one rotation per word"


async def test_a_leader_that_dies_in_a_rotation_is_followed_by_one_that_ends_it(world: World) -> None:
    await world.fleet()
    await world.certificates.look()
    await world.rotate("again")
    world.acknowledged = True
    for _ in range(6):
        await world.leader().look()
        world.clock.advance(61)
    values = await world.values(names.CA_SECRET)
    assert "next.crt" not in values and "former.crt" not in values
    assert '"answered": "again"' in values["rotation.json"]
    bundle = (await world.ensure()).trust_bundle or ""
    assert bundle.count("BEGIN") == 1
    assert refusal(await pair(world, EDGE), bundle, names.proxy_server_name("edge", world.namespace)) is None


@pytest.mark.parametrize("loss", ["deleted", "another key", "no certificate"])
async def test_a_lost_authority_is_replaced_and_its_leaves_serve_on_meanwhile(
    world: World, loss: str, caplog: pytest.LogCaptureFixture
) -> None:
    await world.fleet()
    old = (await world.ensure()).trust_bundle or ""
    leaf = (await world.values(EDGE))["tls.crt"]
    if loss == "deleted":
        await world.kube.delete(SECRET, world.namespace, names.CA_SECRET)
    else:
        other = make_authority(world.namespace, world.clock.now(), DAY)
        key, value = ("tls.key", other.key.reveal()) if loss == "another key" else ("tls.crt", "gone")
        operation = {"op": "replace", "path": f"/data/{key}", "value": base64.b64encode(value.encode()).decode()}
        await world.kube.json_patch(SECRET, world.namespace, names.CA_SECRET, [operation])
    both = (await world.ensure()).trust_bundle or ""
    assert old in both and both.count("BEGIN") == 2
    assert (await world.values(EDGE))["tls.crt"] == leaf, "proxies do not know the new authority yet"
    if loss != "deleted":
        assert "another authority takes over" in caplog.text
    world.acknowledged = True
    for _ in range(4):
        await world.certificates.look()
        world.clock.advance(61)
    new = (await world.ensure()).trust_bundle or ""
    assert old not in new
    assert refusal(await pair(world, EDGE), new, names.proxy_server_name("edge", world.namespace)) is None


async def test_a_secret_of_the_fleets_name_that_somebody_else_made_is_left_alone(world: World) -> None:
    await world.fleet()
    metadata = {"name": EDGE, "namespace": world.namespace}
    theirs = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"mine": "x"}}
    await world.kube.create(theirs)
    made = await world.ensure()
    assert (made.condition.status, made.condition.reason) == (False, ConditionReason.CERTIFICATE_INVALID)
    assert f"Secret {EDGE} exists and is not the operator's; name it in spec.tls.secretName" in made.condition.message
    assert await world.values(EDGE) == {"mine": "x"}


async def given(world: World, values: dict[str, str]) -> None:
    metadata = {"name": "given", "namespace": world.namespace}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded(values)}
    await world.kube.create(body)


def theirs(world: World, **change: Any) -> tuple[Authority, dict[str, str]]:
    now = world.clock.now()
    authority = make_authority("their-company", now - 30 * DAY, 300 * DAY)
    made = issue(
        authority,
        change.get("dns", proxy_names("edge", world.namespace)),
        now - change.get("age", timedelta(0)),
        change.get("life", 90 * DAY),
    )
    return authority, {"tls.crt": made.chain, "tls.key": made.key.reveal(), "ca.crt": authority.certificate}


async def test_a_given_certificate_is_used_as_it_is(world: World) -> None:
    await world.fleet(secretName="given")
    authority, values = theirs(world)
    await given(world, values)
    made = await world.ensure()
    assert (made.secret, made.condition.status, made.condition.reason) == ("given", True, "Ready")
    assert made.trust_bundle is not None and authority.certificate in made.trust_bundle
    name = names.broker_server_name(world.namespace)
    assert refusal(await pair(world, names.BROKER_TLS_SECRET), made.trust_bundle, name) is None, "the broker's is ours"
    assert await world.kube.get(SECRET, world.namespace, EDGE) is None
    assert await world.values("given") == values


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("absent", "Secret given does not exist; make it"),
        ("no tls.key", "Secret given: tls.key is missing; make it a Secret of type kubernetes.io/tls"),
        ("no ca.crt", "Secret given: ca.crt is missing; put the certificate there that signed tls.crt"),
        ("no PEM", "Secret given: tls.crt holds no readable PEM certificate"),
        ("foreign key", "Secret given: tls.key does not belong to tls.crt; put both there together"),
        ("expired", "Secret given: tls.crt expired at 20"),
        ("other name", "Secret given: tls.crt does not carry the DNS name headgate-proxy-edge."),
        ("foreign authority", "Secret given: ca.crt does not vouch for tls.crt: a client says"),
    ],
)
async def test_a_given_certificate_of_no_use_is_told_by_secret_key_and_mend(
    world: World, fault: str, told: str
) -> None:
    await world.fleet(secretName="given")
    changes: dict[str, dict[str, Any]] = {
        "expired": {"age": 20 * DAY, "life": 10 * DAY},
        "other name": {"dns": ("a.b.svc",)},
    }
    change = changes.get(fault, {})
    _, values = theirs(world, **change)
    other, others = theirs(world)
    if fault.startswith("no "):
        key = {"no tls.key": "tls.key", "no ca.crt": "ca.crt"}.get(fault)
        values = values | {"tls.crt": "nothing"} if key is None else {k: v for k, v in values.items() if k != key}
    values |= {"tls.key": others["tls.key"]} if fault == "foreign key" else {}
    values |= {"ca.crt": other.certificate} if fault == "foreign authority" else {}
    if fault != "absent":
        await given(world, values)
    made = await world.ensure()
    assert (made.condition.status, made.condition.reason) == (False, ConditionReason.CERTIFICATE_INVALID)
    assert f"spec.tls.secretName: {told}" in made.condition.message
    assert world.expires("fleet/edge") == 0


async def test_a_broker_certificate_that_cert_manager_made_is_used_and_trusted(world: World, connect: Connect) -> None:
    await world.fleet()
    authority, values = theirs(world, dns=(names.broker_server_name(world.namespace),))
    metadata = {"name": names.BROKER_TLS_SECRET, "namespace": world.namespace}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded(values)}
    await world.kube.create(body)
    bundle = (await world.ensure()).trust_bundle or ""
    assert authority.certificate in bundle
    tls = broker_tls(world.clock)
    await BrokerCertificate(world.kube, world.namespace, tls).look()
    async with broker(world, tls) as serving:
        await connect(serving.port, bundle, names.broker_server_name(world.namespace))
    assert await world.values(names.BROKER_TLS_SECRET) == values


async def test_the_broker_waits_for_its_certificate_and_refuses_a_bad_one(world: World, connect: Connect) -> None:
    tls = broker_tls(world.clock)
    follower = BrokerCertificate(world.kube, world.namespace, tls)
    name = names.broker_server_name(world.namespace)

    def state() -> tuple[bool, str | None]:
        return follower.ready, follower.problem

    async with broker(world, tls) as serving:
        await follower.look()
        assert state() == (False, "Secret headgate-broker-tls is not there; the leader makes it")
        with pytest.raises(OSError):
            await connect(serving.port, make_authority("x", world.clock.now(), DAY).certificate, name)
        await world.fleet()
        bundle = (await world.ensure()).trust_bundle or ""
        await follower.look()
        good = await connect(serving.port, bundle, name)
        assert state() == (True, None)
        operation = {"op": "replace", "path": "/data/tls.crt", "value": base64.b64encode(b"broken").decode()}
        await world.kube.json_patch(SECRET, world.namespace, names.BROKER_TLS_SECRET, [operation])
        await follower.look()
        assert "tls.crt holds no readable PEM certificate" in (follower.problem or "")
        assert follower.ready
        assert await connect(serving.port, bundle, name) == good, "the one before goes on"
        await world.certificates.look()
        await follower.look()
        assert follower.problem is None
        assert await connect(serving.port, bundle, name) != good, "the leader mended it"


async def test_no_key_is_ever_written_to_a_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await world.fleet()
        await world.ensure()
        await world.rotate("x")
        world.acknowledged = True
        keys = set()
        for _ in range(5):
            await world.certificates.look()
            for secret in (names.CA_SECRET, names.BROKER_TLS_SECRET, EDGE):
                keys |= {v for k, v in (await world.values(secret)).items() if k.endswith(".key")}
            world.clock.advance(61)
    assert len(keys) == 6
    written = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    for key in keys:
        for line in key.splitlines():
            assert line not in written


async def test_a_leaf_never_outlives_its_authority(world: World) -> None:
    now = world.clock.now()
    authority = make_authority("x", now, 10 * DAY)
    made = issue(authority, ("a.svc",), now, 90 * DAY)
    assert read_leaf(made.chain).not_after == read_leaf(authority.certificate).not_after
