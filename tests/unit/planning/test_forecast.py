"""Calls of models and dollars, told before a run: bounds that no run leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from system_fakes import RERANK, SHELF, subtask, tools, variant

from harness.core.prices import Price
from harness.core.variant import (
    Context,
    Fallback,
    Output,
    Rerank,
    Route,
    RouteRule,
    Template,
)
from harness.planning.forecast import Calls, Sizes, calls_per_trial, cost_of_trials

PRICE = Price(input_usd=2e-6, output_usd=1e-5)


def test_each_part_adds_its_calls() -> None:
    rewritten = replace(SHELF, rewrite=subtask("q"))
    compressed = Context(compress=subtask("c"))
    assert calls_per_trial(variant()) == Calls(1, 1)
    assert calls_per_trial(variant(output=Output(repair=2))) == Calls(1, 3)
    assert calls_per_trial(variant(retrieval=SHELF)) == Calls(1, 1)
    assert calls_per_trial(variant(retrieval=rewritten)) == Calls(2, 2)
    assert calls_per_trial(variant(retrieval=SHELF, context=compressed)) == Calls(1, 21)
    reranked = variant(retrieval=SHELF, rerank=RERANK, context=compressed)
    assert calls_per_trial(reranked) == Calls(1, 6)
    wide = replace(reranked, rerank=Rerank(RERANK.reranker, top_k=50))
    assert calls_per_trial(wide) == Calls(1, 21)
    assert calls_per_trial(variant(draft=subtask("d"))) == Calls(2, 2)


def test_tools_count_wherever_a_policy_lets_the_model_call_them() -> None:
    when = Template("when", "x")
    assert calls_per_trial(variant(tools=tools(max_calls=4))) == Calls(1, 5)
    assert calls_per_trial(variant(tools=tools(max_calls=4, policy="none"))) == Calls(1, 1)
    otherwise = tools(max_calls=4, policy="none", when=when, otherwise="auto")
    assert calls_per_trial(variant(tools=otherwise)) == Calls(1, 5)


def test_routes_and_fallbacks_lead_on() -> None:
    other = variant("other", output=Output(repair=3))
    falling = variant(fallback=Fallback(other), output=Output(repair=1))
    assert calls_per_trial(falling) == Calls(1, 6)
    assert calls_per_trial(variant(fallback=Fallback(None, "a human"))) == Calls(1, 1)
    rules = (RouteRule("x", label="x", variant=falling), RouteRule("y", label="y", answer="no"))
    routed = variant(route=Route(rules, subtask("r")), draft=subtask("d"))
    assert calls_per_trial(routed) == Calls(1, 7)
    own = variant(route=Route((RouteRule("self", label="x"),)), draft=subtask("d"))
    assert calls_per_trial(own) == Calls(2, 2)


def cost(prompts: Sequence[int], added: int | None, output: int | None, price: Price) -> object:
    found = cost_of_trials(Sizes(prompts, added, output), Calls(1, 3), price)
    return found and (found.least, found.most)


def test_a_range_of_dollars() -> None:
    assert cost([100, 300], 50, 10, PRICE) == pytest.approx((800e-6, 3 * (1000e-6 + 200e-6)))
    assert cost([100], None, 10, PRICE) == (pytest.approx(200e-6), None)
    assert cost([100], 50, None, PRICE) == (pytest.approx(200e-6), None)


def test_unknown_is_never_nothing() -> None:
    assert cost([100], 0, 10, Price(usd_per_hour=2.0)) is None
    assert cost([100], 0, 10, Price(output_usd=1e-6)) is None
    assert cost([100], 0, 10, Price(input_usd=1e-6)) == (pytest.approx(1e-4), None)


def test_long_prompts_are_at_their_own_price() -> None:
    price = Price(1e-6, output_usd=1e-6, above=((1000, Price(2e-6, output_usd=2e-6)),))
    assert cost([900, 1100], 200, 0, price) == pytest.approx(
        (900e-6 + 2200e-6, 3 * (2 * 1100e-6 + 2 * 1300e-6))
    )


@given(
    st.lists(st.integers(0, 100_000), min_size=1, max_size=10),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
)
def test_the_least_is_no_more_than_the_most(prompts: list[int], added: int, output: int) -> None:
    found = cost_of_trials(Sizes(prompts, added, output), Calls(1, 4), PRICE)
    assert found is not None
    assert found.most is not None
    assert found.least <= found.most
