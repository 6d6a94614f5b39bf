"""Writes a world's questions, with what is right: answers, evidence, calls of tools."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random  # noqa: TID251 - a generator with its own seed, passed along
from typing import Any

from examples.support_desk.articles import Corpus, Place
from examples.support_desk.records import Records
from examples.support_desk.texts import RARE
from examples.support_desk.world import Pair, Product, Sizes, World

ABSTAIN = "I don't know."
ESCALATE = "A colleague will contact you."
NO_CITATION = "none"
LONG_WORDS = range(60, 111)
HARDWARE = ("kit", "device", "hub")
"""Kinds of products that somebody can be hurt by."""

GREETED = 6
"""One question in so many begins with a greeting, in every kind."""


@dataclass(slots=True)
class Example:
    """A question on its way to a row of the eval set."""

    kind: str
    question: str
    answer: str
    category: str
    place: Place | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)
    cluster: str = ""
    marks: dict[str, str] = field(default_factory=dict)
    """Slices that are not at their default."""

    def row(self, name: str) -> dict[str, Any]:
        """The example as the eval set has it."""
        slices = {
            "kind": self.kind,
            "length": "short",
            "phrasing": "plain",
            "risk": "normal",
            "label": "rare" if self.category in RARE else "common",
            "greeting": "no",
        }
        if self.kind == "knowledge":
            slices |= {"evidence": "plain", "paraphrase": "yes" if self.cluster else "no"}
        target = {
            "answer": self.answer,
            "category": self.category,
            "citation": self.place.document if self.place else NO_CITATION,
            "escalate": self.kind == "escalate",
        }
        row: dict[str, Any] = {"id": name, "input": {"question": self.question}, "target": target}
        row["slices"] = slices | self.marks
        row["cluster"] = self.cluster or name
        if self.place:
            row["evidence"] = [self.place.section]
        row["tool_calls"] = self.calls
        row["abstain"] = self.kind in {"abstain", "out_of_scope"}
        return row


def write_examples(
    world: World, corpus: Corpus, records: Records, sizes: Sizes, rng: Random
) -> list[dict[str, Any]]:
    """All rows of the eval set, mixed."""
    writer = _Writer(world, corpus, sizes, rng)
    by_sort = {
        "groups": list(writer.groups()),
        "singles": list(writer.singles()),
        "conflicting": list(writer.conflicting()),
        "exceptions": list(writer.exceptions()),
        "tools": list(writer.tools(records)),
        "abstain": list(writer.abstain()),
        "escalate": list(writer.escalate()),
        "out_of_scope": list(writer.out_of_scope()),
    }
    for sort, count in sizes.long.items():
        short = [one for one in by_sort[sort] if "phrasing" not in one.marks]
        for example in rng.sample(short, count):
            writer.lengthen(example)
    examples = [example for sort in by_sort.values() for example in sort]
    for kind in dict.fromkeys(example.kind for example in examples):
        writer.greet([example for example in examples if example.kind == kind])
    rng.shuffle(examples)
    return [example.row(f"desk-{number:03d}") for number, example in enumerate(examples, start=1)]


class _Deck:
    """Texts dealt in a mixed order, all before any comes again."""

    def __init__(self, texts: Sequence[str], rng: Random) -> None:
        self._texts, self._rng = texts, rng
        self._left: list[str] = []

    def next(self) -> str:
        """The next text."""
        if not self._left:
            self._left = list(self._texts)
            self._rng.shuffle(self._left)
        return self._left.pop()


class _Writer:
    def __init__(self, world: World, corpus: Corpus, sizes: Sizes, rng: Random) -> None:
        self._world, self._corpus, self._sizes, self._rng = world, corpus, sizes, rng
        self._said = world.texts
        self._ask = {fact.key: _Deck(fact.ask, rng) for fact in world.facts}
        self._vague = {fact.key: _Deck(fact.vague, rng) for fact in world.facts}
        self._decks: dict[str, _Deck] = {}

    def groups(self) -> Iterator[Example]:
        """The same question in three wordings, as one cluster."""
        for number, pair in enumerate(self._world.groups, start=1):
            for wording in self._rng.sample(pair.fact.ask, 3):
                example = self._known(pair, _worded(wording, pair.product))
                example.cluster = f"paraphrase-{number:02d}"
                yield example

    def singles(self) -> Iterator[Example]:
        """Questions that are asked once."""
        for pair, vague in self._some_vague("singles", self._world.singles):
            yield self._known(pair, self._asked(pair, vague=vague), vague=vague)

    def conflicting(self) -> Iterator[Example]:
        """Questions to which the corpus has two answers, one of which holds."""
        away = 0
        for pair, vague in self._some_vague("conflicting", list(self._world.versions)):
            version = self._world.versions[pair]
            question = self._asked(pair, vague=vague)
            if version.how != "regional":
                example = self._known(pair, question, vague=vague)
            elif (away := away + 1) % 2:
                question = self._beside(question, self._deal("away"))
                example = self._known(pair, question, vague=vague)
                example.answer, example.place = version.value, self._corpus.away[pair]
            else:
                question = self._beside(question, self._deal("home"))
                example = self._known(pair, question, vague=vague)
            example.marks["evidence"] = "conflicting"
            yield example

    def exceptions(self) -> Iterator[Example]:
        """Two thirds ask for the exception, the others for the rule beside it."""
        asked = self._some_vague("exceptions", list(self._world.exceptions))
        for number, (pair, vague) in enumerate(asked):
            group, value = self._world.exceptions[pair]
            question = self._asked(pair, vague=vague)
            if number % 3 < 2:
                question = self._beside(question, self._deal("groups", group))
                example = self._known(pair, question, vague=vague)
                example.answer = value
            else:
                question = self._beside(question, self._deal("private"))
                example = self._known(pair, question, vague=vague)
            example.marks["evidence"] = "exception"
            yield example

    def tools(self, records: Records) -> Iterator[Example]:
        """Questions that name an order or an account."""
        count = self._sizes.vague.get("tools", 0)
        vaguely = set(self._rng.sample(range(len(records.lookups)), count))
        for number, lookup in enumerate(records.lookups):
            vague = number in vaguely
            wording = self._deal(lookup.topic, ("vague_" if vague else "") + lookup.asks)
            example = Example(
                "tool", wording.format(**lookup.words), lookup.answer, lookup.category
            )
            example.calls = [{"name": lookup.tool, "arguments": dict(lookup.arguments)}]
            example.marks |= {"phrasing": "ambiguous"} if vague else {}
            yield example

    def abstain(self) -> Iterator[Example]:
        """Known products with facts that no article has, and products that do not exist."""
        for pair in self._world.gaps:
            yield self._unanswered(pair, "fact")
        facts = [fact for fact in self._world.facts if not fact.rare]
        rare = [fact for fact in self._world.facts if fact.rare]
        n_rare = self._sizes.unknown_rare
        chosen = self._rng.sample(rare, n_rare)
        chosen += self._rng.sample(facts, self._sizes.unknown - n_rare)
        for number, fact in enumerate(chosen):
            product = self._world.unknown[number % len(self._world.unknown)]
            yield self._unanswered(Pair(product, fact), "product")

    def escalate(self) -> Iterator[Example]:
        """Messages that a person must answer."""
        by_reason = self._said["escalations"]
        high = [reason for reason in by_reason if reason != "anger"]
        for number in range(self._sizes.escalate_high):
            example = self._escalated(self._deal("escalations", high[number % len(high)]))
            example.marks["risk"] = "high"
            yield example
        for _ in range(self._sizes.escalate_normal):
            yield self._escalated(self._deal("escalations", "anger"))

    def out_of_scope(self) -> Iterator[Example]:
        """What a support desk has nothing to say to."""
        for _ in range(self._sizes.out_of_scope):
            yield Example("out_of_scope", self._deal("out_of_scope"), ABSTAIN, "other")

    def lengthen(self, example: Example) -> None:
        """Put a story around the question, so that it has 60 to 110 words."""
        for _ in range(1000):
            parts = (self._deal("before"), example.question, self._deal("after"))
            text = " ".join(parts)
            if len(text.split()) in LONG_WORDS:
                example.question = text
                example.marks["length"] = "long"
                return
        raise ValueError(f"no story makes this question long: {example.question}")

    def greet(self, examples: list[Example]) -> None:
        """Begin one question in six with a greeting."""
        for example in self._rng.sample(examples, round(len(examples) / GREETED)):
            greeting = self._deal("greetings")
            text = example.question
            if greeting.endswith(", "):
                text = self._lowered(text)
            example.question = greeting + text
            example.marks["greeting"] = "yes"

    def _lowered(self, text: str) -> str:
        """The text with a small first letter, unless its first word has a capital anyway."""
        names = {product.name for product in (*self._world.products, *self._world.unknown)}
        first, *_ = re.split(r"\W", text, maxsplit=1)
        keeps = len(first) == 1 or text.startswith(tuple(names))
        return text if keeps else text[0].lower() + text[1:]

    def _known(self, pair: Pair, question: str, *, vague: bool = False) -> Example:
        example = Example("knowledge", question, self._world.values[pair], pair.fact.category)
        example.place = self._corpus.places[pair]
        example.marks |= {"phrasing": "ambiguous"} if vague else {}
        return example

    def _unanswered(self, pair: Pair, missing: str) -> Example:
        example = Example("abstain", self._asked(pair), ABSTAIN, pair.fact.category)
        example.marks["missing"] = missing
        return example

    def _asked(self, pair: Pair, *, vague: bool = False) -> str:
        decks = self._vague if vague else self._ask
        return _worded(decks[pair.fact.key].next(), pair.product)

    def _some_vague(self, sort: str, pairs: list[Pair]) -> Iterator[tuple[Pair, bool]]:
        """The pairs in a mixed order, with as many marked as vague as the sort is to have."""
        count = self._sizes.vague.get(sort, 0)
        chosen = set(self._rng.sample(range(len(pairs)), count))
        return ((pair, number in chosen) for number, pair in enumerate(pairs))

    def _beside(self, question: str, remark: str) -> str:
        """The question with a remark before or after it."""
        parts = [remark, question]
        self._rng.shuffle(parts)
        return " ".join(part if part[-1] in ".!?" else part + "." for part in parts)

    def _escalated(self, wording: str) -> Example:
        products = self._world.products
        device = self._rng.choice([one for one in products if one.kind in HARDWARE])
        question = wording.format(p=self._rng.choice(products).full, d=device.full)
        return Example("escalate", question, ESCALATE, "complaints")

    def _deal(self, *path: str) -> str:
        """The next of the texts at a path in the world's texts."""
        name = "/".join(path)
        if name not in self._decks:
            texts: Any = self._said
            for key in path:
                texts = texts[key]
            self._decks[name] = _Deck(texts, self._rng)
        return self._decks[name].next()


def _worded(wording: str, product: Product) -> str:
    return wording.format(p=product.full, n=product.name)
