"""What requests cost at the vendor's API prices, so that proxies, ledger and analysis all come to the same sum.

A subscription's requests are costed the same way (their *shadow* cost), so that modes can be compared.
"""

import re
from typing import Final

from headgate_api.resources.llmprovider import Pricing

_MILLION: Final = 1_000_000
_VERSIONED: Final = r"(?:-latest|-\d{8})?"
"""What may follow a model's name: nothing, the word for its newest version, or a version's date."""


def _listed(input_usd: int) -> Pricing:
    """Return Anthropic's prices from the one for input: all its models stand in the same proportions."""
    micro = input_usd * _MILLION
    return Pricing(
        input=micro, output=5 * micro, cache_read=micro // 10, cache_write5m=micro * 5 // 4, cache_write1h=2 * micro
    )


_ANTHROPIC: Final = (
    (re.compile(rf"claude-opus-4-[56]{_VERSIONED}"), _listed(5)),
    (re.compile(rf"claude-opus-4-1{_VERSIONED}"), _listed(15)),
    (re.compile(rf"claude-sonnet-4(?:-\d)?{_VERSIONED}"), _listed(3)),
    (re.compile(rf"claude-haiku-4-5{_VERSIONED}"), _listed(1)),
)
"""Whole names only: what a longer name costs (a cloud's spelling, a model to come) is not known, and not guessed."""


def price(model: str, override: Pricing | None = None) -> Pricing | None:
    """Return what a model costs: ``override`` (spec.models[].pricing), else the built-in list, else None.

    ``model`` is the vendor's name for it (``upstreamName`` where one is set).
    """
    if override is not None:
        return override
    return next((pricing for pattern, pricing in _ANTHROPIC if pattern.fullmatch(model)), None)


def cost_micro_usd(
    pricing: Pricing,
    *,
    input_tokens: int = 0,
    output_tokens: int = 0,
    cache_read: int = 0,
    cache_write_5m: int = 0,
    cache_write_1h: int = 0,
) -> int:
    """Return the cost in micro-USD, rounded half up once, so that no tier's fraction is lost.

    ``input_tokens`` excludes cache reads and writes, as Anthropic counts. Where the vendor gives only the sum of its cache
    writes, they are of five minutes, its default. Counts are 0 or more.
    """
    millionths = (
        input_tokens * pricing.input
        + output_tokens * pricing.output
        + cache_read * pricing.cache_read
        + cache_write_5m * pricing.cache_write5m
        + cache_write_1h * pricing.cache_write1h
    )
    return (millionths + _MILLION // 2) // _MILLION
