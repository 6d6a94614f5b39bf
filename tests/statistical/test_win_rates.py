"""Simulations of win rates, of agreement, and of win rates corrected for a judge's errors."""

import numpy as np
import pytest

from harness.statistics.agreement import agree
from harness.statistics.bradley_terry import bradley_terry
from harness.statistics.estimates import mean_estimate
from harness.statistics.judge_error import corrected_rate
from harness.statistics.win_rates import win_rate_estimate

pytestmark = pytest.mark.slow

TRIALS = 3000
CORRELATION = 0.3
RATES = {  # win rate: share of ties
    0.05: 0.03,  # 30 % of the examples that are no plain loss; 0.10 at most can be
    0.15: 0.30,  # not one win
    0.50: 0.30,
    0.85: 0.30,
    0.95: 0.03,
}


def _win_rates(rng, rate, size, n):
    """Data sets (TRIALS, n) of 0, 0.5 and 1; in clusters of `size`, Dirichlet-multinomial."""
    ties = RATES[rate]
    shares = np.array([1 - rate - ties / 2, ties, rate - ties / 2])
    if size > 1:
        weight = (1 - CORRELATION) / CORRELATION
        gammas = rng.standard_gamma(np.maximum(shares * weight, 1e-12), (TRIALS, n // size, 3))
        shares = np.repeat(gammas / gammas.sum(axis=2, keepdims=True), size, axis=1)
    reached = np.cumsum(np.broadcast_to(shares, (TRIALS, n, 3)), axis=2)
    drawn = rng.random((TRIALS, n))
    return ((drawn > reached[..., 0]).astype(float) + (drawn > reached[..., 1])) / 2


def _cells():
    rng = np.random.default_rng(20261201)
    for rate in RATES:
        for size in (1, 5):
            for n in (100, 400):
                clusters = None if size == 1 else np.arange(n, dtype=np.int32) // size
                yield (rate, size, n), _win_rates(rng, rate, size, n), clusters


def _covered(estimates, truth):
    return np.mean([e.low - 1e-12 <= truth <= e.high + 1e-12 for e in estimates])


def _coverage(estimate, data, clusters, truth):
    if clusters is not None:
        return _covered((estimate(row, clusters) for row in data), truth)
    # Without clusters only the counts of wins and ties matter, and few differ.
    rows, often = np.unique(np.sort(data, axis=1), axis=0, return_counts=True)
    return np.average([_covered([estimate(row, None)], truth) for row in rows], weights=often)


def test_win_rate_intervals_cover_93_to_97_per_cent():
    ours, general = {}, {}
    for cell, data, clusters in _cells():
        ours[cell] = _coverage(
            lambda row, by: win_rate_estimate(row, by, 0.95), data, clusters, cell[0]
        )
        general[cell] = _coverage(
            lambda row, by: mean_estimate(row, by, (0.0, 1.0), 0.95), data[:1000], clusters, cell[0]
        )
    for name, cells in (("win_rate_estimate", ours), ("mean_estimate", general)):
        print(name, {cell: round(float(value), 4) for cell, value in cells.items()})  # noqa: T201
    assert len(ours) == 20
    assert min(ours.values()) >= 0.93, ours
    assert max(ours.values()) <= 0.97, ours
    # The general interval is wider than need be where few clusters hold rare wins.
    assert general[0.05, 5, 100] > 0.97
    assert general[0.95, 5, 100] > 0.97


@pytest.mark.parametrize("sizes", [(50, 50), (200, 100)])
def test_corrected_rates_cover(sizes):
    rng = np.random.default_rng(20261202)
    cells = {}
    for judge in ((0.9, 0.9), (0.8, 0.7), (0.95, 0.75)):
        for truth in (0.05, 0.2, 0.5, 0.8, 0.95):
            for n in (100, 400):
                seen = judge[0] * truth + (1 - judge[1]) * (1 - truth)
                rates = rng.binomial(n, seen, TRIALS) / n
                hits = rng.binomial(sizes[0], judge[0], TRIALS) / sizes[0]
                rejections = rng.binomial(sizes[1], judge[1], TRIALS) / sizes[1]
                found = [
                    corrected_rate(rate, rate * (1 - rate) / (n - 1), se, sp, *sizes, 0.95)
                    for rate, se, sp in zip(rates, hits, rejections, strict=True)
                ]
                known = [e for e in found if e is not None and e.low is not None]
                assert len(known) > 0.999 * TRIALS
                cells[judge, truth, n] = _covered(known, truth)
    worst = sorted((value, cell) for cell, value in cells.items())
    print(f"{sizes}: {worst[0]} to {worst[-1]}, mean {np.mean(list(cells.values()))}")  # noqa: T201
    assert worst[0][0] >= 0.93
    # A sensitivity of 0.95 from 50 items is moved towards 1/2 by more than need be.
    assert worst[-1][0] <= (0.97 if min(sizes) >= 100 else 0.985)
    assert 0.945 <= np.mean(list(cells.values())) <= 0.965


@pytest.mark.parametrize(("n_clusters", "size"), [(60, 1), (200, 1), (60, 5)])
def test_kappa_intervals_cover(n_clusters, size):
    """Three labels at 0.6, 0.3, 0.1; by cluster, raters share a verdict more or less often."""
    rng = np.random.default_rng(20261203)
    shares = np.array([0.6, 0.3, 0.1])
    truth = 0.5  # with equal margins, kappa is the chance that a verdict is shared
    n = n_clusters * size
    clusters = None if size == 1 else np.arange(n) // size
    hits = 0
    for _ in range(800):
        shared = rng.random(n) < np.repeat(rng.beta(2.0, 2.0, n_clusters), size)
        a, b = rng.choice(3, (2, n), p=shares)
        found = agree(a, np.where(shared, a, b), 3, clusters, resamples=400)
        hits += found.kappa_low <= truth <= found.kappa_high
    print(f"kappa, {n_clusters} clusters of {size}: {hits / 800:.4f}")  # noqa: T201
    assert 0.92 <= hits / 800 <= 0.975


def test_ranking_intervals_cover_with_votes_that_go_together():
    """Six players, 80 examples of 15 votes; an example favours some players over others."""
    rng = np.random.default_rng(20261204)
    ability = np.array([0.9, 0.5, 0.45, 0.0, -0.7, -1.15])
    ability -= ability.mean()
    first, second = (np.tile(side, 80) for side in np.triu_indices(6, 1))
    clusters = np.repeat(np.arange(80), 15)
    truth = _marginal_ability(rng, ability)
    trials, inside, short, ranked = 600, np.zeros(6), np.zeros(6), 0
    for _ in range(trials):
        shifted = ability + rng.normal(0, 0.8, (80, 6))
        gap = shifted[clusters, first] - shifted[clusters, second]
        preference = (rng.random(len(first)) > 1 / (1 + np.exp(-gap))).astype(float)
        found = bradley_terry(first, second, preference, 6, clusters=clusters, resamples=300)
        inside += (found.low <= truth) & (truth <= found.high)
        half = 1.96 * found.standard_error
        short += np.abs(found.ability - truth) <= half
        ranked += (found.rank_low <= np.arange(1, 7)).all() and (
            found.rank_high >= np.arange(1, 7)
        ).all()
    print(f"by cluster {inside / trials}, by vote {short / trials}, ranks {ranked / trials}")  # noqa: T201
    assert 0.93 <= inside.mean() / trials <= 0.965
    assert (inside / trials >= 0.91).all()
    assert short.mean() < inside.mean() - 0.02 * trials  # errors by vote are too small
    assert ranked / trials >= 0.93


def _marginal_ability(rng, ability):
    """What the model tends to when examples shift the abilities: a fit of a great many votes."""
    first, second = np.triu_indices(6, 1)
    shifted = ability + rng.normal(0, 0.8, (50_000, 6))
    share = (1 / (1 + np.exp(shifted[:, first] - shifted[:, second]))).mean(axis=0)
    return bradley_terry(first, second, share, 6, resamples=1).ability
