"""Means and paired differences of clustered, repeated and bounded values."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.estimates import mean_estimate, paired_estimate

DIFFS = st.lists(st.sampled_from([-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0]), min_size=3, max_size=60)


def _clusters(n, size):
    return np.arange(n, dtype=np.int32) // size


def test_standard_error_is_the_cluster_robust_one_of_statsmodels():
    rng = np.random.default_rng(1)
    values = rng.normal(size=120)
    clusters = rng.integers(0, 17, 120).astype(np.int32)
    fit = sm.OLS(values, np.ones(120)).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False}
    )
    expected = fit.bse[0] * np.sqrt(17 / 16)
    for estimate in (
        mean_estimate(values, clusters, (None, None), 0.95),
        paired_estimate(values, clusters, None, 0.95),
    ):
        assert estimate.standard_error == pytest.approx(expected, rel=1e-9)


def test_large_samples_of_moderate_values_agree_with_students_interval():
    rng = np.random.default_rng(2)
    diffs = rng.normal(0.05, 0.2, 4000).clip(-1, 1)
    estimate = paired_estimate(diffs, None, 1.0, 0.95)
    half = 1.96 * diffs.std(ddof=1) / np.sqrt(4000)
    assert estimate.low == pytest.approx(diffs.mean() - half, abs=0.05 * half)
    assert estimate.high == pytest.approx(diffs.mean() + half, abs=0.05 * half)


@pytest.mark.parametrize("size", [1, 5])
def test_no_difference_seen_still_has_a_width(size):
    clusters = None if size == 1 else _clusters(100, size)
    estimate = paired_estimate(np.zeros(100), clusters, 1.0, 0.95)
    assert estimate.low < -0.01
    assert estimate.high > 0.01


def test_all_right_still_has_a_width():
    estimate = mean_estimate(np.ones(40), _clusters(40, 4), (0.0, 1.0), 0.95)
    assert estimate.value == 1
    assert estimate.low < 0.9
    assert estimate.high == pytest.approx(1)


def test_duplicating_every_example_within_a_cluster_adds_no_information():
    rng = np.random.default_rng(3)
    diffs = rng.choice([-1.0, 0.0, 1.0], 80, p=[0.1, 0.6, 0.3])
    clusters = np.repeat(np.arange(80, dtype=np.int32), 5)
    once = paired_estimate(diffs, None, 1.0, 0.95)
    five = paired_estimate(np.repeat(diffs, 5), clusters, 1.0, 0.95)
    assert five.high - five.low >= 0.95 * (once.high - once.low)


def test_one_cluster_says_nothing_of_the_spread():
    one = np.zeros(20, dtype=np.int32)
    assert mean_estimate(np.arange(20.0), one, (0.0, 20.0), 0.95).low is None
    assert paired_estimate(np.ones(20), one, 1.0, 0.95).high is None


def test_unbounded_constant_values_have_no_interval():
    assert mean_estimate(np.full(9, 3.0), None, (None, None), 0.95).low is None
    assert paired_estimate(np.zeros(9), None, None, 0.95).low is None


@settings(deadline=None)
@given(DIFFS, st.integers(1, 4))
def test_swapping_negates_and_the_estimate_lies_inside(diffs, size):
    values = np.array(diffs)
    clusters = None if size == 1 else _clusters(len(values), size)
    there = paired_estimate(values, clusters, 1.0, 0.95)
    back = paired_estimate(-values, clusters, 1.0, 0.95)
    assert back.value == pytest.approx(-there.value)
    if there.low is not None:
        assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=1e-8)
        assert -1 <= there.low <= there.value <= there.high <= 1
        assert there.high > there.low


@settings(deadline=None)
@given(DIFFS, st.floats(0.1, 100))
def test_the_unit_of_a_metric_does_not_matter(diffs, unit):
    values = np.array(diffs)
    plain = paired_estimate(values, None, 1.0, 0.95)
    scaled = paired_estimate(values * unit, None, unit, 0.95)
    assert scaled.low == pytest.approx(plain.low * unit, abs=1e-6 * unit)


@pytest.mark.parametrize("size", [1e-320, 1e-240, 1e-50, 1e50, 1e99])
def test_values_of_any_size_are_no_crash(size):
    values = np.array([0.0, size, 0.0, size / 3])
    for estimate in (
        mean_estimate(values, None, (None, None), 0.95),
        paired_estimate(values, None, None, 0.95),
    ):
        assert estimate.low is None or estimate.low <= estimate.value <= estimate.high


@pytest.mark.parametrize("difference", [1.0, 0.25, -0.01])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_same_difference_everywhere_is_no_certainty(difference, size):
    """Clustered, repeated or graded: what is rare may not have been seen."""
    clusters = None if size == 1 else _clusters(60, size)
    estimate = paired_estimate(np.full(60, difference), clusters, 1.0, 0.95)
    assert estimate.low < difference - 0.03
    if difference < 1:
        assert estimate.high > difference + 0.01
    assert mean_estimate(np.full(60, 0.5), clusters, (0.0, 1.0), 0.95).low < 0.45


def test_a_known_difference_of_unknown_range_has_no_interval():
    assert paired_estimate(np.full(9, 3.0), None, None, 0.95).low is None


@pytest.mark.parametrize(("n", "chance"), [(20, 0.02), (50, 0.02), (100, 0.02), (100, 0.01)])
def test_rare_catastrophes_among_equal_differences_are_covered(n, chance):
    """Slightly worse everywhere and a disaster now and then: the gate may not be fooled."""
    rng = np.random.default_rng(11)
    truth = -0.01 * (1 - chance) - chance
    lows = []
    for _ in range(600):
        diffs = np.where(rng.random(n) < chance, -1.0, -0.01)
        lows.append(paired_estimate(diffs, None, 1.0, 0.95).low)
    assert np.mean(np.array(lows) > truth) <= 0.03


@pytest.mark.parametrize("n_clusters", [10, 25, 50])
def test_nearly_certain_wins_in_clusters_are_covered(n_clusters):
    rng = np.random.default_rng(12)
    clusters = np.repeat(np.arange(n_clusters, dtype=np.int32), 2)
    hits = 0
    for _ in range(600):
        diffs = (rng.random(2 * n_clusters) < 0.97).astype(float)
        estimate = paired_estimate(diffs, clusters, 1.0, 0.95, binary=True)
        hits += estimate.low <= 0.97 <= estimate.high
    assert hits / 600 >= 0.935


def test_differences_that_cancel_within_every_cluster_are_no_certainty():
    diffs = np.tile([1.0, -1.0], 20)
    estimate = paired_estimate(diffs, _clusters(40, 2), 1.0, 0.95, binary=True)
    plain = paired_estimate(diffs, None, 1.0, 0.95, binary=True)
    assert estimate.high - estimate.low > 0.6 * (plain.high - plain.low)
    values = np.tile([1.0, 0.0], 20)
    assert mean_estimate(values, _clusters(40, 2), (0.0, 1.0), 0.95).low < 0.42
