"""How far judges can be trusted: by labels, both orders, lengths, and one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TypeAlias

import numpy as np

from harness.comparison.judged_units import (
    BOTH_ORDERS,
    Units,
    clusters_of_votes,
    members_of,
)
from harness.core.example import ALL
from harness.core.experiment import Analysis
from harness.core.judged import AgreementEstimate, JudgeEstimate
from harness.core.judging import UNKNOWN_ORDER, Judged, JudgmentTable, Panel
from harness.core.score import BoolArray, FloatArray, IntArray
from harness.statistics.agreement import agree, cohen_kappa, confusion, krippendorff_alpha
from harness.statistics.estimates import mean_estimate
from harness.statistics.win_rates import win_rate_estimate

N_SIDES = 3
_TIE = 1


@dataclass(frozen=True, slots=True)
class Verdicts:
    """All verdicts as read, one row each, for one panel: arrays of shape (n,).

    `side` is 0, 1 or 2 for the answer listed first, a tie, the one listed second, -1 where unread;
    `label` alike what people say, -1 without any. `turned` marks rows that list the later variant
    first. `first_won` and `longer_won` are the preferences for the
    answer shown first and for the longer one, NaN where unknown; `label_longer` whether the label
    is the longer one. `unit` numbers the pairs of answers, `swapped` the order.
    """

    example: IntArray
    judge: IntArray
    unit: IntArray
    side: IntArray
    label: IntArray
    turned: BoolArray
    swapped: IntArray
    first_won: FloatArray
    longer_won: FloatArray
    label_longer: FloatArray

    def within(self, rows: BoolArray) -> Verdicts:
        """Those on some examples: `rows` is of shape (examples,)."""
        kept = rows[self.example]
        return Verdicts(*(getattr(self, name)[kept] for name in self.__slots__))


LabelOf: TypeAlias = Callable[[IntArray, IntArray, IntArray], IntArray]
"""Of (example, low, high): the side that people prefer, -1 where nobody says."""


def sides(preference: FloatArray) -> IntArray:
    """0, 1 or 2 for below, at and above one half; -1 for NaN."""
    known = np.isfinite(preference)
    found: IntArray = np.where(known, np.sign(np.where(known, preference, 0) - 0.5) + 1, -1).astype(
        np.int32
    )
    return found


def _turned(side: IntArray, turned: BoolArray) -> IntArray:
    """Sides as seen from the other answer, where `turned`; what is unread stays so."""
    found: IntArray = np.where(turned & (side >= 0), 2 - side, side).astype(np.int32)
    return found


def verdicts_of(table: JudgmentTable, panel: Panel, label_of: LabelOf) -> Verdicts:
    """The rows of a panel's judges."""
    wanted = members_of(table.judges, panel)
    rows = np.flatnonzero(np.isin(table.judge, wanted) & (table.first != table.second))
    first, second, p_second = table.first[rows], table.second[rows], table.p_second[rows]
    turned = first > second
    low, high = np.minimum(first, second), np.maximum(first, second)
    example, swapped = table.example[rows], table.swapped[rows].astype(np.int32)
    asked = (table.repeat[rows], table.turn[rows])
    keys = np.stack([table.judge[rows], example, low, high, *asked], axis=1)
    unit = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int32)
    shown_first = np.where(swapped == 1, p_second, 1 - p_second)
    lengths = table.second_chars[rows] - table.first_chars[rows]
    longer_won = np.where(lengths > 0, p_second, 1 - p_second)
    label = label_of(example, low, high)
    label_second = _turned(label, turned)
    longer_label = np.where(lengths > 0, label_second == 2, label_second == 0).astype(float)
    no_length = ~np.isfinite(lengths) | (lengths == 0)
    return Verdicts(
        example=example,
        judge=table.judge[rows],
        unit=unit,
        side=sides(p_second),
        label=label_second,
        turned=turned,
        swapped=swapped,
        first_won=np.where(swapped == UNKNOWN_ORDER, np.nan, shown_first),
        longer_won=np.where(no_length, np.nan, longer_won),
        label_longer=np.where(no_length | (label < 0) | (label == _TIE), np.nan, longer_label),
    )


def judge_estimate(
    judged: Judged, panel: Panel, verdicts: Verdicts, slice_id: str, analysis: Analysis
) -> JudgeEstimate:
    """One panel on one slice; `verdicts` are all of the panel's."""
    inside = np.zeros(len(judged.table.example_ids), dtype=np.bool_)
    inside[judged.slices[slice_id]] = True
    own = verdicts.within(inside)
    figures: dict[str, object] = {
        "judge": panel.id,
        "slice": slice_id,
        "human": panel.human,
        "n_verdicts": len(own.side),
        "n_unparsed": int((own.side < 0).sum()),
        "min_agreement": panel.min_agreement,
        **_accuracy(judged, own, analysis),
        **_orders(own),
        **_bias(judged, own, own.first_won, "first_rate", "n_ordered", analysis),
        **_bias(judged, own, own.longer_won, "longer_rate", "n_lengths", analysis),
        "label_longer_rate": _mean(own.label_longer[np.isfinite(own.label_longer)]),
    }
    if slice_id == ALL:
        figures |= _repeats_and_judges(judged.table, panel, own)
        figures |= _price(judged.table, panel)
    accuracy = figures.get("accuracy")
    if panel.min_agreement is not None and isinstance(accuracy, float):
        figures["trusted"] = accuracy >= panel.min_agreement
    return JudgeEstimate.model_validate(figures)


def _accuracy(judged: Judged, own: Verdicts, analysis: Analysis) -> dict[str, object]:
    labelled = own.label >= 0
    if not labelled.any():
        return {}
    right = (own.side == own.label)[labelled].astype(float)
    clusters = clusters_of_votes(judged, own.example[labelled])
    estimate = mean_estimate(right, clusters, (0.0, 1.0), analysis.confidence)
    read = labelled & (own.side >= 0)
    figures: dict[str, object] = {
        "n_labelled": int(labelled.sum()),
        "accuracy": estimate.value,
        "accuracy_ci_low": estimate.low,
        "accuracy_ci_high": estimate.high,
        "kappa": cohen_kappa(own.side[read], own.label[read], N_SIDES) if read.any() else None,
    }
    for name, order in (("accuracy_original", 0), ("accuracy_swapped", 1)):
        figures[name] = _mean(right[own.swapped[labelled] == order])
    both = _by_unit(own, own.side == own.label, labelled)
    figures["accuracy_both"] = None if both is None else float((both == BOTH_ORDERS).mean())
    return figures


def _orders(own: Verdicts) -> dict[str, object]:
    """The share of pairs with the same verdict in both orders; unread in both is the same."""
    everywhere = np.ones(len(own.side), dtype=np.bool_)
    if _by_unit(own, everywhere, everywhere) is None:
        return {}
    order = np.lexsort((own.swapped, own.unit))
    unit, swapped, side = own.unit[order], own.swapped[order], own.side[order]
    paired = (unit[1:] == unit[:-1]) & (swapped[:-1] == 0) & (swapped[1:] == 1)
    same = (side[1:] == side[:-1])[paired]
    return {"n_both_orders": int(paired.sum()), "consistency": _mean(same.astype(float))}


def _by_unit(own: Verdicts, marked: BoolArray, within: BoolArray) -> IntArray | None:
    """How many of both orders are marked, by unit; None where no unit has both."""
    n = int(own.unit.max()) + 1 if len(own.unit) else 0
    ordered = within & (own.swapped != UNKNOWN_ORDER)
    n_orders = np.bincount(own.unit[ordered], minlength=n)
    found: IntArray = np.bincount(own.unit[ordered & marked], minlength=n).astype(np.int32)
    both = n_orders == BOTH_ORDERS
    return found[both] if both.any() else None


def _bias(
    judged: Judged, own: Verdicts, preference: FloatArray, name: str, count: str, analysis: Analysis
) -> dict[str, object]:
    known = np.isfinite(preference)
    if not known.any():
        return {}
    clusters = clusters_of_votes(judged, own.example[known])
    estimate = win_rate_estimate(preference[known], clusters, analysis.confidence)
    return {
        count: int(known.sum()),
        name: estimate.value,
        f"{name}_ci_low": estimate.low,
        f"{name}_ci_high": estimate.high,
    }


def _repeats_and_judges(table: JudgmentTable, panel: Panel, own: Verdicts) -> Mapping[str, object]:
    """Agreement of a judge with itself over repeats, and of a panel's judges with one another."""
    wanted = members_of(table.judges, panel)
    rows = np.isin(table.judge, wanted) & (table.first != table.second)
    low, high = np.minimum(table.first, table.second), np.maximum(table.first, table.second)
    pair = np.stack([table.example, low, high, table.turn], axis=1)[rows]
    place = np.unique(pair, axis=0, return_inverse=True)[1].reshape(-1)
    side = _turned(own.side, own.turned)
    read = side >= 0
    key = (place * (len(table.judges) + 1) + own.judge) * 3 + own.swapped + 1
    groups = np.unique(key[read], return_inverse=True)[1].reshape(-1)
    counts = np.zeros((int(groups.max()) + 1 if len(groups) else 0, N_SIDES))
    np.add.at(counts, (groups, side[read]), 1)
    n = counts.sum(axis=1)
    pairs = float((n * (n - 1)).sum())
    found: dict[str, object] = {"n_repeated": int((n > 1).sum())}
    if pairs:
        found["self_consistency"] = float((counts * (counts - 1)).sum()) / pairs
    if len(panel.judges) > 1:
        codes = np.full((len(wanted), int(place.max()) + 1 if len(place) else 0), -1, np.int32)
        codes[np.searchsorted(wanted, own.judge), place] = side
        found["alpha"] = krippendorff_alpha(codes, N_SIDES)
    return found


def _price(table: JudgmentTable, panel: Panel) -> dict[str, object]:
    wanted = members_of(table.judges, panel)
    rows = np.isin(table.judge, wanted)
    cost, latency = table.cost_usd[rows], table.latency_s[rows]
    cost, latency = cost[np.isfinite(cost)], latency[np.isfinite(latency)]
    return {
        "cost_usd": float(cost.sum()) if len(cost) else None,
        "latency_p50_s": float(np.median(latency)) if len(latency) else None,
    }


def agreements(
    judged: Judged, by_panel: Mapping[str, Units], analysis: Analysis
) -> Iterator[AgreementEstimate]:
    """Every panel with every other, and the judges within each that has several."""
    for one, other in combinations_with_replacement(by_panel, 2):
        found = _agreement(judged, one, other, by_panel, analysis)
        if found is not None:
            yield found


def _agreement(
    judged: Judged, one: str, other: str, by_panel: Mapping[str, Units], analysis: Analysis
) -> AgreementEstimate | None:
    a, b, example = paired_verdicts(by_panel[one], by_panel[other], same=one == other)
    if not len(a):
        return None
    clusters = clusters_of_votes(judged, example)
    resamples = min(analysis.resamples, 1000)
    found = agree(a, b, N_SIDES, clusters, analysis.confidence, resamples, analysis.seed)
    firm = (a != _TIE) & (b != _TIE)
    return AgreementEstimate(
        first=one,
        second=other,
        slice=ALL,
        n=len(a),
        share=found.share,
        ci_low=found.low,
        ci_high=found.high,
        kappa=found.kappa,
        kappa_ci_low=found.kappa_low,
        kappa_ci_high=found.kappa_high,
        n_no_ties=int(firm.sum()),
        share_no_ties=_mean((a == b)[firm].astype(float)),
        kappa_no_ties=cohen_kappa(a[firm], b[firm], N_SIDES) if firm.any() else None,
        confusion=tuple((int(x), int(y), int(z)) for x, y, z in confusion(a, b, N_SIDES)),
    )


def paired_verdicts(one: Units, other: Units, *, same: bool) -> tuple[IntArray, IntArray, IntArray]:
    """Every verdict of the one with every verdict of the other on the same pair of answers.

    Within one panel every two verdicts once. Returns both sides, as seen in the order in which the
    first lists the answers (kappa depends on it), and the example of each.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    codes = sides(other.p_high)
    for place, key in enumerate(zip(*_keys(other), strict=True)):
        if codes[place] >= 0:
            groups.setdefault(key, []).append(place)
    left: list[int] = []
    right: list[int] = []
    own = sides(one.p_high)
    for place, key in enumerate(zip(*_keys(one), strict=True)):
        if own[place] < 0:
            continue
        partners = groups.get(key, ())
        partners = [p for p in partners if p > place] if same else partners
        left += [place] * len(partners)
        right += partners
    turned = one.turned[left]
    return _turned(own[left], turned), _turned(codes[right], turned), one.example[left]


def _keys(units: Units) -> Sequence[list[int]]:
    parts = (units.example, units.low, units.high, units.turn)
    return [part.tolist() for part in parts]


def _mean(values: FloatArray) -> float | None:
    return float(values.mean()) if len(values) else None
