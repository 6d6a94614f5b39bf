"""The embedded model's network as its formulas say, in float64, without cache, tiles or batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.embedded.slots import Turn


def probabilities(
    config: Mapping[str, Any], weights: Mapping[str, Any], turns: Sequence[Turn]
) -> Any:
    """The probability of every next token after each of those of the turns, (n, vocabulary)."""
    tokens = [token for turn in turns for token in turn.tokens]
    place = [(i, j) for i, turn in enumerate(turns) for j in range(len(turn.tokens))]
    w = {name: array.astype(np.float64) for name, array in weights.items()}
    n, d, n_heads = len(tokens), config["d_model"], config["n_heads"]
    width = d // n_heads
    later = np.triu(np.full((n, n), -np.inf), 1)
    for a, (turn, _) in enumerate(place):
        for b, (other, _) in enumerate(place):
            if turn == other and turns[turn].whole:
                later[a, b] = 0
    x = w["embed"][list(tokens)] * np.sqrt(d)
    marks = [mark for turn in turns for mark in turn.marks or [0] * len(turn.tokens)]
    x = x + np.concatenate([np.zeros((1, d)), w["marks"]])[marks]
    for i in range(config["n_layers"]):
        layer = {key.split(".", 2)[2]: v for key, v in w.items() if key.startswith(f"layers.{i}.")}
        h = _convolved(_normed(x) * layer["attn_norm"], layer["attn_conv"], place)
        q, k, v = np.split(h @ layer["qkv"].T, 3, axis=1)
        heads = []
        for j in range(n_heads):
            own = slice(j * width, (j + 1) * width)
            query = _turned(_normed(q[:, own]) * layer["q_norm"], config)
            key = _turned(_normed(k[:, own]) * layer["k_norm"], config)
            heads.append(_softmax(query @ key.T / np.sqrt(width) + later) @ v[:, own])
        x = x + np.concatenate(heads, axis=1) @ layer["out"].T
        h = _convolved(_normed(x) * layer["mlp_norm"], layer["mlp_conv"], place)
        gate, up = np.split(h @ layer["gate_up"].T, 2, axis=1)
        x = x + (gate / (1 + np.exp(-gate)) * up) @ layer["down"].T
    return _mixture(config, w, _normed(x) * w["norm"], tokens, (place, later))


def _mixture(config: Any, w: Any, h: Any, tokens: Sequence[int], seen: Any) -> Any:
    place, later = seen
    before = np.concatenate([np.zeros((1, h.shape[1])), h[:-1]])
    before[[t for t, (_, j) in enumerate(place) if j == 0]] = 0
    keys = h @ w["copy_key"].T + before @ w["copy_key_before"].T
    scores = h @ w["copy_query"].T @ keys.T / np.sqrt(config["d_copy"]) + later
    sentinel = h @ w["sentinel"] + w["sentinel_bias"]
    copied = _softmax(np.concatenate([sentinel[:, None], scores], axis=1))
    found = copied[:, :1] * _softmax(h @ w["embed"].T)
    for t in range(len(tokens)):
        for j in range(len(tokens)):
            found[t, tokens[j]] += copied[t, 1 + j]
    return found


def _normed(x: Any) -> Any:
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1.1920929e-07)


def _convolved(h: Any, taps: Any, place: Sequence[tuple[int, int]]) -> Any:
    total = h.copy()
    for t, (_, at) in enumerate(place):
        for j in range(min(at + 1, len(taps))):
            total[t] += taps[j] * h[t - j]
    return total


def _turned(x: Any, config: Any) -> Any:
    n, width = x.shape
    half = width // 2
    turns = config["rope_base"] ** (-2 * np.arange(half) / width)
    n_turned = int(half * config["rope_share"])
    angles = np.arange(n)[:, None] * np.where(np.arange(half) < n_turned, turns, 0)
    a, b = x[:, :half], x[:, half:]
    cos, sin = np.cos(angles), np.sin(angles)
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=1)


def _softmax(scores: Any) -> Any:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
