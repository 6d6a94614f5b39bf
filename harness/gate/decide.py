"""The verdict: every rule of the policy against the comparison's intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.core.comparison import Comparison
from harness.core.policy import (
    CostRule,
    GatePolicy,
    LatencyRule,
    QualityRule,
    Rule,
    WinRateRule,
)
from harness.core.verdict import Outcome, RuleResult, Verdict
from harness.errors import ExitCode
from harness.gate.evidence import Evidence, Figures
from harness.gate.wording import reason
from harness.statistics.power import examples_needed


def decide(
    policy: GatePolicy,
    compare_at: Callable[[float], Comparison],
    *,
    policy_sha256: str,
    baseline_run_id: str,
) -> Verdict:
    """Pass, fail or inconclusive.

    A rule passes when its whole interval lies on the right side of the limit, which a candidate
    exactly at the limit does in at most (1 - confidence) / 2 of cases; the gate passes only if
    every rule does, so its own rate is no larger. A rule fails when its interval lies wholly on
    the wrong side even at the higher confidence that Bonferroni's correction over all rules asks
    for: the chance that a gate fails a candidate that keeps every rule is at most
    (1 - confidence) / 2 too. Anything else is inconclusive.

    Args:
        policy: its metrics and slices must exist in the comparison.
        compare_at: gives the comparison of exactly two variants, the baseline's id being its
            `baseline`, with intervals of a two-sided confidence.
        policy_sha256: pins the policy in the verdict.
        baseline_run_id: the run that the baseline comes from.
    """
    comparison = compare_at(policy.confidence)
    figures = Figures(comparison)
    questions = _questions(policy, figures)
    strict = _questions(policy, Figures(compare_at(_strict_confidence(policy, len(questions)))))
    rules = [
        _result(question, certain.evidence, policy.coverage)
        for question, certain in zip(questions, strict, strict=True)
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


@dataclass(frozen=True, slots=True)
class _Question:
    """One limit of one rule on one slice, with the evidence on it."""

    rule: str
    evidence: Evidence
    limit: float


def _strict_confidence(policy: GatePolicy, n_questions: int) -> float:
    """The confidence at which a rule may fail.

    One share more than there are rules is kept in reserve: in small samples a score interval errs
    a little more often than it should (2.8 % instead of 2.5 % at n = 50).
    """
    return 1 - (1 - policy.confidence) / (n_questions + 1)


def _questions(policy: GatePolicy, figures: Figures) -> list[_Question]:
    """One entry for every limit of every rule on every slice it names."""
    result: list[_Question] = []
    for rule in policy.rules:
        for name in _slices(rule, figures):
            match rule:
                case QualityRule():
                    result += _quality(rule, name, figures)
                case LatencyRule():
                    text = f"{rule.latency} latency ratio <= {rule.max_ratio:g} on {name}"
                    evidence = figures.ratio(f"latency_{rule.latency}", name)
                    result.append(_Question(text, evidence, rule.max_ratio))
                case CostRule():
                    text = f"cost ratio <= {rule.max_ratio:g} on {name}"
                    evidence = figures.ratio("cost_mean", name)
                    result.append(_Question(text, evidence, rule.max_ratio))
                case WinRateRule():
                    text = f"win rate by {rule.win_rate} >= {rule.floor:g} on {name}"
                    result.append(
                        _Question(text, figures.win_rate(rule.win_rate, name), rule.floor)
                    )
    return result


def _slices(rule: Rule, figures: Figures) -> list[str]:
    """Of `name=*`, the values that the metric applies to; all of them if it applies to none."""
    names = slices_of_rule(rule.slice, figures.slices)
    if not isinstance(rule, QualityRule):
        return names
    return [name for name in names if figures.has(rule.metric, name)] or names


def _quality(rule: QualityRule, name: str, figures: Figures) -> list[_Question]:
    result: list[_Question] = []
    place = f"{rule.metric} on {name}"
    if rule.margin is not None:
        evidence = figures.difference(rule.metric, name)
        limit = -rule.margin if evidence.above_is_good else rule.margin
        result.append(_Question(f"{place}: margin {rule.margin:g}", evidence, limit))
    if rule.floor is not None:
        evidence = figures.level(rule.metric, name, floor=True)
        result.append(_Question(f"{place} >= {rule.floor:g}", evidence, rule.floor))
    if rule.ceiling is not None:
        evidence = figures.level(rule.metric, name, floor=False)
        result.append(_Question(f"{place} <= {rule.ceiling:g}", evidence, rule.ceiling))
    return result


def _result(question: _Question, strict: Evidence, coverage: float) -> RuleResult:
    evidence, limit = question.evidence, question.limit
    near = evidence.near_end
    outcome: Outcome = "inconclusive"
    covered = evidence.coverage >= coverage
    if covered and near is not None and evidence.holds_at(near, limit):
        outcome = "pass"
    elif covered and strict.far_end is not None and strict.broken_at(strict.far_end, limit):
        outcome = "fail"
    needed = None
    if outcome == "inconclusive" and covered and near is not None and evidence.estimate is not None:
        needed = examples_needed(evidence.n, evidence.estimate, near, limit)
    return RuleResult(
        rule=question.rule,
        kind=evidence.kind,
        metric=evidence.metric,
        slice=evidence.slice,
        n=evidence.n,
        estimate=evidence.estimate,
        ci_low=evidence.low,
        ci_high=evidence.high,
        limit=limit,
        outcome=outcome,
        reason=reason(evidence, limit, outcome, coverage),
        n_needed=needed,
        informs=evidence.informs,
    )


def _overall(rules: Sequence[RuleResult]) -> Outcome:
    outcomes = {rule.outcome for rule in rules if not rule.informs}
    if "fail" in outcomes:
        return "fail"
    return "inconclusive" if "inconclusive" in outcomes or not outcomes else "pass"


def _exit_code(outcome: Outcome, policy: GatePolicy) -> int:
    match outcome:
        case "pass":
            return ExitCode.OK
        case "fail":
            return ExitCode.REGRESSION
        case "inconclusive":
            warns = policy.on_inconclusive == "warn"
            return ExitCode.OK if warns else ExitCode.INCONCLUSIVE
