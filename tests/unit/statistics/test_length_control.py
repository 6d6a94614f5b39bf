"""Length-controlled win rates: the fit against oracles, its symmetries, degenerate data."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize

from harness.statistics.binomial import clopper_pearson
from harness.statistics.length_control import Regulariser, length_controlled

N = 400


def _judged(seed, n=N, *, length=-1.2, difficulty=0.7, intercept=-0.5, soft=False):
    """Preferences of a known model, length differences in characters, difficulties."""
    rng = np.random.default_rng(seed)
    lengths = np.round(500 * rng.standard_t(4, n) - 200)
    d = rng.normal(size=n)
    odds = length * np.tanh(lengths / lengths.std(ddof=1)) + difficulty * d + intercept
    chance = 1 / (1 + np.exp(-odds))
    preference = rng.beta(3 * chance, 3 * (1 - chance)) if soft else rng.random(n) < chance
    return preference.astype(float), lengths, d


def _held(seed, m=300):
    """A regulariser and the rows that its sums are of."""
    rng = np.random.default_rng(seed)
    x, d = np.tanh(rng.normal(size=m)), rng.normal(size=m)
    y = 1 / (1 + np.exp(1.5 * x - 0.5 * d + rng.normal(size=m)))
    return Regulariser(x, d, float(x @ y), float(d @ y), 0.1), y


def _mirrored(held):
    """The same rows with the two sides swapped."""
    return Regulariser(
        -held.x, -held.difficulty, held.sum_xy - held.x.sum(), held.sum_dy - held.difficulty.sum()
    )


@pytest.mark.parametrize("soft", [False, True])
def test_without_a_regulariser_the_fit_is_the_glm_of_statsmodels(soft):
    y, lengths, d = _judged(1, soft=soft)
    columns = np.column_stack([np.tanh(lengths / lengths.std(ddof=1)), d, np.ones(N)])
    glm = sm.GLM(y, columns, family=sm.families.Binomial()).fit(tol=1e-12)
    fitted = 1 / (1 + np.exp(-columns[:, 1:] @ glm.params[1:]))
    found = length_controlled(y, lengths, d, resamples=0)
    assert found.coefficients == pytest.approx(tuple(glm.params), abs=1e-6)
    assert found.win_rate == pytest.approx(fitted.mean(), abs=1e-7)
    assert found.standard_error == pytest.approx(fitted.std(ddof=1) / np.sqrt(N), abs=1e-7)
    assert (found.low, found.high) == (None, None)


def test_without_difficulties_the_fit_has_length_and_intercept_only():
    y, lengths, _ = _judged(2)
    columns = np.column_stack([np.tanh(lengths / lengths.std(ddof=1)), np.ones(N)])
    glm = sm.GLM(y, columns, family=sm.families.Binomial()).fit(tol=1e-12)
    found = length_controlled(y, lengths, resamples=0)
    assert found.coefficients == pytest.approx((glm.params[0], 0, glm.params[1]), abs=1e-6)
    assert found.win_rate == pytest.approx(1 / (1 + np.exp(-glm.params[1])), abs=1e-7)
    assert found.standard_error == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("with_difficulty", [True, False])
def test_with_a_regulariser_the_fit_is_that_of_all_rows_by_scipy(with_difficulty):
    y, lengths, d = _judged(3, soft=True)
    held, held_y = _held(4)
    use = 1.0 if with_difficulty else 0.0
    own = np.column_stack([np.tanh(lengths / lengths.std(ddof=1)), use * d, np.ones(N)])
    rows = np.column_stack([held.x, use * held.difficulty, np.zeros(len(held.x))])
    columns, target = np.vstack([own, rows]), np.concatenate([y, held_y])
    weights = np.concatenate([np.ones(N), np.full(len(rows), 0.1)])

    def loss(w):
        odds = columns @ w
        return weights @ (np.logaddexp(0, odds) - target * odds)

    def gradient(w):
        return columns.T @ (weights * (1 / (1 + np.exp(-columns @ w)) - target))

    best = minimize(loss, np.zeros(3), jac=gradient, method="BFGS", options={"gtol": 1e-7}).x
    found = length_controlled(
        y, lengths, d if with_difficulty else None, regulariser=held, resamples=0
    )
    assert found.coefficients == pytest.approx(tuple(best), abs=1e-6)
    free = length_controlled(y, lengths, d if with_difficulty else None, resamples=0)
    assert abs(found.coefficients[0] - free.coefficients[0]) > 1e-3


@pytest.mark.parametrize("regulariser", [None, _held(5)[0]])
def test_equal_lengths_leave_the_raw_win_rate(regulariser):
    y, _, d = _judged(6)
    found = length_controlled(y, np.zeros(N), d, regulariser=regulariser, resamples=200)
    assert found.win_rate == pytest.approx(y.mean(), abs=1e-7)
    half = 1.96 * y.std() / np.sqrt(N)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.15)


@pytest.mark.parametrize("held", [None, _held(7)[0]])
def test_swapping_sides_mirrors(held):
    y, lengths, d = _judged(8)
    there = length_controlled(y, lengths, d, regulariser=held, resamples=300)
    swapped = None if held is None else _mirrored(held)
    back = length_controlled(1 - y, -lengths, -d, regulariser=swapped, resamples=300)
    assert back.win_rate == pytest.approx(1 - there.win_rate, abs=1e-9)
    assert (back.low, back.high) == pytest.approx((1 - there.high, 1 - there.low), abs=1e-6)
    a, b, c = there.coefficients
    assert back.coefficients == pytest.approx((a, b, -c), abs=1e-8)


def test_a_judge_that_favours_length_is_corrected():
    y, lengths, _ = _judged(9, 4000, length=-2.5, difficulty=0, intercept=0)
    found = length_controlled(y, lengths, resamples=200)
    assert y.mean() > 0.55
    assert found.low < 0.5 < found.high
    assert found.high - found.low < 0.06


@pytest.mark.parametrize("seed", range(5))
def test_a_candidate_that_wins_exactly_where_it_is_longer_is_at_about_half(seed):
    lengths = np.random.default_rng(seed).normal(-200, 400, 300)
    found = length_controlled((lengths < 0).astype(float), lengths, resamples=200)
    assert np.isfinite(found.coefficients).all()
    assert found.coefficients[0] < -5
    assert 0.35 < found.win_rate < 0.65
    assert found.low < 0.5 < found.high


def test_separable_by_difficulty_stays_finite():
    rng = np.random.default_rng(10)
    lengths, d = rng.normal(0, 400, 200), rng.normal(size=200)
    found = length_controlled((d > 0.5).astype(float), lengths, d, resamples=100)
    assert np.isfinite(found.coefficients).all()
    assert found.win_rate == pytest.approx((d > 0.5).mean(), abs=0.03)


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("regulariser", [None, _held(11)[0]])
def test_a_candidate_that_never_or_always_wins_has_an_exact_interval(value, regulariser):
    lengths = np.random.default_rng(12).normal(0, 300, 60)
    found = length_controlled(np.full(60, value), lengths, regulariser=regulariser)
    assert found.win_rate == value
    assert np.isfinite(found.coefficients).all()
    assert (found.low, found.high) == pytest.approx(clopper_pearson(60 * value, 60, 0.95))


def test_ties_only_still_have_a_width():
    lengths = np.random.default_rng(13).normal(0, 300, 50)
    free = length_controlled(np.full(50, 0.5), lengths)
    held = length_controlled(np.full(50, 0.5), lengths, regulariser=_held(14)[0])
    assert (free.win_rate, free.coefficients) == (0.5, (0.0, 0.0, 0.0))
    for found in (free, held):
        assert found.low < 0.42
        assert found.high > 0.58


def test_an_interval_is_that_of_the_clusters():
    """Copies of an example in its cluster tell nothing new; as examples they would."""
    y, lengths, d = _judged(15, 150)
    copies = [np.repeat(part, 4) for part in (y, lengths, d)]
    clusters = np.repeat(np.arange(150) * 3 + 7, 4)  # codes with gaps are as good
    alone = length_controlled(y, lengths, d, resamples=500)
    as_clusters = length_controlled(*copies, clusters=clusters, resamples=500)
    as_examples = length_controlled(*copies, resamples=500)
    assert as_clusters.win_rate == pytest.approx(alone.win_rate, abs=0.003)  # sd has another ddof
    assert as_clusters.high - as_clusters.low == pytest.approx(alone.high - alone.low, rel=0.05)
    assert as_examples.high - as_examples.low < 0.6 * (alone.high - alone.low)


def test_one_cluster_has_no_interval():
    y, lengths, d = _judged(16)
    found = length_controlled(y, lengths, d, clusters=np.zeros(N, dtype=np.int32))
    assert (found.low, found.high) == (None, None)


def test_the_interval_widens_with_the_confidence_and_depends_on_the_seed_alone():
    y, lengths, d = _judged(17)
    first, again, other, wider = (
        length_controlled(y, lengths, d, resamples=100, seed=seed, confidence=confidence)
        for seed, confidence in ((1, 0.95), (1, 0.95), (2, 0.95), (1, 0.99))
    )
    assert first == again
    assert first.low != other.low
    assert wider.low < first.low < first.win_rate < first.high < wider.high


def test_the_standard_error_is_too_small_and_the_interval_is_not():
    y, lengths, d = _judged(18)
    found = length_controlled(y, lengths, d)
    assert found.high - found.low > 2 * 1.96 * 1.5 * found.standard_error


def test_units_do_not_matter():
    y, lengths, d = _judged(19)
    found = length_controlled(y, lengths, d, resamples=100)
    scaled = length_controlled(y, lengths * 1e-9, d * 1e6, resamples=100)
    assert scaled.win_rate == pytest.approx(found.win_rate, abs=1e-9)
    assert scaled.coefficients[1] == pytest.approx(found.coefficients[1] / 1e6)
    assert (scaled.low, scaled.high) == pytest.approx((found.low, found.high), abs=1e-6)


def test_three_examples_and_resamples_of_equal_ones_are_fitted():
    found = length_controlled(np.array([0.0, 1.0, 0.5]), np.array([100.0, -200.0, 300.0]))
    assert 0 <= found.low < found.win_rate < found.high <= 1
    assert found.high - found.low > 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"preference": np.array([0.5, 1.0])}, "3 examples or more, not 2"),
        ({"preference": np.array([0.1, np.nan, 1.0])}, "preferences must be finite"),
        ({"preference": np.array([0.1, 1.2, 1.0])}, "between 0 and 1"),
        ({"length_difference": np.array([1.0, np.inf, 3.0])}, "length differences must be finite"),
        ({"length_difference": np.array([1.0, 2.0])}, "length differences have shape"),
        ({"length_difference": np.full(3, -80.0)}, "nothing tells length from quality"),
        ({"difficulty": np.array([1.0, np.nan, 3.0])}, "difficulties must be finite"),
        ({"difficulty": np.array([[1.0, 2.0, 3.0]])}, "difficulties have shape"),
        ({"clusters": np.array([1, 2])}, "clusters have shape"),
        ({"confidence": 95.0}, "confidence is between 0 and 1"),
    ],
)
def test_unusable_data_are_refused(change, message):
    data = {
        "preference": np.array([0.1, 0.9, 1.0]),
        "length_difference": np.array([10.0, -20.0, 5.0]),
    } | change
    if "preference" in change and len(change["preference"]) == 2:
        data["length_difference"] = data["length_difference"][:2]
    with pytest.raises(ValueError, match=message):
        length_controlled(**data)


def test_lengths_far_from_equal_are_refused_unless_a_regulariser_tells_their_effect():
    y, _, _ = _judged(20)
    lengths = np.random.default_rng(21).normal(-5000, 200, N)
    with pytest.raises(ValueError, match="nothing tells length from quality"):
        length_controlled(y, lengths)
    found = length_controlled(y, lengths, regulariser=_held(22)[0], resamples=0)
    assert found.win_rate < y.mean() - 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"difficulty": np.zeros(2)}, "one x and one difficulty per row"),
        ({"x": np.array([0.1, np.nan, 0.2])}, "must be finite"),
        ({"sum_dy": float("inf")}, "must be finite"),
        ({"weight": -0.1}, "cannot be negative"),
    ],
)
def test_an_unusable_regulariser_is_refused(change, message):
    rows = {"x": np.zeros(3), "difficulty": np.zeros(3), "sum_xy": 0.0, "sum_dy": 0.0}
    with pytest.raises(ValueError, match=message):
        Regulariser(**(rows | change))
