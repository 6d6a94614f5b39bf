"""Synthetic runs for the tests of the renderings: deterministic, invented, of any size.

The figures are simple normal approximations computed here, on purpose not by the harness's own
comparison: a rendering has to show what it is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.core.comparison import (
    ClassEstimate,
    Comparison,
    Conclusion,
    ConfusionCell,
    CostEstimate,
    EvalSetSummary,
    Finding,
    LatencyEstimate,
    LossShare,
    MetricSummary,
    PairEstimate,
    ScoreEstimate,
    Settings,
    SliceSummary,
    VariantSummary,
)
from harness.core.example import ALL, Example, slice_members
from harness.core.record import Answer, AnswerPath, Failure, Record, Usage
from harness.core.run import RunData
from harness.core.score import FloatArray, Metric, MetricScores, ScoreTable, Unscored
from harness.core.values import ToolCall
from harness.core.verdict import Outcome, RuleResult, Verdict
from harness.statistics.power import examples_to_show

_PROSE = (
    "the customer may return an unopened kit within thirty days of delivery if the seal is whole "
    "and a receipt is shown to our support desk which answers between nine and five on weekdays "
    "total price eggs sells market every day remaining makes dollars per fresh duck bakes muffins"
)
_WORDS = _PROSE.split()


@dataclass(frozen=True)
class Shape:
    """What kind of run to make."""

    n: int = 60
    variants: tuple[str, ...] = ("a", "b")
    rates: tuple[float, ...] = (0.4, 0.65)
    repeats: int = 1
    n_metrics: int = 2
    output_words: int = 25
    costs: bool = True
    latencies: bool = True
    failures: bool = True
    n_slices: int = 3
    seed: int = 1


def make_run(shape: Shape = Shape()) -> RunData:
    """A whole run with examples, records, scores and a comparison."""
    rng = np.random.default_rng(shape.seed)
    examples = tuple(_examples(shape, rng))
    metrics = [Metric("correct", binary=True, description="the answer is right")]
    metrics += [
        Metric(f"overlap.{i}", description="word overlap") for i in range(1, shape.n_metrics)
    ]
    table, records = _trials(shape, examples, metrics, rng)
    comparison = _comparison(shape, examples, records, table)
    manifest = {
        "command": ["harness", "run", "configs/synthetic.yaml"],
        "started_at": "2026-11-20T10:00:00Z",
        "versions": {"harness": "0.1.0", "numpy": np.__version__},
        "seed": shape.seed,
    }
    return RunData(manifest, examples, records, table, comparison)


def verdict(run: RunData, outcome: Outcome = "fail") -> Verdict:
    """A gate's verdict over `run` with a rule of every outcome up to the given one."""
    base: dict[str, Any] = {"metric": "correct", "n": 60}
    rules = [
        RuleResult(
            rule="correct on all",
            kind="non_inferiority",
            slice=ALL,
            estimate=0.25,
            ci_low=0.1,
            ci_high=0.4,
            limit=-0.02,
            outcome="pass",
            reason="the loss is under 2 points",
            **base,
        ),
        RuleResult(
            rule="correct on all >= 0.9",
            kind="floor",
            slice=ALL,
            estimate=0.99,
            ci_low=0.95,
            ci_high=1.0,
            limit=0.9,
            outcome="pass",
            reason="99% are right",
            **base,
        ),
    ]
    if outcome != "pass":
        rules.append(
            RuleResult(
                rule="p95",
                kind="latency_ratio",
                slice=ALL,
                estimate=1.1,
                ci_low=0.9,
                ci_high=1.4,
                limit=1.2,
                outcome="inconclusive",
                reason="p95 may be up to 1.4 times as long",
                n_needed=900,
                **{**base, "metric": "p95"},
            )
        )
    if outcome == "fail":
        rules.append(
            RuleResult(
                rule="floor on steps=2",
                kind="floor",
                slice="steps=2",
                estimate=0.31,
                ci_low=0.2,
                ci_high=0.42,
                limit=0.5,
                outcome="fail",
                reason="31.0% is below the floor of 50%",
                **base,
            )
        )
    return Verdict(
        run_id=run.run_id,
        baseline_run_id="main-1",
        candidate="b",
        baseline="a",
        policy_sha256="c0ffee" * 8,
        confidence=0.95,
        on_inconclusive="block",
        outcome=outcome,
        exit_code={"pass": 0, "fail": 1, "inconclusive": 4}[outcome],
        rules=tuple(rules),
    )


HOSTILE = (
    "</script><script>window.pwned=1</script>",
    '<img src=x onerror="window.pwned=1">',
    "[click](javascript:window.pwned=1)",
    "\u202eright to left\u202c \u2067isolate",
    "\x1b[31mred\x1b[0m \x00 nul \x9b5m",
    "lone \ud800 surrogate",
    '=HYPERLINK("http://example.invalid")',
    "::error::workflow command\n::set-output name=x::y",
    "@everyone #1 `tick` | pipe | $math$ ##[group]x",
    "{{ 7*7 }} {% raw %} ${7*7}",
    "x" * 1_000_000,
)


def hostile_run() -> RunData:
    """A run in which every text from outside attacks the page."""
    base = make_run(Shape(n=len(HOSTILE) * 2, n_slices=2))
    rename = {"a": "<b>a</b>\u202e", "b": "b|`@team`\n::error::x\x1b[2J"}
    texts = [HOSTILE[i % len(HOSTILE)] for i in range(len(base.examples))]
    examples = tuple(
        replace(
            e,
            id=f"{i}-{t[:60]}",
            input={"question": t, t[:50]: 1},
            target=t,
            slices={**e.slices, "kind": t[:40]},
            metadata={t[:50]: t[:500]},
        )
        for i, (e, t) in enumerate(zip(base.examples, texts, strict=True))
    )
    ids = {e.id: h.id for e, h in zip(base.examples, examples, strict=True)}
    by_id = dict(zip((h.id for h in examples), texts, strict=True))
    records = tuple(
        replace(
            r,
            variant=rename[r.variant],
            example_id=ids[r.example_id],
            outcome=_attack(r, by_id[ids[r.example_id]]),
        )
        for r in base.records
    )
    metrics = tuple(
        replace(
            m,
            explanation={
                (v, e, 0): texts[e][:5000] for v in range(2) for e in range(len(examples))
            },
        )
        for m in base.scores.metrics
    )
    table = replace(
        base.scores, variants=tuple(rename.values()), example_ids=tuple(by_id), metrics=metrics
    )
    shape = Shape(n=len(examples), variants=tuple(rename.values()))
    comparison = _comparison(shape, examples, records, table).model_copy(
        update={
            "warnings": HOSTILE[:-1],
            "factors": {HOSTILE[0]: {rename["a"]: HOSTILE[1], rename["b"]: HOSTILE[3]}},
        }
    )
    return RunData(
        {"command": HOSTILE[0], HOSTILE[1]: HOSTILE[4]}, examples, records, table, comparison
    )


def _attack(record: Record, text: str) -> Answer | Failure:
    match record.outcome:
        case Failure(infrastructure=ours):
            return Failure(ours, text[:80], text)
        case _:
            return Answer(text, (ToolCall(text[:40], {text[:40]: text[:400]}),), (text[:60],))


def _examples(shape: Shape, rng: np.random.Generator) -> Iterator[Example]:
    for i in range(shape.n):
        words = " ".join(rng.choice(_WORDS, 16))
        slices = {"steps": str(2 + i % shape.n_slices)}
        if i % 4 == 0:
            slices["risk"] = "high"
        if i < 4:
            slices["rare"] = "yes"
        yield Example(
            id=f"ex-{i:05d}",
            input={"question": f"{words} ({i})?"},
            target=str(i),
            slices=slices,
            evidence=(f"doc-{i % 7}",),
            tool_calls=(ToolCall("look_up", {"id": i % 5}),) if i % 5 == 0 else None,
        )


def _trials(
    shape: Shape, examples: Sequence[Example], metrics: Sequence[Metric], rng: np.random.Generator
) -> tuple[ScoreTable, tuple[Record, ...]]:
    dims = (len(shape.variants), shape.n, shape.repeats)
    values = [np.zeros(dims) for _ in metrics]
    reason = np.zeros(dims, dtype=np.int32)
    records = []
    for e, example in enumerate(examples):
        hard = rng.random()
        for v, variant in enumerate(shape.variants):
            for r in range(shape.repeats):
                right = hard * 0.7 + 0.3 * rng.random() < shape.rates[v]
                values[0][v, e, r] = right
                for column in values[1:]:
                    column[v, e, r] = round(0.5 * right + 0.5 * rng.random(), 3)
                fate = rng.random() if shape.failures else 1.0
                outcome: Answer | Failure
                if fate < 0.02:
                    outcome, reason[v, e, r] = Failure(True, "timeout", "no answer in 60 s"), 1
                elif fate < 0.05:
                    outcome = Failure(False, "no_output")
                    for column in values:
                        column[v, e, r] = 0.0
                else:
                    said = " ".join(rng.choice(_WORDS, shape.output_words))
                    outcome = Answer(
                        f"{said}. A: {e if right else e + 1}",
                        evidence=(f"doc-{e % 7}", "doc-9"),
                        tool_calls=(ToolCall("look_up", {"id": e % 5}),) if e % 5 == 0 else (),
                    )
                records.append(
                    Record(
                        variant,
                        example.id,
                        r,
                        outcome,
                        AnswerPath.RECORDED,
                        latency_s=float(rng.lognormal(-0.5 + 0.3 * v, 0.5))
                        if shape.latencies
                        else None,
                        cost_usd=0.0004 * (1 + v) if shape.costs else None,
                        usage=Usage(812, 0, 40) if shape.costs else Usage(),
                    )
                )
    missing = (Unscored("no record: timeout"),)
    columns = tuple(
        MetricScores(
            metric,
            np.where(reason > 0, np.nan, column),
            np.ones(dims),
            reason,
            missing,
            {
                (v, e, 0): "compared with the target"
                for v in range(dims[0])
                for e in range(0, shape.n, 3)
            }
            if metric.id == "correct"
            else {},
        )
        for metric, column in zip(metrics, values, strict=True)
    )
    ids = tuple(example.id for example in examples)
    return ScoreTable(shape.variants, ids, shape.repeats, columns), tuple(records)


def _comparison(
    shape: Shape, examples: Sequence[Example], records: Sequence[Record], table: ScoreTable
) -> Comparison:
    members = slice_members([e.slices for e in examples])
    baseline = table.variants[0]
    scores = [
        s
        for m in table.metrics
        for name, rows in members.items()
        for s in _scores(table, m, name, rows)
    ]
    pairs = [
        p
        for m in table.metrics
        for name, rows in members.items()
        for p in _pairs(table, m, name, rows)
    ]
    return Comparison(
        run_id="synthetic-1",
        evalset=EvalSetSummary(name="synthetic", sha256="ab" * 32, n_examples=len(examples)),
        baseline=baseline,
        settings=Settings(confidence=0.95, resamples=1000, seed=1, min_examples=10, coverage=0.98),
        variants=tuple(_variant(v, records) for v in table.variants),
        metrics=tuple(
            MetricSummary(
                id=m.metric.id,
                higher_is_better=m.metric.higher_is_better,
                aggregate="mean",
                binary=m.metric.binary,
                lower=m.metric.lower,
                upper=m.metric.upper,
                primary=i == 0,
                description=m.metric.description,
            )
            for i, m in enumerate(table.metrics)
        ),
        slices=tuple(
            SliceSummary(id=s, n_examples=len(rows), primary=s == ALL)
            for s, rows in members.items()
        ),
        conclusion=_conclusion(table, pairs),
        factors={
            "model": {v: f"model-{i % 2}" for i, v in enumerate(table.variants)},
            "retrieval": dict.fromkeys(table.variants, "none"),
        },
        scores=tuple(scores),
        pairs=tuple(pairs),
        losses=tuple(_losses(table, members)),
        latency=tuple(_latency(v, records) for v in table.variants) if shape.latencies else (),
        cost=tuple(_cost(v, shape, i) for i, v in enumerate(table.variants)),
        classes=tuple(
            ClassEstimate(
                variant=v,
                metric="correct",
                label=label,
                n_expected=30,
                n_predicted=28,
                precision=0.8,
                recall=0.7,
                f1=0.75,
            )
            for v in table.variants[:2]
            for label in ("refuses", "answers")
        ),
        confusion=tuple(
            ConfusionCell(variant=v, metric="correct", expected=e, predicted=p, n=n)
            for v in table.variants[:2]
            for e, p, n in (
                ("refuses", "refuses", 20),
                ("refuses", "answers", 9),
                ("answers", "answers", 31),
            )
        ),
    )


def _conclusion(table: ScoreTable, pairs: Sequence[PairEstimate]) -> Conclusion:
    baseline = table.variants[0]
    if len(table.variants) == 1:
        return Conclusion(kind="single", variant=baseline, metric="correct", slice=ALL)
    ours = [p for p in pairs if p.baseline == baseline and p.metric == "correct" and p.slice == ALL]
    best = max(ours, key=lambda p: p.diff or 0)
    if best.finding == "better":
        return Conclusion(
            kind="ship",
            variant=best.candidate,
            metric="correct",
            slice=ALL,
            because=((best.candidate, "correct", ALL),),
        )
    return Conclusion(
        kind="keep",
        variant=baseline,
        metric="correct",
        slice=ALL,
        because=tuple((p.candidate, "correct", ALL) for p in ours),
    )


def _means(scores: MetricScores, variant: int, rows: Sequence[int]) -> FloatArray:
    picked = scores.value[variant][list(rows)]
    known = ~np.isnan(picked)
    total = np.where(known, picked, 0.0).sum(axis=1)
    means: FloatArray = np.divide(
        total, known.sum(axis=1), out=np.full(len(picked), np.nan), where=known.any(axis=1)
    )
    return means


def _scores(
    table: ScoreTable, scores: MetricScores, name: str, rows: Sequence[int]
) -> Iterator[ScoreEstimate]:
    for v, variant in enumerate(table.variants):
        values = _means(scores, v, rows)
        values = values[~np.isnan(values)]
        n = len(values)
        mean = float(values.mean()) if n else None
        error = float(values.std() / max(n, 1) ** 0.5) if n else None
        low, high = (
            (max(mean - 1.96 * error, 0.0), min(mean + 1.96 * error, 1.0))
            if mean is not None and error is not None
            else (None, None)
        )
        yield ScoreEstimate(
            variant=variant,
            metric=scores.metric.id,
            slice=name,
            n=n,
            n_missing=len(rows) - n,
            coverage=n / len(rows),
            mean=mean,
            standard_error=error,
            ci_low=low,
            ci_high=high,
            method="normal (fixture)",
        )


def _pairs(
    table: ScoreTable, scores: MetricScores, name: str, rows: Sequence[int]
) -> Iterator[PairEstimate]:
    for b in range(len(table.variants)):
        for c in range(b + 1, len(table.variants)):
            diff = _means(scores, c, rows) - _means(scores, b, rows)
            known = diff[~np.isnan(diff)]
            n = len(known)
            mean = float(known.mean()) if n else None
            error = float(known.std() / max(n, 1) ** 0.5) if n else None
            wins, losses = int((known > 0).sum()), int((known < 0).sum())
            finding: Finding = "too_few"
            low = high = None
            if mean is not None and error is not None:
                low, high = mean - 1.96 * error, mean + 1.96 * error
                if n >= 10:
                    finding = "better" if low > 0 else "worse" if high < 0 else "no_evidence"
            rate = (wins + 0.5 * (n - wins - losses)) / n if n else None
            yield PairEstimate(
                candidate=table.variants[c],
                baseline=table.variants[b],
                metric=scores.metric.id,
                slice=name,
                n=n,
                n_units=n,
                n_missing=len(rows) - n,
                coverage=n / len(rows),
                diff=mean,
                standard_error=error,
                ci_low=low,
                ci_high=high,
                method="normal (fixture)",
                p_value=0.01,
                p_adjusted=0.02 if finding != "no_evidence" else 0.4,
                test="fixture",
                family="primary"
                if name == ALL and b == 0 and scores.metric.id == "correct"
                else "exploratory",
                wins=wins,
                ties=n - wins - losses,
                losses=losses,
                win_rate=rate,
                win_rate_ci_low=None if rate is None else max(rate - 0.05, 0),
                win_rate_ci_high=None if rate is None else min(rate + 0.05, 1),
                mde=2.8 * error if error else None,
                n_needed=examples_to_show(n, mean, 2.8 * error)
                if error and finding == "no_evidence"
                else None,
                finding=finding,
            )


def _losses(table: ScoreTable, members: dict[str, tuple[int, ...]]) -> Iterator[LossShare]:
    scores = table.metrics[0]
    everyone = members[ALL]
    for c in range(1, len(table.variants)):
        lost = set(
            np.flatnonzero(_means(scores, c, everyone) < _means(scores, 0, everyone)).tolist()
        )
        for name, rows in members.items():
            n = len(lost & set(rows))
            if n:
                yield LossShare(
                    candidate=table.variants[c],
                    baseline=table.variants[0],
                    metric="correct",
                    slice=name,
                    n_losses=n,
                    share_of_losses=n / len(lost),
                    share_of_examples=len(rows) / len(everyone),
                )


def _variant(variant: str, records: Sequence[Record]) -> VariantSummary:
    ours = [r for r in records if r.variant == variant]
    failures = [r.outcome for r in ours if isinstance(r.outcome, Failure)]
    lost = sum(f.infrastructure for f in failures)
    return VariantSummary(
        id=variant,
        fingerprint="f0" * 32,
        n_trials=len(ours),
        n_system_failures=len(failures) - lost,
        n_infrastructure_failures=lost,
        error_kinds={"timeout": lost} if lost else {},
    )


def _latency(variant: str, records: Sequence[Record]) -> LatencyEstimate:
    times = np.sort(
        [r.latency_s for r in records if r.variant == variant and r.latency_s is not None]
    )
    p50, p95 = (float(np.quantile(times, q)) for q in (0.5, 0.95))
    return LatencyEstimate(
        variant=variant,
        path="recorded",
        slice=ALL,
        n=len(times),
        p50_s=p50,
        p50_ci_low_s=0.93 * p50,
        p50_ci_high_s=1.07 * p50,
        p95_s=p95,
        p95_ci_low_s=0.9 * p95,
        p95_ci_high_s=1.2 * p95,
    )


def _cost(variant: str, shape: Shape, i: int) -> CostEstimate:
    if not shape.costs:
        return CostEstimate(
            variant=variant,
            slice=ALL,
            n=0,
            mean_usd=None,
            ci_low_usd=None,
            ci_high_usd=None,
            total_usd=None,
            per_correct_usd=None,
        )
    mean = 0.0004 * (1 + i)
    return CostEstimate(
        variant=variant,
        slice=ALL,
        n=shape.n,
        mean_usd=mean,
        ci_low_usd=mean,
        ci_high_usd=mean,
        total_usd=mean * shape.n,
        per_correct_usd=mean / shape.rates[i] if i < len(shape.rates) else None,
    )


def golden_run() -> RunData:
    """A run whose every figure is written here by hand, for texts that are compared whole."""
    base = make_run(Shape(n=12, failures=False))
    figures: dict[tuple[str, str], tuple[Any, ...]] = {
        ("correct", ALL): (1319, 0.2168, 0.3904, 0.1736, 0.147, 0.2, "better", 293, 64),
        ("correct", "steps=8"): (41, 0.1, 0.12, 0.02, -0.08, 0.12, "no_evidence", 5, 4),
        ("overlap.1", ALL): (1319, 0.6, 0.55, -0.05, -0.07, -0.03, "worse", 300, 500),
        ("overlap.1", "steps=8"): (7, 0.5, 0.4, -0.1, None, None, "too_few", 2, 3),
    }
    scores, pairs = [], []
    for (metric, name), (
        n,
        low,
        high,
        diff,
        diff_low,
        diff_high,
        finding,
        wins,
        losses,
    ) in figures.items():
        for variant, mean in (("a", low), ("b", high)):
            scores.append(
                ScoreEstimate(
                    variant=variant,
                    metric=metric,
                    slice=name,
                    n=n,
                    n_missing=0,
                    coverage=1.0,
                    mean=mean,
                    standard_error=0.01,
                    ci_low=mean - 0.02,
                    ci_high=mean + 0.02,
                    method="golden",
                )
            )
        pairs.append(
            PairEstimate(
                candidate="b",
                baseline="a",
                metric=metric,
                slice=name,
                n=n,
                n_units=n,
                n_missing=3,
                coverage=n / (n + 3),
                diff=diff,
                standard_error=0.01,
                ci_low=diff_low,
                ci_high=diff_high,
                method="golden",
                p_value=0.001,
                p_adjusted=0.002 if finding != "no_evidence" else 0.8,
                test="golden",
                family="primary" if metric == "correct" else "exploratory",
                wins=wins,
                ties=n - wins - losses,
                losses=losses,
                win_rate=0.58,
                win_rate_ci_low=0.55,
                win_rate_ci_high=0.61,
                mde=0.04,
                n_needed=examples_to_show(n, diff, 0.04) if finding == "no_evidence" else None,
                finding=finding,
            )
        )
    comparison = base.comparison.model_copy(
        update={
            "scores": tuple(scores),
            "pairs": tuple(pairs),
            "losses": (),
            "classes": (),
            "confusion": (),
            "evalset": EvalSetSummary(
                name="golden", sha256="0123456789ab" * 5 + "cdef", n_examples=1319
            ),
            "slices": (
                SliceSummary(id=ALL, n_examples=1319),
                SliceSummary(id="steps=8", n_examples=41),
            ),
            "variants": (
                VariantSummary(
                    id="a",
                    fingerprint="aa",
                    n_trials=1319,
                    n_system_failures=4,
                    n_infrastructure_failures=0,
                ),
                VariantSummary(
                    id="b",
                    fingerprint="bb",
                    n_trials=1319,
                    n_system_failures=0,
                    n_infrastructure_failures=3,
                    error_kinds={"timeout": 2, "429": 1},
                ),
            ),
            "latency": (
                LatencyEstimate(
                    variant="a",
                    path="recorded",
                    slice=ALL,
                    n=1319,
                    p50_s=0.41,
                    p50_ci_low_s=0.4,
                    p50_ci_high_s=0.42,
                    p95_s=0.92,
                    p95_ci_low_s=0.88,
                    p95_ci_high_s=1.0,
                ),
            ),
            "cost": (
                CostEstimate(
                    variant="a",
                    slice=ALL,
                    n=1319,
                    mean_usd=0.00031,
                    ci_low_usd=0.0003,
                    ci_high_usd=0.00032,
                    total_usd=0.41,
                    per_correct_usd=0.0014,
                ),
            ),
            "conclusion": Conclusion(
                kind="ship",
                variant="b",
                metric="correct",
                slice=ALL,
                because=(("b", "correct", ALL),),
            ),
            "warnings": (
                "retrieval and model differ together, so their effects cannot be told apart",
            ),
        }
    )
    return replace(
        base, comparison=comparison, manifest={"name": "golden", "finished": "2026-11-20T10:00:00Z"}
    )
