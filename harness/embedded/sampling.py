"""The choice of the next token."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a token is drawn: the likeliest at temperature 0, which all else has no part in.

    `top_k` and `top_p` keep the likeliest tokens: so many, and as many as together reach that
    probability. Without a `seed`, the operating system's randomness is drawn from.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int | None = None
    seed: int | None = None


GREEDY = Sampling()


class Sampler:
    """Draws the tokens of one answer, one after another."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._generator = np.random.default_rng(sampling.seed)

    def draw(self, probabilities: NDArray[np.float32]) -> int:
        """A token. Of equally likely ones, the first is the likelier."""
        sampling = self._sampling
        if sampling.temperature == 0:
            return int(probabilities.argmax())
        order = np.argsort(-probabilities, kind="stable")[: sampling.top_k]
        with np.errstate(divide="ignore"):
            scores = np.log(probabilities[order].astype(np.float64)) / sampling.temperature
        weights = np.exp(scores - scores[0])
        mass = np.cumsum(weights / weights.sum())
        n_kept = int(np.searchsorted(mass, sampling.top_p)) + 1
        kept = mass[:n_kept]
        point = self._generator.random() * kept[-1]
        drawn = int(np.searchsorted(kept, point, side="right"))
        return int(order[min(drawn, len(kept) - 1)])
