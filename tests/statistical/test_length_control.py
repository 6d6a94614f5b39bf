"""Coverage of the interval of a length-controlled win rate whose truth is known."""

import numpy as np
import pytest

from harness.statistics.length_control import length_controlled

pytestmark = pytest.mark.slow

TRIALS = 600
RESAMPLES = 200
LENGTH_EFFECT = -1.0
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(60)


def _intercept(truth, difficulty_effect):
    """c for which the mean of sigmoid(b d + c) over normal difficulties is `truth`."""
    low, high = -20.0, 20.0
    for _ in range(60):
        c = (low + high) / 2
        mean = WEIGHTS @ (1 / (1 + np.exp(-(difficulty_effect * NODES + c)))) / WEIGHTS.sum()
        low, high = (c, high) if mean < truth else (low, c)
    return c


def _coverage(seed, n, truth, *, difficulty_effect=0.0, size=1):
    """Candidates that write at more length, judges that like it, clusters of equal difficulty."""
    rng = np.random.default_rng(seed)
    c = _intercept(truth, difficulty_effect)
    clusters = None if size == 1 else np.arange(n) // size
    covered = 0
    for trial in range(TRIALS):
        lengths = 300 * rng.standard_t(4, n) - 150
        d = np.repeat(rng.normal(size=n // size), size)
        x = np.tanh(lengths / (300 * np.sqrt(2)))
        chance = 1 / (1 + np.exp(-(LENGTH_EFFECT * x + difficulty_effect * d + c)))
        found = length_controlled(
            (rng.random(n) < chance).astype(float),
            lengths,
            d if difficulty_effect and size == 1 else None,
            clusters=clusters,
            resamples=RESAMPLES,
            seed=trial,
        )
        covered += found.low <= truth <= found.high
    return covered / TRIALS


@pytest.mark.parametrize("truth", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("n", [200, 800])
def test_intervals_cover_the_win_rate_at_equal_lengths(n, truth):
    assert 0.93 <= _coverage(1, n, truth, difficulty_effect=0.8) <= 0.975


def test_intervals_cover_it_in_clusters_whose_difficulty_is_unknown():
    assert 0.93 <= _coverage(2, 800, 0.5, difficulty_effect=0.8, size=5) <= 0.98
