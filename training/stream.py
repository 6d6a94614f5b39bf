"""Batches of training tokens: a function of the seed, the rank and the step alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from training.samples import numbered
from training.tokens import Encoder
from training.wordings import Wordings

LENGTHS = (160, 288, 416, 576, 768, 1024)
"""Tokens of a row; a conversation is padded to the next of them, a longer one is left out."""


Row: TypeAlias = tuple[list[int], list[float]]
"""A conversation's ids, and for each the weight of having to write it."""


@dataclass(frozen=True)
class Batch:
    """Rows of one length: tokens, what follows each, and the loss weight of that.

    `n_drawn` is how many conversations had been drawn when it was full.
    """

    tokens: Tensor
    targets: Tensor
    weights: Tensor
    n_drawn: int


@dataclass(frozen=True)
class Share:
    """Which of the processes this is, and how many tokens each reads in a step."""

    rank: int
    n_ranks: int = 2
    n_tokens: int = 4096


def batches(
    words: Wordings, encoder: Encoder, seed: str, phase: int, share: Share
) -> Iterator[Batch]:
    """Endless batches of a phase for one of the processes.

    In each step they share out conversations of one length, so that none waits for another.
    """
    waiting: dict[int, list[Row]] = {length: [] for length in LENGTHS}
    for number in itertools.count():
        row = encoder.encode(numbered(words, seed, phase, number))
        length = row_length(row)
        if length is None:
            continue
        waiting[length].append(row)
        n_rows = share.n_tokens // length
        if len(waiting[length]) == n_rows * share.n_ranks:
            own = waiting[length][share.rank * n_rows : (share.rank + 1) * n_rows]
            yield batch(own, length, number + 1)
            waiting[length] = []


def row_length(row: Row) -> int | None:
    """The length that a conversation is padded to; None if it is too long."""
    return next((length for length in LENGTHS if len(row[0]) <= length + 1), None)


def batch(rows: Sequence[Row], length: int, n_drawn: int = 0) -> Batch:
    """Rows as tensors, padded; what a row's first token follows is never asked."""
    tokens = torch.zeros(len(rows), length, dtype=torch.long)
    targets = torch.zeros(len(rows), length, dtype=torch.long)
    kept = torch.zeros(len(rows), length)
    for index, (ids, weights) in enumerate(rows):
        n = len(ids) - 1
        tokens[index, :n] = torch.tensor(ids[:-1])
        targets[index, :n] = torch.tensor(ids[1:])
        kept[index, :n] = torch.tensor(weights[1:])
    return Batch(tokens, targets, kept, n_drawn)
