"""When a quota resets, as Google's errors say: ``google.rpc.RetryInfo`` among the details, or ``retry-after``."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from headgate_proxy.protocols.waiting import after, believed, retry_after

_DELAY: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s")
"""A duration as protobuf writes it in JSON."""


def reset_of(headers: Mapping[str, str], now: datetime, retry_delay: str | None) -> datetime | None:
    """Return when the quota that a 429 met resets, or None when nothing says so (or says nonsense)."""
    delay = _DELAY.fullmatch(retry_delay) if retry_delay is not None else None
    told = after(float(delay[1]), now) if delay is not None else None
    return believed(now, told, retry_after(headers.get("retry-after"), now))
