import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate_api import snapshot as snapshots
from headgate_api.resources import LLMProviderSpec
from headgate_api.resources.proxyfleet import Allowances, CallerTokens, Limits
from headgate_api.snapshot import (
    AccountEntry,
    FleetSettings,
    Head,
    ProviderEntry,
    ProviderForm,
    Snapshot,
    SnapshotError,
    content_revision,
    pack,
    parse_head,
    revision_of,
    unpack,
)


def provider(name: str, *, namespace: str = "team-a", padding: str = "") -> ProviderEntry:
    spec = LLMProviderSpec.model_validate(
        {
            "protocol": "Anthropic",
            "endpoint": "https://api.anthropic.com",
            "models": [{"name": "claude-test"}],
            "headers": {"x-padding": padding} if padding else {},
            "auth": {"modes": ["APIKey"], "apiKey": {}},
        }
    )
    return ProviderEntry(
        namespace=namespace, name=name, generation=1, stable=ProviderForm(revision=f"r-{name}", spec=spec)
    )


def snapshot(*providers: ProviderEntry) -> Snapshot:
    fleet = FleetSettings(
        allowed_namespaces=("*",),
        allowances=Allowances(),
        caller_tokens=CallerTokens(),
        limits=Limits(),
        issuer="https://kubernetes.default.svc",
        jwks={"keys": []},
    )
    return Snapshot(fleet=fleet, providers=providers)


def head_of(packed: tuple[str, dict[str, bytes]]) -> Head:
    revision, chunks = packed
    return Head(revision=revision, chunks=tuple(chunks))


names = st.lists(st.text("abcdefghij", min_size=1, max_size=8), unique=True, max_size=12)


@given(names=names, limit=st.sampled_from([800, 2000, 100_000]))
@settings(deadline=None)
def test_a_proxy_unpacks_what_the_operator_packed_however_many_chunks(names: list[str], limit: int) -> None:
    original = snapshot(*(provider(n) for n in names))
    try:
        packed = pack(original, max_chunk_bytes=limit)
    except SnapshotError:
        assert limit == 800
        return

    unpacked = unpack(parse_head(head_of(packed).to_json()), packed[1])

    assert unpacked.fleet == original.fleet
    assert sorted(p.name for p in unpacked.providers) == sorted(names)
    assert {p.name: p for p in unpacked.providers} == {p.name: p for p in original.providers}


def test_a_provider_that_only_its_audience_may_meet_arrives_without_a_stable_form() -> None:
    whole = provider("new")
    entry = whole.model_copy(update={"stable": None, "candidate": whole.stable, "policy": "team-a/careful"})
    account = AccountEntry(namespace="team-a", name="alice", generation=1, policy="team-a/careful")
    original = snapshot(entry).model_copy(update={"accounts": (account,)})
    packed = pack(original)

    assert unpack(parse_head(head_of(packed).to_json()), packed[1]) == original


def test_equal_content_gives_equal_bytes_whatever_its_order() -> None:
    assert pack(snapshot(provider("a"), provider("b"))) == pack(snapshot(provider("b"), provider("a")))


def test_a_change_of_one_object_leaves_the_other_chunks_as_they_are() -> None:
    noise = [hashlib.sha512(str(i).encode()).hexdigest() for i in range(41)]
    before = [provider(f"p{i}", padding=noise[i]) for i in range(40)]
    after = [*before[:-1], provider("p39", padding=noise[40])]

    old, new = (pack(snapshot(*ps), max_chunk_bytes=1500)[1] for ps in (before, after))

    assert len(old) > 4
    assert len(set(new) - set(old)) == 1


def test_an_object_too_large_for_any_chunk_is_refused_and_not_cut() -> None:
    with pytest.raises(SnapshotError, match="one object alone"):
        pack(snapshot(provider("a")), max_chunk_bytes=10)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda chunks, first: chunks.pop(first), "is missing"),
        (lambda chunks, first: chunks.update({first: chunks[first][:-4]}), "is not gzip|does not match"),
        (lambda chunks, first: chunks.update({first: pack(snapshot(provider("other")))[1].popitem()[1]}), "its hash"),
    ],
)
def test_a_damaged_chunk_is_refused(damage: Any, message: str) -> None:
    packed = pack(snapshot(provider("a")))
    damage(packed[1], head_of(packed).chunks[0])

    with pytest.raises(SnapshotError, match=message):
        unpack(head_of(pack(snapshot(provider("a")))), packed[1])


def test_a_schema_of_a_later_version_is_refused_with_the_mend() -> None:
    text = Head(revision="r", chunks=(), schema_version=snapshots.SCHEMA_VERSION + 1).to_json()

    with pytest.raises(SnapshotError, match="upgrade the proxy image"):
        parse_head(text)


def test_the_revision_depends_on_the_set_of_chunks_alone() -> None:
    assert revision_of(["a", "b"]) == revision_of(["b", "a"]) != revision_of(["a"])


def test_nobody_can_make_two_contents_of_one_revision() -> None:
    """Of two such contents one could be shown for approval and the other kept: 128 bits leave 2^64 tries to find a pair."""
    assert len(content_revision({"endpoint": "https://api.vendor.example"})) * 4 >= 128
