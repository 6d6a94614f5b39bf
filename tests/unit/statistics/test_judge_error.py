"""A win rate corrected for the judge's errors."""

import math

import numpy as np
import pytest

from harness.statistics.judge_error import corrected_rate

LARGE = 10**9


def _variance(rate, n):
    return rate * (1 - rate) / n


def test_the_estimate_undoes_the_judges_errors():
    for truth in (0.0, 0.1, 0.5, 0.93, 1.0):
        seen = 0.9 * truth + (1 - 0.7) * (1 - truth)
        found = corrected_rate(seen, _variance(seen, 300), 0.9, 0.7, 100, 100, 0.95)
        assert found.value == pytest.approx(truth, abs=1e-12)
        assert found.low <= truth <= found.high
        assert found.method == "lang_reiczigel"


def test_a_judge_that_never_errs_leaves_agresti_and_coulls_interval():
    n, rate, z = 80, 0.3, 1.959963984540054
    found = corrected_rate(rate, _variance(rate, n), 1.0, 1.0, LARGE, LARGE, 0.95)
    centre = (rate * n + z * z / 2) / (n + z * z)
    half = z * math.sqrt(centre * (1 - centre) / (n + z * z))
    assert found.value == pytest.approx(rate)
    assert (found.low, found.high) == pytest.approx((centre - half, centre + half), abs=1e-6)
    assert found.standard_error == pytest.approx(math.sqrt(0.3 * 0.7 / 80), abs=1e-6)


def test_the_standard_error_is_the_spread_of_redrawn_estimates():
    rng = np.random.default_rng(1)
    se, sp, truth, sizes = 0.85, 0.8, 0.4, (400, 300, 500)
    seen = se * truth + (1 - sp) * (1 - truth)
    rates, hits, rejections = (
        rng.binomial(n, share, 50_000) / n for n, share in zip(sizes, (seen, se, sp), strict=True)
    )
    redrawn = (rates + rejections - 1) / (hits + rejections - 1)
    found = corrected_rate(seen, _variance(seen, 400), se, sp, 300, 500, 0.95)
    assert found.standard_error == pytest.approx(redrawn.std(), rel=0.02)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * redrawn.std(), rel=0.03)


def test_seen_from_the_baseline_the_answer_is_the_complement():
    ours = corrected_rate(0.62, 0.001, 0.9, 0.75, 60, 140, 0.9)
    theirs = corrected_rate(0.38, 0.001, 0.75, 0.9, 140, 60, 0.9)
    assert ours.value == pytest.approx(1 - theirs.value)
    assert (ours.low, ours.high) == pytest.approx((1 - theirs.high, 1 - theirs.low))


def test_what_is_not_known_widens_the_interval():
    def width(variance=0.001, sizes=(200, 200), confidence=0.95):
        found = corrected_rate(0.55, variance, 0.85, 0.8, *sizes, confidence)
        return found.high - found.low

    assert width() < width(variance=0.002)
    assert width() < width(sizes=(50, 200))
    assert width() < width(sizes=(200, 50))
    assert width() < width(confidence=0.99)


def test_the_rate_and_its_interval_stay_between_0_and_1():
    found = corrected_rate(0.05, _variance(0.05, 100), 0.9, 0.8, 50, 50, 0.95)
    assert (found.value, found.low) == (0.0, 0.0)
    found = corrected_rate(0.97, _variance(0.97, 100), 0.9, 0.8, 50, 50, 0.95)
    assert (found.value, found.high) == (1.0, 1.0)


def test_a_judge_no_better_than_chance_tells_nothing():
    assert corrected_rate(0.5, 0.001, 0.6, 0.4, 100, 100, 0.95) is None
    assert corrected_rate(0.5, 0.001, 0.2, 0.7, 100, 100, 0.95) is None
    assert corrected_rate(0.5, 0.001, 0.9, 0.9, 0, 100, 0.95) is None
    assert corrected_rate(0.5, 0.001, 0.61, 0.4, 1000, 1000, 0.95) is not None


def test_a_judge_measured_on_next_to_nothing_leaves_the_whole_range():
    found = corrected_rate(0.5, 0.001, 1.0, 0.1, 1, 1000, 0.95)
    assert (found.low, found.high) == (0.0, 1.0)


def test_a_rate_that_never_varied_has_no_interval():
    found = corrected_rate(1.0, 0.0, 0.9, 0.8, 50, 50, 0.95)
    assert (found.value, found.low, found.high) == (1.0, None, None)
    assert found.method.startswith("undefined")


@pytest.mark.parametrize(
    "arguments",
    [
        (1.1, 0.001, 0.9, 0.9),
        (math.nan, 0.001, 0.9, 0.9),
        (0.5, 0.001, -0.1, 0.9),
        (0.5, 0.001, 0.9, math.nan),
        (0.5, -0.001, 0.9, 0.9),
        (0.5, math.nan, 0.9, 0.9),
    ],
)
def test_impossible_rates_are_refused(arguments):
    with pytest.raises(ValueError, match=r"between 0 and 1|at least 0"):
        corrected_rate(*arguments, 50, 50, 0.95)
