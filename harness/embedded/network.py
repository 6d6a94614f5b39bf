"""The embedded model's network in numpy: a decoder with a copy head, computed in float32.

A turn that is given is read as a whole: each of its tokens sees all of it and all turns before
(prefix language model: Raffel et al., T5, 2020, section 3.2.1). What is written sees what
is before.

RMSNorm, rotary positions, queries and keys normed per head, SwiGLU, tied embeddings; before
attention and before the feed-forward part, a causal convolution of a few tokens of the same turn,
channel by channel (So et al., Primer, 2021). Two learned vectors tell a token of a message whether
it is of the last line, or stands there too (see `Tokenizer.marks`). The next token comes from a
mixture of the vocabulary's softmax and of attention over the tokens read so far, which a sentinel
weighs (Merity et al., Pointer Sentinel Mixture Models, 2016).

A sequence's numbers are the same bits whatever runs beside it and wherever its slot is. A prompt is
computed for itself. In a step, every product with a weight matrix or a prefix is cut into tiles of
one shape, padded with rows that are not read, for BLAS may add in another order where the shape is
another. Small tiles are also faster there: BLAS does not pack them. 8 rows, because BLAS computes
16 rows on some CPUs as 12 and 4 (measured with OpenBLAS 0.3.31 and `OPENBLAS_CORETYPE`: 8 rows are
alike on all of its x86 kernels).

Letters: n tokens, d width of the model, h heads, w width of a head, s slots, v vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from harness.embedded.slots import Floats, Ints, Prefix, Slots, Turn
from harness.embedded.weights import Config, Weights

STEP_ROWS = 8
_TILE_COLUMNS = 64
_EPS = np.finfo(np.float32).eps


class Matrix:
    """A weight matrix W (out, in), kept so that x Wᵀ is a row of small products, and as a whole."""

    def __init__(self, weight: Floats) -> None:
        n_out, n_in = weight.shape
        self._columns = math.gcd(n_out, _TILE_COLUMNS)
        blocks = weight.reshape(n_out // self._columns, self._columns, n_in)
        self._blocks = np.ascontiguousarray(blocks.transpose(0, 2, 1))
        self._whole = np.ascontiguousarray(weight.T)
        self._n_out = n_out

    def __call__(self, x: Floats, rows: int | None = None) -> Floats:
        """X Wᵀ, `rows` rows at a time or all at once; x (n, in), n a multiple of `rows`."""
        if rows is None:
            whole: Floats = x @ self._whole
            return whole
        n, n_in = x.shape
        product = np.empty((n, self._n_out), np.float32)
        tiles = product.reshape(n // rows, rows, -1, self._columns).transpose(0, 2, 1, 3)
        np.matmul(x.reshape(n // rows, 1, rows, n_in), self._blocks, out=tiles)
        return product


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer's weights.

    `attn_taps` and `mlp_taps` (width, d) are a convolution with the norm before it and the
    residual beside it; `qk_norm` (2h, w) the norms of queries, over sqrt(w), and of keys.
    """

    attn_taps: Floats
    qkv: Matrix
    qk_norm: Floats
    out: Matrix
    mlp_taps: Floats
    gate_up: Matrix
    down: Matrix


class Network:
    """The network with its weights. Keeps nothing of a sequence: that is in `Slots`."""

    def __init__(self, config: Config, weights: Weights) -> None:
        """Take a model's arrays by name.

        Raises:
            ValueError: if one is missing.
        """
        self.config = config
        try:
            self._layers = [_layer(config, weights, i) for i in range(config.n_layers)]
            self._embed = weights["embed"] * np.float32(math.sqrt(config.d_model))
            self._marks = np.pad(weights["marks"], ((1, 0), (0, 0)))
            norm = weights["norm"]
            self._vocabulary = Matrix(weights["embed"] * norm)
            query = weights["copy_query"] * norm / np.float32(math.sqrt(config.d_copy))
            self._copy_query = Matrix(query)
            both = np.concatenate([weights["copy_key"], weights["copy_key_before"]])
            self._copy_keys = Matrix(both * norm)
            self._sentinel = weights["sentinel"] * norm
            self._sentinel_bias = weights["sentinel_bias"]
        except KeyError as error:
            raise ValueError(f"the weights hold no {error.args[0]}") from None
        self._cos, self._sin = _rotations(config)

    def prefill(self, slots: Slots, slot: int, turns: Sequence[Turn]) -> None:
        """Read turns, at least one, at the end of a sequence whose last turn is over."""
        prefix, at = slots.prefixes[slot], int(slots.lengths[slot])
        tokens = [token for turn in turns for token in turn.tokens]
        n = len(tokens)
        past, end = at - prefix.n, at - prefix.n + n  # among the slot's own tokens
        slots.tokens[slot, at : at + n] = tokens
        x = self._embed[slots.tokens[slot, at : at + n]]
        x += self._marks[[mark for turn in turns for mark in turn.marks or (0,) * len(turn.tokens)]]
        starts, sees = _spread(turns, at)
        for i, layer in enumerate(self._layers):
            h = _convolved(_normed(x), layer.attn_taps, slots.before[i, 0, :, slot], starts)
            q, k, v = self._heads(layer, h, None, slice(at, at + n))
            keys, values = slots.keys[i, slot], slots.values[i, slot]
            keys[:, past:end], values[:, past:end] = k.swapaxes(0, 1), v.swapaxes(0, 1)
            read = _attended(
                q,
                np.concatenate([prefix.keys[i], keys[:, :end]], axis=1),
                np.concatenate([prefix.values[i], values[:, :end]], axis=1),
                sees,
            )
            x += layer.out(read)
            h = _convolved(_normed(x), layer.mlp_taps, slots.before[i, 1, :, slot], starts)
            x += _fed_forward(layer, h, None)
        h = _normed(x)
        own, following = np.split(self._copy_keys(h), 2, axis=1)
        slots.copy_before[slot] = following[-1]
        following[np.array(starts[1:], np.int64) - 1] = 0
        own[1:] += following[:-1]
        slots.copy_keys[slot, past:end] = own
        slots.states[slot] = h[-1]
        slots.lengths[slot] = at + n

    def step(self, slots: Slots, tokens: Sequence[int], rows: Sequence[int]) -> None:
        """Read one token for each of the sequences in the slots `rows`.

        Meanwhile, other threads may read turns into other slots.
        """
        index = np.array(rows)
        n, at = _padded(rows), slots.lengths.copy()
        own = np.array([at[row] - slots.prefixes[row].n for row in rows])
        all_tokens = np.zeros(n, np.int64)
        all_tokens[index] = tokens
        spans = _Spans(slots, rows, own + 1)
        x = self._embed[all_tokens]
        for i, layer in enumerate(self._layers):
            h = _shifted(_normed(x), layer.attn_taps, slots.before[i, 0], index)
            q, k, v = self._heads(layer, h, STEP_ROWS, at[:n])
            slots.keys[i, index, :, own] = k[index]
            slots.values[i, index, :, own] = v[index]
            x += layer.out(spans.attended(q, slots, i), STEP_ROWS)
            h = _shifted(_normed(x), layer.mlp_taps, slots.before[i, 1], index)
            x += _fed_forward(layer, h, STEP_ROWS)
        h = _normed(x)
        keys, following = np.split(self._copy_keys(h, STEP_ROWS), 2, axis=1)
        slots.copy_keys[index, own] = keys[index] + slots.copy_before[index]
        slots.copy_before[index] = following[index]
        slots.states[index] = h[index]
        slots.tokens[index, at[index]] = tokens
        slots.lengths[index] += 1

    def next_tokens(self, slots: Slots, rows: Sequence[int]) -> Floats:
        """The probability of every next token of each sequence, (rows, v)."""
        states = slots.states[: _padded(rows)]
        p = self._vocabulary(states, STEP_ROWS)[rows]
        p -= p.max(axis=1, keepdims=True)
        np.exp(p, out=p)
        p /= p.sum(axis=1, keepdims=True)
        queries = self._copy_query(states, STEP_ROWS)
        sentinels = np.vecdot(states, self._sentinel) + self._sentinel_bias
        for i, row in enumerate(rows):
            prefix, n = slots.prefixes[row], slots.lengths[row]
            scores = np.empty(n + 1, np.float32)
            scores[0] = sentinels[row]
            np.matmul(prefix.copy_keys, queries[row], out=scores[1 : prefix.n + 1])
            own = slots.copy_keys[row, : n - prefix.n]
            np.matmul(own, queries[row], out=scores[prefix.n + 1 :])
            scores -= scores.max()
            np.exp(scores, out=scores)
            scores /= scores.sum()
            p[i] *= scores[0]
            np.add.at(p[i], slots.tokens[row, :n], scores[1:])
        return p

    def _heads(
        self, layer: _Layer, h: Floats, rows: int | None, at: slice | Ints
    ) -> tuple[Floats, Floats, Floats]:
        """Queries, keys and values, each (n, h, w), of tokens at the positions `at`."""
        c = self.config
        qkv = layer.qkv(h, rows).reshape(len(h), 3 * c.n_heads, c.head_dim)
        qk = _normed(qkv[:, : 2 * c.n_heads])
        qk *= layer.qk_norm
        cos, sin = self._cos[at], self._sin[at]
        half = c.head_dim // 2
        a, b = qk[:, :, :half], qk[:, :, half:]
        turned = np.empty_like(qk)
        np.subtract(a * cos, b * sin, out=turned[:, :, :half])
        np.add(b * cos, a * sin, out=turned[:, :, half:])
        return turned[:, : c.n_heads], turned[:, c.n_heads :], qkv[:, 2 * c.n_heads :]


def _attended(q: Floats, keys: Floats, values: Floats, sees: Ints) -> Floats:
    """Attention of a sequence's last tokens, q (n, h, w), each to the first `sees`: (n, d).

    Keys and values (h, all, w).
    """
    n_keys = keys.shape[1]
    scores = q.transpose(1, 0, 2) @ keys.transpose(0, 2, 1)
    first = int(sees.min())
    hidden = np.arange(first, n_keys) >= sees[:, None]
    scores[:, :, first:][:, hidden] = -np.inf
    scores -= scores.max(axis=2, keepdims=True)
    np.exp(scores, out=scores)
    read: Floats = np.matmul(scores, values)
    read /= scores.sum(axis=2, keepdims=True)
    return read.transpose(1, 0, 2).reshape(len(q), -1)


class _Spans:
    """Where the scores of each sequence lie in one row of numbers: prefix, then its own."""

    def __init__(self, slots: Slots, rows: Sequence[int], own: Ints) -> None:
        """Lay out `own` numbers and those of the prefix of every sequence."""
        prefixes = [slots.prefixes[row] for row in rows]
        self._lengths = own + np.array([prefix.n for prefix in prefixes], np.int64)
        edges = np.concatenate([[0], np.cumsum(self._lengths)])
        self._starts = edges[:-1]
        self._total = int(edges[-1])
        spans = zip(rows, prefixes, pairwise(edges.tolist()), strict=True)
        self._spans = [(row, a + prefix.n, b) for row, prefix, (a, b) in spans]
        self._shared = _shared(rows, prefixes, edges.tolist())

    def attended(self, q: Floats, slots: Slots, layer: int) -> Floats:
        """Attention of one token of each sequence, q (s, h, w): (s, d)."""
        keys, values = slots.keys[layer], slots.values[layer]
        scores = np.empty((q.shape[1], self._total), np.float32)
        columns = scores[:, :, None]
        for prefix, rows, places in self._shared:
            queries = np.zeros((STEP_ROWS, *q.shape[1:]), np.float32)
            queries[: len(rows)] = q[rows]
            found = queries.transpose(1, 0, 2) @ prefix.keys[layer].transpose(0, 2, 1)
            for i, a in enumerate(places):
                scores[:, a : a + prefix.n] = found[:, i]
        for row, middle, b in self._spans:
            query = q[row][:, :, None]
            np.matmul(keys[row, :, : b - middle], query, out=columns[:, middle:b])
        scores -= np.repeat(
            np.maximum.reduceat(scores, self._starts, axis=1), self._lengths, axis=1
        )
        np.exp(scores, out=scores)
        sums = np.add.reduceat(scores, self._starts, axis=1)
        read = np.zeros((len(q), q.shape[1], 1, q.shape[2]), np.float32)
        lines = scores[:, None, :]
        for row, middle, b in self._spans:
            np.matmul(lines[:, :, middle:b], values[row, :, : b - middle], out=read[row])
        for prefix, rows, places in self._shared:
            weights = np.zeros((q.shape[1], STEP_ROWS, prefix.n), np.float32)
            for i, a in enumerate(places):
                weights[:, i] = scores[:, a : a + prefix.n]
            found = weights @ prefix.values[layer]
            read[rows, :, 0] += found[:, : len(rows)].transpose(1, 0, 2)
        read[[row for row, _, _ in self._spans]] /= sums.T[:, :, None, None]
        return read.reshape(len(q), -1)


_Shared: TypeAlias = list[tuple[Prefix, list[int], list[int]]]


def _shared(rows: Sequence[int], prefixes: Sequence[Prefix], places: Sequence[int]) -> _Shared:
    """Prefixes, each with at most as many of its rows as a step computes at once.

    With the rows go the places where their scores begin. So a prefix is read once for all of them.
    """
    found: _Shared = []
    open_: dict[int, int] = {}
    for row, prefix, place in zip(rows, prefixes, places, strict=False):
        if not prefix.n:
            continue
        at = open_.get(id(prefix))
        if at is None or len(found[at][1]) == STEP_ROWS:
            at = open_[id(prefix)] = len(found)
            found.append((prefix, [], []))
        found[at][1].append(row)
        found[at][2].append(place)
    return found


def _padded(rows: Sequence[int]) -> int:
    """How many slots must be computed so that all of `rows` are."""
    return -(-(max(rows) + 1) // STEP_ROWS) * STEP_ROWS


def _fed_forward(layer: _Layer, h: Floats, rows: int | None) -> Floats:
    gate, up = np.split(layer.gate_up(h, rows), 2, axis=1)
    hidden = np.exp(-gate)
    hidden += 1
    np.divide(gate, hidden, out=hidden)
    hidden *= up
    return layer.down(hidden, rows)


def _normed(x: Floats) -> Floats:
    """RMSNorm without a weight, over the last axis."""
    scale: Floats = np.vecdot(x, x)[..., None]
    scale /= x.shape[-1]
    scale += _EPS
    np.sqrt(scale, out=scale)
    normed: Floats = x / scale
    return normed


def _spread(turns: Sequence[Turn], at: int) -> tuple[list[int], Ints]:
    """Where turns start, and how many tokens of the sequence each of their tokens sees.

    The first turn begins at `at`.
    """
    starts, n = [], 0
    sees = np.arange(at + 1, at + 1 + sum(len(turn.tokens) for turn in turns))
    for turn in turns:
        starts.append(n)
        n += len(turn.tokens)
        if turn.whole:
            sees[starts[-1] : n] = at + n
    return starts, sees


def _convolved(x: Floats, taps: Floats, before: Floats, starts: Sequence[int]) -> Floats:
    """The convolution of the rows of x, tokens of turns that begin at `starts`.

    `before` (width - 1, d) becomes the last turn's last rows.
    """
    width = len(taps)
    total: Floats = x * taps[0]
    for j in range(1, width):
        product = x[:-j] * taps[j]
        for start in starts:
            product[max(start - j, 0) : start] = 0
        total[j:] += product
    kept = x[max(len(x) - width + 1, starts[-1]) :]
    before[...] = 0
    before[len(before) - len(kept) :] = kept
    return total


def _shifted(x: Floats, taps: Floats, before: Floats, index: Ints) -> Floats:
    """The convolution of one token of each sequence; x (n, d), `before` (width - 1, s, d).

    `before` goes on in the slots `index` only.
    """
    total: Floats = x * taps[0]
    for j in range(1, len(taps)):
        total += before[-j, : len(x)] * taps[j]
    before[:-1, index] = before[1:, index]
    before[-1, index] = x[index]
    return total


def _layer(config: Config, weights: Weights, i: int) -> _Layer:
    def of(name: str) -> Floats:
        return weights[f"layers.{i}.{name}"]

    scale = np.float32(1 / math.sqrt(config.head_dim))
    norms = [of("q_norm") * scale] * config.n_heads + [of("k_norm")] * config.n_heads
    return _Layer(
        attn_taps=_taps(of("attn_conv"), of("attn_norm")),
        qkv=Matrix(of("qkv")),
        qk_norm=np.stack(norms),
        out=Matrix(of("out")),
        mlp_taps=_taps(of("mlp_conv"), of("mlp_norm")),
        gate_up=Matrix(of("gate_up")),
        down=Matrix(of("down")),
    )


def _taps(conv: Floats, norm: Floats) -> Floats:
    """Norm's weight, convolution and residual in one: all three are linear."""
    taps = conv.copy()
    taps[0] += 1
    taps *= norm
    return taps


def _rotations(config: Config) -> tuple[Floats, Floats]:
    """Cosines and sines by position, each (max_tokens, 1, w / 2)."""
    half = config.head_dim // 2
    turns = config.rope_base ** (-np.arange(half) / half)
    turns[int(half * config.rope_share) :] = 0.0
    angles = np.arange(config.max_tokens)[:, None, None] * turns
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
