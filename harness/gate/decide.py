"""The verdict: every rule of the policy against the comparison's intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.comparison import Comparison
from harness.core.policy import CostRule, GatePolicy, LatencyRule, QualityRule
from harness.core.verdict import Outcome, RuleResult, Verdict
from harness.errors import ExitCode
from harness.gate.evidence import Evidence, Figures, cost_ratio, latency_ratio
from harness.gate.wording import reason
from harness.statistics.multiplicity import holm
from harness.statistics.power import examples_needed


@dataclass(frozen=True, slots=True)
class _Checked:
    """A rule's evidence, its limit, and the p-value of so bad a result if the rule just held."""

    rule: str
    evidence: Evidence
    limit: float
    p_violation: float | None


def decide(
    policy: GatePolicy, comparison: Comparison, *, policy_sha256: str, baseline_run_id: str
) -> Verdict:
    """Pass, fail or inconclusive.

    A rule passes when its whole interval lies on the right side of the limit, which a candidate
    exactly at the limit does in at most (1 - confidence) / 2 of cases; the gate passes only if
    every rule does, so its own rate is no larger. A rule fails when the interval lies wholly on
    the wrong side, after Holm's correction over all rules: the chance that a gate fails a
    candidate that keeps every rule is at most (1 - confidence) / 2 too. Anything else is
    inconclusive.

    Args:
        policy: its metrics and slices must exist in `comparison`.
        comparison: of exactly two variants, at the policy's confidence; the baseline's id is its
            `baseline`.
        policy_sha256: pins the policy in the verdict.
        baseline_run_id: the run that the baseline comes from.
    """
    figures = Figures(comparison)
    checked = [
        _checked(evidence, limit, rule, policy.confidence)
        for rule, evidence, limit in _questions(policy, figures)
    ]
    adjusted = iter(holm([c.p_violation for c in checked if c.p_violation is not None]))
    level = (1 - policy.confidence) / 2
    rules = [
        _result(
            item,
            violated=item.p_violation is not None and next(adjusted) <= level,
            coverage=policy.coverage,
        )
        for item in checked
    ]
    outcome = _overall(rules)
    return Verdict(
        run_id=comparison.run_id,
        baseline_run_id=baseline_run_id,
        candidate=figures.candidate,
        baseline=figures.baseline,
        policy_sha256=policy_sha256,
        confidence=policy.confidence,
        on_inconclusive=policy.on_inconclusive,
        outcome=outcome,
        exit_code=_exit_code(outcome, policy),
        rules=tuple(rules),
    )


def slices_of_rule(pattern: str, slices: Sequence[str]) -> list[str]:
    """The slices that a rule's `slice` names: itself, or all of `name=*`."""
    if not pattern.endswith("=*"):
        return [pattern] if pattern in slices else []
    return [name for name in slices if name.startswith(pattern[:-1])]


def _questions(policy: GatePolicy, figures: Figures) -> list[tuple[str, Evidence, float]]:
    """One entry for every limit of every rule on every slice it names."""
    result: list[tuple[str, Evidence, float]] = []
    for rule in policy.rules:
        for name in slices_of_rule(rule.slice, figures.slices):
            match rule:
                case QualityRule():
                    result += _quality(rule, name, figures)
                case LatencyRule():
                    text = f"{rule.latency} latency ratio <= {rule.max_ratio:g} on {name}"
                    evidence = latency_ratio(figures, rule.latency, name)
                    result.append((text, evidence, rule.max_ratio))
                case CostRule():
                    text = f"cost ratio <= {rule.max_ratio:g} on {name}"
                    evidence = cost_ratio(figures, name)
                    result.append((text, evidence, rule.max_ratio))
    return result


def _quality(rule: QualityRule, name: str, figures: Figures) -> list[tuple[str, Evidence, float]]:
    result: list[tuple[str, Evidence, float]] = []
    if rule.margin is not None:
        evidence = figures.difference(rule.metric, name)
        limit = -rule.margin if evidence.above_is_good else rule.margin
        result.append((f"{rule.metric} on {name}: margin {rule.margin:g}", evidence, limit))
    if rule.floor is not None:
        evidence = figures.level(rule.metric, name, floor=True)
        result.append((f"{rule.metric} on {name} >= {rule.floor:g}", evidence, rule.floor))
    if rule.ceiling is not None:
        evidence = figures.level(rule.metric, name, floor=False)
        result.append((f"{rule.metric} on {name} <= {rule.ceiling:g}", evidence, rule.ceiling))
    return result


def _checked(evidence: Evidence, limit: float, rule: str, confidence: float) -> _Checked:
    return _Checked(rule, evidence, limit, evidence.p_violation(limit, confidence))


def _result(item: _Checked, *, violated: bool, coverage: float) -> RuleResult:
    evidence, limit = item.evidence, item.limit
    near = evidence.low if evidence.above_is_good else evidence.high
    outcome: Outcome = "inconclusive"
    covered = evidence.coverage >= coverage
    if covered and near is not None and evidence.holds_at(near, limit):
        outcome = "pass"
    elif covered and violated:
        outcome = "fail"
    needed = None
    if outcome == "inconclusive" and covered and near is not None and evidence.estimate is not None:
        needed = examples_needed(evidence.n, evidence.estimate, near, limit)
    return RuleResult(
        rule=item.rule,
        kind=evidence.kind,
        metric=evidence.metric,
        slice=evidence.slice,
        n=evidence.n,
        estimate=evidence.estimate,
        ci_low=evidence.low,
        ci_high=evidence.high,
        limit=limit,
        p_violation=item.p_violation,
        outcome=outcome,
        reason=reason(evidence, limit, outcome, coverage),
        n_needed=needed,
    )


def _overall(rules: Sequence[RuleResult]) -> Outcome:
    outcomes = {rule.outcome for rule in rules}
    if "fail" in outcomes:
        return "fail"
    return "inconclusive" if "inconclusive" in outcomes or not rules else "pass"


def _exit_code(outcome: Outcome, policy: GatePolicy) -> int:
    match outcome:
        case "pass":
            return ExitCode.OK
        case "fail":
            return ExitCode.REGRESSION
        case "inconclusive":
            warns = policy.on_inconclusive == "warn"
            return ExitCode.OK if warns else ExitCode.INCONCLUSIVE
