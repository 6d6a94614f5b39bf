"""From a subject to the result object: the whole of this stage on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.comparison.classes import confusion_tables
from harness.comparison.columns import Column, columns
from harness.comparison.conclusion import conclude, loss_shares
from harness.comparison.operations import cost_estimates, latency_estimates, right_or_wrong
from harness.comparison.pairs import pair_estimates
from harness.comparison.rates import operation_estimates
from harness.comparison.ratios import ratio_estimates
from harness.comparison.routes import route_estimates
from harness.comparison.scores import score_estimates
from harness.comparison.stages import first_token_estimates, stage_estimates
from harness.comparison.subject import Subject
from harness.comparison.tokens import token_estimates, token_savings
from harness.comparison.tools import failing_tools, tool_estimates
from harness.core.comparison import (
    Comparison,
    ConfoundedPair,
    EvalSetSummary,
    MetricSummary,
    Settings,
    SliceSummary,
    VariantSummary,
)
from harness.core.score import TrialState


def compare(subject: Subject) -> Comparison:
    """All figures of a run. `subject.analysis.primary` must name at least one figure."""
    table = [column for scores in subject.scores.metrics for column in columns(scores)]
    pairs = pair_estimates(subject, table)
    analysis = subject.analysis
    classes, confusion = confusion_tables(subject.variant_ids, subject.scores.metrics)
    tools = tool_estimates(subject)
    return Comparison(
        run_id=subject.run_id,
        evalset=EvalSetSummary(
            name=subject.evalset_name,
            sha256=subject.evalset_sha256,
            n_examples=len(subject.examples),
        ),
        baseline=subject.baseline,
        settings=Settings(
            confidence=analysis.confidence,
            resamples=analysis.resamples,
            seed=analysis.seed,
            min_examples=analysis.min_examples,
            coverage=analysis.coverage,
        ),
        variants=tuple(_variants(subject)),
        metrics=tuple(_metrics(subject, table)),
        slices=tuple(_slices(subject)),
        conclusion=conclude(subject, pairs),
        warnings=(
            *subject.warnings,
            *_idle_metrics(table),
            *_partly_known(subject),
            *_unbilled(subject),
            *failing_tools(tools),
            *subject.judged.warnings,
        ),
        factors=subject.factors,
        scores=tuple(score_estimates(subject, table)),
        pairs=tuple(pairs),
        pairwise=subject.judged.pairwise,
        rankings=subject.judged.rankings,
        judges=subject.judged.judges,
        agreements=subject.judged.agreements,
        losses=tuple(loss_shares(subject, pairs)),
        latency=tuple(latency_estimates(subject)),
        cost=tuple(cost_estimates(subject, right_or_wrong(table, analysis.primary[0].metric))),
        ratios=tuple(ratio_estimates(subject)),
        classes=tuple(classes),
        confusion=tuple(confusion),
        operations=tuple(operation_estimates(subject)),
        tools=tuple(tools),
        routes=tuple(route_estimates(subject)),
        stages=tuple(stage_estimates(subject)),
        first_token=tuple(first_token_estimates(subject)),
        tokens=tuple(token_estimates(subject)),
        token_savings=tuple(token_savings(subject)),
        confounded=tuple(_confounded(subject)),
    )


def _confounded(subject: Subject) -> Iterator[ConfoundedPair]:
    """The confounded pairs of this run's variants, turned as its pairs are."""
    listed = {frozenset((pair.candidate, pair.baseline)): pair for pair in subject.confounded}
    ids = subject.variant_ids
    for first, second in subject.pairs():
        found = listed.get(frozenset((ids[first], ids[second])))
        if found is not None:
            turned = {"candidate": ids[first], "baseline": ids[second]}
            yield found.model_copy(update=turned)


def _unbilled(subject: Subject) -> list[str]:
    """A warning where calls were repeated and a cost is shown: the failed ones are not in it."""
    operations = subject.trials.operations
    if operations is None:
        return []
    unbilled = (operations.retried & np.isfinite(subject.trials.cost_usd)).sum(axis=(1, 2))
    told = [f"{facts.id} {n}" for facts, n in zip(subject.variants, unbilled, strict=True) if n]
    if not told:
        return []
    return [
        "what calls that failed and were repeated were billed is unknown and in no cost; "
        f"trials with such calls: {', '.join(told)}"
    ]


def _idle_metrics(table: Sequence[Column]) -> list[str]:
    """A warning for every metric that no example has: most often a mistyped path."""
    return [
        f"{column.metric.id} applies to none of the examples: check its where and target_field"
        for column in table
        if not column.applicable.any()
    ]


def _partly_known(subject: Subject) -> list[str]:
    """A warning where a latency or cost is known for some of a variant's answers only."""
    answered = np.isin(subject.trials.status, (TrialState.OK, TrialState.SYSTEM_FAILURE))
    return [
        f"{what} of {facts.id} is known for {n_known} of its {n_answered} answers only: "
        "its figures may not be those of all"
        for what, table in (
            ("latency", subject.trials.latency_s),
            ("cost", subject.trials.cost_usd),
        )
        for facts, known, asked in zip(subject.variants, np.isfinite(table), answered, strict=True)
        if 0 < (n_known := int((known & asked).sum())) < (n_answered := int(asked.sum()))
    ]


def _variants(subject: Subject) -> list[VariantSummary]:
    status = subject.trials.status
    return [
        VariantSummary(
            id=facts.id,
            fingerprint=facts.fingerprint,
            label=facts.label,
            n_trials=int((status[index] != TrialState.NONE).sum()),
            n_system_failures=int((status[index] == TrialState.SYSTEM_FAILURE).sum()),
            n_infrastructure_failures=int(
                (status[index] == TrialState.INFRASTRUCTURE_FAILURE).sum()
            ),
            error_kinds=dict(subject.trials.error_kinds.get(facts.id, {})),
        )
        for index, facts in enumerate(subject.variants)
    ]


def _metrics(subject: Subject, table: Sequence[Column]) -> list[MetricSummary]:
    primary = {figure.metric for figure in subject.analysis.primary}
    return [
        MetricSummary(
            id=metric.id,
            higher_is_better=metric.higher_is_better,
            aggregate=metric.aggregate.value,
            binary=metric.binary,
            lower=metric.lower,
            upper=metric.upper,
            primary=metric.id in primary,
            description=metric.description,
        )
        for metric in (column.metric for column in table)
    ]


def _slices(subject: Subject) -> list[SliceSummary]:
    primary = {figure.slice for figure in subject.analysis.primary}
    return [
        SliceSummary(
            id=name,
            n_examples=len(rows),
            primary=name in primary,
            meaning=subject.slice_meanings.get(name.partition("=")[0], ""),
        )
        for name, rows in subject.slices.items()
    ]
