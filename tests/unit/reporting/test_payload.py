"""What the page counts per example is what the comparison counted."""

from collections import Counter

import numpy as np
import pytest
from builders import metric_scores
from compared_runs import METRICS, compared_run, run_of
from hypothesis import given
from hypothesis import strategies as st

from harness.core.score import Aggregate, Metric
from harness.reporting import payload


def findings(run, pair):
    """`findingOf` of assets/js/filters.js over the examples of a pair's slice."""
    index = payload.index(run, payload.Carried([0]))
    number = [metric["id"] for metric in index["metrics"]].index(pair.metric)
    members = index["members"][index["slices"].index(pair.slice)]
    up = 1 if index["metrics"][number]["up"] else -1
    lines = [
        index["values"][number][index["variants"].index(variant)]
        for variant in (pair.candidate, pair.baseline)
    ]
    found = Counter()
    for i in range(len(run.examples)) if members is None else members:
        a, b = (line[i] for line in lines)
        if a is None or b is None or (a is False and b is False):
            found["none"] += 1
        elif a is False or b is False or abs(a - b) <= 1e-12:
            found["tie"] += 1
        else:
            found["win" if (a - b) * up > 0 else "loss"] += 1
    return found


def assert_page_agrees(run):
    for pair in run.comparison.pairs:
        found = findings(run, pair)
        assert (found["win"], found["tie"], found["loss"]) == (pair.wins, pair.ties, pair.losses)


@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_the_page_counts_what_the_comparison_counts(repeats, seed):
    run = compared_run(repeats=repeats, seed=seed)
    ids = {pair.metric for pair in run.comparison.pairs}
    assert ids >= {metric.id for metric in METRICS}
    assert ("right.pass^3" in ids) == (repeats == 3)
    assert sum(pair.wins and pair.ties and pair.losses for pair in run.comparison.pairs)
    assert_page_agrees(run)


VALUES = st.sampled_from([0.1, 0.1 + 1e-13, 1 / 3]) | st.floats(-1e9, 1e9).map(
    lambda value: round(value, 9)
)
TRIALS = st.tuples(VALUES, st.sampled_from([0.0, 1.0, 2.5])) | st.none()


@given(
    st.sampled_from(list(Aggregate)[:2]),
    st.booleans(),
    st.lists(st.lists(TRIALS, min_size=6, max_size=6), min_size=2, max_size=5),
)
def test_whatever_the_values(aggregate, up, rows):
    """`rows` are examples of 2 variants and 3 repeats."""
    trials = np.array([[(np.nan, 0.0) if t is None else t for t in row] for row in rows])
    table = trials.reshape(len(rows), 2, 3, 2).transpose(1, 0, 2, 3)
    metric = Metric("m", up, None, None, aggregate)
    assert_page_agrees(run_of([metric_scores(metric, table[..., 0], table[..., 1])]))


def test_nothing_to_count_is_neither_a_score_nor_missing():
    metric = Metric("m", aggregate=Aggregate.RATIO)
    value = [[[0.0], [0.5], [np.nan]], [[1.0], [0.25], [1.0]]]
    weight = [[[0.0], [4.0], [0.0]], [[1.0], [4.0], [1.0]]]
    index = payload.index(run_of([metric_scores(metric, value, weight)]), payload.Carried([0]))
    assert payload.dump(index["values"]) == "[[[false,0.5,null],[1,0.25,1]]]"  # False == 0


def test_values_keep_six_digits_and_whole_numbers_all():
    value = [[[1234567.0], [1 / 3], [2e-8]], [[1.0], [0.5], [0.0]]]
    metric = Metric("m", lower=None, upper=None)
    index = payload.index(run_of([metric_scores(metric, value)]), payload.Carried([0]))
    assert index["values"][0][0] == [1234567, 0.333333, 2e-8]
