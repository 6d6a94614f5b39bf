"""How many model calls a run makes, and what they may cost, told before the first one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.prices import Price, call_cost_usd
from harness.core.record import Usage
from harness.core.variant import LiveVariant


@dataclass(frozen=True, slots=True)
class Calls:
    """The least and the most calls of models that one trial makes."""

    least: int
    most: int


def calls_per_trial(variant: LiveVariant) -> Calls:
    """How many calls of models one trial of `variant` makes, if it comes to an answer.

    Attempts that are repeated count once. The most counts a call after each tool call, one for
    every passage that is compressed, every repair, and the fallback; the least none of them.
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
            branches.append(Calls(0, 0))
    return Calls(
        router + min(branch.least for branch in branches),
        router + max(branch.most for branch in branches),
    )


def _own_calls(variant: LiveVariant) -> Calls:
    """Those of a trial that the variant's route does not lead elsewhere."""
    least = most = 1
    if variant.retrieval and variant.retrieval.rewrite:
        least, most = least + 1, most + 1
    if variant.context.compress and variant.retrieval:
        most += shown_passages(variant)
    if _offers_tools(variant) and variant.tools:
        most += variant.tools.max_calls
    if variant.draft:
        least, most = least + 1, most + 1
    most += variant.output.repair
    if variant.fallback and variant.fallback.variant:
        most += calls_per_trial(variant.fallback.variant).most
    return Calls(least, most)


def shown_passages(variant: LiveVariant) -> int:
    """How many passages a prompt holds at most."""
    if variant.retrieval is None:
        return 0
    top_k = variant.retrieval.top_k
    return min(top_k, variant.rerank.top_k) if variant.rerank else top_k


def _offers_tools(variant: LiveVariant) -> bool:
    """Whether the model may call tools, on whatever condition."""
    tools = variant.tools
    if tools is None:
        return False
    return tools.policy != "none" or (tools.when is not None and tools.otherwise != "none")


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the most of something; the most is None where it has no bound."""

    least: float
    most: float | None


@dataclass(frozen=True, slots=True)
class Sizes:
    """Tokens of a variant's calls.

    `prompts` are those of its first prompt, example by example, without passages. `added` bounds
    what passages, rejected answers and complaints can add to any later prompt of the trial, and
    `output` an answer; None where nothing bounds them.
    """

    prompts: Sequence[int]
    added: int | None
    output: int | None


def cost_of_trials(sizes: Sizes, calls: Calls, price: Price) -> Range | None:
    """What a trial on each of the examples costs together, in US dollars.

    At the least each trial is one call with an answer of no length, at the most all of its calls
    have its longest prompt and answer. No prompt is taken to be in the provider's cache.

    Returns:
        None if the price is one per hour, or not known.
    """
    least = _cost(sizes.prompts, 0, price)
    if least is None or sizes.added is None or sizes.output is None:
        return None if least is None else Range(least, None)
    longest = [n_tokens + sizes.added for n_tokens in sizes.prompts]
    most = _cost(longest, sizes.output, price)
    return Range(least, None if most is None else calls.most * most)


def _cost(prompts: Sequence[int], output: int, price: Price) -> float | None:
    """One call for each prompt; None if a price is missing."""
    costs = [call_cost_usd(price, Usage(n_tokens, 0, output, 0, 0)) for n_tokens in prompts]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
