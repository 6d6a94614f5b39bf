"""What a call costs, and which price a model has."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.prices import Listing, Price, PriceBook, call_cost_usd
from harness.core.record import Usage

IN, CACHED, WRITE, OUT = 3e-6, 0.3e-6, 3.75e-6, 15e-6
FULL = Price(IN, CACHED, WRITE, OUT)
PLAIN = Price(input_usd=IN, output_usd=OUT)


def usage(
    prompt: int | None = 1000,
    cached: int | None = 0,
    completion: int | None = 100,
    write: int | None = 0,
    reasoning: int | None = None,
) -> Usage:
    return Usage(prompt, cached, completion, write, reasoning)


COSTS = [
    (FULL, usage(), 1000 * IN + 100 * OUT),
    (FULL, usage(cached=800), 200 * IN + 800 * CACHED + 100 * OUT),
    (FULL, usage(cached=700, write=200), 100 * IN + 700 * CACHED + 200 * WRITE + 100 * OUT),
    (FULL, usage(reasoning=90), 1000 * IN + 100 * OUT),
    (FULL, usage(prompt=0, completion=0), 0.0),
    # no price of its own: billed as fresh input
    (PLAIN, usage(cached=800, write=100), 1000 * IN + 100 * OUT),
    (PLAIN, usage(cached=None, write=None), 1000 * IN + 100 * OUT),
    (Price(IN, CACHED, None, OUT), usage(cached=800, write=None),
     200 * IN + 800 * CACHED + 100 * OUT),
    (Price(IN, IN, None, OUT), usage(cached=None), 1000 * IN + 100 * OUT),
    # counts and prices that are not needed
    (Price(input_usd=IN), usage(completion=0), 1000 * IN),
    (Price(input_usd=IN, output_usd=0.0), usage(completion=None), 1000 * IN),
    (Price(0.0, None, None, OUT), usage(prompt=None), 100 * OUT),
    # by the call
    (Price(usd_per_call=0.002), usage(prompt=None, completion=None), 0.002),
    (Price(IN, None, None, OUT, usd_per_call=0.005), usage(), 1000 * IN + 100 * OUT + 0.005),
    # unknown
    (None, usage(), None),
    (Price(), usage(), None),
    (FULL, usage(prompt=None), None),
    (FULL, usage(completion=None), None),
    (FULL, usage(cached=None), None),
    (FULL, usage(write=None), None),
    (Price(input_usd=IN), usage(), None),
    (Price(output_usd=OUT), usage(), None),
    (FULL, usage(prompt=100, cached=800), None),
    (Price(usd_per_hour=2.0), usage(), None),
]  # fmt: skip


@pytest.mark.parametrize(("price", "used", "cost_usd"), COSTS)
def test_what_a_call_costs(price: Price | None, used: Usage, cost_usd: float | None) -> None:
    found = call_cost_usd(price, used)
    assert found == (cost_usd if cost_usd is None else pytest.approx(cost_usd, rel=1e-12))


def test_a_long_prompt_is_billed_at_its_own_price() -> None:
    price = Price(1.0, None, None, 2.0, above=((100, Price(3.0, None, None, 4.0)), (500, Price())))
    assert call_cost_usd(price, usage(prompt=100, completion=1)) == 102.0
    assert call_cost_usd(price, usage(prompt=101, completion=1)) == 307.0
    assert call_cost_usd(price, usage(prompt=501, completion=1)) is None
    assert call_cost_usd(price, usage(prompt=None, completion=1)) is None


COUNT = st.integers(0, 10**6)


@given(COUNT, COUNT, COUNT, COUNT)
def test_tokens_are_billed_once(fresh: int, cached: int, write: int, completion: int) -> None:
    used = usage(fresh + cached + write, cached, completion, write)
    expected = fresh * IN + cached * CACHED + write * WRITE + completion * OUT
    assert call_cost_usd(FULL, used) == pytest.approx(expected)


def listing(provider: str, input_usd: float, **tiers: Any) -> Listing:
    return Listing(provider, {"standard": (input_usd, None, None, 1.0), **tiers})


BOOK = PriceBook(
    listed={
        "gpt": listing("openai", 1.0, flex=(0.5, None, None, 0.5), batch=(0.4, 0.1, 0.2, 0.3)),
        "openai/older": listing("openai", 2.0),
        "claude": listing("anthropic", 3.0),
        "ft:gpt": listing("openai", 4.0),
        "azure/gpt": listing("azure", 5.0),
        "mistral/large": listing("mistral", 6.0),
        "gemini": listing("vertex_ai-language-models", 7.0),
        "anthropic.claude": listing("bedrock_converse", 8.0),
        "ranker": Listing("cohere", {"standard": (None, None, None, None)}, usd_per_call=0.002),
        "llama": listing("groq", 9.0),
        "long": Listing(
            "openai",
            {
                "standard": (1.0, None, None, 1.0),
                "standard>200000": (3.0, None, None, 3.0),
                "standard>50000": (2.0, 0.5, None, 2.0),
                "flex": (0.5, None, None, 0.5),
                "flex>200000": (None, None, None, None),
            },
        ),
    },
    own={"http/llama": Price(usd_per_hour=2.0), "openai/own": Price(input_usd=0.1)},
    origin="a map, 2026-11-20",
)

NAMES = [
    ("openai/gpt", 1.0),
    ("openai/older", 2.0),
    ("openai/claude", None),
    ("openai/unheard-of", None),
    ("openai/ft:gpt:acme:name:id", 4.0),
    ("openai/ft:gpt", 4.0),
    ("openai/ft:other:acme:name:id", None),
    ("openai/own", 0.1),
    ("anthropic/claude", 3.0),
    ("anthropic/gpt", None),
    ("litellm/gpt", 1.0),
    ("litellm/openai/gpt", 1.0),
    ("litellm/anthropic/gpt", None),
    ("litellm/azure/gpt", 5.0),
    ("litellm/mistral/large", 6.0),
    ("litellm/vertex_ai/gemini", 7.0),
    ("litellm/bedrock/anthropic.claude", 8.0),
    ("litellm/openai/ft:gpt:acme:name:id", 4.0),
    ("litellm/ft:gpt:acme:name:id", 4.0),
    ("http/gpt", None),
    ("http/llama", None),
    ("scripted/gpt", None),
    ("local/gpt", None),
    ("gpt", None),
    ("/gpt", None),
    ("", None),
]


@pytest.mark.parametrize(("model", "input_usd"), NAMES)
def test_which_price_a_model_has(model: str, input_usd: float | None) -> None:
    found = BOOK.price(model)
    assert (found.input_usd if found else None) == input_usd


def test_the_users_price_goes_first_and_holds_for_every_tier() -> None:
    for tier in (None, "flex", "anything"):
        assert BOOK.price("http/llama", tier) == Price(usd_per_hour=2.0)


TIERS = [
    (None, 1.0), ("", 1.0), ("auto", 1.0), ("default", 1.0), ("standard", 1.0),
    ("standard_only", 1.0), ("flex", 0.5), ("batch", 0.4), ("batches", 0.4), ("priority", None),
    ("scale", None), ("standard>50000", None),
]  # fmt: skip


@pytest.mark.parametrize(("tier", "input_usd"), TIERS)
def test_service_tiers_have_prices_of_their_own(tier: str | None, input_usd: float | None) -> None:
    found = BOOK.price("openai/gpt", tier)
    assert (found.input_usd if found else None) == input_usd


def test_a_listed_price_whole() -> None:
    origin = "a map, 2026-11-20"
    assert BOOK.price("openai/gpt", "batch") == Price(0.4, 0.1, 0.2, 0.3, origin=origin)
    assert BOOK.price("litellm/ranker") == Price(usd_per_call=0.002, origin=origin)
    assert BOOK.price("openai/long") == Price(
        1.0, None, None, 1.0, origin=origin,
        above=(
            (50_000, Price(2.0, 0.5, None, 2.0, origin=origin)),
            (200_000, Price(3.0, None, None, 3.0, origin=origin)),
        ),
    )  # fmt: skip
    flex = BOOK.price("openai/long", "flex")
    assert flex == Price(
        0.5, None, None, 0.5, origin=origin, above=((200_000, Price(origin=origin)),)
    )
    assert call_cost_usd(flex, usage(prompt=200_001)) is None


def test_an_empty_book_knows_nothing() -> None:
    assert PriceBook().price("openai/gpt") is None
