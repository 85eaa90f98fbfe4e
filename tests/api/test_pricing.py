"""Prices and the cost of a request: the list as the vendor publishes it, whole names only, one rounding."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_api.pricing import cost_micro_usd, price
from headgate_api.resources.llmprovider import Pricing

USD = 1_000_000
OPUS = Pricing(input=5 * USD, output=25 * USD, cache_read=500_000, cache_write5m=6_250_000, cache_write1h=10 * USD)
OPUS_4_1 = Pricing(
    input=15 * USD, output=75 * USD, cache_read=1_500_000, cache_write5m=18_750_000, cache_write1h=30 * USD
)
SONNET = Pricing(input=3 * USD, output=15 * USD, cache_read=300_000, cache_write5m=3_750_000, cache_write1h=6 * USD)
HAIKU = Pricing(input=USD, output=5 * USD, cache_read=100_000, cache_write5m=1_250_000, cache_write1h=2 * USD)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-opus-4-6", OPUS),
        ("claude-opus-4-5-20251101", OPUS),
        ("claude-opus-4-5-latest", OPUS),
        ("claude-opus-4-1-20250805", OPUS_4_1),
        ("claude-opus-4-1", OPUS_4_1),
        ("claude-sonnet-4-20250514", SONNET),
        ("claude-sonnet-4-0", SONNET),
        ("claude-sonnet-4-6", SONNET),
        ("claude-sonnet-4-5-20250929", SONNET),
        ("claude-sonnet-4-latest", SONNET),
        ("claude-haiku-4-5", HAIKU),
        ("claude-haiku-4-5-20251001", HAIKU),
    ],
)
def test_the_list_knows_plain_dated_and_latest_names(model: str, expected: Pricing) -> None:
    assert price(model) == expected


@pytest.mark.parametrize(
    "model",
    [
        "",
        "claude-opus-5",
        "claude-opus-4-20250514",
        "claude-opus-4-10",
        "claude-sonnet-4-5-fast",
        "claude-sonnet-40",
        "claude-haiku-4-5\n",
        "claude-3-5-haiku-latest",
        "Claude-Sonnet-4-6",
        "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "claude-sonnet-4-5@20250929",
        "gpt-5",
    ],
)
def test_what_is_not_listed_has_no_price(model: str) -> None:
    assert price(model) is None


def test_the_providers_own_price_goes_first() -> None:
    assert price("claude-sonnet-4-6", HAIKU) == HAIKU
    assert price("in-house", OPUS) == OPUS


def test_every_tier_is_counted() -> None:
    cost = cost_micro_usd(
        SONNET, input_tokens=1000, output_tokens=200, cache_read=50_000, cache_write_5m=4000, cache_write_1h=100
    )
    assert cost == 3000 + 3000 + 15_000 + 15_000 + 600


def test_half_a_micro_dollar_is_rounded_up_once_at_the_end() -> None:
    assert cost_micro_usd(HAIKU, cache_read=4) == 0
    assert cost_micro_usd(HAIKU, cache_read=5) == 1
    assert cost_micro_usd(HAIKU, cache_read=3, cache_write_5m=1) == 2, "0.3 + 1.25, not 0 + 1"


COUNT = st.integers(0, 10**9)
PRICE = st.integers(0, 10**9)


@given(
    st.builds(Pricing, input=PRICE, output=PRICE, cache_read=PRICE, cache_write5m=PRICE, cache_write1h=PRICE),
    st.tuples(COUNT, COUNT, COUNT, COUNT, COUNT),
)
def test_the_cost_is_within_half_a_micro_dollar_of_the_exact_sum(
    pricing: Pricing, counts: tuple[int, int, int, int, int]
) -> None:
    prices = (pricing.input, pricing.output, pricing.cache_read, pricing.cache_write5m, pricing.cache_write1h)
    exact = sum((Fraction(p * n, 10**6) for p, n in zip(prices, counts, strict=True)), Fraction())
    a, b, c, d, e = counts
    cost = cost_micro_usd(pricing, input_tokens=a, output_tokens=b, cache_read=c, cache_write_5m=d, cache_write_1h=e)
    assert -Fraction(1, 2) < cost - exact <= Fraction(1, 2)
