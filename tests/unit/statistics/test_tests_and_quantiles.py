"""Permutation tests, multiplicity, quantiles and power against independent oracles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from harness.statistics.multiplicity import benjamini_hochberg, holm
from harness.statistics.permutation import sign_flip_p_values
from harness.statistics.power import (
    detectable_difference,
    examples_needed,
    examples_to_show,
    planned_detectable_difference,
)
from harness.statistics.quantiles import quantile_estimate


def _scipy_sign_flip(diffs, resamples=np.inf):
    return stats.permutation_test(
        (diffs,),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        rng=np.random.default_rng(1),
    ).pvalue


def test_few_differing_units_are_enumerated_as_scipy_does():
    rng = np.random.default_rng(4)
    for _ in range(5):
        diffs = np.round(rng.normal(0.4, 1, 11), 2)
        ours = sign_flip_p_values(diffs[:, None], 10_000, seed=0)[0]
        assert ours == pytest.approx(_scipy_sign_flip(diffs), abs=1e-12)


def test_many_units_are_sampled_to_within_the_sampling_error():
    rng = np.random.default_rng(5)
    table = rng.normal(0.12, 1, (300, 6))
    ours = sign_flip_p_values(table, 10_000, seed=3)
    for column, p in enumerate(ours):
        theirs = _scipy_sign_flip(table[:, column], 20_000)
        assert p == pytest.approx(theirs, abs=5 * np.sqrt(0.25 / 10_000))


def test_a_p_value_is_never_zero_and_one_without_differences():
    table = np.column_stack([np.ones(200), np.zeros(200)])
    p = sign_flip_p_values(table, 999, seed=0)
    assert list(p) == [1 / 1000, 1.0]


def test_other_columns_change_no_p_value():
    rng = np.random.default_rng(6)
    table = rng.normal(0.1, 1, (80, 4))
    alone = sign_flip_p_values(table[:, [2]], 2000, seed=9)
    assert sign_flip_p_values(table, 2000, seed=9)[2] == alone[0]


def test_the_permutation_test_keeps_its_level():
    rng = np.random.default_rng(7)
    p = sign_flip_p_values(rng.integers(-1, 2, (60, 2000)) / 4, 2000, seed=1)
    assert (p <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)
    assert (p <= 0.05).mean() >= 0.03


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjustments_agree_with_statsmodels(p_values):
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
    expected = multipletests(p_values, method="fdr_bh")[1]
    assert benjamini_hochberg(p_values) == pytest.approx(expected)


@settings(deadline=None)
@given(st.integers(5, 400), st.sampled_from([0.5, 0.95]), st.integers(0, 10_000))
def test_quantile_interval_is_scipys(n, share, seed):
    values = np.random.default_rng(seed).lognormal(size=n)
    ours = quantile_estimate(values, None, share, 0.95)
    theirs = stats.quantile_test(values, p=share).confidence_interval(0.95)
    assert ours.value == np.quantile(values, share)
    for end, other in ((ours.low, theirs.low), (ours.high, theirs.high)):
        assert (end is None and np.isnan(other)) or end == other


def test_a_p95_of_thirty_has_no_upper_end():
    assert quantile_estimate(np.arange(30.0), None, 0.95, 0.95).high is None


def test_identical_repeats_widen_a_quantile_interval():
    rng = np.random.default_rng(8)
    values = rng.lognormal(size=200)
    plain = quantile_estimate(values, None, 0.5, 0.95)
    repeated = quantile_estimate(
        np.repeat(values, 4), np.repeat(np.arange(200, dtype=np.int32), 4), 0.5, 0.95
    )
    naive = quantile_estimate(np.repeat(values, 4), None, 0.5, 0.95)
    assert repeated.high - repeated.low > 1.5 * (naive.high - naive.low)
    assert repeated.high - repeated.low == pytest.approx(plain.high - plain.low, rel=0.25)


def test_quantile_intervals_cover():
    rng = np.random.default_rng(9)
    hits = 0
    for _ in range(1500):
        estimate = quantile_estimate(rng.exponential(size=150), None, 0.95, 0.95)
        hits += estimate.low <= -np.log(0.05) <= (estimate.high or np.inf)
    assert 0.935 <= hits / 1500 <= 0.985


def test_detectable_difference_has_80_percent_power():
    """A planned difference, tested by an exact McNemar test, is found in about 80 % of trials."""
    n, discordant = 400, 0.2
    diff = planned_detectable_difference(n, discordant, 0.95)
    rng = np.random.default_rng(10)
    cells = rng.multinomial(
        n, [(discordant + diff) / 2, (discordant - diff) / 2, 1 - discordant], size=4000
    )
    p = [stats.binomtest(int(b), int(b + c)).pvalue for b, c, _ in cells]
    assert 0.72 <= np.mean(np.array(p) <= 0.05) <= 0.85


def test_power_edges():
    assert planned_detectable_difference(0, 0.2, 0.95) is None
    assert planned_detectable_difference(5, 0.2, 0.95) is None
    assert detectable_difference(None, 0.1, 0.95) is None
    assert detectable_difference(-0.1, 0.1, 0.95) == pytest.approx(0.1 * 2.8016 / 1.96, rel=1e-3)
    assert examples_needed(100, 0.01, -0.05, -0.01) == 900
    assert examples_needed(100, -0.03, -0.05, -0.02) is None
    assert examples_to_show(100, 0.05, 0.1) == 400
    assert examples_to_show(100, 0.1, 0.1) is None
    assert examples_to_show(100, 0.0, 0.1) is None
