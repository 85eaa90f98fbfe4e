"""What a snapshot holds: a pure function of the resources."""

from hypothesis import given
from hypothesis import strategies as st

from headgate_api.acknowledgement import TEXT_VERSION
from headgate_api.resources import LLMProvider
from headgate_api.snapshot import Head as SnapshotHead
from headgate_api.snapshot import Snapshot, pack, unpack
from headgate_operator.delivery.assemble import SigningKeys, assemble

from .objects import account, fleet, provider

KEYS = SigningKeys("https://issuer.example", {"keys": [{"kid": "k"}]})


def names(snapshot: Snapshot) -> list[str]:
    providers = [f"{e.namespace}/{e.name}" for e in snapshot.providers]
    return providers + [f"{e.namespace}/{e.name}" for e in snapshot.accounts]


def test_a_fleet_gets_only_the_providers_it_serves_and_their_accounts() -> None:
    providers = [
        provider(),
        provider("claude", "elsewhere"),
        provider("plain", endpoint="http://api.vendor.example"),
        provider("inside", endpoint="https://llm.svc"),
        provider("leaving", deleted=True),
    ]
    accounts = [account(), account("bob", "elsewhere"), account("carol", provider="nobody")]
    snapshot = assemble(fleet(allowedNamespaces=["team"]), providers, accounts, KEYS)
    assert names(snapshot) == ["team/claude", "team/alice"]


def test_allowances_of_the_fleet_let_plain_and_private_endpoints_in() -> None:
    wide = fleet(allowances={"plainHTTP": True, "privateAddresses": True})
    assert names(assemble(wide, [provider(endpoint="http://127.0.0.1:9")], [], KEYS)) == ["team/claude"]


def test_a_provider_without_a_credential_is_served_without_a_pointer() -> None:
    (entry,) = assemble(fleet(), [provider(version=None)], [], KEYS).providers
    assert entry.stable is not None
    assert entry.stable.api_key is None


def test_a_new_key_version_is_a_new_revision_and_a_pinned_one_wins() -> None:
    def form(made: LLMProvider) -> tuple[str, int]:
        (entry,) = assemble(fleet(), [made], [], KEYS).providers
        assert entry.stable is not None
        assert entry.stable.api_key is not None
        return entry.stable.revision, entry.stable.api_key.version

    assert form(provider(version=1)) != form(provider(version=2))
    assert form(provider(version=2, api_key={"version": 1}))[1] == 1


def test_an_account_counts_as_acknowledged_only_for_the_current_text() -> None:
    def acknowledged(version: str | None) -> bool:
        given = {"by": "alice", "at": "2026-01-01T00:00:00Z", "textVersion": version} if version else None
        (entry,) = assemble(fleet(), [provider()], [account(acknowledgement=given)], KEYS).accounts
        assert entry.stable is not None
        return entry.stable.acknowledged

    assert [acknowledged(v) for v in (None, "2000-01-01", TEXT_VERSION)] == [False, False, True]


def test_a_refreshed_token_moves_the_pointer_but_not_the_revision() -> None:
    (one,) = assemble(fleet(), [provider()], [account(version=1)], KEYS).accounts
    (two,) = assemble(fleet(), [provider()], [account(version=2)], KEYS).accounts
    assert one.stable is not None
    assert two.stable is not None
    assert one.stable.revision == two.stable.revision
    assert one.stable.access != two.stable.access


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_in_which_the_api_server_lists_objects_changes_nothing(order: list[str]) -> None:
    made = assemble(fleet(), [provider(n) for n in order], [account(n, provider="a") for n in order], KEYS)
    revision, chunks = pack(made)
    straight = assemble(fleet(), [provider(n) for n in "abcd"], [account(n, provider="a") for n in "abcd"], KEYS)
    assert revision == pack(straight)[0]
    assert unpack(SnapshotHead(revision=revision, chunks=tuple(sorted(chunks))), chunks) == straight
