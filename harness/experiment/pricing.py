"""Which price belongs to a model as a variant asks it."""

from __future__ import annotations

from collections.abc import Callable

from harness.core.prices import Price, PriceBook, call_cost_usd
from harness.core.record import Usage
from harness.core.variant import ModelChoice

_VENDORS = frozenset({"openai", "anthropic", "litellm"})


def price_of(prices: PriceBook, choice: ModelChoice) -> Price | None:
    """The price of a model in the service tier asked for; None if it is not known.

    A vendor's list price says nothing of another server that speaks the vendor's language.
    """
    elsewhere = choice.provider.use in _VENDORS and choice.provider.options.get("base_url")
    if elsewhere and choice.id not in prices.own:
        return None
    return prices.price(choice.id, service_tier=choice.params.get("service_tier"))


def pricer(prices: PriceBook) -> Callable[[ModelChoice, Usage], float | None]:
    """What a call costs, each model's price looked up once."""
    known: dict[int, tuple[ModelChoice, Price | None]] = {}  # by identity: hashing is slow

    def cost_usd(choice: ModelChoice, usage: Usage) -> float | None:
        if id(choice) not in known:
            known[id(choice)] = (choice, price_of(prices, choice))
        return call_cost_usd(known[id(choice)][1], usage)

    return cost_usd
