"""What the embedded model's network keeps of the sequences it is reading and writing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.embedded.weights import Config

Floats: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int64]


class Turn(NamedTuple):
    """The tokens of a turn; `whole` if each of them sees all of it, as in a turn that is given.

    `marks` are those of `Tokenizer.marks`, one for each token; none at all stand for zeros.
    """

    tokens: tuple[int, ...]
    whole: bool
    marks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Prefix:
    """The state after the first tokens of a sequence, for others to go on from; see `Slots`.

    Keys and values (layer, h, n, w), the copy head's keys (n, d_copy).
    """

    keys: Floats
    values: Floats
    before: Floats
    copy_keys: Floats
    copy_before: Floats
    tokens: Ints

    @property
    def n(self) -> int:
        """How many tokens."""
        return len(self.tokens)

    @property
    def nbytes(self) -> int:
        """Bytes it takes."""
        return sum(array.nbytes for array in (self.keys, self.values, self.before, self.copy_keys))


class Slots:
    """What is kept of `n` sequences, so that no token is read twice.

    `n` is a multiple of the rows that a step computes at once.

    A sequence may go on from a prefix, which stays where it is: several share it, and then it is
    read from memory once for all of them. Of its own tokens, a slot holds keys and values (layer,
    s, h, max_tokens, w) and the copy head's keys (s, max_tokens, d_copy). Of the whole sequence it
    holds the tokens, their number, the last inputs of each convolution (layer, attention or
    feed-forward, width - 1, s, d), the last token's part of the copy head's next key (s, d_copy)
    and its state (s, d).
    """

    def __init__(self, config: Config, n: int) -> None:
        c = config
        self.n = n
        self.empty = Prefix(
            np.zeros((c.n_layers, c.n_heads, 0, c.head_dim), np.float32),
            np.zeros((c.n_layers, c.n_heads, 0, c.head_dim), np.float32),
            np.zeros((c.n_layers, 2, c.conv_width - 1, c.d_model), np.float32),
            np.zeros((0, c.d_copy), np.float32),
            np.zeros(c.d_copy, np.float32),
            np.zeros(0, np.int64),
        )
        self.prefixes = [self.empty] * n
        shape = (c.n_layers, n, c.n_heads, c.max_tokens, c.head_dim)
        self.keys = np.zeros(shape, np.float32)
        self.values = np.zeros(shape, np.float32)
        self.copy_keys = np.zeros((n, c.max_tokens, c.d_copy), np.float32)
        self.before = np.zeros((c.n_layers, 2, c.conv_width - 1, n, c.d_model), np.float32)
        self.copy_before = np.zeros((n, c.d_copy), np.float32)
        self.tokens = np.zeros((n, c.max_tokens), np.int64)
        self.lengths = np.zeros(n, np.int64)
        self.states = np.zeros((n, c.d_model), np.float32)

    def start(self, slot: int, prefix: Prefix | None = None) -> None:
        """A new sequence, with or without a beginning."""
        prefix = prefix or self.empty
        self.prefixes[slot] = prefix
        self.before[:, :, :, slot] = prefix.before
        self.copy_before[slot] = prefix.copy_before
        self.tokens[slot, : prefix.n] = prefix.tokens
        self.lengths[slot] = prefix.n

    def saved(self, slot: int) -> Prefix:
        """A copy of a sequence as it is."""
        prefix, n = self.prefixes[slot], int(self.lengths[slot])
        own = n - prefix.n
        return Prefix(
            np.concatenate([prefix.keys, self.keys[:, slot, :, :own]], axis=2),
            np.concatenate([prefix.values, self.values[:, slot, :, :own]], axis=2),
            self.before[:, :, :, slot].copy(),
            np.concatenate([prefix.copy_keys, self.copy_keys[slot, :own]]),
            self.copy_before[slot].copy(),
            self.tokens[slot, :n].copy(),
        )
