"""A gate's policy: what a release must keep. The same models read `configs/gates/*.yaml`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from harness.core.estimate import Value
from harness.core.example import ALL
from harness.core.options import Number

Ratio: TypeAlias = Annotated[Number, Field(gt=0)]


class QualityRule(Value):
    """Limits on a metric. At least one of `margin`, `floor` and `ceiling`.

    `margin`: how much the candidate may lose to the baseline, in the metric's own unit, whichever
    way is up (0.02 is two points of a share). `floor` and `ceiling` bound the candidate's own
    figure. `slice` is `all`, `name=value`, or `name=*` for every value of that name.
    """

    metric: str
    slice: str = ALL
    margin: Annotated[Number, Field(ge=0)] | None = None
    floor: Number | None = None
    ceiling: Number | None = None

    @model_validator(mode="after")
    def _says_something(self) -> QualityRule:
        if self.margin is None and self.floor is None and self.ceiling is None:
            raise ValueError("give at least one of margin, floor and ceiling")
        return self


class LatencyRule(Value):
    """The candidate's quantile over the baseline's may not exceed `max_ratio`."""

    latency: Literal["p50", "p95"]
    max_ratio: Ratio
    slice: str = ALL


class CostRule(Value):
    """The candidate's cost over the baseline's may not exceed `max_ratio`."""

    cost: Literal["mean"]
    max_ratio: Ratio
    slice: str = ALL


class WinRateRule(Value):
    """A judge must prefer the candidate to the baseline in at least `floor` of the cases.

    `win_rate` names the judge: an entry of `pairwise:`, or one of its panels (`entry.panel`). A
    judge below its declared agreement with people informs the verdict and blocks nothing.
    """

    win_rate: str
    floor: Annotated[Number, Field(gt=0, lt=1)] = 0.5
    slice: str = ALL


def _kind(value: Any) -> str:
    keys = value if isinstance(value, dict) else getattr(value, "__dict__", ())
    if "win_rate" in keys:
        return "win_rate"
    return "latency" if "latency" in keys else "cost" if "cost" in keys else "quality"


Rule: TypeAlias = Annotated[
    Annotated[QualityRule, Tag("quality")]
    | Annotated[LatencyRule, Tag("latency")]
    | Annotated[CostRule, Tag("cost")]
    | Annotated[WinRateRule, Tag("win_rate")],
    Discriminator(_kind),
]


class GatePolicy(Value):
    """What the candidate must keep, and how sure the gate must be.

    `confidence` is that of the two-sided intervals: 0.95 passes a candidate whose true loss equals
    the margin in at most 2.5 % of cases. `coverage` is the least share of examples with a score
    on both sides. `baseline` names a variant of the baseline run, `candidate` one of the run.
    """

    candidate: str | None = None
    baseline: str | None = None
    confidence: Annotated[Number, Field(gt=0.5, lt=1)] = 0.95
    coverage: Annotated[Number, Field(ge=0, le=1)] = 0.98
    on_inconclusive: Literal["block", "warn"] = "block"
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]
