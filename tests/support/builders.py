"""Small subjects of comparison, built from plain arrays."""

import numpy as np

from harness.comparison.compare import compare
from harness.comparison.subject import Subject
from harness.core.example import Example
from harness.core.experiment import Analysis, PrimaryFigure, VariantFacts
from harness.core.score import Metric, MetricScores, ScoreTable, TrialTable, Unscored

MISSING, NOT_APPLICABLE = 1, 2
REASONS = (Unscored("no answer came"), Unscored("no target", applicable=False))


def metric_scores(metric, value, weight=None, reason=None):
    """`value` is (variants, examples, repeats); NaN is missing unless `reason` says otherwise."""
    value = np.asarray(value, dtype=float)
    if reason is None:
        reason = np.where(np.isnan(value), MISSING, 0)
    weight = np.ones_like(value) if weight is None else np.asarray(weight, dtype=float)
    return MetricScores(metric, value, weight, np.asarray(reason, np.int32), REASONS)


def subject(scores, *, ids=None, examples=None, variants=None, analysis=None, **columns):
    """A subject whose metrics are `scores`; `columns` are latency_s, cost_usd, status or path."""
    shape = scores[0].value.shape
    variants = variants or tuple("abcdefgh"[: shape[0]])
    ids = ids or tuple(f"e{index:04d}" for index in range(shape[1]))
    examples = examples or tuple(Example(id=name, input={}) for name in ids)
    blank = np.full(shape, np.nan)
    return Subject(
        run_id="run",
        evalset_name="set",
        evalset_sha256="0" * 64,
        examples=examples,
        baseline=variants[0],
        variants=tuple(VariantFacts(name, f"f-{name}") for name in variants),
        analysis=analysis or Analysis((PrimaryFigure(scores[0].metric.id),), resamples=500),
        scores=ScoreTable(variants, ids, shape[2], tuple(scores)),
        trials=TrialTable(
            variants,
            ids,
            columns.get("status", np.zeros(shape, np.int8)),
            columns.get("path", np.full(shape, 4, np.int8)),
            columns.get("latency_s", blank),
            columns.get("cost_usd", blank),
        ),
    )


def compared(value, metric=None, **more):
    """The comparison of one metric's values, (variants, examples) or with repeats."""
    value = np.asarray(value, dtype=float)
    value = value[:, :, None] if value.ndim == 2 else value
    return compare(subject([metric_scores(metric or Metric("m", binary=True), value)], **more))


def pair(comparison, candidate="b", baseline="a", metric="m", slice_name="all"):
    """The one pair of that name."""
    (found,) = (
        p
        for p in comparison.pairs
        if (p.candidate, p.baseline, p.metric, p.slice) == (candidate, baseline, metric, slice_name)
    )
    return found


def score(comparison, variant="a", metric="m", slice_name="all"):
    """The one score of that name."""
    (found,) = (
        s
        for s in comparison.scores
        if (s.variant, s.metric, s.slice) == (variant, metric, slice_name)
    )
    return found
