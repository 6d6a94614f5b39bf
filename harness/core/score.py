"""What a scorer says of one record, and all of it in columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.core.record import Stage

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int32]


NO_ANSWER = "(no answer)"
OTHER = "(other)"
NO_CLASSES = frozenset({NO_ANSWER, OTHER})
"""Predictions that are a miss of the expected class and no class of their own."""


class Aggregate(StrEnum):
    """How trial values become a variant's figure."""

    MEAN = "mean"
    """The mean over examples of the mean over repeats."""
    RATIO = "ratio"
    """Sum of value x weight over sum of weight: micro precision, fabricated-citation rate."""
    MACRO_F1 = "macro_f1"
    """The mean over classes of F1, from `expected` and `predicted`."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure that a scorer gives: its id (`correct`, `cites.valid`) and its nature.

    `lower` and `upper` bound a trial's value where they are known; with both, a failure of the
    system under test takes the worse one, and intervals use them.
    """

    id: str
    higher_is_better: bool = True
    lower: float | None = 0.0
    upper: float | None = 1.0
    aggregate: Aggregate = Aggregate.MEAN
    binary: bool = False
    description: str = ""

    @property
    def worst(self) -> float | None:
        """The value of a system failure; None if the metric has no worst value."""
        return self.lower if self.higher_is_better else self.upper


@dataclass(frozen=True, slots=True)
class Scored:
    """A finite value, and its weight where the metric is a ratio.

    `expected` and `predicted` are classes, for metrics with a confusion table.
    """

    value: float
    weight: float = 1.0
    explanation: str = ""
    expected: str | None = None
    predicted: str | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and math.isfinite(self.weight)):
            raise ValueError(f"a score must be finite, not {self.value} (weight {self.weight})")
        if self.weight < 0:
            raise ValueError(f"a weight cannot be negative: {self.weight}")


@dataclass(frozen=True, slots=True)
class Unscored:
    """No value. Either the metric does not apply to this example, or the value is missing.

    A metric that does not apply (no target evidence, say) leaves the example out for every
    variant and is not counted as missing. A missing value is counted.
    """

    reason: str
    applicable: bool = True


ScoreOutcome: TypeAlias = Scored | Unscored


@dataclass(frozen=True, slots=True)
class MetricScores:
    """One metric's scores in columns of shape (variants, examples, repeats).

    `value` is NaN exactly where `reason` is not 0; `reasons[k - 1]` is the `Unscored` behind
    reason `k`. `weight` is 1 except for ratios. `expected` and `predicted` hold indices into
    `labels`, -1 where there is none; None for metrics without classes.
    """

    metric: Metric
    value: FloatArray
    weight: FloatArray
    reason: IntArray
    reasons: tuple[Unscored, ...]
    explanation: Mapping[tuple[int, int, int], str] = field(default_factory=dict)
    expected: IntArray | None = None
    predicted: IntArray | None = None
    labels: tuple[str, ...] = ()

    @property
    def applicable(self) -> NDArray[np.bool_]:
        """(variants, examples, repeats): False where the metric does not apply."""
        lut = np.array([True, *(unscored.applicable for unscored in self.reasons)])
        result: NDArray[np.bool_] = lut[self.reason]
        return result


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """All scores of a run; the axes' names in order, then a `MetricScores` per metric."""

    variants: tuple[str, ...]
    example_ids: tuple[str, ...]
    n_repeats: int
    metrics: tuple[MetricScores, ...]

    def metric(self, metric_id: str) -> MetricScores:
        """The scores of one metric.

        Raises:
            KeyError: if no metric has that id.
        """
        for scores in self.metrics:
            if scores.metric.id == metric_id:
                return scores
        raise KeyError(metric_id)


class TrialState(IntEnum):
    """How a trial ended, as `TrialTable.status` holds it."""

    NONE = -1
    OK = 0
    SYSTEM_FAILURE = 1
    INFRASTRUCTURE_FAILURE = 2


BoolArray: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """All calls of one tool in the trials of one variant, by its place on the first axis.

    `latency_s` is of shape (calls,); `errors` counts the calls that failed, by kind.
    """

    variant: int
    tool: str
    latency_s: FloatArray
    errors: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OperationsTable:
    """What live trials did on the way, in arrays of shape (variants, examples, repeats).

    `traced` tells which trials are live; the events are False elsewhere. `checked`: an output was
    validated. `rejected`: one did not pass. `schema_failed`: one did not parse or broke the schema.
    `invalid`: the trial ended without an output. `tool_called`, `tool_failed`: any tool was, or any
    call of one did. The amounts are NaN where unknown, and where there is no live trial;
    `repair_s`, `fallback_s` and `retry_wait_s` are 0 where there was none. `retry_wait_s` stands
    beside a trial's latency, the other times are part of it. `stage_s` and `stage_usd` are NaN
    where a trial has no step of the stage, `model_calls` counts calls that used tokens. `route` is
    the place in `routes` (target and rule) of what the variant's own router decided, -1 for none.
    """

    traced: BoolArray
    checked: BoolArray
    rejected: BoolArray
    schema_failed: BoolArray
    invalid: BoolArray
    tool_called: BoolArray
    tool_failed: BoolArray
    repaired: BoolArray
    fallback: BoolArray
    retried: BoolArray
    repair_s: FloatArray
    repair_usd: FloatArray
    fallback_s: FloatArray
    fallback_usd: FloatArray
    retry_wait_s: FloatArray
    ttft_s: FloatArray
    prompt_tokens: FloatArray
    cached_prompt_tokens: FloatArray
    completion_tokens: FloatArray
    reasoning_tokens: FloatArray
    model_calls: FloatArray
    stage_s: Mapping[Stage, FloatArray]
    stage_usd: Mapping[Stage, FloatArray]
    route: IntArray
    routes: tuple[tuple[str, str | None], ...] = ()
    tools: tuple[ToolCalls, ...] = ()


@dataclass(frozen=True, slots=True)
class TrialTable:
    """What every trial took, in arrays of shape (variants, examples, repeats).

    `status` holds a `TrialState`; `latency_s` and `cost_usd` are NaN where unknown; `path` tells
    cold (1), warm (2), cached (3) and recorded (4) answers apart. `error_kinds` counts the failures
    of each variant by kind, where that is known. `operations` is None where no trial is live.
    """

    variants: tuple[str, ...]
    example_ids: tuple[str, ...]
    status: NDArray[np.int8]
    path: NDArray[np.int8]
    latency_s: FloatArray
    cost_usd: FloatArray
    error_kinds: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    operations: OperationsTable | None = None
