"""Intervals and tests against statsmodels, scipy and a numerical maximum-likelihood fit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from harness.statistics import binomial
from harness.statistics.permutation import mcnemar_exact

COUNTS = st.integers(2, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS)
def test_shares_agree_with_statsmodels(counts):
    x, n = counts
    for ours, theirs in (
        (binomial.wilson, "wilson"),
        (binomial.clopper_pearson, "beta"),
    ):
        assert ours(x, n, 0.95) == pytest.approx(proportion_confint(x, n, method=theirs), abs=1e-8)
    if 0 < x < n:
        expected = proportion_confint(x, n, method="jeffreys")
        assert binomial.jeffreys(x, n, 0.95) == pytest.approx(expected, abs=1e-8)


def _tango_z_by_fit(wins, losses, n, diff):
    """The score statistic with its nuisance share found by maximising the likelihood."""

    def loss(q):
        p = q + diff
        rest = 1 - p - q
        if min(p, q, rest) <= 0:
            return math.inf
        return -(wins * math.log(p) + losses * math.log(q) + (n - wins - losses) * math.log(rest))

    low, high = max(0.0, -diff), (1 - diff) / 2
    q = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    return (wins - losses - n * diff) / math.sqrt(n * (2 * q + diff * (1 - diff)))


@pytest.mark.parametrize(
    ("wins", "losses", "n"), [(12, 2, 44), (3, 9, 32), (293, 64, 1319), (1, 1, 50), (7, 30, 60)]
)
def test_tango_ends_are_where_the_fitted_score_statistic_is_196(wins, losses, n):
    low, high = binomial.tango(wins, losses, n, 0.95)
    assert _tango_z_by_fit(wins, losses, n, low) == pytest.approx(1.959964, abs=2e-4)
    assert _tango_z_by_fit(wins, losses, n, high) == pytest.approx(-1.959964, abs=2e-4)


@pytest.mark.parametrize("n", [1, 5, 50, 1000])
def test_tango_does_not_collapse_without_discordant_pairs(n):
    z2 = binomial.z_quantile(0.95) ** 2
    low, high = binomial.tango(0, 0, n, 0.95)
    assert (low, high) == pytest.approx((-z2 / (n + z2), z2 / (n + z2)), abs=1e-8)


def test_tango_of_certain_outcomes_stays_within_minus_one_and_one():
    low, high = binomial.tango(0, 20, 20, 0.95)
    assert low == -1
    assert -1 < high < 0
    assert binomial.tango(20, 0, 20, 0.95) == pytest.approx((-high, -low))


@given(
    st.integers(1, 300).flatmap(
        lambda n: st.tuples(
            st.integers(0, n).flatmap(lambda b: st.tuples(st.just(b), st.integers(0, n - b))),
            st.just(n),
        )
    )
)
def test_tango_is_antisymmetric_and_holds_the_estimate(drawn):
    (wins, losses), n = drawn
    low, high = binomial.tango(wins, losses, n, 0.95)
    swapped = binomial.tango(losses, wins, n, 0.95)
    assert swapped == pytest.approx((-high, -low), abs=1e-8)
    assert -1 <= low <= (wins - losses) / n <= high <= 1
    assert high - low > 0


@given(st.integers(0, 200), st.integers(0, 200))
def test_mcnemar_agrees_with_statsmodels(wins, losses):
    expected = mcnemar([[10, wins], [losses, 10]], exact=True).pvalue
    assert mcnemar_exact(wins, losses) == pytest.approx(min(1.0, expected), rel=1e-9)


@pytest.mark.parametrize("n", [5, 20, 50, 100, 200, 1000])
def test_share_intervals_cover_at_every_share(n):
    """Exact coverage by enumeration, not simulation: at least 93.5 % wherever the share lies."""
    from scipy.stats import binom

    x = np.arange(n + 1)
    ends = np.array([binomial.share_interval(k, n, 0.95) for k in x])
    for share in np.linspace(0.0005, 0.5, 1000):
        inside = (ends[:, 0] <= share) & (share <= ends[:, 1])
        assert binom.pmf(x, n, share)[inside].sum() >= 0.935
