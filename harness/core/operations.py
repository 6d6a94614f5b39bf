"""Parts of the result object that live variants alone have: what it took to get an answer."""

from __future__ import annotations

from typing import Literal, TypeAlias

from harness.core.estimate import Finite, Value
from harness.core.record import Stage

OperationQuantity: TypeAlias = Literal[
    "rejection_rate", "schema_failure_rate", "invalid_rate", "repair_rate", "fallback_rate",
    "retry_rate", "tool_error_rate",
]  # fmt: skip
TokenQuantity: TypeAlias = Literal[
    "prompt_tokens", "cached_prompt_tokens", "completion_tokens", "reasoning_tokens", "model_calls"
]


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
