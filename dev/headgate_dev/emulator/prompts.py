"""The input side of a request in tokens, and how much of it the vendor had cached: by exact prefix, without being asked.

Not the vendor's tokenizer, but deterministic and additive. Caching begins at 1,024 tokens and goes in steps of 128 (OpenAI API
docs, "Prompt caching").
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

_BYTES_PER_TOKEN = 4
_CACHED_FROM, _STEP = 1024, 128


@dataclass(frozen=True)
class InputUsage:
    """Tokens of a prompt, and those of them read from the cache."""

    total: int
    cached: int


def input_usage(
    model: str, parts: Iterable[object], cached: frozenset[str], *, step: int = _STEP
) -> tuple[InputUsage, frozenset[str]]:
    """Return the usage of the prompt made of ``parts`` (JSON values in their order) and the prefixes cached after it."""
    digest = hashlib.sha256(model.encode())
    total = found = 0
    now_cached = set(cached)
    for part in parts:
        serialised = json.dumps(part, ensure_ascii=False, sort_keys=True).encode()
        digest.update(serialised)
        total += len(serialised) // _BYTES_PER_TOKEN + 1
        if digest.hexdigest() in cached:
            found = total
        now_cached.add(digest.hexdigest())
    return InputUsage(total, found // step * step if found >= _CACHED_FROM else 0), frozenset(now_cached)
