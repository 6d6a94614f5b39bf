"""Runs whose comparison is the harness's own, for tests that the page agrees with it."""

import numpy as np
from builders import MISSING, NOT_APPLICABLE, metric_scores, subject

from harness.comparison.compare import compare
from harness.core.example import Example
from harness.core.run import RunData
from harness.core.score import Aggregate, Metric

METRICS = (
    Metric("right", binary=True),
    Metric("precision", aggregate=Aggregate.RATIO),
    Metric("fabricated", aggregate=Aggregate.RATIO, higher_is_better=False),
    Metric("time", lower=None, upper=None, higher_is_better=False),
    Metric("flagged", binary=True, higher_is_better=False),
)


def compared_run(n=40, variants=3, repeats=1, seed=0):
    """A run with ties, trials without a score, weights of 0 and values that hardly differ."""
    rng = np.random.default_rng(seed)
    shape = (variants, n, repeats)
    return run_of([_scores(metric, shape, rng) for metric in METRICS])


def run_of(scores):
    """A run of these scores; every third example is in the slice `third=yes`."""
    n = scores[0].value.shape[1]
    examples = tuple(
        Example(f"e{i:04d}", {"q": str(i)}, slices={"third": "yes"} if i % 3 == 0 else {})
        for i in range(n)
    )
    made = subject(scores, examples=examples)
    return RunData({}, examples, (), made.scores, compare(made))


def _scores(metric, shape, rng):
    reason = np.where(rng.random(shape) < 0.15, MISSING, 0)
    reason[:, rng.random(shape[1]) < 0.1] = NOT_APPLICABLE
    weight = np.ones(shape)
    if metric.aggregate is Aggregate.RATIO:
        weight = rng.integers(0, 3, shape).astype(float)
        value = rng.integers(0, 4, shape) / 3
    elif metric.binary:
        value = rng.integers(0, 2, shape).astype(float)
    else:
        value = rng.choice([0.1, 0.1 + 1e-13, 0.1 + 1e-9, 1e-8, 3e-8, 123456.7], shape)
    return metric_scores(metric, np.where(reason > 0, np.nan, value), weight, reason)
