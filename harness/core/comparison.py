"""The result object, `harness.comparison/1`: all figures of a run, as `comparison.json` holds them.

Every rendering (terminal, HTML, Markdown, JUnit) reads this object and computes nothing.
Numbers are finite or null. A slice is `all` or `name=value`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from harness.core.record import Stage
from harness.core.values import JsonValue

FORMAT: Literal["harness.comparison/1"] = "harness.comparison/1"

Finding: TypeAlias = Literal["better", "worse", "no_evidence", "too_few", "not_comparable"]
Family: TypeAlias = Literal["primary", "exploratory"]
Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
OperationQuantity: TypeAlias = Literal[
    "rejection_rate", "schema_failure_rate", "invalid_rate", "repair_rate", "fallback_rate",
    "retry_rate", "tool_error_rate",
]  # fmt: skip
TokenQuantity: TypeAlias = Literal[
    "prompt_tokens", "cached_prompt_tokens", "completion_tokens", "reasoning_tokens", "model_calls"
]


class Value(BaseModel):
    """Base of the result's parts: immutable, closed, free of NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


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


class OperationEstimate(Value):
    """How often something happened on the way to a live variant's answers, and what it added.

    `quantity` is the share of `n` trials in which validation rejected an output (`rejection_rate`),
    one did not parse or broke the schema (`schema_failure_rate`), that ended without a valid output
    (`invalid_rate`), with a repair, a fallback or a retry; of trials that called a tool, the share
    with a call that failed (`tool_error_rate`). `latency_s` and `cost_usd` are the mean that this
    added to a trial, over all `n` trials; the `per_affected` ones over the `n_affected` trials.
    What retries took stands beside the latency of an answer, not in it. Null: unknown, or nothing.
    """

    variant: str
    slice: str
    quantity: OperationQuantity
    n: int
    n_affected: int
    rate: Finite
    ci_low: Finite | None
    ci_high: Finite | None
    latency_s: Finite | None = None
    latency_ci_low_s: Finite | None = None
    latency_ci_high_s: Finite | None = None
    latency_per_affected_s: Finite | None = None
    cost_usd: Finite | None = None
    cost_ci_low_usd: Finite | None = None
    cost_ci_high_usd: Finite | None = None
    cost_per_affected_usd: Finite | None = None


class ToolEstimate(Value):
    """All calls of one tool in a variant's trials; `error_kinds` counts those that failed.

    Beyond the most called tools, the others are one entry: a model may call what there is not.
    """

    variant: str
    tool: str
    n_calls: int
    n_errors: int
    error_kinds: dict[str, int] = {}
    p50_s: Finite
    p95_s: Finite


class RouteEstimate(Value):
    """Where a variant's own router sent its trials, and what those took. Null is unknown.

    `to` is a variant, `self` for trials that stayed, `answer` for a fixed answer; `rule` the one
    rule that led there, null where several or none did. `p50_s` is over the trials of `path`.
    """

    variant: str
    to: str
    rule: str | None = None
    n: int
    share: Finite
    ci_low: Finite | None
    ci_high: Finite | None
    path: Literal["cold", "warm", "cached", "recorded"] | None = None
    p50_s: Finite | None = None
    mean_usd: Finite | None = None


class StageEstimate(Value):
    """One stage of a live variant: its time and cost per trial, over the `n` that have it.

    `time_share` is the stage's part of the time that all stages of all trials of the path took.
    """

    variant: str
    stage: Stage
    path: Literal["cold", "warm", "cached", "recorded"]
    n: int
    p50_s: Finite
    p50_ci_low_s: Finite | None
    p50_ci_high_s: Finite | None
    p95_s: Finite
    p95_ci_low_s: Finite | None
    p95_ci_high_s: Finite | None
    time_share: Finite | None
    mean_usd: Finite | None


class TokenEstimate(Value):
    """Tokens, and calls of models, that one trial of a variant takes on average."""

    variant: str
    quantity: TokenQuantity
    n: int
    mean: Finite
    ci_low: Finite | None
    ci_high: Finite | None


class TokenSaving(Value):
    """Prompt tokens that the candidate saves: the baseline's minus its own, example by example.

    Per trial, all its calls of models together, and per call of a model. `n_missing` examples
    have unknown tokens on either side.
    """

    candidate: str
    baseline: str
    quantity: Literal["prompt_tokens_per_trial", "prompt_tokens_per_call"]
    n: int
    n_missing: int
    saved: Finite
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
    pairwise: tuple[dict[str, Any], ...] = ()
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
