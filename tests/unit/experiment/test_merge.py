"""Score tables of several runs in one, nothing lost and nothing invented."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.core.score import Metric, MetricScores, ScoreTable, Unscored
from harness.experiment.merge import merged_scores

LABELS = ("cat", "dog", "(no answer)", "eel")
REASONS = (Unscored("no target", applicable=False), Unscored("timed out"), Unscored("no record"))


@st.composite
def tables(draw: st.DrawFn, name: str, n_examples: int) -> ScoreTable:
    n_variants, n_repeats = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    shape = (n_variants, n_examples, n_repeats)
    size = int(np.prod(shape))
    labels = tuple(draw(st.permutations(LABELS))[: draw(st.integers(1, 4))])
    reasons = tuple(draw(st.permutations(REASONS))[: draw(st.integers(0, 3))])

    def codes(low: int, high: int) -> np.ndarray:
        drawn = draw(st.lists(st.integers(low, high), min_size=size, max_size=size))
        return np.array(drawn, dtype=np.int32).reshape(shape)

    reason = codes(0, len(reasons))
    scores = MetricScores(
        metric=Metric("correct", binary=True),
        value=np.where(reason == 0, codes(0, 1), np.nan),
        weight=codes(0, 4).astype(np.float64),
        reason=reason,
        reasons=reasons,
        explanation=draw(
            st.dictionaries(
                st.tuples(*(st.integers(0, length - 1) for length in shape)), st.text(max_size=3)
            )
        ),
        expected=codes(-1, len(labels) - 1),
        predicted=codes(-1, len(labels) - 1),
        labels=labels,
    )
    variants = tuple(f"{name}{index}" for index in range(n_variants))
    return ScoreTable(variants, tuple("xyz"[:n_examples]), n_repeats, (scores,))


def told(table: ScoreTable) -> dict[tuple[str, str, int], object]:
    """All that a table says, by variant, example and repeat, in words instead of codes."""
    (scores,) = table.metrics
    assert scores.expected is not None
    assert scores.predicted is not None
    labels = (*scores.labels, None)
    return {
        (variant, example, repeat): (
            None if np.isnan(scores.value[v, e, repeat]) else scores.value[v, e, repeat],
            scores.weight[v, e, repeat],
            (None, *scores.reasons)[scores.reason[v, e, repeat]],
            scores.explanation.get((v, e, repeat)),
            labels[scores.expected[v, e, repeat]],
            labels[scores.predicted[v, e, repeat]],
        )
        for v, variant in enumerate(table.variants)
        for e, example in enumerate(table.example_ids)
        for repeat in range(table.n_repeats)
    }


@given(data=st.data(), n_examples=st.integers(1, 3))
def test_merging_keeps_every_score(data: st.DataObject, n_examples: int) -> None:
    one, other = data.draw(tables("a", n_examples)), data.draw(tables("b", n_examples))
    merged = merged_scores([one, other])
    assert merged.variants == one.variants + other.variants
    assert merged.n_repeats == max(one.n_repeats, other.n_repeats)
    before = {**told(one), **told(other)}
    after = told(merged)
    assert {key: after[key] for key in before} == before
    padding = [after[key] for key in after.keys() - before.keys()]
    missing = Unscored("this run had fewer repeats")
    assert all(slot == (None, 1.0, missing, None, None, None) for slot in padding)


@given(data=st.data())
def test_merging_one_table_changes_nothing(data: st.DataObject) -> None:
    table = data.draw(tables("a", 2))
    assert told(merged_scores([table])) == told(table)
