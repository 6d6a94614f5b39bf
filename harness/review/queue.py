"""In which order examples are looked at: those first of which most is to be learned.

Where a person gives the order there is nothing to decide. Else those come first whose answers
differ, among them those whose primary scores differ, then the hardest slices first; those whose
answers are the same come last. Equals stand in an order drawn from the seed, the same for every
reviewer, so that two people who look at a part look at the same part. The scores stay here:
a reviewer is told none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from harness.core.example import ALL, Example, slice_members
from harness.core.score import FloatArray, MetricScores, ScoreTable
from harness.review.blinding import drawn
from harness.review.items import Item

MIN_SLICE = 5
"""Of how many examples the mean says something of a slice."""


def by_worth(
    items: Sequence[Item],
    examples: Sequence[Example],
    scores: ScoreTable,
    primary: Sequence[str],
    pair: tuple[str, str],
    seed: int,
) -> tuple[Item, ...]:  # fmt: skip
    """`items` in the order of what is to be learned. `primary` are ids of metrics."""
    first, *_ = (*primary, None)
    rows = {id_: row for row, id_ in enumerate(scores.example_ids)}
    values = [_values(scores, metric, pair) for metric in primary if _has(scores, metric, pair)]
    ease = _ease(values[0], examples, rows) if values and first else {}

    def place(item: Item) -> tuple[bool, bool, float, bytes]:
        row = rows.get(item.id)
        differs = row is not None and any(_differ(value[:, row]) for value in values)
        return item.identical, not differs, ease.get(item.id, np.inf), drawn(seed, item.id)

    return tuple(sorted(items, key=place))


def _has(scores: ScoreTable, metric_id: str, pair: tuple[str, str]) -> bool:
    """Whether there are scores of a metric (a primary figure may be one that is derived)."""
    known = {one.metric.id for one in scores.metrics}
    return metric_id in known and all(variant in scores.variants for variant in pair)


def _values(scores: ScoreTable, metric_id: str, pair: tuple[str, str]) -> FloatArray:
    """Of shape (2, examples): the first repeat's values, the higher the better."""
    found: MetricScores = scores.metric(metric_id)
    sign = 1.0 if found.metric.higher_is_better else -1.0
    values: FloatArray = sign * found.value[[scores.variants.index(v) for v in pair], :, 0]
    return values


def _differ(two: FloatArray) -> bool:
    one, other = (float(value) for value in two)
    if np.isnan(one) or np.isnan(other):
        return bool(np.isnan(one) != np.isnan(other))
    return abs(one - other) > 1e-9


def _ease(
    values: FloatArray, examples: Sequence[Example], rows: Mapping[str, int]
) -> dict[str, float]:
    """Of every example the mean score, of both variants, on the hardest slice that it is in."""
    found: dict[str, float] = {}
    members = slice_members([example.slices for example in examples])
    for name, places in members.items():
        if name == ALL or len(places) < MIN_SLICE:
            continue
        ids = [examples[place].id for place in places]
        cells = values[:, [rows[id_] for id_ in ids if id_ in rows]]
        scored = cells[~np.isnan(cells)]
        if len(scored):
            mean = float(scored.mean())
            found.update((id_, min(mean, found.get(id_, np.inf))) for id_ in ids)
    return found
