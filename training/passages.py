"""Random passages of help articles, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from training.products import document_ids, product, products
from training.wordings import Fact, Wordings, value

_EXCEPTIONS = (
    "For {g} it is {v}.",
    "Exception: for {g} it is {v}.",
    "{G} have {v} instead.",
    "{G}: {v}.",
    "This is different for {g}: {v}.",
    "It is {v} for {g}.",
    "{G} are an exception and get {v}.",
    "An exception holds for {g}, who have {v}.",
    "If you are among our {g}, it is {v}.",
    "For {g}, {v} applies.",
)
_HEADINGS = ("## {h}\n", "# {h}\n", "### {h}\n", "{h}\n", "{h}: ", "**{h}** ")
_REGIONS = (
    "Canada", "Norway", "the south", "Europe", "Asia", "Ireland", "Brazil", "the islands", "Japan",
    "the north", "Australia", "Spain", "the west coast", "Poland", "Mexico", "Scotland", "Kenya",
    "Switzerland", "the capital", "the mainland", "India", "New Zealand", "France", "the east",
)  # fmt: skip
_IN_REGION = (
    "In {r}: {s}", "{s} This holds in {r}.", "{s} (For {r}.)", "For customers in {r}: {s}",
    "{s} Only for {r}.", "Region: {r}. {s}",
)  # fmt: skip
_RENDERED = ("{t} [{i}]", "{t} [{i}]", "{t} [{i}]", "{t} ({i})", "{t}\n[{i}]", "{t} [source: {i}]")
_LEADS = (
    "", "", "Passages:\n", "Documents:\n", "Articles:\n", "From the help center:\n", "Context:\n",
    "Passages, the best first:\n", "Here is what the articles say.\n", "Help articles:\n",
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """A fact of a product."""

    fact: Fact
    product: str


@dataclass(frozen=True)
class Hint:
    """What a passage has to do with a question: its document, its fact's number, three truths.

    Only training hears of it (see `training.network.Network.hinted`).
    """

    document: str
    fact: int
    same_product: bool
    same_fact: bool
    answers: bool


def hint(document: str, cell: Cell, asked: Cell, cited: str) -> Hint:
    """The hint on a passage about `cell`, where `cited` is the document of the answer."""
    product, fact = cell.product == asked.product, cell.fact is asked.fact
    return Hint(document, cell.fact.number, product, fact, product and fact and document == cited)


@dataclass
class Shelf:
    """Passages as one text, and what they say.

    `told` are the passages in order, each one's document and what it tells. `answers` maps a cell
    to (value, document id); `exceptions` to (group, value, document id); `regions` to what holds in
    each region, of a cell without an answer for all.
    """

    text: str
    told: Sequence[tuple[str, Cell]]
    cells: Sequence[Cell]
    answers: Mapping[Cell, tuple[str, str]]
    exceptions: Mapping[Cell, tuple[Mapping[str, str], str, str]]
    regions: Mapping[Cell, Sequence[tuple[str, str, str]]]
    facts: Sequence[Fact]
    products: Sequence[str]


@dataclass
class _Draft:
    texts: list[tuple[str, str, Cell]] = field(default_factory=list)
    answers: dict[Cell, tuple[str, str]] = field(default_factory=dict)
    exceptions: dict[Cell, tuple[Mapping[str, str], str, str]] = field(default_factory=dict)
    regions: dict[Cell, list[tuple[str, str, str]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """How passages stand in a prompt, where that is not drawn: texts around `{t}` and `{i}`."""

    form: str
    prefix: str


def shelf(
    r: Random,
    words: Wordings,
    *,
    short: bool = False,
    catalogue: Sequence[str] = (),
    layout: Layout | None = None,
) -> Shelf:
    """One to six passages on a few facts of a few products, hard to tell apart."""
    n = r.choice((1, 2, 3) if short else (1, 2, 3, 4, 4, 5, 5, 5, 6))
    facts = r.sample(words.facts, r.choice((1, 2, 2, 3)))
    n_things = r.choice((1, 2, 2, 3, 4, 5))
    things = r.sample(catalogue, n_things) if catalogue else products(r, words, n_things)
    cells = _cells(r, words, facts, things, n)
    ids = list(document_ids(r, n + 2, layout.prefix if layout else None))
    shared_id = r.random() < 0.15  # several sections of one article
    draft = _Draft()
    for number, cell in enumerate(cells):
        identifier = ids[r.randrange(number + 1)] if shared_id else ids[number]
        kind = 1.0 if short else r.random()
        if kind < 0.11:
            _versions(r, words, cell, (identifier, ids[n + number % 2]), draft)
        elif kind < 0.15 and draft.answers:
            _regional(r, words, cell, (identifier, ids[n + number % 2]), draft)
        else:
            _plain(r, words, cell, identifier, draft, short=short)
    r.shuffle(draft.texts)
    form, joint, lead = r.choice(_RENDERED), r.choice(("\n", "\n", "\n\n")), r.choice(_LEADS)
    if layout:
        form, joint, lead = layout.form, "\n", ""
    text = lead + joint.join(form.format(t=t, i=i) for t, i, _ in draft.texts)
    told = [(identifier, cell) for _, identifier, cell in draft.texts]
    return Shelf(text, told, cells, draft.answers, draft.exceptions, draft.regions, facts, things)


def _cells(
    r: Random, words: Wordings, facts: Sequence[Fact], things: Sequence[str], n: int
) -> list[Cell]:
    cells = [Cell(fact, thing) for fact in facts for thing in things]
    r.shuffle(cells)
    cells = cells[:n]
    while len(cells) < n:
        thing = r.choice(things) if r.random() < 0.5 else product(r, words)
        fact = r.choice(words.facts) if r.random() < 0.6 else r.choice(facts)
        cell = Cell(fact, thing)
        if cell not in cells:
            cells.append(cell)
    return cells


def statement(r: Random, cell: Cell, said: str) -> str:
    """A sentence that tells a fact."""
    phrase = r.choice(cell.fact.noun_phrases)
    thing = cell.product
    capital = thing[0].upper() + thing[1:]
    text = r.choice(cell.fact.statements).format(np=phrase, e=thing, E=capital, v=said)
    return text[0].upper() + text[1:]


def _plain(
    r: Random, words: Wordings, cell: Cell, identifier: str, draft: _Draft, *, short: bool
) -> None:
    said = value(r, cell.fact.kind)
    text = statement(r, cell, said)
    if not short and r.random() < 0.2:
        group = r.choice(words.desk["groups"])
        other = value(r, cell.fact.kind)
        plural = group["plural"]
        line = r.choice(_EXCEPTIONS)
        text += " " + line.format(g=plural, G=plural[0].upper() + plural[1:], v=other)
        draft.exceptions[cell] = (group, other, identifier)
    draft.answers[cell] = (said, identifier)
    draft.texts.append((_dressed(r, words, cell, text, short=short), identifier, cell))


def _versions(
    r: Random, words: Wordings, cell: Cell, identifiers: tuple[str, str], draft: _Draft
) -> None:
    """The same fact twice: as it was and as it is."""
    old, new = value(r, cell.fact.kind), value(r, cell.fact.kind)
    texts = [statement(r, cell, old), statement(r, cell, new)]
    draw = r.random()
    if draw < 0.3:
        year = r.randint(2017, 2026)
        form = r.choice(("Valid from {y}. {s}", "{s} (As of {y}.)", "As of {y}: {s}", "{y}: {s}"))
        texts = [
            form.format(y=y, s=s)
            for y, s in zip((year - r.randint(1, 3), year), texts, strict=True)
        ]
    else:
        if draw < 0.8:
            texts[0] = r.choice(words.desk["old_markers"]).format(s=texts[0])
        if draw > 0.5:
            texts[1] = r.choice(words.desk["new_markers"]).format(s=texts[1])
    together = r.random() < 0.3
    for text, identifier in zip(texts, identifiers, strict=True):
        if not together:
            draft.texts.append((_dressed(r, words, cell, text, short=False), identifier, cell))
    if together:
        identifiers = (identifiers[0], identifiers[0])
        joined = _dressed(r, words, cell, " ".join(texts), short=False)
        draft.texts.append((joined, identifiers[0], cell))
    draft.answers[cell] = (new, identifiers[1])


def _regional(
    r: Random, words: Wordings, cell: Cell, identifiers: tuple[str, str], draft: _Draft
) -> None:
    """The same fact for two regions."""
    draft.regions[cell] = []
    for region, identifier in zip(r.sample(_REGIONS, 2), identifiers, strict=True):
        said = value(r, cell.fact.kind)
        text = r.choice(_IN_REGION).format(r=region, s=statement(r, cell, said))
        draft.texts.append((_dressed(r, words, cell, text, short=False), identifier, cell))
        draft.regions[cell].append((region, said, identifier))


def _dressed(r: Random, words: Wordings, cell: Cell, text: str, *, short: bool) -> str:
    """The statement among the other sentences of its section."""
    parts = [text]
    if r.random() < (0.15 if short else 0.6):
        parts.insert(r.choice((0, 1, 1)), r.choice(cell.fact.asides))
    if not short and r.random() < 0.12:
        parts.append(r.choice(cell.fact.asides))
    if r.random() < (0.1 if short else 0.25):
        parts.insert(r.choice((0, len(parts))), r.choice(words.desk["fillers"]))
    if not short and r.random() < 0.15:
        thing = cell.product
        noise = r.choice(words.desk["noise_facts"])
        parts.append(noise.format(e=thing, E=thing[0].upper() + thing[1:]))
    body = " ".join(parts)
    if r.random() < (0.15 if short else 0.55):
        heading = r.choice((*cell.fact.headings, *cell.fact.noun_phrases))
        heading = heading[0].upper() + heading[1:]
        if r.random() < 0.25:
            heading += f" of {cell.product}"
        body = r.choice(_HEADINGS[:4] if r.random() < 0.8 else _HEADINGS).format(h=heading) + body
    return body
