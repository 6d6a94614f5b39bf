"""Win rates with ties, and the sign test."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from harness.statistics.binomial import wilson
from harness.statistics.estimates import mean_estimate
from harness.statistics.win_rates import sign_test, win_rate_estimate


def _values(seed, n, shares=(0.3, 0.3, 0.4)):
    return np.random.default_rng(seed).choice([0.0, 0.5, 1.0], n, p=shares)


@pytest.mark.parametrize(("wins", "losses"), [(8, 2), (2, 8), (5, 5), (1, 0), (300, 240)])
def test_sign_test_is_scipys_exact_one(wins, losses):
    expected = binomtest(wins, wins + losses).pvalue
    assert sign_test(wins, losses) == pytest.approx(expected, rel=1e-9)


def test_sign_test_without_a_win_or_a_loss_shows_nothing():
    assert sign_test(0, 0) == 1.0
    with pytest.raises(ValueError, match="at least 0"):
        sign_test(-1, 3)


def test_without_ties_a_large_sample_has_wilsons_interval():
    values = np.repeat([0.0, 1.0], [1200, 2800])
    found = win_rate_estimate(values, None, 0.95)
    assert found.value == 0.7
    assert (found.low, found.high) == pytest.approx(wilson(2800, 4000, 0.95), abs=2e-5)


def test_ties_narrow_the_interval_as_they_lower_the_variance():
    values = _values(1, 4000, (0.35, 0.3, 0.35))
    found = win_rate_estimate(values, None, 0.95)
    half = 1.96 * values.std(ddof=1) / np.sqrt(4000)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.01)
    low, high = wilson(values.sum(), 4000, 0.95)
    assert found.high - found.low < 0.9 * (high - low)


def test_standard_error_and_value_are_mean_estimates():
    values, clusters = _values(2, 90), np.arange(90, dtype=np.int32) // 6
    ours = win_rate_estimate(values, clusters, 0.95)
    general = mean_estimate(values, clusters, (0.0, 1.0), 0.95)
    assert ours.value == general.value
    assert ours.standard_error == pytest.approx(general.standard_error, rel=1e-12)


def test_examples_that_go_together_tell_less():
    values = np.repeat(_values(3, 80), 5)
    together = win_rate_estimate(values, np.arange(400, dtype=np.int32) // 5, 0.95)
    apart = win_rate_estimate(values, None, 0.95)
    once = win_rate_estimate(values[::5], None, 0.95)
    assert together.high - together.low > 2 * (apart.high - apart.low)
    assert together.high - together.low == pytest.approx(once.high - once.low, rel=0.02)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_verdicts_all_alike_still_have_a_width(value):
    found = win_rate_estimate(np.full(50, value), None, 0.95)
    assert found.low <= value <= found.high
    assert 0.05 < found.high - found.low < 0.3


def test_one_cluster_has_no_interval():
    found = win_rate_estimate(_values(4, 10), np.zeros(10, dtype=np.int32), 0.95)
    assert (found.low, found.high) == (None, None)
    assert win_rate_estimate(np.ones(1), None, 0.95).low is None


@pytest.mark.parametrize("values", [[], [0.5, 1.2], [np.nan, 1.0]])
def test_what_is_no_win_rate_is_refused(values):
    with pytest.raises(ValueError, match="between 0 and 1"):
        win_rate_estimate(np.array(values), None, 0.95)


@settings(deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=60), st.integers(1, 4))
def test_seen_from_the_other_side_wins_are_losses(verdicts, size):
    values = np.array(verdicts)
    clusters = np.arange(len(values), dtype=np.int32) // size
    ours = win_rate_estimate(values, clusters, 0.95)
    theirs = win_rate_estimate(1 - values, clusters, 0.95)
    if clusters.max() == 0:
        assert ours.low is theirs.low is None
        return
    assert 0 <= ours.low <= ours.value <= ours.high <= 1
    assert ours.low < ours.high
    assert (ours.low, ours.high) == pytest.approx((1 - theirs.high, 1 - theirs.low), abs=1e-9)
