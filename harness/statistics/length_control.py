"""Win rates of judged pairs at equal lengths: what is left of a preference without its length.

A logistic model of each preference has one term for the difference of the two lengths and one for
the difficulty of the prompt; the win rate is what it predicts where the lengths are equal. Source:
Dubois, Galambosi, Liang and Hashimoto 2024, "Length-Controlled AlpacaEval" (arXiv 2404.04475),
without its L1 penalty, which moves the published figures by 0.1 points at most.

The interval takes its variance from refits on resampled examples, and is then made as those of
`harness.statistics.estimates` are, a score interval of effective counts: percentiles of the refits
miss a win rate of 5 % in 12 of 100 samples of 200 (tests/statistical/test_length_control.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from harness.core.score import FloatArray, IntArray
from harness.statistics import binomial
from harness.statistics.estimates import mean_estimate

_RIDGE = 1e-6
"""Added to the curvature of the loss in each coefficient, for separable resamples.

It moves the coefficients of data that are not separable by less than 1e-6.
"""
_STEEPEST = 30.0
_FIRM_RIDGE = 0.1
"""A coefficient of length beyond the first is refitted with the second as its ridge.

A candidate that wins exactly where it is longer has an infinite one, and the win rate at equal
lengths would hang on which example comes closest to equality. Published coefficients are below 5.
"""
_LEAST_INFORMATION = 1e-3
"""Squares of lengths, beyond what the other terms explain, that can tell length from quality.

Below, the coefficient of length has a standard error of 60 or more: nothing is known of it.
"""
_SETTLED = 1e-9
_SETTLED_RESAMPLE = 1e-3
"""The last step moves no log odds further than this; what it leaves is about its square."""
_MOST_STEPS = 100
"""Reached by separable data only, whose win rate has long stopped moving."""
_CHUNK_CELLS = 60_000
"""Resamples are refitted this many probabilities at a time, which a processor's cache holds."""
_LARGEST_LOG_ODDS = 700.0  # exp() of more overflows
_LEAST_SHARE = 1e-9  # no intercept stands for less, or for more than 1 less this
_PRIOR_EVENTS = 1.0
_EXTRA_DEGREES = 10.0
"""A variance seen in few events is uncertain. Chosen by simulation: 95.8 and 96.3 % at n = 200."""


@dataclass(frozen=True, slots=True)
class Regulariser:
    """Rows of a pure length change that hold the coefficients of length and difficulty.

    One model answers each prompt as usual, concisely and verbosely, and is judged against itself:
    whatever is preferred there is length. The intercept has no part in these rows, and of their
    preferences y the fit needs two sums only.

    Attributes:
        x: shape (m,), tanh of the standardised length differences, each in -1..1.
        difficulty: shape (m,), of each row's prompt, in log odds.
        sum_xy: the sum of x y over the rows.
        sum_dy: the sum of difficulty times y over the rows.
        weight: of each row, where an example weighs 1 (0.2 over two sets of rows in the source).

    Raises:
        ValueError: if the rows are not finite and of one length, or the weight is negative.
    """

    x: FloatArray
    difficulty: FloatArray
    sum_xy: float
    sum_dy: float
    weight: float = 0.1

    def __post_init__(self) -> None:
        if self.x.ndim != 1 or self.x.shape != self.difficulty.shape:
            raise ValueError("a regulariser has one x and one difficulty per row")
        sums = (self.sum_xy, self.sum_dy, self.weight)
        if not all(np.isfinite(part).all() for part in (self.x, self.difficulty, sums)):
            raise ValueError("a regulariser's rows, sums and weight must be finite")
        if self.weight < 0:
            raise ValueError(f"a regulariser's weight cannot be negative: {self.weight}")


@dataclass(frozen=True, slots=True)
class LengthControlled:
    """A win rate at equal lengths.

    Attributes:
        win_rate: a share in 0..1, the mean over examples of sigmoid(b d + c).
        standard_error: the published kind, the standard deviation (ddof 1) of those fitted
            probabilities over sqrt(n). It leaves out the error of a, b and c, so it is too small,
            and 0 without difficulties. Good for comparison with published figures only.
        low: lower end of the interval; None if no resamples were asked for, or of one cluster.
        high: upper end, likewise.
        coefficients: a of length, b of difficulty and c, the intercept, in log odds.
    """

    win_rate: float
    standard_error: float
    low: float | None
    high: float | None
    coefficients: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class _Data:
    """What every refit shares; difficulties within -1..1, groups coded from 0 without gaps.

    `ridge` holds the coefficient of length; `_RIDGE` the others.
    """

    preference: FloatArray
    lengths: FloatArray
    difficulty: FloatArray
    groups: IntArray
    held: Regulariser | None
    ridge: float = _RIDGE

    @property
    def n_groups(self) -> int:
        return int(self.groups.max()) + 1


def length_controlled(  # noqa: PLR0913 - data, then options by name
    preference: FloatArray,
    length_difference: FloatArray,
    difficulty: FloatArray | None = None,
    *,
    regulariser: Regulariser | None = None,
    clusters: IntArray | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> LengthControlled:
    """The share of examples that a candidate wins if its answers are as long as the baseline's.

    By maximum likelihood of logit P(candidate wins) = a tanh(D / sd(D)) + b d + c, with fractional
    preferences. The interval treats regulariser and difficulties as known. Preferences that are
    all 0, all 1 or (without a regulariser) all equal are the win rate themselves.

    Args:
        preference: shape (n,), n >= 3, in 0..1: the probability that the candidate wins; 0.5 a tie.
        length_difference: shape (n,), D: baseline's length - candidate's length, in characters.
        difficulty: shape (n,), d of each example, in log odds; None leaves b d out.
        regulariser: rows that hold a and b, with a difficulty on the same scale; None for none.
        clusters: shape (n,), codes of groups, resampled as one; None if examples are independent.
        confidence: two-sided, of the interval.
        resamples: refits, for the interval; 0 for none.
        seed: of the generator that draws them.

    Raises:
        ValueError: if shapes differ, n < 3, a value is not finite, a preference is outside 0..1,
            or the lengths differ by (nearly) the same amount everywhere, so that nothing tells
            length from quality and no regulariser does.
    """
    n = len(preference)
    others = {"length differences": length_difference, "difficulties": difficulty}
    _checked(preference, others | {"clusters": clusters})
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is between 0 and 1, not {confidence}")
    d = np.zeros(n) if difficulty is None else difficulty
    scale, held = _scaled(d, regulariser)
    codes = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    data = _Data(preference, length_difference, d / scale, codes.astype(np.int32), held)
    once = np.ones((1, n))
    x = _standardised(data.lengths, once)
    _refuse_unidentified(data, x[0])
    constant = float(preference[0]) if np.ptp(preference) == 0 else None
    if constant is not None and (regulariser is None or constant in (0.0, 1.0)):
        return _of_constant(data, confidence if resamples > 0 else None)
    fit = _fit(data, x, once, np.zeros(3), _SETTLED)
    if abs(fit[0, 0]) > _STEEPEST:
        data = replace(data, ridge=_FIRM_RIDGE)
        fit = _fit(data, x, once, np.zeros(3), _SETTLED)
    win_rate = float((fitted := _at_equal_lengths(data, fit)[0]).mean())
    low = high = None
    if resamples > 0 and data.n_groups > 1:
        rates = _refitted(data, fit[0], resamples, seed)
        variance = float(rates.var()) * data.n_groups / (data.n_groups - 1)  # n vary as n - 1
        low, high = _interval(data, win_rate, variance, confidence)
    a, b, c = map(float, fit[0])
    spread = float(fitted.std(ddof=1)) / math.sqrt(n)
    return LengthControlled(win_rate, spread, low, high, (a, b / scale, c))


def _checked(preference: FloatArray, others: Mapping[str, FloatArray | IntArray | None]) -> None:
    n = len(preference)
    for name, column in {"preferences": preference, **others}.items():
        if column is None:
            continue
        if column.shape != (n,):
            raise ValueError(f"{name} have shape {column.shape}, not ({n},): one per example")
        if not np.isfinite(column).all():
            raise ValueError(f"{name} must be finite; leave unjudged examples out")
    if n < 3:
        raise ValueError(f"length control needs 3 examples or more, not {n}")
    if preference.min() < 0 or preference.max() > 1:
        raise ValueError("preferences are probabilities, between 0 and 1")


def _scaled(difficulty: FloatArray, held: Regulariser | None) -> tuple[float, Regulariser | None]:
    """What to divide difficulties by, and the regulariser with its own so divided.

    Where all examples' are 0 (none were given) the regulariser's are no guide: b stays at 0.
    """
    if not difficulty.any():
        if held is not None:
            held = replace(held, difficulty=np.zeros_like(held.x), sum_dy=0.0)
        return 1.0, held
    scale = float(np.abs(difficulty).max())
    if held is not None:
        scale = max(scale, float(np.abs(held.difficulty).max(initial=0.0)))
        held = replace(held, difficulty=held.difficulty / scale, sum_dy=held.sum_dy / scale)
    return scale, held


def _standardised(lengths: FloatArray, weights: FloatArray) -> FloatArray:
    """tanh(D / sd(D)), the deviation (ddof 1) that of each resample: (n,), (r, n) -> (r, n)."""
    total = weights.sum(axis=1)
    centred = lengths - lengths.mean()
    mean = weights @ centred / total
    squares = np.maximum(weights @ centred**2 - total * mean**2, 0.0)
    deviation = np.sqrt(squares / np.maximum(total - 1, 1.0))
    # A resample of equal differences has no deviation: tanh is then at its limits, and 0 at 0.
    least = max(1e-9 * float(np.abs(lengths).max()), 1e-300)
    standardised: FloatArray = np.tanh(lengths / np.maximum(deviation, least)[:, None])
    return standardised


def _refuse_unidentified(data: _Data, x: FloatArray) -> None:
    """A candidate that is always so much longer wins by length or by quality: who can say?"""
    if data.held is not None or not x.any():
        return
    others = np.column_stack([data.difficulty, np.ones(len(x))])
    left = x - others @ np.linalg.lstsq(others, x, rcond=None)[0]
    if left @ left < _LEAST_INFORMATION:
        raise ValueError(
            "the lengths differ by nearly the same amount everywhere (or as the difficulty does): "
            "nothing tells length from quality"
        )


def _of_constant(data: _Data, confidence: float | None) -> LengthControlled:
    """All preferences equal: no length has an effect, and the interval is that of a mean."""
    value = float(data.preference[0])
    inside = min(max(value, _LEAST_SHARE), 1 - _LEAST_SHARE)
    coefficients = (0.0, 0.0, math.log(inside / (1 - inside)))
    if confidence is None:
        return LengthControlled(value, 0.0, None, None, coefficients)
    clusters = data.groups if data.n_groups < len(data.groups) else None
    binary = value in (0.0, 1.0)
    mean = mean_estimate(data.preference, clusters, (0.0, 1.0), confidence, binary=binary)
    return LengthControlled(value, 0.0, mean.low, mean.high, coefficients)


def _fit(
    data: _Data, x: FloatArray, weights: FloatArray, start: FloatArray, settled: float
) -> FloatArray:
    """Coefficients (r, 3) of r weightings of the examples, x and weights (r, n), by Newton.

    A step that may move some log odds by R > 1 is shortened to log(1 + R) / R of itself. The
    curvature changes by exp(R) at most on the way, so that no step, long or short, makes the fit
    worse (Bach 2010, Electronic Journal of Statistics 4, 384-414).
    """
    found = np.tile(start, (len(x), 1))
    fixed = np.column_stack([data.difficulty, np.ones(len(data.difficulty))])
    won = weights * data.preference
    target = np.column_stack([np.einsum("rn,rn->r", won, x), won @ fixed])
    ridge = np.array([data.ridge, _RIDGE, _RIDGE])
    left = np.arange(len(x))
    for _ in range(_MOST_STEPS):
        now = found[left]
        gradient, curvature = _derivatives(fixed, x, weights, now)
        gradient -= target
        if data.held is not None:
            _add_held(data.held, now, gradient, curvature)
        gradient += ridge * now
        curvature[:, range(3), range(3)] += ridge
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        reach = np.abs(step).sum(axis=1)  # no column is beyond -1..1
        shortened = np.log1p(reach) / np.maximum(reach, 1.0)
        found[left] = now - np.where(reach > 1, shortened, 1.0)[:, None] * step
        moving = reach > settled
        if not moving.any():
            break
        if not moving.all():
            left, x, weights, target = left[moving], x[moving], weights[moving], target[moving]
    return found


def _derivatives(
    fixed: FloatArray, x: FloatArray, weights: FloatArray, w: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Sums of z p, (r, 3), and of z z' p (1 - p), (r, 3, 3), at coefficients w (r, 3).

    z is (x, d, 1), the last two of them `fixed` (n, 2), the same in every resample.
    """
    odds = w[:, 1:] @ fixed.T
    odds += w[:, :1] * x
    chance = _sigmoid(odds)
    weighted = weights * chance
    gradient = np.column_stack([np.einsum("rn,rn->r", weighted, x), weighted @ fixed])
    chance *= weighted
    spread = np.subtract(weighted, chance, out=chance)
    along = np.multiply(spread, x, out=weighted)
    curvature = np.empty((len(x), 3, 3))
    curvature[:, 0, 0] = np.einsum("rn,rn->r", along, x)
    curvature[:, 0, 1:] = curvature[:, 1:, 0] = along @ fixed
    rest = spread @ np.column_stack([fixed[:, 0] ** 2, fixed])
    curvature[:, 1:, 1:] = rest[:, [0, 1, 1, 2]].reshape(-1, 2, 2)
    return gradient, curvature


def _add_held(
    held: Regulariser, w: FloatArray, gradient: FloatArray, curvature: FloatArray
) -> None:
    """The regulariser's part of gradient and curvature, in place; the intercept has none."""
    x, d = held.x, held.difficulty
    rows = np.stack([x, d])
    chance = _sigmoid(w[:, :2] @ rows)
    gradient[:, :2] += held.weight * (chance @ rows.T - [held.sum_xy, held.sum_dy])
    chance -= chance * chance
    rest = chance @ np.column_stack([x * x, x * d, d * d])
    curvature[:, :2, :2] += held.weight * rest[:, [0, 1, 1, 2]].reshape(-1, 2, 2)


def _sigmoid(log_odds: FloatArray) -> FloatArray:
    """Probabilities, in the place of the log odds."""
    np.negative(log_odds, out=log_odds)
    np.minimum(log_odds, _LARGEST_LOG_ODDS, out=log_odds)
    np.exp(log_odds, out=log_odds)
    log_odds += 1.0
    return np.divide(1.0, log_odds, out=log_odds)


def _at_equal_lengths(data: _Data, w: FloatArray) -> FloatArray:
    """Probabilities (r, n) that the candidate wins where x = 0."""
    return _sigmoid(w[:, 1:2] * data.difficulty + w[:, 2:])


def _refitted(data: _Data, start: FloatArray, resamples: int, seed: int) -> FloatArray:
    """Win rates (resamples,) of fits to the groups of examples drawn with replacement."""
    generator = np.random.default_rng(seed)
    n, n_groups = len(data.preference), data.n_groups
    n_held = 0 if data.held is None else len(data.held.x)
    chunk = max(1, _CHUNK_CELLS // max(n, n_held))
    rates = []
    for begin in range(0, resamples, chunk):
        size = min(chunk, resamples - begin)
        drawn = generator.integers(0, n_groups, (size, n_groups))
        drawn += n_groups * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * n_groups).reshape(size, n_groups)
        weights = counts.astype(np.float64)[:, data.groups]
        x = _standardised(data.lengths, weights)
        w = _fit(data, x, weights, start, _SETTLED_RESAMPLE)
        fitted = _at_equal_lengths(data, w)
        rates.append(np.einsum("rn,rn->r", weights, fitted) / weights.sum(axis=1))
    return np.concatenate(rates)


def _interval(
    data: _Data, win_rate: float, variance: float, confidence: float
) -> tuple[float, float]:
    """The score interval of the independent draws that would tell a share as well.

    The dispersion, the variance over a share's, is averaged with a cautious one as if that had
    been seen in one event more, but is never less than observed: refits on few or no differing
    preferences agree by chance.
    """
    from scipy.special import stdtrit

    n, sizes = len(data.groups), np.bincount(data.groups)
    cautious = 0.5 + 0.5 * float((sizes**2).sum()) / n  # half of all variance between groups
    events = _events(data)
    share = min(max(win_rate, _LEAST_SHARE), 1 - _LEAST_SHARE)
    observed = variance * n / (share * (1 - share))
    shrunk = (events * observed + _PRIOR_EVENTS * cautious) / (events + _PRIOR_EVENTS)
    degrees = min(len(sizes) - 1, events + _EXTRA_DEGREES)
    quantile = float(stdtrit(degrees, 0.5 + confidence / 2))
    student = (quantile / binomial.z_quantile(confidence)) ** 2
    effective = n / (max(observed, shrunk) * student)
    low, high = binomial.wilson_or_jeffreys(share * effective, effective, confidence)
    return min(low, win_rate), max(high, win_rate)


def _events(data: _Data) -> float:
    """Over how many groups the deviations from the median preference are spread."""
    deviations = np.abs(data.preference - np.median(data.preference))
    sums = np.bincount(data.groups, weights=deviations)
    squares = float((sums**2).sum())
    return float(sums.sum()) ** 2 / squares if squares > 0 else 0.0
