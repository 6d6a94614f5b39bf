"""Batches of training tokens: a function of the seed, the rank and the step alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.network import CONV_WIDTH, Layout
from training.samples import numbered
from training.tokens import Encoder, Row
from training.wordings import Wordings

MOST = 1152
"""Tokens of a row; a longer conversation is left out."""

_STEP, _WRITTEN_STEP = 32, 16
"""Rows are padded to a multiple of the first, what is written in them to one of the second."""


@dataclass(frozen=True)
class Batch:
    """Rows of about one length.

    `at` (rows, written) are the places whose next token has to be written, `targets` that token
    and `weights` the loss weight; padded with weight 0. `hints` and `facts` (rows, n) are
    those of `Row`. `n_drawn` is how many conversations had been drawn when the batch was full.
    """

    tokens: Tensor
    layout: Layout
    at: Tensor
    targets: Tensor
    weights: Tensor
    hints: Tensor
    facts: Tensor
    n_drawn: int = 0


@dataclass(frozen=True)
class Share:
    """Which of the processes this is, and how many tokens each reads in a step."""

    rank: int
    n_ranks: int = 2
    n_tokens: int = 4096


def batches(
    words: Wordings, encoder: Encoder, seed: str, phase: int, share: Share
) -> Iterator[Batch]:
    """Endless batches of a phase for one of the processes, each of which draws its own part."""
    waiting: dict[int, list[Row]] = {}
    for number in itertools.count(share.rank, share.n_ranks):
        row = encoder.encode(numbered(words, seed, phase, number))
        length = padded(len(row.ids))
        if length > MOST:
            continue
        rows = waiting.setdefault(length, [])
        rows.append(row)
        if len(rows) == max(1, share.n_tokens // length):
            yield batch(rows, length, number + 1)
            rows.clear()


def padded(n: int, step: int = _STEP) -> int:
    """The next multiple of `step`."""
    return n + -n % step


def batch(rows: Sequence[Row], length: int, n_drawn: int = 0) -> Batch:
    """Rows as tensors."""
    n_rows = len(rows)
    tokens, marks, positions, blocks = (
        torch.zeros(n_rows, length, dtype=torch.long) for _ in range(4)
    )
    threads, hints, facts = (torch.full((n_rows, length), -1) for _ in range(3))
    read = torch.zeros(n_rows, length, dtype=torch.bool)
    for index, row in enumerate(rows):
        n = len(row.ids)
        for whole, own in (
            (tokens, row.ids),
            (marks, row.marks),
            (positions, row.positions),
            (blocks, row.blocks),
            (threads, row.threads),
            (read, row.read),
            (hints, row.hints),
            (facts, row.facts),
        ):
            whole[index, :n] = torch.tensor(own)
    written = [[i for i, w in enumerate(row.weights) if w and i] for row in rows]
    most = padded(max(map(len, written)), _WRITTEN_STEP)
    at, targets = (torch.zeros(n_rows, most, dtype=torch.long) for _ in range(2))
    weights = torch.zeros(n_rows, most)
    for index, (row, places) in enumerate(zip(rows, written, strict=True)):
        n = len(places)
        at[index, :n] = torch.tensor(places) - 1
        targets[index, :n] = torch.tensor([row.ids[place] for place in places])
        weights[index, :n] = torch.tensor([row.weights[place] for place in places])
    layout = Layout(marks, positions, seen(blocks, threads, read), kept(blocks))
    return Batch(tokens, layout, at, targets, weights, hints, facts, n_drawn)


def seen(blocks: Tensor, threads: Tensor, read: Tensor) -> Tensor:
    """What each token sees, (rows, tokens, tokens)."""
    n = blocks.shape[1]
    before = torch.ones(n, n, dtype=torch.bool).tril()
    together = (blocks[:, :, None] == blocks[:, None, :]) & read[:, None, :] & read[:, :, None]
    shared = (threads[:, None, :] == 0) | (threads[:, :, None] == threads[:, None, :])
    return shared & (before | together)


def kept(blocks: Tensor) -> Tensor:
    """Whether the token 1, 2, ... places before each is of the same turn: (width - 1, rows, n)."""
    found = torch.zeros(CONV_WIDTH - 1, *blocks.shape, dtype=torch.bool)
    for back in range(1, CONV_WIDTH):
        found[back - 1, :, back:] = blocks[:, back:] == blocks[:, :-back]
    return found
