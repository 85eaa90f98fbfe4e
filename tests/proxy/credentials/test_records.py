"""What a Vault record becomes in memory, and that errors about it show nothing of it."""

import json
from datetime import UTC, datetime

import pytest

from headgate_api.secret import Secret
from headgate_api.vault import AccessRecord, APIKeyRecord, access_path, api_key_path
from headgate_proxy.credentials.records import Entry, RecordError, dump, entry_of, load, successor

CANARY = "canary-" + "1e" * 8
ORIGIN = "https://api.example.com"
KEY = api_key_path("team", "claude")
ACCESS = access_path("team", "alice")


def access(version: int, *, grant: str = "g1", origins: tuple[str, ...] = (ORIGIN,)) -> Entry:
    record = AccessRecord(
        origins=origins,
        access_token=Secret(CANARY),
        expires_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        grant_id=grant,
        generation=version,
    )
    return entry_of(ACCESS, version, record.to_vault())


def test_an_api_key() -> None:
    entry = entry_of(KEY, 3, APIKeyRecord(origins=(ORIGIN,), value=Secret(CANARY)).to_vault())
    assert entry.held.secret.reveal() == CANARY
    assert (entry.held.path, entry.held.version, entry.held.origins) == (KEY, 3, frozenset({ORIGIN}))
    assert entry.held.expires_at is None


@pytest.mark.parametrize("entry", [access(1), entry_of(KEY, 1, {"origins": [ORIGIN], "value": CANARY})])
def test_what_is_kept_comes_back(entry: Entry) -> None:
    assert load(dump(entry)) == entry


@pytest.mark.parametrize("path", [KEY, ACCESS])
@pytest.mark.parametrize("data", [{}, {"value": [CANARY], "access_token": [CANARY], "origins": CANARY}])
def test_an_unusable_record_is_named_without_its_content(path: str, data: dict[str, object]) -> None:
    with pytest.raises(RecordError, match=path) as caught:
        entry_of(path, 1, data)
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "origins" in str(caught.value)


def test_a_key_written_from_a_file_loses_its_newline() -> None:
    entry = entry_of(KEY, 1, {"origins": [ORIGIN], "value": f" {CANARY}\r\n"})
    assert entry.held.secret.reveal() == CANARY


@pytest.mark.parametrize("value", [" \n", f"{CANARY}\nx-evil: 1", f"{CANARY}\x00", f"{CANARY}\u00e9"])
def test_what_no_header_can_carry_is_no_credential(value: str) -> None:
    with pytest.raises(RecordError, match="no HTTP header carries") as caught:
        entry_of(KEY, 1, {"origins": [ORIGIN], "value": value})
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"path": "x", "version": "y"}'])
def test_a_damaged_kept_credential_is_an_error(content: bytes) -> None:
    with pytest.raises(RecordError):
        load(content)


def test_only_a_refresh_of_the_same_grant_goes_ahead_of_the_snapshot() -> None:
    key = entry_of(KEY, 1, {"origins": [ORIGIN], "value": CANARY})
    newer_key = entry_of(KEY, 2, {"origins": [ORIGIN], "value": CANARY})
    assert successor(access(1), access(2))
    assert not successor(access(2), access(2))
    assert not successor(access(2), access(1))
    assert not successor(access(1), access(2, grant="g2"))
    assert not successor(access(1), access(2, origins=(ORIGIN, "https://other.example.com")))
    assert not successor(key, newer_key)
    assert not successor(None, access(1))


def test_the_vendors_id_of_an_account_is_kept_and_can_be_sent() -> None:
    data = {"origins": [ORIGIN], "access_token": CANARY, "grant_id": "g", "generation": 1}
    entry = entry_of(ACCESS, 1, data | {"account_id": "account-1"})
    assert entry.held.account_id == "account-1"
    assert load(dump(entry)) == entry
    with pytest.raises(RecordError, match="account_id"):
        entry_of(ACCESS, 1, data | {"account_id": "account\r\nx-evil: 1"})


def test_what_an_earlier_build_kept_is_still_read() -> None:
    kept = json.loads(dump(access(1)))
    del kept["account_id"]
    assert load(json.dumps(kept).encode()) == access(1)
