"""The model's own byte-pair tokens: learning them, and turning conversations into them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.embedded.chat import CALL, END, OPENING, READ, SPECIAL, USER
from harness.embedded.tokenizer import GLUE, Tokenizer, glued
from training.passages import Hint
from training.samples import Sample

_GLUED = f"{GLUE}?"
PATTERN = "|".join(
    (
        r"\d{1,3}",
        " ?[A-Za-z]+",
        r" ?[{}\":,]+" + _GLUED,
        rf" ?[^\sA-Za-z0-9{GLUE}]" + _GLUED,
        r"\s" + _GLUED,
        GLUE,
    )
)
"""How texts are split before pairs are joined: a number of up to three digits is one token."""


def learn(texts: Iterable[str], vocab_size: int, path: Path) -> None:
    """Learn the tokens from texts and write `tokenizer.json`.

    All bytes and the numbers from 0 to 999 are tokens from the start.
    """
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    numbers = [str(number) for number in range(10, 1000)]
    n_learned = vocab_size - len(SPECIAL) - len(numbers)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=n_learned, initial_alphabet=sorted(alphabet), show_progress=False
    )
    tokenizer.train_from_iterator((_without_numbers(glued(text)) for text in texts), trainer)
    listed = sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])
    to_byte = _byte_of()
    tokens = [bytes(to_byte[char] for char in spelled) for spelled, _ in listed]
    tokens += [number.encode() for number in numbers]
    kept = {
        "pattern": PATTERN,
        "tokens": [base64.b64encode(token).decode() for token in tokens],
        "special": list(SPECIAL),
    }
    path.write_text(json.dumps(kept, indent=0) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Row:
    """A conversation's tokens; of each, in lists of one length, what the network must know.

    `weights` are those of having to write the token. `blocks` number the turns: of a turn that is
    read (`read`), every token sees the whole. `threads` are 0 in the part that all threads go on
    from; a token of thread k sees that part and its own thread. `positions` count along a thread.
    `marks` are those of `Tokenizer.marks`. `hints`, for training alone, are of a passage's tokens
    the passage's truths as bits, and -1 of others; `facts` of those and of a question's the number
    of the fact.
    """

    ids: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    read: list[bool] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    hints: list[int] = field(default_factory=list)
    facts: list[int] = field(default_factory=list)


class Encoder:
    """Conversations as tokens."""

    def __init__(self, path: Path) -> None:
        self.tokenizer = Tokenizer(path)
        self.n_tokens = self.tokenizer.vocab_size

    def encode(self, sample: Sample) -> Row:
        """The tokens of a conversation with all its threads, one behind the other."""
        row, n_shared = Row(), 0
        block, thread, read, position = -1, 0, False, 0
        for number, (special, text, weight) in enumerate(sample.parts):
            if number in sample.branches:
                n_shared = n_shared if thread else len(row.ids)
                thread, position = thread + 1, n_shared
            ids, weights = self.tokenizer.encode(text), []
            if special is not None:
                if special in OPENING:
                    block, read = block + 1, special in READ
                ids = [self.tokenizer.special[special], *ids]
                weights = [1.0 if special in {END, CALL} else 0.0]
            n = len(ids)
            row.ids.extend(ids)
            row.weights.extend(weights + [weight] * (n - len(weights)))
            row.blocks.extend([block] * n)
            row.read.extend([read] * n)
            row.threads.extend([thread] * n)
            row.positions.extend(range(position, position + n))
            marks = self.tokenizer.marks(ids) if special == USER else [0] * n
            row.marks.extend(marks)
            hints, facts = self._hints(ids, sample.hints.get(number, ()))
            asked = sample.asked.get(number, -1)
            row.hints.extend(hints)
            row.facts.extend(asked if m == 1 else f for m, f in zip(marks, facts, strict=True))
            position += n
        return row

    def _hints(self, ids: Sequence[int], hints: Sequence[Hint]) -> tuple[list[int], list[int]]:
        """Every token's bits and fact; a passage reaches from the end of the last one to its id."""
        found, facts, start = [-1] * len(ids), [-1] * len(ids), 1
        for one in hints:
            ending = self.tokenizer.encode(one.document)[-2:]
            ends = (at for at in range(start + 1, len(ids)) if ids[at - 1 : at + 1] == ending)
            end = next(ends, None)
            if end is None:
                return found, facts
            bits = one.same_product + 2 * one.same_fact + 4 * one.answers
            found[start : end + 1] = [bits] * (end + 1 - start)
            facts[start : end + 1] = [one.fact] * (end + 1 - start)
            start = end + 1
        return found, facts


def _without_numbers(text: str) -> str:
    return "".join(" " if char.isdigit() else char for char in text)


def _byte_of() -> dict[str, int]:
    """The byte that each character of the byte-level alphabet stands for (GPT-2's table)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {chr(byte): byte for byte in shown}
    hidden = [byte for byte in range(256) if byte not in shown]
    return table | {chr(256 + index): byte for index, byte in enumerate(hidden)}
