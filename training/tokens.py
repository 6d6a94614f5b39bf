"""The model's own byte-pair tokens: learning them, and turning conversations into them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path

from harness.embedded.chat import SPECIAL
from harness.embedded.tokenizer import GLUE, Tokenizer, glued
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


class Encoder:
    """Conversations as token ids with the loss weight of each."""

    def __init__(self, path: Path) -> None:
        self.tokenizer = Tokenizer(path)
        self.n_tokens = self.tokenizer.vocab_size

    def encode(self, sample: Sample) -> tuple[list[int], list[float]]:
        """The ids, and for each the weight of having to write it."""
        ids: list[int] = []
        weights: list[float] = []
        for special, text, weight in sample.parts:
            if special is not None:
                ids.append(self.tokenizer.special[special])
                weights.append(1.0 if special in {"<|end|>", "<|call|>"} else 0.0)
            pieces = self.tokenizer.encode(text)
            ids += pieces
            weights += [weight] * len(pieces)
        return ids, weights


def _without_numbers(text: str) -> str:
    return "".join(" " if char.isdigit() else char for char in text)


def _byte_of() -> dict[str, int]:
    """The byte that each character of the byte-level alphabet stands for (GPT-2's table)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {chr(byte): byte for byte in shown}
    hidden = [byte for byte in range(256) if byte not in shown]
    return table | {chr(256 + index): byte for index, byte in enumerate(hidden)}
