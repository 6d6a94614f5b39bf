"""Win rates by judges: every pair of variants that was judged, on every slice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.comparison.judged_units import BOTH_ORDERS, Units, preferences
from harness.comparison.subject import local_clusters
from harness.core.example import ALL
from harness.core.experiment import Analysis
from harness.core.judged import JudgedFinding, PairwiseEstimate
from harness.core.judging import Judged, LengthControl
from harness.core.score import FloatArray, IntArray
from harness.statistics.estimates import cluster_totals
from harness.statistics.length_control import LengthControlled, Regulariser, length_controlled
from harness.statistics.multiplicity import benjamini_hochberg
from harness.statistics.win_rates import sign_test, win_rate_estimate

EQUAL = 0.5


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """One pair under one panel, by example: arrays of shape (examples,).

    `preference` is that for the candidate, NaN where there is none; `labels` what people prefer,
    alike. `asked` counts units, `flipped`, `both_orders`, `one_order` and `unparsed` count what
    became of them.
    """

    judge: str
    candidate: int
    baseline: int
    preference: FloatArray
    asked: IntArray
    flipped: IntArray
    both_orders: IntArray
    one_order: IntArray
    unparsed: IntArray
    candidate_chars: FloatArray
    baseline_chars: FloatArray
    labels: FloatArray


def judged_pair(
    judged: Judged, panel_id: str, units: Units, pair: tuple[int, int], labels: FloatArray
) -> JudgedPair:
    """The pair (low, high) turned as figures tell it: the run's baseline second.

    `labels` are people's preferences for `high` by example, NaN without any.
    """
    low, high = pair
    n = len(judged.table.example_ids)
    own = units.between(low, high)
    preference, asked = preferences(own, n)
    chars = [_chars(own, lengths, n) for lengths in (own.low_chars, own.high_chars)]
    turned = judged.baseline is not None and judged.table.variants[high] == judged.baseline
    candidate, baseline = (low, high) if turned else (high, low)
    if turned:
        preference, labels, chars = 1 - preference, 1 - labels, chars[::-1]
    return JudgedPair(
        judge=panel_id,
        candidate=candidate,
        baseline=baseline,
        preference=preference,
        asked=asked,
        flipped=_count(own, own.flipped, n),
        both_orders=_count(own, own.n_orders == BOTH_ORDERS, n),
        one_order=_count(own, own.one_order, n),
        unparsed=np.bincount(own.example, weights=own.n_unparsed, minlength=n).astype(np.int32),
        candidate_chars=chars[1],
        baseline_chars=chars[0],
        labels=labels,
    )


def pairwise_estimates(
    judged: Judged, pairs: Sequence[JudgedPair], analysis: Analysis
) -> list[PairwiseEstimate]:
    """All figures, `all` before the slices, with adjusted p-values and findings."""
    made = [
        _estimate(judged, pair, name, rows, analysis)
        for pair in pairs
        for name, rows in judged.slices.items()
        if name == ALL or pair.asked[rows].any()
    ]
    known = [one for one in made if one.p_value is not None]
    adjusted = benjamini_hochberg([one.p_value for one in known if one.p_value is not None])
    by_place = dict(zip(map(id, known), adjusted, strict=True))
    whole = {(one.judge, one.candidate, one.baseline): one for one in made if one.slice == ALL}
    return [
        one.model_copy(
            update={
                "p_adjusted": by_place.get(id(one)),
                "finding": _finding(judged, one, by_place.get(id(one)), analysis),
                **_shares(one, whole[one.judge, one.candidate, one.baseline]),
            }
        )
        for one in made
    ]


def _estimate(
    judged: Judged, pair: JudgedPair, name: str, rows: IntArray, analysis: Analysis
) -> PairwiseEstimate:
    preference, names = pair.preference[rows], judged.table.variants
    read = np.isfinite(preference)
    values = preference[read]
    clusters = local_clusters(judged.clusters, rows[read])
    figures: dict[str, float | str | None] = {}
    if len(values):
        estimate = win_rate_estimate(values, clusters, analysis.confidence)
        figures = {
            "win_rate": estimate.value,
            "standard_error": estimate.standard_error,
            "ci_low": estimate.low,
            "ci_high": estimate.high,
            "method": estimate.method,
            "p_value": _sign_test(values, clusters),
            "discrete_win_rate": float((np.sign(values - EQUAL) / 2 + EQUAL).mean()),
        }
    lengths = [chars[rows][read] for chars in (pair.candidate_chars, pair.baseline_chars)]
    if judged.length_control is not None and len(values) and name == ALL:
        control = judged.length_control
        figures |= _controlled(pair, control, rows[read], clusters, analysis)
    return PairwiseEstimate.model_validate(
        {
            "candidate": names[pair.candidate],
            "baseline": names[pair.baseline],
            "judge": pair.judge,
            "slice": name,
            "n": len(values),
            "win_rate": None,
            "standard_error": None,
            "ci_low": None,
            "ci_high": None,
            **figures,
            "wins": int((values > EQUAL).sum()),
            "ties": int((values == EQUAL).sum()),
            "losses": int((values < EQUAL).sum()),
            "n_missing": int(((pair.asked[rows] > 0) & ~read).sum()),
            "n_one_order": int(((pair.one_order[rows] > 0) & ~read).sum()),
            "n_flipped": int(pair.flipped[rows].sum()),
            "n_both_orders": int(pair.both_orders[rows].sum()),
            "n_unparsed": int(pair.unparsed[rows].sum()),
            "candidate_chars": _mean(lengths[0]),
            "baseline_chars": _mean(lengths[1]),
        }
    )


def _controlled(
    pair: JudgedPair,
    control: LengthControl,
    rows: IntArray,
    clusters: IntArray | None,
    analysis: Analysis,
) -> dict[str, float | str | None]:
    """The length-controlled figures, or why there are none."""
    difference = (pair.baseline_chars - pair.candidate_chars)[rows]
    if not np.isfinite(difference).all():
        return {"no_length_control": "the lengths of some answers are unknown"}
    try:
        found = length_controlled(
            pair.preference[rows],
            difference,
            None if control.difficulty is None else control.difficulty[rows],
            regulariser=_regulariser(control),
            clusters=clusters,
            confidence=analysis.confidence,
            resamples=min(analysis.resamples, 1000),
            seed=analysis.seed,
        )
    except ValueError as error:
        return {"no_length_control": str(error)}
    return _controlled_figures(found)


def _controlled_figures(found: LengthControlled) -> dict[str, float | str | None]:
    return {
        "length_controlled_win_rate": found.win_rate,
        "length_controlled_standard_error": found.standard_error,
        "length_controlled_ci_low": found.low,
        "length_controlled_ci_high": found.high,
    }


def _regulariser(control: LengthControl) -> Regulariser | None:
    if control.x is None or control.rows_difficulty is None:
        return None
    return Regulariser(
        control.x, control.rows_difficulty, control.sum_xy, control.sum_dy, control.weight
    )


def _sign_test(values: FloatArray, clusters: IntArray | None) -> float:
    """The sign test by cluster: examples that hang together are one sign."""
    signs = np.sign(values - EQUAL)
    if clusters is not None:
        signs = np.sign(cluster_totals(signs[:, None], clusters)[:, 0])
    return sign_test(int((signs > 0).sum()), int((signs < 0).sum()))


def _finding(
    judged: Judged, one: PairwiseEstimate, p_adjusted: float | None, analysis: Analysis
) -> JudgedFinding:
    rows = judged.slices[one.slice]
    n_units = one.n if judged.clusters is None else len(np.unique(judged.clusters[rows]))
    if min(one.n, n_units) < analysis.min_examples or one.ci_low is None or one.ci_high is None:
        return "too_few"
    if p_adjusted is None or p_adjusted > 1 - analysis.confidence:
        return "no_evidence"
    if one.ci_low > EQUAL:
        return "better"
    return "worse" if one.ci_high < EQUAL else "no_evidence"


def _shares(one: PairwiseEstimate, whole: PairwiseEstimate) -> Mapping[str, float | None]:
    """Which share of all losses, and of all examples, a slice holds."""
    return {
        "share_of_losses": one.losses / whole.losses if whole.losses else None,
        "share_of_examples": one.n / whole.n if whole.n else None,
    }


def _count(units: Units, marked: np.ndarray, n: int) -> IntArray:
    return np.bincount(units.example[marked], minlength=n).astype(np.int32)


def _chars(units: Units, lengths: FloatArray, n: int) -> FloatArray:
    """A length by example: that of any of its units."""
    found = np.full(n, np.nan)
    found[units.example] = lengths
    return found


def _mean(lengths: FloatArray) -> float | None:
    return float(lengths.mean()) if len(lengths) and np.isfinite(lengths).all() else None


def by_loss(estimates: Sequence[PairwiseEstimate]) -> Iterator[PairwiseEstimate]:
    """The slices of all pairs in which the baseline wins any, those with most losses first."""
    slices = [one for one in estimates if one.slice != ALL and one.losses]
    yield from sorted(slices, key=lambda one: (one.judge, one.candidate, -one.losses))
