"""What must hold of every comparison, whatever the data."""

import numpy as np
import pytest
from builders import metric_scores, pair, subject
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.comparison.compare import compare
from harness.core.comparison import Comparison
from harness.core.example import Example
from harness.core.score import Aggregate, Metric

METRICS = {
    "right": Metric("m", binary=True),
    "share": Metric("m"),
    "lower is better": Metric("m", higher_is_better=False),
    "ratio": Metric("m", aggregate=Aggregate.RATIO),
    "unbounded": Metric("m", lower=None, upper=None),
}


@st.composite
def arrays(draw, variants=2):
    """A metric and (variants, examples, repeats) values, with missing ones and weights."""
    kind = draw(st.sampled_from(sorted(METRICS)))
    metric = METRICS[kind]
    n, repeats = draw(st.integers(2, 25)), draw(st.sampled_from([1, 1, 3]))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    shape = (variants, n, repeats)
    value = rng.integers(0, 2, shape) if metric.binary else np.round(rng.random(shape), 1)
    value = value.astype(float)
    value[rng.random(shape) < draw(st.sampled_from([0.0, 0.1]))] = np.nan
    weight = rng.integers(0, 4, shape) if kind == "ratio" else np.ones(shape)
    names = draw(st.sampled_from([None, 3]))
    examples = tuple(
        Example(
            id=f"e{i:04d}",
            input={},
            slices={"part": str(i % 2)},
            cluster=None if names is None else f"c{i // names}",
        )
        for i in range(n)
    )
    return metric, value, weight, examples


def _compare(metric, value, weight, examples, **more):
    scores = metric_scores(metric, value, weight)
    return compare(subject([scores], examples=examples, **more))


def _close(a, b):
    assert (a is None) == (b is None)
    if a is not None:
        assert a == pytest.approx(b, abs=1e-7)


@settings(deadline=None, max_examples=80)
@given(arrays())
def test_swapping_a_pair_negates_its_difference(drawn):
    metric, value, weight, examples = drawn
    there = _compare(metric, value, weight, examples)
    back = _compare(metric, value[::-1], weight[::-1], examples)
    for name in ("all", "part=0", "part=1"):
        p, q = (pair(c, slice_name=name) for c in (there, back))
        _close(p.diff, None if q.diff is None else -q.diff)
        _close(p.ci_low, None if q.ci_high is None else -q.ci_high)
        _close(p.p_value, q.p_value)
        assert (p.wins, p.ties, p.losses) == (q.losses, q.ties, q.wins)
        if p.win_rate is not None:
            assert p.win_rate + q.win_rate == pytest.approx(1)
        opposite = {"better": "worse", "worse": "better"}
        assert q.finding == opposite.get(p.finding, p.finding)


@settings(deadline=None, max_examples=60)
@given(arrays(variants=3))
def test_adding_a_variant_changes_no_other_pairs_estimate(drawn):
    metric, value, weight, examples = drawn
    three = _compare(metric, value, weight, examples)
    two = _compare(metric, value[:2], weight[:2], examples)
    for alone in two.pairs:
        among = pair(three, slice_name=alone.slice, metric=alone.metric)
        unadjusted = {"p_adjusted", "finding", "n_needed"}
        assert among.model_dump(exclude=unadjusted) == alone.model_dump(exclude=unadjusted)


@settings(deadline=None, max_examples=40)
@given(arrays(), st.integers(0, 1000))
def test_a_missing_score_leaves_the_example_out_on_both_sides(drawn, seed):
    metric, value, weight, examples = drawn
    lost = np.random.default_rng(seed).integers(0, value.shape[1])
    one_side, both = value.copy(), value.copy()
    one_side[0, lost] = np.nan
    both[:, lost] = np.nan
    p, q = (pair(_compare(metric, v, weight, examples)) for v in (one_side, both))
    assert p.model_dump() == q.model_dump()
    assert p.n + p.n_missing <= value.shape[1]
    if metric.aggregate is Aggregate.MEAN:
        assert p.n + p.n_missing == value.shape[1]


@settings(deadline=None, max_examples=40)
@given(arrays())
def test_the_result_survives_json(drawn):
    comparison = _compare(*drawn)
    text = comparison.model_dump_json()
    assert Comparison.model_validate_json(text) == comparison
    assert "NaN" not in text
    assert "Infinity" not in text


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 30), st.floats(-5, 5), st.integers(0, 1000))
def test_adding_a_constant_to_both_changes_no_difference(n, constant, seed):
    rng = np.random.default_rng(seed)
    value = rng.normal(size=(2, n, 1)).round(2)
    metric = METRICS["unbounded"]
    examples = tuple(Example(id=f"e{i:04d}", input={}) for i in range(n))
    ones = np.ones_like(value)
    p = pair(_compare(metric, value, ones, examples))
    q = pair(_compare(metric, value + constant, ones, examples))
    for field in ("diff", "ci_low", "ci_high"):
        _close(getattr(p, field), getattr(q, field))
