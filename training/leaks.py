"""Proof that the training texts know nothing of the eval set.

    python -m training.leaks

Draws every conversation that the shipped weights were trained on anew, from the seeds in
`card.json`, and looks for three things. A *product* of the eval set: its name anywhere in a text. A
*fact*: a sentence of the corpus that names a product and a gold value, word for word or nearly,
which is when a sentence of a training text shares 60 % of its runs of three words. A *wording*: a
question that differs from one of the training questions by its product alone, or by few characters
beside it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz, process

from training.house import messages
from training.samples import samples
from training.wordings import Wordings, load

ROOT = Path(__file__).resolve().parents[1]
EVALSET = ROOT / "evalsets" / "support_desk"
CARD = Path(__file__).with_name("card.json")
NEAR_FACT, NEAR_WORDING = 0.6, 92.0
"""A share of runs of three words; a similarity of characters in percent."""

_SENTENCE = re.compile(r"(?<=[.!?:])\s+|\n|\s\[")
_WORD = re.compile(r"[a-z0-9$%]+")


@dataclass(frozen=True)
class Held:
    """What must not be known: product names, sentences that state gold values, questions."""

    products: Sequence[str]
    facts: Sequence[str]
    questions: Sequence[str]


def main() -> int:
    """Look through all texts; 1 if anything was found."""
    words, card = load(), json.loads(CARD.read_text(encoding="utf-8"))
    held = held_out(EVALSET)
    counts = [phase["n_samples"] for phase in card["phases"]]
    drawn = (samples(words, card["seed"], phase, n) for phase, n in enumerate(counts))
    texts = (text for phase in drawn for sample in phase for _, text, _ in sample.parts)
    house = (one.get("content", "") for line in messages(words) for one in line["messages"])
    found = [*known(held, texts), *known(held, house), *same_wordings(held, words)]
    for line in found[:50]:
        print(line)
    looked = f"{sum(counts)} conversations and the house set"
    told = (
        f"{len(held.products)} products, {len(held.facts)} facts, {len(held.questions)} questions"
    )
    print(f"{len(found)} leaks: {told} looked for in {looked}")
    return 1 if found else 0


def held_out(folder: Path) -> Held:
    """The eval set's own: read from its examples and its corpus."""
    lines = (folder / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    examples: list[dict[str, Any]] = [json.loads(line) for line in lines]
    values = {one["target"]["answer"] for one in examples if one["slices"]["kind"] == "knowledge"}
    texts = [path.read_text(encoding="utf-8") for path in sorted((folder / "corpus").glob("*.md"))]
    sentences = {line for text in texts for line in _SENTENCE.split(text)}
    named = products(texts)
    facts = sorted(
        line
        for line in sentences
        if any(value in line for value in values) and any(name in line for name in named)
    )
    return Held(named, facts, [one["input"]["question"] for one in examples])


def products(texts: Iterable[str]) -> list[str]:
    """The names that the corpus's sections speak of: capitalised words after `the`."""
    name = re.compile(r"\bthe ((?:[A-Z][a-z]+ ?)+)")
    found: dict[str, int] = {}
    for text in texts:
        for match in name.findall(text):
            found[match.strip()] = found.get(match.strip(), 0) + 1
    return sorted(one for one, times in found.items() if times > 10)


def known(held: Held, texts: Iterable[str]) -> Iterator[str]:
    """Every text that names a product of the eval set or states one of its facts."""
    names = re.compile(rf"\b({'|'.join(map(re.escape, held.products))})\b", re.IGNORECASE)
    runs = [_runs(fact) for fact in held.facts]
    index: dict[tuple[str, ...], list[int]] = {}
    for number, kept in enumerate(runs):
        for run in kept:
            index.setdefault(run, []).append(number)
    for text in texts:
        if match := names.search(text):
            yield f"product {match.group()!r} in: {text[:200]!r}"
        for sentence in _SENTENCE.split(text):
            yield from _stated(held, runs, index, sentence)


def _stated(
    held: Held,
    runs: Sequence[set[tuple[str, ...]]],
    index: Mapping[tuple[str, ...], Sequence[int]],
    sentence: str,
) -> Iterator[str]:
    shared: dict[int, int] = {}
    for run in _runs(sentence):
        for number in index.get(run, ()):
            shared[number] = shared.get(number, 0) + 1
    for number, n in shared.items():
        if n >= NEAR_FACT * len(runs[number]):
            yield f"fact {held.facts[number]!r} nearly in: {sentence!r}"


def _runs(text: str) -> set[tuple[str, ...]]:
    """All runs of three words."""
    words = _WORD.findall(text.lower())
    return set(zip(words, words[1:], words[2:], strict=False))


def same_wordings(held: Held, words: Wordings) -> Iterator[str]:
    """Questions of the eval set that are a training question about another product."""
    trained = [*_trained(words)]
    name = re.compile("|".join(f"(the )?{re.escape(one)}( [a-z]+)?" for one in held.products))
    for question in held.questions:
        masked = name.sub("X", question)
        best = process.extractOne(masked, trained, scorer=fuzz.ratio, score_cutoff=NEAR_WORDING)
        if best is not None:
            yield f"question {question!r} is nearly {best[0]!r}"


def _trained(words: Wordings) -> Iterator[str]:
    for fact in words.facts:
        yield from (one.format(e="X") for one in (*fact.questions, *fact.terse))
    for intent in words.intents:
        yield from (
            one.format(a="12345", b="12") for asked in intent.asked for one in asked.questions
        )
    yield from words.desk["out_of_scope"]
    for listed in words.desk["escalations"].values():
        yield from (one.format(e="X") for one in listed)


if __name__ == "__main__":
    sys.exit(main())
