"""Conversations as tokens: threads, turns, and the hints on passages."""

from __future__ import annotations

from itertools import pairwise
from random import Random  # noqa: TID251 - seeded

import pytest

from harness.embedded.chat import SYSTEM, USER
from harness.embedded.weights import DATA
from training.passages import Cell, Hint, hint
from training.samples import KINDS, LAST, Sample
from training.tokens import Encoder
from training.wordings import load


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(DATA / "tokenizer.json")


def sample() -> Sample:
    made = Sample()
    made.read(SYSTEM, "Be brief.")
    for asked in ("One?", "Two, or not?"):
        made.begin(f"The fee is $4. [KB-123]\nThe fee is $5. [KB-124]\nQuestion: {asked}")
        made.write("Yes.")
    return made


def test_every_thread_goes_on_from_the_system_prompt(encoder: Encoder) -> None:
    row = encoder.encode(sample())
    n = row.threads.count(0)
    assert encoder.tokenizer.decode(row.ids[1:n]) == "Be brief."
    assert sorted(set(row.threads)) == [0, 1, 2]
    for thread in (1, 2):
        positions = [p for p, own in zip(row.positions, row.threads, strict=True) if own == thread]
        assert positions == list(range(n, n + len(positions)))


def test_what_is_written_has_weight_and_is_not_read_whole(encoder: Encoder) -> None:
    row = encoder.encode(sample())
    written = [i for i, weight in enumerate(row.weights) if weight]
    text = encoder.tokenizer.decode([row.ids[i] for i in written if row.ids[i] < 3000])
    assert text == "Yes.Yes."
    assert not any(row.read[i] for i in written)
    opened = [row.ids[b] for a, b in pairwise(range(len(row.ids))) if row.blocks[a] < row.blocks[b]]
    names = {token: name for name, token in encoder.tokenizer.special.items()}
    assert [names[one] for one in opened] == [USER, "<|asst|>"] * 2


def test_a_hint_is_of_all_tokens_of_its_passage(encoder: Encoder) -> None:
    made = Sample()
    hints = (Hint("KB-123", 5, True, False, False), Hint("KB-124", 6, True, True, True))
    text = "The fee is $123. [KB-123]\nThe rate is $5. [KB-124]\nQuestion: rate?"
    made.begin(text, hints, asked=6)
    row = encoder.encode(made)
    for bits, passage in ((1, "The fee is $123. [KB-123"), (7, "The rate is $5. [KB-124")):
        own = [token for token, hint in zip(row.ids, row.hints, strict=True) if hint == bits]
        assert encoder.tokenizer.decode(own).strip("]\n") == passage
    assert row.hints[0] == row.hints[-1] == -1
    assert {*zip(row.hints, row.facts, strict=True)} == {(-1, -1), (1, 5), (7, 6), (-1, 6)}
    assert row.facts[-1] == 6


@pytest.mark.parametrize("kind", ["easy", "compact", "passages", "short"])
def test_one_passage_at_most_answers_and_only_if_it_is_cited(kind: str, encoder: Encoder) -> None:
    words, answers = load(), 0
    for seed in range(60):
        made = KINDS[kind](Random(seed), words, LAST)  # noqa: S311
        for hints in made.hints.values():
            found = [one for one in hints if one.answers]
            answers += bool(found)
            assert all(one.same_product and one.same_fact for one in found)
        assert set(encoder.encode(made).hints) <= {-1, 0, 1, 2, 3, 7}
    assert answers > 20


def test_a_hint_tells_products_and_facts_apart() -> None:
    fact, other = load().facts[:2]
    asked = Cell(fact, "the Alder kit")
    assert hint("A-1", asked, asked, "A-1").answers
    assert not hint("A-1", asked, asked, "none").answers
    about = Cell(other, "the Alder kit")
    assert hint("A-1", about, asked, "A-2") == Hint("A-1", other.number, True, False, False)
