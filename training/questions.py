"""Random questions of customers, plain or rambling, with or without a greeting."""

from __future__ import annotations

from random import Random

from training.passages import Cell
from training.products import bare
from training.wordings import Wordings

_GENERIC = (
    "What is the {np} of {e}?",
    "What is the {np} for {e}?",
    "What {np} does {e} have?",
    "Tell me the {np} on {e}.",
    "I need the {np} of {e}.",
    "Please look up the {np} for {e}.",
    "Do you know the {np} of {e}?",
    "{np} of {e}?",
    "{e}: {np}?",
    "What about the {np} for {e}?",
    "Can you find the {np} on {e}?",
    "{np} {e}",
)
_CHATTY = (
    ("Sure! ", ""),
    ("Here you go: ", ""),
    ("Of course. ", " Anything else?"),
    ("```json\n", "\n```"),
    ("Happy to help! ", ""),
    ("Hello! ", ""),
)
"""What the base model puts around its reply to a greeting, in whatever form it was asked for one:
a habit that a prompt does not cure, and that fine-tuning can."""

_STARTERS = frozenset(
    (
        "what how when is do does can could would until by please tell which where my for may will"
        " are if we the at after before in who our to of from has have did should within am with as"
        " once give any"
    ).split()
)


def question(r: Random, cell: Cell) -> str:
    """A question for a fact, without a greeting."""
    fact, thing = cell.fact, cell.product
    if r.random() < 0.08:
        thing = bare(thing)
    draw = r.random()
    if draw < 0.2:
        text = r.choice(_GENERIC).format(np=r.choice(fact.noun_phrases), e=thing)
    elif draw < 0.35:
        text = r.choice(fact.terse).format(e=thing)
    else:
        text = r.choice(fact.questions).format(e=thing)
    text = text[0].upper() + text[1:]
    if r.random() < 0.06:
        text = (
            text.lower()
            if r.random() < 0.3
            else text.rstrip("?.") + r.choice(("", "??", " ?", "..."))
        )
    return text


def with_group(r: Random, asked: str, group: dict[str, str]) -> str:
    """The question of somebody who says what group they are of."""
    told = group["as"]
    capital = told[0].upper() + told[1:]
    form = r.choice(
        (
            "{C}, {q}",
            "{C}: {Q}",
            "{Q} I am asking {a}.",
            "{Q} I order {a}.",
            "I write {a}. {Q}",
            "{Q} ({a})",
        )
    )
    return form.format(C=capital, a=told, q=_lowered(asked), Q=asked)


def in_region(r: Random, asked: str, region: str) -> str:
    """The question of somebody who says where."""
    form = r.choice(
        (
            "{Q} I live in {r}.",
            "{Q} We are in {r}.",
            "I am in {r}. {Q}",
            "{Q} (I am in {r}.)",
            "In {r}: {Q}",
            "{Q} It is for {r}.",
            "My office is in {r}. {Q}",
        )
    )
    return form.format(r=region, Q=asked)


def rambling(r: Random, words: Wordings, asked: str) -> str:
    """The question among sentences that do not matter; mostly none."""
    draw = r.random()
    if draw < 0.72:
        return asked
    n = 1 if draw < 0.86 else r.randint(2, 6)
    around = r.sample(words.desk["rambling"], n)
    place = r.randint(0, n)
    return " ".join([*around[:place], asked, *around[place:]])


def greeted(r: Random, words: Wordings, asked: str, share: float = 0.15) -> tuple[str, str, str]:
    """The question, maybe behind a greeting, and what then stands before and after the reply."""
    if r.random() >= share:
        return asked, "", ""
    greetings = words.desk["greetings"]
    index = r.randrange(len(greetings))
    greeting = greetings[index]
    if greeting.rstrip().endswith(",") and r.random() < 0.7:
        asked = _lowered(asked)
    return greeting + asked, *_CHATTY[index % len(_CHATTY)]


def _lowered(asked: str) -> str:
    """The question as the rest of a sentence; names keep their capitals."""
    first = asked.split(maxsplit=1)[0].rstrip(",.?").lower()
    return asked[0].lower() + asked[1:] if first in _STARTERS else asked
