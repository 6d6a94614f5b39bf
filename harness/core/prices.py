"""What tokens and hours cost, and what a call cost: dated prices, never a guess."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.core.record import Usage
from harness.core.values import JsonValue

STANDARD = "standard"
"""The service tier of a request that names none."""

_TIERS = {"": STANDARD, "auto": STANDARD, "default": STANDARD, "standard_only": STANDARD,
          "batches": "batch"}  # fmt: skip
_MAKERS = {"openai": ("openai", "text-completion-openai"), "anthropic": ("anthropic",)}


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per token, or per hour of a machine of one's own; None where not known.

    `usd_per_call` is for services that are paid by the call. `origin` says where the price is
    from: the dated map, or a file of the user's. `above` are the prices of longer prompts,
    ascending: a prompt of more tokens than the number is billed, with its answer, at that price.
    """

    input_usd: float | None = None
    cached_input_usd: float | None = None
    cache_write_usd: float | None = None
    output_usd: float | None = None
    usd_per_call: float | None = None
    usd_per_hour: float | None = None
    origin: str = ""
    above: tuple[tuple[int, Price], ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """A model in the dated map: who bills it, and its prices.

    `usd` maps a service tier (`standard`, `flex`, `priority`, `batch`), or a tier and a length of
    the prompt (`standard>272000`), to the dollars per token of input, cached input, cache write
    and output.
    """

    provider: str
    usd: Mapping[str, Sequence[float | None]]
    usd_per_call: float | None = None


@dataclass(frozen=True, slots=True)
class PriceBook:
    """All prices that a run knows.

    `listed` is the dated map, by the names of that map; `own` are the user's prices, by
    `provider/model`, which go before it. `date` is the map's. `facts` pin both for the manifest.
    """

    listed: Mapping[str, Listing] = field(default_factory=dict, repr=False)
    own: Mapping[str, Price] = field(default_factory=dict)
    date: str = ""
    origin: str = ""
    facts: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def by_the_hour(self) -> Mapping[str, float]:
        """The models on machines that are paid by the hour, with US dollars per hour."""
        return {
            model: price.usd_per_hour
            for model, price in self.own.items()
            if price.usd_per_hour is not None
        }

    def price(self, model: str, service_tier: str | None = None) -> Price | None:
        """The price of `provider/model` in a service tier; None if it is not known.

        A price of the user's own holds for every tier.
        """
        if model in self.own:
            return self.own[model]
        listing = next(self._listings(model), None)
        tier = _TIERS.get(service_tier or "", service_tier or "")
        if listing is None or tier not in listing.usd:
            return None
        price = self._price(listing, tier)
        longer = (name.split(">") for name in listing.usd if name.startswith(f"{tier}>"))
        above = [
            (int(n_tokens), self._price(listing, f"{tier}>{n_tokens}")) for _, n_tokens in longer
        ]
        return replace(price, above=tuple(sorted(above, key=lambda pair: pair[0])))

    def _listings(self, model: str) -> Iterator[Listing]:
        """The listings of `provider/model`, the best match first."""
        route, _, name = model.partition("/")
        if route == "litellm":
            name = _base_of(name)
            if name in self.listed:
                yield self.listed[name]
            route, _, name = name.partition("/")
            makers: tuple[str, ...] = (route,)
        else:
            makers = _MAKERS.get(route, ())
        for known in (_base_of(name), f"{route}/{_base_of(name)}"):
            listing = self.listed.get(known)
            if listing and listing.provider.startswith(makers):
                yield listing

    def _price(self, listing: Listing, column: str) -> Price:
        fresh, cached, written, output = listing.usd[column]
        return Price(
            fresh, cached, written, output, usd_per_call=listing.usd_per_call, origin=self.origin
        )


def _base_of(name: str) -> str:
    """`ft:BASE:organisation:name:id` is billed as `ft:BASE`; other names as they are."""
    return ":".join(name.split(":")[:2]) if name.startswith("ft:") else name


def call_cost_usd(price: Price | None, usage: Usage) -> float | None:
    """What a call with that usage is billed; None if a price or a count that it needs is unknown.

    Fresh input is what was neither read from the provider's cache nor written to it. Where there
    is no price of its own for cached or written tokens, they are billed as fresh input: such a
    provider has no discount (or surcharge), and it does not matter how many they were. Reasoning
    tokens are part of the output. A count is not needed where it is billed at 0, nor a price
    where the count is 0.

    A model that is paid by the hour has no price per call: its calls share the hours (see
    `harness.execution.hours`).
    """
    if price is None or price.usd_per_hour is not None:
        return None
    if price.input_usd is None and price.output_usd is None:
        return price.usd_per_call
    if price.above:
        if usage.prompt_tokens is None:
            return None
        longer = [other for n_tokens, other in price.above if usage.prompt_tokens > n_tokens]
        price = longer[-1] if longer else price
    terms = (*_input_terms(price, usage), _times(usage.completion_tokens, price.output_usd))
    total = price.usd_per_call or 0.0
    for term in terms:
        if term is None:
            return None
        total += term
    return total


def _input_terms(price: Price, usage: Usage) -> Iterator[float | None]:
    """The cost of cached, of written and of fresh input; None for what is not known."""
    fresh = usage.prompt_tokens
    for count, own_price in (
        (usage.cached_prompt_tokens, price.cached_input_usd),
        (usage.cache_write_tokens, price.cache_write_usd),
    ):
        if own_price is None or own_price == price.input_usd:
            continue  # billed as fresh input
        yield _times(count, own_price)
        if fresh is not None:
            fresh = None if count is None else fresh - count
    yield None if fresh is not None and fresh < 0 else _times(fresh, price.input_usd)


def _times(count: int | None, usd: float | None) -> float | None:
    if count == 0 or usd == 0:
        return 0.0
    return None if count is None or usd is None else count * usd
