"""The choice of the next token."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.embedded.sampling import Sampler, Sampling

P = np.array([0.1, 0.4, 0.0, 0.2, 0.3], np.float32)


def drawn(n: int = 2000, **options: Any) -> Counter[int]:
    sampler = Sampler(Sampling(**{"seed": 1} | options))
    return Counter(sampler.draw(P) for _ in range(n))


def test_the_likeliest_at_temperature_0() -> None:
    assert drawn(temperature=0, top_k=3, top_p=0.1) == {1: 2000}
    assert Sampler(Sampling()).draw(np.array([0.4, 0.4, 0.2], np.float32)) == 0


def test_by_their_probabilities() -> None:
    counts = drawn(temperature=1.0)
    assert counts[2] == 0
    assert [counts[i] / 2000 for i in range(5)] == pytest.approx(P, abs=0.04)


def test_a_lower_temperature_sharpens() -> None:
    wanted = P.astype(np.float64) ** 2
    counts = drawn(temperature=0.5)
    assert [counts[i] / 2000 for i in range(5)] == pytest.approx(wanted / wanted.sum(), abs=0.04)


def test_only_the_likeliest_k_or_p() -> None:
    assert set(drawn(temperature=1.0, top_k=2)) == {1, 4}
    assert set(drawn(temperature=1.0, top_p=0.5)) == {1, 4}
    assert set(drawn(temperature=1.0, top_p=0.01)) == {1}
    assert set(drawn(temperature=5.0, top_p=0.95, top_k=100)) == {0, 1, 3, 4}


def test_the_same_seed_draws_the_same() -> None:
    def sequence(seed: int | None) -> list[int]:
        sampler = Sampler(Sampling(temperature=1.0, seed=seed))
        return [sampler.draw(P) for _ in range(50)]

    assert sequence(5) == sequence(5)
    assert sequence(5) != sequence(6)
    assert sequence(None) != sequence(None)


@given(
    weights=st.lists(st.floats(0, 1, width=32), min_size=2, max_size=20).filter(any),
    temperature=st.floats(1e-6, 5),
    top_p=st.floats(1e-6, 1),
    top_k=st.integers(1, 30),
    seed=st.integers(0, 99),
)
def test_it_never_draws_what_cannot_be(
    weights: list[float], temperature: float, top_p: float, top_k: int, seed: int
) -> None:
    p = np.array(weights, np.float32)
    token = Sampler(Sampling(temperature, top_p, top_k, seed)).draw(p)
    assert p[token] > 0
