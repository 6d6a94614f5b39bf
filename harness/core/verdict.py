"""The gate's answer, `harness.verdict/1`, as `verdict.json` holds it."""

from __future__ import annotations

from typing import Literal, TypeAlias

from harness.core.estimate import Finite, Value

Outcome: TypeAlias = Literal["pass", "fail", "inconclusive"]
RuleKind: TypeAlias = Literal[
    "non_inferiority", "floor", "ceiling", "latency_ratio", "cost_ratio", "win_rate"
]


class RuleResult(Value):
    """One rule of the policy, the evidence and what follows.

    `kind` is `non_inferiority` (estimate: candidate minus baseline; `limit`: minus the margin,
    or the margin where lower is better), `floor` or `ceiling` (a figure against a fixed limit),
    `latency_ratio` or `cost_ratio` (candidate over baseline against the largest ratio allowed), or
    `win_rate` (how often a judge, named as the metric, prefers the candidate). A rule that only
    `informs` does not count towards the outcome. `reason` is a sentence for people. `n_needed`
    estimates how many examples would settle an inconclusive rule.
    """

    rule: str
    kind: RuleKind
    metric: str
    slice: str
    n: int
    estimate: Finite | None
    ci_low: Finite | None
    ci_high: Finite | None
    limit: Finite
    outcome: Outcome
    reason: str
    n_needed: int | None = None
    informs: bool = False


class Verdict(Value):
    """Pass, fail or inconclusive, and why."""

    format: Literal["harness.verdict/1"] = "harness.verdict/1"
    run_id: str
    baseline_run_id: str
    candidate: str
    baseline: str
    policy_sha256: str
    confidence: Finite
    on_inconclusive: Literal["block", "warn"]
    outcome: Outcome
    exit_code: int
    rules: tuple[RuleResult, ...]
