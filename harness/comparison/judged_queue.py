"""The examples on which a human look is worth most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.comparison.judged_units import merged
from harness.core.example import ALL
from harness.core.judging import Judged
from harness.core.score import FloatArray

_NEAR = 0.1
_HARD = 0.15
"""A slice is hard where its share of unsure verdicts is so much above that of all."""
_WEIGHTS = {
    "orders disagree": 3.0,
    "judges disagree": 3.0,
    "no verdict could be read": 2.0,
    "near a tie": 1.0,
    "in a hard slice": 0.5,
}


@dataclass(frozen=True, slots=True)
class Queued:
    """A pair of answers worth a look, why, and how much."""

    example: str
    first: str
    second: str
    reasons: tuple[str, ...]
    score: float


def queue_of(*comparisons: Judged) -> list[Queued]:
    """The pairs that people have not labelled, most worth a look first, sure ones last.

    Of a pair that several comparisons judged, the one that is least sure of it tells.
    """
    found: dict[tuple[str, str, str], Queued] = {}
    for one in (one for judged in comparisons for one in _queue(judged)):
        key = (one.example, one.first, one.second)
        if key not in found or one.score > found[key].score:
            found[key] = one
    return sorted(found.values(), key=lambda one: (-one.score, one.example, one.first, one.second))


def _queue(judged: Judged) -> list[Queued]:
    table, units = judged.table, merged(judged.table)
    people = {judge for panel in judged.human_panels() for judge in panel.judges}
    human = np.isin(units.judge, [i for i, name in enumerate(table.judges) if name in people])
    n = len(table.example_ids)
    keys = np.stack([units.example, units.low, units.high], axis=1)
    pairs, place = np.unique(keys, axis=0, return_inverse=True)
    place = place.reshape(-1)
    labelled = np.bincount(place[human], minlength=len(pairs)) > 0
    if judged.labels is not None:
        labelled |= judged.labels[pairs[:, 0]] >= 0
    models = ~human
    read = models & np.isfinite(units.p_high)
    spread = _spread(place[read], units.p_high[read], len(pairs))
    mean = _mean(place[read], units.p_high[read], len(pairs))
    marks = {
        "orders disagree": np.bincount(place[models & units.flipped], minlength=len(pairs)) > 0,
        "judges disagree": spread >= 0.5,
        "no verdict could be read": (
            np.bincount(place[models], weights=units.n_unparsed[models], minlength=len(pairs)) > 0
        ),
        "near a tie": np.abs(mean - 0.5) <= _NEAR,
    }
    unsure = np.zeros(n)
    unsure[pairs[marks["near a tie"] | marks["orders disagree"], 0]] = 1
    marks["in a hard slice"] = _in_hard_slice(judged, unsure)[pairs[:, 0]]
    asked = np.bincount(place[models], minlength=len(pairs)) > 0
    return [
        _queued(judged, pairs[row], {name: bool(mark[row]) for name, mark in marks.items()})
        for row in np.flatnonzero(asked & ~labelled & (pairs[:, 1] != pairs[:, 2]))
    ]


def _queued(judged: Judged, pair: np.ndarray, marks: dict[str, bool]) -> Queued:
    names, (example, low, high) = judged.table.variants, map(int, pair)
    reasons = tuple(name for name, marked in marks.items() if marked)
    score = sum(_WEIGHTS[name] for name in reasons)
    return Queued(judged.table.example_ids[example], names[low], names[high], reasons, score)


def _spread(place: np.ndarray, values: FloatArray, n: int) -> FloatArray:
    """How far apart the judges of each pair are; 0 where there is one."""
    least, most = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(least, place, values)
    np.maximum.at(most, place, values)
    return np.where(np.isfinite(most), most - least, 0.0)


def _mean(place: np.ndarray, values: FloatArray, n: int) -> FloatArray:
    counts = np.bincount(place, minlength=n)
    sums = np.bincount(place, weights=values, minlength=n)
    found: FloatArray = np.divide(sums, counts, out=np.full(n, np.nan), where=counts > 0)
    return found


def _in_hard_slice(judged: Judged, unsure: FloatArray) -> np.ndarray:
    found = np.zeros(len(unsure), dtype=np.bool_)
    for name, rows in judged.slices.items():
        if name != ALL and len(rows) and unsure[rows].mean() > unsure.mean() + _HARD:
            found[rows] = True
    return found
