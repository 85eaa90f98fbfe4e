"""Old chunks go only after nobody can still be reading them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from headgate_operator.delivery.publish import UNUSED_SECONDS, plan_collection

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def chunk(name: str, unused_for: float | None = None) -> dict[str, Any]:
    since = None if unused_for is None else (NOW - timedelta(seconds=unused_for)).isoformat()
    return {"metadata": {"name": name, "annotations": {"headgate.dev/unused-since": since} if since else {}}}


def planned(item: dict[str, Any], used: set[str]) -> list[str]:
    return [action for action, _ in plan_collection([item], used, NOW)]


def test_a_chunk_in_use_is_left_alone() -> None:
    assert planned(chunk("a"), {"a"}) == []


def test_a_chunk_no_longer_used_is_marked_first_and_deleted_later() -> None:
    assert planned(chunk("a"), set()) == ["mark"]
    assert planned(chunk("a", unused_for=UNUSED_SECONDS - 1), set()) == []
    assert planned(chunk("a", unused_for=UNUSED_SECONDS), set()) == ["delete"]


def test_a_chunk_used_again_starts_anew() -> None:
    assert planned(chunk("a", unused_for=UNUSED_SECONDS * 2), {"a"}) == ["unmark"]
