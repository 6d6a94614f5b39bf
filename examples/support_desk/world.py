"""Draws a world: products, their values, and where two versions or an exception stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random  # noqa: TID251 - a generator with its own seed, passed along
from typing import Any

from examples.support_desk.texts import Fact

REGIONAL = ("delivery_time", "shipping_fee")
"""Facts that may differ by where the customer lives."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many examples of each sort a world has. `_rare` of them are about a rare category."""

    groups: int
    groups_rare: int
    singles: int
    singles_rare: int
    conflicting: int
    conflicting_rare: int
    regional: int
    """Of the conflicting ones, those in which the region decides."""
    exceptions: int
    exceptions_rare: int
    tools: dict[str, int]
    gaps: int
    """Questions about a known product with a fact that no article has."""
    gaps_rare: int
    unknown: int
    """Questions about a product that does not exist."""
    unknown_rare: int
    escalate_high: int
    escalate_normal: int
    out_of_scope: int
    vague: dict[str, int]
    """How many of a sort are worded vaguely."""
    long: dict[str, int]
    """How many of a sort come in a long message."""


@dataclass(frozen=True, slots=True)
class Product:
    """Something that the company sells, or, in a question, does not."""

    name: str
    kind: str

    @property
    def full(self) -> str:
        """The name with its kind."""
        return f"{self.name} {self.kind}"


@dataclass(frozen=True, slots=True)
class Pair:
    """A product and a fact of it."""

    product: Product
    fact: Fact


@dataclass(frozen=True, slots=True)
class Version:
    """A second value that stands in the corpus beside the one that holds."""

    how: str
    """`archived`, `dated` or `regional`."""
    value: str


@dataclass(slots=True)
class World:
    """All that is drawn before a text is written."""

    texts: dict[str, Any]
    facts: tuple[Fact, ...]
    products: tuple[Product, ...]
    unknown: tuple[Product, ...]
    values: dict[Pair, str] = field(default_factory=dict)
    gaps: list[Pair] = field(default_factory=list)
    groups: list[Pair] = field(default_factory=list)
    singles: list[Pair] = field(default_factory=list)
    versions: dict[Pair, Version] = field(default_factory=dict)
    exceptions: dict[Pair, tuple[str, str]] = field(default_factory=dict)
    """The group of customers that a rule does not hold for, and what holds for them."""

    def pairs(self) -> list[Pair]:
        """Every product with every fact, those without an article among them."""
        return [Pair(product, fact) for product in self.products for fact in self.facts]


def draw_world(texts: dict[str, Any], facts: tuple[Fact, ...], sizes: Sizes, rng: Random) -> World:
    """A world of this size; every pair of product and fact is asked about in one way at most."""
    products = tuple(Product(name, kind) for name, kind in texts["products"].items())
    unknown = tuple(Product(name, kind) for name, kind in texts["unknown_products"].items())
    world = World(texts, facts, products, unknown)
    pools = {
        fact.key: rng.sample(fact.values, min(len(fact.values), 3 * len(products)))
        for fact in facts
    }
    for pair in world.pairs():
        world.values[pair] = pools[pair.fact.key].pop()
    dealer = Dealer(world.pairs(), rng)
    world.gaps = dealer.deal(sizes.gaps, sizes.gaps_rare)
    regional = dealer.deal(sizes.regional, 0, only=REGIONAL)
    plain = dealer.deal(sizes.conflicting - sizes.regional, sizes.conflicting_rare)
    for number, pair in enumerate(plain):
        how = "archived" if number % 2 == 0 else "dated"
        world.versions[pair] = Version(how, pools[pair.fact.key].pop())
    for pair in regional:
        world.versions[pair] = Version("regional", pools[pair.fact.key].pop())
    groups = list(texts["groups"])
    for number, pair in enumerate(dealer.deal(sizes.exceptions, sizes.exceptions_rare)):
        group = groups[number % len(groups)]
        world.exceptions[pair] = (group, pools[pair.fact.key].pop())
    world.groups = dealer.deal(sizes.groups, sizes.groups_rare)
    world.singles = dealer.deal(sizes.singles, sizes.singles_rare)
    return world


class Dealer:
    """Gives out pairs, each once, so that facts and products come up about equally often."""

    def __init__(self, pairs: Iterable[Pair], rng: Random) -> None:
        self._left = list(pairs)
        rng.shuffle(self._left)
        self._dealt: Counter[str] = Counter()

    def deal(self, count: int, rare: int, only: Sequence[str] = ()) -> list[Pair]:
        """`count` pairs, `rare` of them of a rare category, in a mixed order."""
        dealt = [self._next(rare=True, only=only) for _ in range(rare)]
        dealt += [self._next(rare=False, only=only) for _ in range(count - rare)]
        order = {pair: number for number, pair in enumerate(self._left)}
        chosen = sorted(dealt, key=lambda pair: order[pair])
        self._left = [pair for pair in self._left if pair not in chosen]
        return chosen

    def _next(self, *, rare: bool, only: Sequence[str]) -> Pair:
        able = [
            (self._dealt[pair.fact.key] + self._dealt[pair.product.name], number, pair)
            for number, pair in enumerate(self._left)
            if pair.fact.rare == rare
            and (not only or pair.fact.key in only)
            and not self._dealt[pair.fact.key + pair.product.name]
        ]
        _, _, pair = min(able, key=lambda one: one[:2])
        self._dealt.update([pair.fact.key, pair.product.name, pair.fact.key + pair.product.name])
        return pair
