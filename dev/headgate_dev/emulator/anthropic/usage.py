"""Token counts: not the vendor's tokenizer, but deterministic, additive, and cached by exact prefix as the vendor bills it."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from headgate_dev.emulator.anthropic.blocks import breakpoints, prefix
from headgate_dev.emulator.script import JsonObject

_BYTES_PER_TOKEN = 4


@dataclass(frozen=True)
class InputUsage:
    """The input side of a request in tokens; the three parts together are the whole prompt."""

    fresh: int
    cache_read: int
    created_5m: int
    created_1h: int

    @property
    def total(self) -> int:
        """Return all input tokens, however they are billed."""
        return self.fresh + self.cache_read + self.created_5m + self.created_1h

    def as_json(self) -> dict[str, Any]:
        """Return the vendor's usage fields of the input side."""
        return {
            "input_tokens": self.fresh,
            "cache_creation_input_tokens": self.created_5m + self.created_1h,
            "cache_read_input_tokens": self.cache_read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.created_5m,
                "ephemeral_1h_input_tokens": self.created_1h,
            },
        }


def input_usage(request: JsonObject, cached: frozenset[str]) -> tuple[InputUsage, frozenset[str]]:
    """Return the input usage of ``request`` and the prefixes (hashes) that are cached after it.

    The longest breakpoint whose exact prefix is in ``cached`` is read from the cache; what lies between it and later
    breakpoints is written at their lifetimes; the rest is fresh. There is no minimum size.
    """
    digest = hashlib.sha256(str(request.get("model")).encode())
    marks = dict(breakpoints(request))
    upto = read_upto = written_upto = 0
    written = {"5m": 0, "1h": 0}
    now_cached = set(cached)
    for index, block in enumerate(prefix(request)):
        bare = {name: value for name, value in block.items() if name != "cache_control"}
        serialised = json.dumps(bare, ensure_ascii=False, sort_keys=True).encode()
        digest.update(serialised)
        upto += len(serialised) // _BYTES_PER_TOKEN + 1
        if index not in marks:
            continue
        if digest.hexdigest() in cached:
            read_upto, written = upto, {"5m": 0, "1h": 0}
        else:
            written[marks[index]] += upto - written_upto
            now_cached.add(digest.hexdigest())
        written_upto = upto
    usage = InputUsage(upto - written_upto, read_upto, written["5m"], written["1h"])
    return usage, frozenset(now_cached)
