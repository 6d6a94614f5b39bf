"""Writes a world's corpus: articles of products, policies, bulletins, archived ones, guides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random  # noqa: TID251 - a generator with its own seed, passed along

from examples.support_desk.world import Pair, Product, World
from harness.corpus.sections import slug

PRODUCT_ARTICLES = {
    "delivery, returns and warranty": ("shipping", "returns"),
    "prices and invoices": ("plans", "billing"),
    "sign-in, limits and storage": ("access", "platform"),
}
"""What a product's own articles are called, and the categories in each."""

POLICIES = {
    "response_time": "Support desk: first replies",
    "sla_penalty": "Service levels: missed uptime",
    "call_limit": "Support desk: phone calls",
    "data_export": "Personal data: copies",
    "erasure_time": "Personal data: deletion",
    "partner_commission": "Partners: commission",
    "referral_bonus": "Customers: referrals",
}
"""Facts that stand in an article for all products, a section for each."""

REFERRING = ("This", "So ", "It ")
"""How an aside begins that refers to the sentence before it."""

OLDER, NEWER = "March 2025", "June 2026"
LAST_YEAR = 2025


@dataclass(slots=True)
class Article:
    """A document of the corpus; `sections` are headings and texts."""

    id: str
    title: str
    category: str
    status: str
    sections: list[tuple[str, str]] = field(default_factory=list)

    def text(self) -> str:
        """The Markdown file's content."""
        lines = ["---", f'title: "{self.title}"', f"category: {self.category}"]
        lines += [f"status: {self.status}", "---"]
        for heading, text in self.sections:
            lines += ["", f"## {heading}", "", text]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fact stands: the article's id, and the section's."""

    document: str
    section: str


@dataclass(slots=True)
class Corpus:
    """All articles, and where the value that holds stands for each pair."""

    articles: list[Article] = field(default_factory=list)
    places: dict[Pair, Place] = field(default_factory=dict)
    away: dict[Pair, Place] = field(default_factory=dict)
    """For pairs that differ by region: where the other region's value stands."""


def write_corpus(world: World, rng: Random) -> Corpus:
    """The articles of a world, in an order and with numbers that tell nothing."""
    writer = _Writer(world, rng)
    for product in world.products:
        writer.product(product)
    writer.policies()
    writer.archive()
    writer.bulletins()
    writer.regions()
    for title, entry in world.texts.get("guides", {}).items():
        article = writer.article(title, entry["category"])
        article.sections += entry["sections"].items()
    writer.corpus.articles.sort(key=lambda article: article.id)
    return writer.corpus


class _Writer:
    def __init__(self, world: World, rng: Random) -> None:
        self._world, self._rng = world, rng
        self._numbers = rng.sample(range(101, 1000), 200)
        self._missing = set(world.gaps)
        self.corpus = Corpus()

    def article(self, title: str, category: str, status: str = "current") -> Article:
        """A new, empty article."""
        article = Article(f"KB-{self._numbers.pop()}", title, category, status)
        self.corpus.articles.append(article)
        return article

    def product(self, product: Product) -> None:
        """The articles about one product."""
        for about, categories in PRODUCT_ARTICLES.items():
            article = self.article(f"{product.full}: {about}", categories[0])
            pairs = [
                Pair(product, fact)
                for category in categories
                for fact in self._world.facts
                if fact.category == category and fact.key not in POLICIES
            ]
            for pair in pairs:
                self._add(article, pair.fact.heading, pair)

    def policies(self) -> None:
        """The articles about one fact of all products."""
        for fact in self._world.facts:
            if fact.key in POLICIES:
                article = self.article(POLICIES[fact.key], fact.category)
                for product in self._world.products:
                    self._add(article, product.full, Pair(product, fact))

    def archive(self) -> None:
        """Outdated versions, each in an archived article of its category."""
        found: dict[str, Article] = {}
        for pair, version in self._versions("archived"):
            category = pair.fact.category
            if category not in found:
                title = f"Archived: {category} until {LAST_YEAR}"
                found[category] = self.article(title, category, "archived")
            text = (
                f"Archived. Until {LAST_YEAR} the {pair.fact.noun} of the {pair.product.full} "
                f"was {version}. {self._aside(pair)}"
            )
            found[category].sections.append((self._heading(pair), text))

    def bulletins(self) -> None:
        """Two notes on the same matter; the newer one says which it replaces."""
        older = self.article(f"Service bulletin of {OLDER}", "support")
        newer = self.article(f"Service bulletin of {NEWER}", "support")
        for pair, version in self._versions("dated"):
            what = f"the {pair.fact.noun} of the {pair.product.full} is"
            aside = self._aside(pair)
            holds = self._world.values[pair]
            heading = self._heading(pair)
            older.sections.append((heading, f"Note of {OLDER}: {what} {version}. {aside}"))
            text = f"Note of {NEWER}, which replaces the one of {OLDER}: {what} {holds}. {aside}"
            newer.sections.append((heading, text))
            self.corpus.places[pair] = _place(newer, heading)

    def regions(self) -> None:
        """The same text as in the product's article, for another region."""
        region = self._world.texts["regions"]["away"]
        article = self.article(f"Delivery to {region}", "shipping")
        for pair, version in self._versions("regional"):
            heading = self._heading(pair)
            text = f"{self._statement(pair, version)} This holds for {region}."
            article.sections.append((heading, text))
            self.corpus.away[pair] = _place(article, heading)

    def _versions(self, how: str) -> Iterator[tuple[Pair, str]]:
        for pair, version in self._world.versions.items():
            if version.how == how:
                yield pair, version.value

    def _add(self, article: Article, heading: str, pair: Pair) -> None:
        """The section with the value that holds, unless it is left out or stands elsewhere."""
        version = self._world.versions.get(pair)
        if pair in self._missing or (version and version.how == "dated"):
            return
        parts = [self._statement(pair, self._world.values[pair])]
        if pair in self._world.exceptions:
            group, value = self._world.exceptions[pair]
            parts.append(f"{group} {pair.fact.exception.format(v=value)} instead.")
        if version and version.how == "regional":
            parts.append(f"This holds for {self._world.texts['regions']['home']}.")
        aside = self._aside(pair)
        first = not aside.startswith(REFERRING) and self._rng.random() < 0.5
        parts.insert(0 if first else len(parts), aside)
        article.sections.append((heading, " ".join(parts)))
        self.corpus.places[pair] = _place(article, heading)

    def _statement(self, pair: Pair, value: str) -> str:
        return self._rng.choice(pair.fact.statements).format(p=pair.product.full, v=value)

    def _aside(self, pair: Pair) -> str:
        product = pair.product
        return self._rng.choice(pair.fact.asides).format(p=product.full, n=product.name)

    @staticmethod
    def _heading(pair: Pair) -> str:
        return f"{pair.product.full}, {pair.fact.heading.lower()}"


def _place(article: Article, heading: str) -> Place:
    return Place(article.id, f"{article.id}#{slug(heading)}")
