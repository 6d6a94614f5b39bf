"""From verdicts to figures: the whole of judging's analysis on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.comparison.judged_pairs import EQUAL, JudgedPair, judged_pair, pairwise_estimates
from harness.comparison.judged_quality import (
    LabelOf,
    agreements,
    judge_estimate,
    sides,
    verdicts_of,
)
from harness.comparison.judged_ranks import rank_estimates
from harness.comparison.judged_units import Units, merged, panel_units
from harness.core.example import ALL
from harness.core.experiment import Analysis
from harness.core.judged import (
    JudgedComparison,
    JudgeEstimate,
    PairwiseEstimate,
    RankEstimate,
)
from harness.core.judging import Judged
from harness.core.score import FloatArray, IntArray
from harness.statistics.judge_error import corrected_rate

_LEAST_LABELS = 20
"""Of either side: fewer tell too little of a judge's errors to correct for them."""
_LEAST_CONSTANT = 20
_BIASED = 0.6
"""A longer answer that wins more often than this is worth a warning where no label says why."""


def judged_comparison(judged: Judged, analysis: Analysis) -> JudgedComparison:
    """All that the verdicts come to; without resamples (a gate's) no rankings, no agreement."""
    units = merged(judged.table)
    by_panel = {panel.id: panel_units(units, judged.table.judges, panel) for panel in judged.panels}
    people = _Labels(judged, by_panel)
    warnings = [*_of_turns(judged)]
    pairs = [
        judged_pair(judged, panel.id, by_panel[panel.id], pair, people.preferences(panel.id, pair))
        for panel in judged.panels
        for pair in by_panel[panel.id].pairs()
    ]
    rankings: list[RankEstimate] = []
    for panel_id, own in by_panel.items() if analysis.resamples else ():
        try:
            rankings += rank_estimates(judged, panel_id, own, analysis)
        except ValueError as error:
            warnings.append(f"{panel_id} gives no ranking: {error}")
    judges = []
    for panel in judged.panels:
        verdicts = verdicts_of(judged.table, panel, people.of_panel(panel.id))
        judges += [
            judge_estimate(judged, panel, verdicts, name, analysis) for name in judged.slices
        ]
    estimates = pairwise_estimates(judged, pairs, analysis)
    estimates = [
        _corrected(one, pair, analysis)
        for one in estimates
        for pair in pairs
        if _is_of(judged, one, pair)
    ]
    told = [judge for judge in judges if judge.n_verdicts]
    warnings += _of_pairs(judged, estimates, pairs)
    warnings += [text for judge in told if judge.slice == ALL for text in _of_judge(judge)]
    return JudgedComparison(
        pairwise=tuple(estimates),
        rankings=tuple(rankings),
        judges=tuple(told),
        agreements=tuple(agreements(judged, by_panel, analysis)) if analysis.resamples else (),
        judge_usd=_shared_costs(judged),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _shared_costs(judged: Judged) -> dict[str, float]:
    """What was paid for the verdicts on each variant, half a verdict's cost for either side."""
    table, n = judged.table, len(judged.table.variants)
    known = np.isfinite(table.cost_usd)
    halves = table.cost_usd[known] / 2
    totals = np.bincount(table.first[known], weights=halves, minlength=n)
    totals += np.bincount(table.second[known], weights=halves, minlength=n)
    return {name: float(usd) for name, usd in zip(table.variants, totals, strict=True) if usd}


class _Labels:
    """What is right: by the examples themselves, or by what most people say."""

    def __init__(self, judged: Judged, by_panel: dict[str, Units]) -> None:
        self._judged = judged
        self._n = len(judged.table.example_ids)
        self._people = {panel.id: by_panel[panel.id] for panel in judged.human_panels()}
        self._cache: dict[tuple[str, int, int], IntArray] = {}

    def preferences(self, panel_id: str, pair: tuple[int, int]) -> FloatArray:
        """People's preference for the later variant of a pair, by example; NaN without any."""
        side = self._sides(panel_id, *pair)
        return np.where(side < 0, np.nan, side / 2)

    def of_panel(self, panel_id: str) -> LabelOf:
        """The labels that a panel is held against: never what it said itself."""

        def label(example: IntArray, low: IntArray, high: IntArray) -> IntArray:
            found = np.full(len(example), -1, dtype=np.int32)
            for pair in {(int(a), int(b)) for a, b in zip(low, high, strict=True)}:
                rows = (low == pair[0]) & (high == pair[1])
                found[rows] = self._sides(panel_id, *pair)[example[rows]]
            return found

        return label

    def _sides(self, panel_id: str, low: int, high: int) -> IntArray:
        key = (panel_id, low, high)
        if key not in self._cache:
            self._cache[key] = self._found(panel_id, low, high)
        return self._cache[key]

    def _found(self, panel_id: str, low: int, high: int) -> IntArray:
        """0, 1 or 2 by example, -1 without a label. Votes: the side with most, else a tie."""
        labels = self._judged.labels
        if labels is not None:
            found = np.full(self._n, -1, dtype=np.int32)
            found[labels == low], found[labels == high] = 0, 2
            return found
        votes = np.zeros((self._n, 3), dtype=np.int32)
        for name, units in self._people.items():
            if name != panel_id:
                own = units.between(low, high)
                side = sides(own.p_high)
                np.add.at(votes, (own.example[side >= 0], side[side >= 0]), 1)
        most = votes.max(axis=1, keepdims=True)
        alone = (votes == most).sum(axis=1) == 1
        found = np.where(alone, votes.argmax(axis=1), 1).astype(np.int32)
        return np.where(most[:, 0] == 0, -1, found).astype(np.int32)


def _is_of(judged: Judged, one: PairwiseEstimate, pair: JudgedPair) -> bool:
    names = judged.table.variants
    found = (pair.judge, names[pair.candidate], names[pair.baseline])
    return (one.judge, one.candidate, one.baseline) == found


def _corrected(one: PairwiseEstimate, pair: JudgedPair, analysis: Analysis) -> PairwiseEstimate:
    """With the win rate that people would give, where they have labelled enough of both sides."""
    said = np.isfinite(pair.preference)
    for_candidate = said & (pair.labels > EQUAL)
    for_baseline = said & (pair.labels < EQUAL)
    n = int(for_candidate.sum()), int(for_baseline.sum())
    if one.slice != ALL or min(n) < _LEAST_LABELS or one.win_rate is None:
        return one
    found = corrected_rate(
        one.win_rate,
        (one.standard_error or 0.0) ** 2,
        float(pair.preference[for_candidate].mean()),
        float(1 - pair.preference[for_baseline].mean()),
        *n,
        analysis.confidence,
    )
    if found is None:
        return one
    return one.model_copy(
        update={
            "corrected_win_rate": found.value,
            "corrected_ci_low": found.low,
            "corrected_ci_high": found.high,
        }
    )


def _of_turns(judged: Judged) -> Iterator[str]:
    """Turns of a conversation are other answers: only verdicts on the same one can agree."""
    turns = np.unique(judged.table.turn)
    if len(turns) > 1:
        yield (
            f"verdicts on {len(turns)} turns are averaged in win rates, and people's labels over "
            "all of them; where: {turn: ...} takes one"
        )


def _of_pairs(
    judged: Judged, estimates: Sequence[PairwiseEstimate], pairs: Sequence[JudgedPair]
) -> Iterator[str]:
    """What a reader of win rates has to know first."""
    for one in estimates:
        if one.no_length_control:
            names = f"{one.candidate} against {one.baseline}"
            yield f"{one.judge}: no win rate of {names} at equal lengths: {one.no_length_control}"
        controlled, low, high = one.length_controlled_win_rate, one.ci_low, one.ci_high
        if one.slice != ALL or controlled is None or low is None or high is None:
            continue
        if not low <= controlled <= high:
            yield (
                f"{one.judge}: at equal lengths {one.candidate} wins {controlled:.1%} against "
                f"{one.baseline}, not {one.win_rate:.1%}: length decides much of it"
            )
    for pair in pairs:
        read = np.isfinite(pair.preference)
        chars = pair.candidate_chars[read]
        constant = len(chars) >= _LEAST_CONSTANT and np.ptp(chars) == 0
        if constant and float(pair.preference[read].mean()) > EQUAL:
            name = judged.table.variants[pair.candidate]
            yield (
                f"{pair.judge}: {name} wins with answers that all have {chars[0]:.0f} characters; "
                "if they are one text, the judge is being gamed"
            )


def _of_judge(judge: JudgeEstimate) -> Iterator[str]:
    """What a reader of a judge's verdicts has to know first."""
    if judge.trusted is False:
        yield (
            f"{judge.judge} agrees with the labels in {judge.accuracy:.1%}, less than the "
            f"{judge.min_agreement:.1%} declared: it informs, and blocks no gate"
        )
    low, high = judge.first_rate_ci_low, judge.first_rate_ci_high
    if low is not None and high is not None and not low <= EQUAL <= high:
        place = "first" if low > EQUAL else "second"
        yield (
            f"{judge.judge} has a position bias: the answer shown first wins "
            f"{judge.first_rate:.1%}; it prefers what comes {place}"
        )
    low, truth = judge.longer_rate_ci_low, judge.label_longer_rate
    if low is not None and low > max(EQUAL, _BIASED if truth is None else truth):
        beside = "" if truth is None else f", by the labels {truth:.1%}"
        yield (
            f"{judge.judge} may have a length bias: the longer answer wins "
            f"{judge.longer_rate:.1%}{beside}"
        )
    if judge.n_unparsed:
        yield f"{judge.judge}: {judge.n_unparsed} of {judge.n_verdicts} verdicts could not be read"
