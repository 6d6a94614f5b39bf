"""The result object, `harness.comparison/1`: all figures of a run, as `comparison.json` holds them.

Every rendering (terminal, HTML, Markdown, JUnit) reads this object and computes nothing.
Numbers are finite or null. A slice is `all` or `name=value`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from harness.core.estimate import Finite, Value
from harness.core.judged import (
    AgreementEstimate,
    JudgeEstimate,
    PairwiseEstimate,
    RankEstimate,
)
from harness.core.operations import (
    OperationEstimate,
    RouteEstimate,
    StageEstimate,
    TokenEstimate,
    TokenSaving,
    ToolEstimate,
)
from harness.core.values import JsonValue

FORMAT: Literal["harness.comparison/1"] = "harness.comparison/1"

Finding: TypeAlias = Literal["better", "worse", "no_evidence", "too_few", "not_comparable"]
Family: TypeAlias = Literal["primary", "exploratory"]


class EvalSetSummary(Value):
    """The frozen set that every variant answered."""

    name: str
    sha256: str
    n_examples: int


class VariantSummary(Value):
    """One variant and what became of its trials. Rates are shares of `n_trials`."""

    id: str
    fingerprint: str
    n_trials: int
    n_system_failures: int
    n_infrastructure_failures: int
    error_kinds: dict[str, int] = {}
    label: str = ""


class MetricSummary(Value):
    """A metric's nature, so that a reader knows which way is up."""

    id: str
    higher_is_better: bool
    aggregate: Literal["mean", "ratio", "macro_f1"]
    binary: bool
    lower: Finite | None
    upper: Finite | None
    primary: bool
    description: str = ""


class SliceSummary(Value):
    """A slice, how many examples it has, and what it means if the eval set says so."""

    id: str
    n_examples: int
    primary: bool = False
    meaning: str = ""


class ScoreEstimate(Value):
    """One variant's figure for a metric on a slice.

    `n` examples carry it; `n_missing` should have and do not; `coverage` is the share of the
    trials that should have a score and do. `method` names the interval's.
    """

    variant: str
    metric: str
    slice: str
    n: int
    n_missing: int
    coverage: Finite
    mean: Finite | None
    standard_error: Finite | None
    ci_low: Finite | None
    ci_high: Finite | None
    method: str


class PairEstimate(Value):
    """Candidate minus baseline, on the `n` examples that both have scores for.

    `n_units` of them are independent: clusters count once. `coverage` is the share of the trials
    that should have a score on both sides and do; repeats count. In a ratio, examples on which
    neither has anything to count are left out; the difference is null where one has none at all.
    `p_adjusted` is Holm's within the primary family, else Benjamini and Hochberg's. `wins` counts
    examples on which the candidate is better by the metric's own direction. `mde` is the smallest
    difference that this many examples would show with 80 % power; `n_needed`, where there is no
    evidence, the number of examples that would show the observed one so.
    """

    candidate: str
    baseline: str
    metric: str
    slice: str
    n: int
    n_units: int
    n_missing: int
    coverage: Finite
    diff: Finite | None
    standard_error: Finite | None
    ci_low: Finite | None
    ci_high: Finite | None
    method: str
    p_value: Finite | None
    p_adjusted: Finite | None
    test: str
    family: Family
    wins: int
    ties: int
    losses: int
    win_rate: Finite | None
    win_rate_ci_low: Finite | None
    win_rate_ci_high: Finite | None
    mde: Finite | None
    n_needed: int | None = None
    finding: Finding


class LatencyEstimate(Value):
    """Quantiles of one request's latency, with order-statistic intervals. Null is unknown."""

    variant: str
    path: Literal["cold", "warm", "cached", "recorded"]
    slice: str
    n: int
    p50_s: Finite | None
    p50_ci_low_s: Finite | None
    p50_ci_high_s: Finite | None
    p95_s: Finite | None
    p95_ci_low_s: Finite | None
    p95_ci_high_s: Finite | None


class CostEstimate(Value):
    """US dollars per trial and per correct answer; null is unknown, never 0.

    `per_correct_usd` divides by answers right by the first primary metric, if that is binary.
    `judge_usd`, on `all`, is what judging them cost beside: it is in none of the other figures.
    """

    variant: str
    slice: str
    n: int
    mean_usd: Finite | None
    ci_low_usd: Finite | None
    ci_high_usd: Finite | None
    total_usd: Finite | None
    per_correct_usd: Finite | None
    judge_usd: Finite = 0.0


class RatioEstimate(Value):
    """Candidate over baseline, on the `n` examples whose latency or cost both know.

    Latencies are those of one path. Null ends: too few examples, or a figure that is not above 0.
    """

    candidate: str
    baseline: str
    quantity: Literal["latency_p50", "latency_p95", "cost_mean"]
    path: Literal["cold", "warm", "cached", "recorded"] | None
    slice: str
    n: int
    n_missing: int
    ratio: Finite | None
    ci_low: Finite | None
    ci_high: Finite | None


class ConfoundedPair(Value):
    """Two variants that differ in more than what is under test, and why that was accepted."""

    candidate: str
    baseline: str
    fields: tuple[str, ...]
    reason: str


class ClassEstimate(Value):
    """One class of a label: precision, recall and F1 (null where undefined)."""

    variant: str
    metric: str
    label: str
    n_expected: int
    n_predicted: int
    precision: Finite | None
    recall: Finite | None
    f1: Finite | None


class ConfusionCell(Value):
    """How many trials of a variant were `expected` and came out as `predicted`."""

    variant: str
    metric: str
    expected: str
    predicted: str
    n: int


class LossShare(Value):
    """Where a candidate's losses sit: a slice's share of all losses, and of all examples."""

    candidate: str
    baseline: str
    metric: str
    slice: str
    n_losses: int
    share_of_losses: Finite
    share_of_examples: Finite


class Conclusion(Value):
    """The one answer: keep the baseline, or ship a variant that is certainly better.

    `kind` is `ship` (a candidate is better on the first primary metric and worse on no other
    primary figure), `keep` (none is better), `trade_off` (better here, certainly worse there),
    `incomplete` (coverage below the threshold: no verdict) or `single` (nothing to compare).
    `metric` and `slice` are the first primary figure. `because` lists the pairs that decided, by
    candidate, metric and slice.
    """

    kind: Literal["ship", "keep", "trade_off", "incomplete", "single"]
    variant: str
    metric: str
    slice: str
    because: tuple[tuple[str, str, str], ...] = ()


class Settings(Value):
    """What the figures depend on beside the data."""

    confidence: Finite
    resamples: int
    seed: int
    min_examples: int
    coverage: Finite


class Comparison(Value):
    """Everything that a run found out."""

    format: Literal["harness.comparison/1"] = FORMAT
    run_id: str
    evalset: EvalSetSummary
    baseline: str
    settings: Settings
    variants: tuple[VariantSummary, ...]
    metrics: tuple[MetricSummary, ...]
    slices: tuple[SliceSummary, ...]
    conclusion: Conclusion
    warnings: tuple[str, ...] = ()
    factors: dict[str, dict[str, JsonValue]] = {}
    scores: tuple[ScoreEstimate, ...]
    pairs: tuple[PairEstimate, ...]
    pairwise: tuple[PairwiseEstimate, ...] = ()
    rankings: tuple[RankEstimate, ...] = ()
    judges: tuple[JudgeEstimate, ...] = ()
    agreements: tuple[AgreementEstimate, ...] = ()
    losses: tuple[LossShare, ...] = ()
    latency: tuple[LatencyEstimate, ...] = ()
    cost: tuple[CostEstimate, ...] = ()
    ratios: tuple[RatioEstimate, ...] = ()
    classes: tuple[ClassEstimate, ...] = ()
    confusion: tuple[ConfusionCell, ...] = ()
    operations: tuple[OperationEstimate, ...] = ()
    tools: tuple[ToolEstimate, ...] = ()
    routes: tuple[RouteEstimate, ...] = ()
    stages: tuple[StageEstimate, ...] = ()
    first_token: tuple[LatencyEstimate, ...] = ()
    tokens: tuple[TokenEstimate, ...] = ()
    token_savings: tuple[TokenSaving, ...] = ()
    confounded: tuple[ConfoundedPair, ...] = ()
