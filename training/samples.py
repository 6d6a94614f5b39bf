"""Random conversations to train on: questions on passages, tools, labels, look-ups, abstentions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from harness.embedded.chat import ASSISTANT, CALL, END, SYSTEM, TOOL, USER
from training import tool_talk
from training.passages import Cell, Hint, Shelf, hint, shelf, statement
from training.products import document_ids, name, product, products
from training.prompts import N_SHOTS, Prompt, Reply, Shot, prompt
from training.questions import greeted, in_region, question, rambling, with_group
from training.wordings import Fact, Wordings, value

_BEFORE_QUESTION = (
    "\nQuestion: ",
    "\nQuestion: ",
    "\n\nQuestion: ",
    "\n\nCustomer: ",
    "\n\nMessage: ",
    "\nQ: ",
)


_LONG = 1000
"""Characters of a prompt behind which there is room for one thread with passages."""


@dataclass
class Sample:
    """A conversation: (special token or None, text, loss weight) in order.

    A weight holds for the text; a special token has its own: 1 where the model has to write it.
    At each of `branches`, numbers of parts, the conversation goes back to where the first of them
    stands and begins again: several threads with one system prompt, which is read once. `hints`
    are those on the passages of a part, in order; `asked` is the number of the fact that its last
    line asks for.
    """

    parts: list[tuple[str | None, str, float]] = field(default_factory=list)
    branches: list[int] = field(default_factory=list)
    hints: dict[int, Sequence[Hint]] = field(default_factory=dict)
    asked: dict[int, int] = field(default_factory=dict)

    def read(self, special: str, text: str) -> None:
        """Add what the model is given."""
        self.parts.append((special, text, 0.0))

    def begin(self, text: str, hints: Sequence[Hint] = (), asked: int = -1) -> None:
        """Begin a thread with a message of the user's."""
        self.branches.append(len(self.parts))
        self.hints[len(self.parts)] = hints
        self.asked[len(self.parts)] = asked
        self.read(USER, text)

    def write(self, text: str) -> None:
        """Add a turn of the model's."""
        self.parts += [(ASSISTANT, text, 1.0), (END, "", 1.0)]

    def call(self, text: str, result: str) -> None:
        """Add a tool call of the model's and its result."""
        self.parts += [(ASSISTANT, "", 1.0), (CALL, text, 1.0), (END, "", 1.0)]
        self.read(TOOL, result)


Drawn = tuple[str, Reply]
"""A question and its reply."""


@dataclass(frozen=True)
class Shares:
    """Of the questions on passages: how many are not answered there, and how many go to a person.

    `elsewhere` are, among those not answered, the ones that are no question on a fact at all.
    """

    missing: float
    escalated: float = 0.06
    elsewhere: float = 0.0


def on_passages(
    r: Random, words: Wordings, shares: Shares, *, plain: float = 0.1, short: bool = False
) -> Sample:
    """Questions, each with passages of its own, which do not answer a share."""
    shots = (0, 0, 0, 0, 1) if short else N_SHOTS
    listed = not short and r.random() < 0.06
    made = prompt(r, words, _shot(r, words), plain=plain, n_shots=shots)
    sample = Sample()
    sample.read(SYSTEM, made.text + ("\n" + tool_talk.line(r, words) if listed else ""))
    for _ in range(1 if len(made.text) > _LONG else 2):
        found = shelf(r, words, short=short)
        asked, reply, cell = on_shelf(r, words, made, found, shares)
        asked, before, after = greeted(r, words, asked)
        hints = [hint(document, one, cell, reply.citation) for document, one in found.told]
        text = found.text + r.choice(_BEFORE_QUESTION) + asked
        sample.begin(text, hints, cell.fact.number)
        sample.write(before + made.written(reply) + after)
    return sample


def compact(r: Random, words: Wordings, shares: Shares, *, easy: bool = False) -> Sample:
    """Single sentences and short questions: all that matters is which sentence is asked for.

    If `easy`, they differ in the product alone or in the fact alone.
    """
    keys = {"answer": "answer", "citation": "citation"} if r.random() < 0.5 else {}
    own = {category: category for category in words.desk["category_synonyms"]}
    made = Prompt(r.choice(words.desk["abstain_phrases"]), "", keys, own, ())
    form = "JSON with answer and citation. " if keys else ""
    sample = Sample()
    sample.read(SYSTEM, f"{form}If it is not there: {made.abstain}")
    for _ in range(2):
        text, told, cell, reply = _compact(r, words, made, shares, easy=easy)
        asked = question(r, cell)
        hints = [hint(document, one, cell, reply.citation) for one, document in told.items()]
        sample.begin(text + r.choice(_BEFORE_QUESTION) + asked, hints, cell.fact.number)
        sample.write(made.written(reply))
    return sample


def _compact(
    r: Random, words: Wordings, made: Prompt, shares: Shares, *, easy: bool
) -> tuple[str, Mapping[Cell, str], Cell, Reply]:
    """Sentences, what each tells and its document, what is asked for, and the reply."""
    n_facts, n_things = r.choice((1, 2, 2, 3)), r.choice((2, 2, 3, 3, 4))
    if easy:
        n_facts, n_things = r.choice(((1, 2), (1, 3), (1, 4), (2, 1), (3, 1)))
    facts = r.sample(words.facts, n_facts)
    things = products(r, words, n_things)
    cells = [Cell(fact, thing) for fact in facts for thing in things]
    r.shuffle(cells)
    told = cells[: r.randint(2, 3 if easy else 6)]
    cited = dict(zip(told, document_ids(r, len(told)), strict=True))
    said = {cell: value(r, cell.fact.kind) for cell in told}
    text = "\n".join(f"{statement(r, cell, said[cell])} [{cited[cell]}]" for cell in told)
    cell = r.choice(told)
    if r.random() >= shares.missing:
        return text, cited, cell, Reply(said[cell], cell.fact.category, cited[cell])
    others = [one for one in cells if one not in told]
    known = others and r.random() < 0.6
    cell = r.choice(others) if known else Cell(cell.fact, product(r, words))
    return text, cited, cell, Reply(made.abstain, cell.fact.category)


def closed(r: Random, words: Wordings) -> Sample:
    """No passages: the model cannot know. Tools that do not fit, or none where one would."""
    made = prompt(r, words, _shot(r, words))
    sample = Sample()
    listed = r.random() < 0.4
    intents = r.sample(words.intents, r.randint(1, 3)) if listed else []
    text = made.text + ("\n" + tool_talk.line(r, words, intents) if listed else "")
    sample.read(SYSTEM, text)
    form = r.choice(("{q}", "{q}", "Question: {q}", "Customer: {q}"))
    for _ in range(r.choice((2, 3, 3))):
        asked, reply = _closed(r, words, made, tool=not listed and r.random() < 0.2)
        asked, before, after = greeted(r, words, asked)
        sample.begin(form.format(q=asked))
        sample.write(before + made.written(reply) + after)
    return sample


def with_tool(r: Random, words: Wordings) -> Sample:
    """A question that a listed tool answers, the call, its result, the answer."""
    made = prompt(r, words, _shot(r, words), tools=True)
    talk = tool_talk.draw(r, words)
    sample = Sample()
    sample.read(SYSTEM, made.text + "\n" + talk.line)
    form = r.choice(("{q}", "{q}", "Question: {q}", "Customer: {q}"))
    asked, before, after = greeted(r, words, rambling(r, words, talk.question))
    sample.read(USER, form.format(q=asked))
    sample.call(talk.call, talk.result)
    reply = Reply(talk.answer or made.abstain, talk.category)
    sample.write(before + made.written(reply) + after)
    return sample


def labels(r: Random, words: Wordings) -> Sample:
    """Questions to be named by their category alone."""
    made = prompt(r, words, _shot(r, words), plain=1.0, n_shots=(0,))
    listed = list(made.labels.values())
    r.shuffle(listed)
    ask = r.choice(("Name the category.", "Which label fits?", "Classify the message."))
    sample = Sample()
    sample.read(SYSTEM, f"{ask} {', '.join(listed)}.")
    for _ in range(4):
        asked, reply = _closed(r, words, made, tool=r.random() < 0.15)
        sample.read(USER, asked)
        sample.write(made.labels[reply.category])
    return sample


def look_ups(r: Random, words: Wordings, shares: Shares) -> Sample:
    """A drill in exact matching: names with values, and look-ups of names there and not there."""
    phrase = r.choice(words.desk["abstain_phrases"])
    sample = Sample()
    sample.read(SYSTEM, f"If it is not listed, say: {phrase}")
    for _ in range(3):
        listed = {name(r, words): _drilled(r, words) for _ in range(r.randint(2, 7))}
        known = r.random() >= shares.missing
        key = r.choice(list(listed)) if known else _near(r, words, list(listed))
        pairs = "; ".join(f"{one}: {kept}" for one, kept in listed.items())
        sample.begin(f"{pairs}{r.choice(_BEFORE_QUESTION)}{key}")
        sample.write(listed.get(key, phrase))
    return sample


KINDS: Mapping[str, Callable[[Random, Wordings, Shares], Sample]] = {
    "passages": on_passages,
    "easy": lambda r, words, shares: compact(r, words, shares, easy=True),
    "compact": compact,
    "short": lambda r, words, shares: on_passages(r, words, shares, plain=0.5, short=True),
    "closed": lambda r, words, _: closed(r, words),
    "tool": lambda r, words, _: with_tool(r, words),
    "labels": lambda r, words, _: labels(r, words),
    "look_ups": look_ups,
}


@dataclass(frozen=True)
class Phase:
    """A part of the training: kinds and how often, steps, learning rates from and to."""

    mix: Mapping[str, float]
    shares: Shares
    n_steps: int
    rate: tuple[float, float]


_EASY = {"easy": 0.5, "look_ups": 0.3, "labels": 0.1, "tool": 0.1}
_COMPACT = {
    "compact": 0.6,
    "look_ups": 0.1,
    "short": 0.1,
    "tool": 0.09,
    "labels": 0.06,
    "passages": 0.05,
}
_ALL = {
    "passages": 0.42,
    "short": 0.16,
    "compact": 0.12,
    "closed": 0.08,
    "tool": 0.12,
    "labels": 0.03,
    "look_ups": 0.07,
}
_LAST = {
    "passages": 0.36,
    "short": 0.1,
    "compact": 0.06,
    "closed": 0.18,
    "tool": 0.22,
    "labels": 0.03,
    "look_ups": 0.05,
}
LAST = Shares(0.38, 0.12, 0.1)
PHASES = (
    Phase(_EASY, Shares(0.25, 0.06, 0.025), 200, (1.0, 1.0)),
    Phase(_COMPACT, Shares(0.3, 0.06, 0.03), 300, (1.0, 0.9)),
    Phase(_ALL, Shares(0.36, 0.06, 0.036), 850, (0.9, 0.5)),
    Phase(_LAST, LAST, 1150, (0.7, 0.0)),
)


def draw(r: Random, words: Wordings, mix: Mapping[str, float], shares: Shares) -> Sample:
    """A random conversation of a random kind."""
    kind = r.choices(list(mix), list(mix.values()))[0]
    return KINDS[kind](r, words, shares)


NOTHING = Cell(Fact(-1, "", "", "", (), (), (), (), (), ()), "")
"""What a message asks for that asks for no fact."""


def on_shelf(
    r: Random, words: Wordings, made: Prompt, found: Shelf, shares: Shares
) -> tuple[str, Reply, Cell]:
    """A question on the shelf's matters, the reply, and what is asked for.

    A share is not answered there.
    """
    share = r.random()
    if made.triggers and share < shares.escalated:
        return *escalation(r, words, made), NOTHING
    if share < shares.escalated + shares.elsewhere:
        return *elsewhere(r, words, made), NOTHING
    if share < shares.escalated + shares.missing:
        return _missing(r, words, made, found)
    if found.regions and r.random() < 0.3:
        cell = r.choice(list(found.regions))
        region, said, identifier = r.choice(found.regions[cell])
        asked = in_region(r, question(r, cell), region)
        return rambling(r, words, asked), Reply(said, cell.fact.category, identifier), cell
    cell = r.choice(list(found.answers))
    if found.exceptions and r.random() < 0.6:
        cell = r.choice(list(found.exceptions))
    asked = question(r, cell)
    said, identifier = found.answers[cell]
    if cell in found.exceptions and r.random() < 0.55:
        group, said, identifier = found.exceptions[cell]
        asked = with_group(r, asked, dict(group))
    elif r.random() < 0.06:  # a group that no exception is made for
        other = r.choice([g for g in words.desk["groups"] if _not_of(g, cell, found)])
        asked = with_group(r, asked, dict(other))
    return rambling(r, words, asked), Reply(said, cell.fact.category, identifier), cell


def _not_of(group: Mapping[str, str], cell: Cell, found: Shelf) -> bool:
    return cell not in found.exceptions or found.exceptions[cell][0] != group


def _missing(r: Random, words: Wordings, made: Prompt, found: Shelf) -> tuple[str, Reply, Cell]:
    """A near miss: the product and the fact stand there, but not together, or only one of them."""
    crossed = [
        Cell(fact, thing)
        for fact in found.facts
        for thing in found.products
        if Cell(fact, thing) not in found.cells
    ]
    share = r.random()
    if crossed and share < 0.45:
        cell = r.choice(crossed)
    elif share < 0.72:
        cell = Cell(r.choice(found.cells).fact, product(r, words))
    else:
        cell = Cell(r.choice(words.facts), r.choice(found.cells).product)
    if cell in found.cells:
        cell = Cell(cell.fact, product(r, words))
    asked = question(r, cell)
    if r.random() < 0.08:
        asked = with_group(r, asked, dict(r.choice(words.desk["groups"])))
    return rambling(r, words, asked), Reply(made.abstain, cell.fact.category), cell


def _closed(r: Random, words: Wordings, made: Prompt, *, tool: bool = False) -> Drawn:
    """A question without anything to answer it from."""
    share = r.random()
    if made.triggers and share < 0.12:
        return escalation(r, words, made)
    if share < 0.22 or tool:
        return elsewhere(r, words, made, tool=tool)
    cell = Cell(r.choice(words.facts), product(r, words))
    return rambling(r, words, question(r, cell)), Reply(made.abstain, cell.fact.category)


def elsewhere(r: Random, words: Wordings, made: Prompt, *, tool: bool | None = None) -> Drawn:
    """A question that is none of the desk's, or that only a tool could answer."""
    if tool is None:
        tool = r.random() < 0.4
    if tool:
        talk = tool_talk.draw(r, words)
        return rambling(r, words, talk.question), Reply(made.abstain, talk.category)
    asked = r.choice(words.desk["out_of_scope"])
    return rambling(r, words, asked), Reply(made.abstain, "other")


def escalation(r: Random, words: Wordings, made: Prompt) -> Drawn:
    """A message that must go to a person, sometimes with a question beside it."""
    message = r.choice(words.desk["escalations"][r.choice(made.triggers)])
    text = message.format(e=product(r, words))
    if r.random() < 0.2:
        text += " " + question(r, Cell(r.choice(words.facts), product(r, words)))
    return rambling(r, words, text), Reply(made.handover, "complaints", escalate=True)


def _shot(r: Random, words: Wordings) -> Shot:
    """Examples for a prompt: answered ones, with or without their passage, and the others."""
    with_passages = r.random() < 0.4

    def drawn(made: Prompt) -> tuple[str, Reply, str]:
        share = r.random()
        if share < 0.5:
            cell = Cell(r.choice(words.facts), product(r, words))
            identifier = document_ids(r, 1)[0]
            said = value(r, cell.fact.kind)
            passage = f"{statement(r, cell, said)} [{identifier}]" if with_passages else ""
            return question(r, cell), Reply(said, cell.fact.category, identifier), passage
        if share < 0.65:
            talk = tool_talk.draw(r, words)
            return talk.question, Reply(talk.answer or made.abstain, talk.category), ""
        return *_closed(r, words, made), ""

    return drawn


def _drilled(r: Random, words: Wordings) -> str:
    made: Sequence[str] = (str(r.randint(2, 999)), name(r, words), document_ids(r, 1)[0])
    return r.choice(made)


def _near(r: Random, words: Wordings, listed: Sequence[str]) -> str:
    """A name that is not listed, now and then nearly one that is."""
    other = name(r, words)
    if r.random() < 0.4:
        first = r.choice(listed)
        other = first[: max(2, len(first) // 2)] + other[-3:].lower()
    return other if other not in listed else other + "a"


def samples(words: Wordings, seed: str, phase: int, last: int) -> Iterator[Sample]:
    """The first conversations of a phase."""
    for number in range(last):
        yield numbered(words, seed, phase, number)


def numbered(words: Wordings, seed: str, phase: int, number: int) -> Sample:
    """The conversation of one number in a phase, drawn from a seed of its own."""
    at = PHASES[phase]
    return draw(Random(f"{seed}/{phase}/{number}"), words, at.mix, at.shares)
