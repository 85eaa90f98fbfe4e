"""What the token endpoint was asked, and the proof that no refresh token was ever offered twice at once."""

from collections.abc import Iterable
from dataclasses import dataclass

from headgate_dev.emulator.journal import RecordedRequest


@dataclass(frozen=True)
class TokenCall:
    """One call of the token endpoint. ``request``: number of the recorded request; ``error``: how it was refused."""

    request: int
    grant_type: str
    grant: int | None
    error: str | None = None


def refreshes_at_once(calls: Iterable[TokenCall], requests: Iterable[RecordedRequest]) -> int:
    """Return the most refreshes of one grant that were in flight at the same moment, from request to end of answer."""
    spans = {record.number: (record.began, record.ended) for record in requests}
    moments: dict[int, list[tuple[float, int]]] = {}
    for call in calls:
        if call.grant_type != "refresh_token" or call.grant is None or call.request not in spans:
            continue
        began, ended = spans[call.request]
        moments.setdefault(call.grant, []).extend(((began, 1), (ended if ended is not None else float("inf"), -1)))
    most = 0
    for changes in moments.values():
        now = 0
        for _, change in sorted(changes):
            now += change
            most = max(most, now)
    return most
