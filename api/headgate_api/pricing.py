"""What requests cost at the vendor's API prices, so that proxies, ledger and analysis all come to the same sum.

A subscription's requests are costed the same way (their *shadow* cost), so that modes can be compared.
"""

from headgate_api.resources.llmprovider import Pricing


def price(model: str, override: Pricing | None = None) -> Pricing | None:
    """Return what a model costs: ``override`` (spec.models[].pricing), else the built-in list, else None.

    ``model`` is the vendor's name for it (``upstreamName`` where one is set).
    """
    raise NotImplementedError


def cost_micro_usd(
    pricing: Pricing,
    *,
    input_tokens: int = 0,
    output_tokens: int = 0,
    cache_read: int = 0,
    cache_write_5m: int = 0,
    cache_write_1h: int = 0,
) -> int:
    """Return the cost in micro-USD. ``input_tokens`` excludes cache reads and writes, as Anthropic counts."""
    raise NotImplementedError
