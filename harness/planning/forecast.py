"""How many model calls a run makes, and what they may cost, told before the first one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.core.prices import Price
from harness.core.variant import LiveVariant


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the most of something; None where there is no bound."""

    least: float
    most: float | None

    def __add__(self, other: Range) -> Range:
        most = None if self.most is None or other.most is None else self.most + other.most
        return Range(self.least + other.least, most)

    def __mul__(self, factor: float) -> Range:
        return Range(self.least * factor, None if self.most is None else self.most * factor)


def calls_per_trial(variant: LiveVariant) -> Range:
    """How many calls of a model one trial of `variant` makes, retries aside.

    The most counts a call after each tool call, every repair, and the fallback.
    """
    own = _own_calls(variant)
    if variant.route is None:
        return own
    router = 1 if variant.route.router else 0
    branches = [own]
    for rule in variant.route.rules:
        if rule.variant is not None:
            branches.append(calls_per_trial(rule.variant))
        elif rule.answer is not None:
            branches.append(Range(0, 0))
    least = min(branch.least for branch in branches)
    return Range(router + least, router + _largest(branch.most for branch in branches))


def _own_calls(variant: LiveVariant) -> Range:
    least = most = 1
    if variant.retrieval and variant.retrieval.rewrite:
        least, most = least + 1, most + 1
    if variant.context.compress and variant.retrieval:
        most += variant.rerank.top_k if variant.rerank else variant.retrieval.top_k
    if variant.tools and variant.tools.policy != "none":
        most += variant.tools.max_calls
    if variant.draft:
        least, most = least + 1, most + 1
    calls = Range(least, most + variant.output.repair)
    if variant.fallback and variant.fallback.variant:
        other = calls_per_trial(variant.fallback.variant)
        calls = Range(calls.least, (calls.most or 0) + (other.most or 0))
    return calls


def _largest(numbers: Iterable[float | None]) -> float:
    return max(number or 0 for number in numbers)


@dataclass(frozen=True, slots=True)
class CallSize:
    """Tokens of one call: of its prompt between two bounds, of its answer at most. None: open."""

    prompt_least: float
    prompt_most: float | None
    output_most: int | None


def cost_per_call(size: CallSize, price: Price | None) -> Range | None:
    """What one call costs; None if a price is unknown or is one per hour.

    Tokens that the provider has cached may make it less than the least.
    """
    if price is None or price.input_usd is None or price.output_usd is None:
        return None
    least = size.prompt_least * price.input_usd
    if size.prompt_most is None or size.output_most is None:
        return Range(least, None)
    return Range(least, size.prompt_most * price.input_usd + size.output_most * price.output_usd)
