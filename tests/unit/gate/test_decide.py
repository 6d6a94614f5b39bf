"""The gate's verdicts on comparisons of known data."""

from dataclasses import replace

import numpy as np
import pytest
from builders import NOT_APPLICABLE, metric_scores, subject

from harness.comparison.compare import compare
from harness.core.example import Example
from harness.core.policy import GatePolicy
from harness.core.score import Metric
from harness.core.verdict import Verdict
from harness.gate.decide import decide, slices_of_rule


def _at(made):
    """The comparison of a subject as a function of its confidence."""
    return lambda confidence: compare(
        replace(made, analysis=replace(made.analysis, confidence=confidence, resamples=0))
    )


def _comparison(wins, losses, n, *, latency=None, cost=None, lose=0, metric=None):
    """`wins` only the candidate has right, `losses` only the baseline, of `n` otherwise right."""
    a = np.ones(n)
    b = np.ones(n)
    a[:wins] = 0
    b[wins : wins + losses] = 0
    value = np.stack([a, b])[:, :, None]
    if lose:
        value[1, -lose:] = np.nan
    examples = tuple(
        Example(id=f"e{i:04d}", input={}, slices={"kind": "x" if i % 4 == 0 else "y"})
        for i in range(n)
    )
    columns = {}
    if latency is not None:
        columns["latency_s"] = np.asarray(latency)[:, :, None]
    if cost is not None:
        columns["cost_usd"] = np.asarray(cost)[:, :, None]
    scores = [metric_scores(metric or Metric("m", binary=True), value)]
    return _at(subject(scores, examples=examples, **columns))


def _decide(comparison, *rules, **policy):
    made = GatePolicy.model_validate({"rules": rules, **policy})
    return decide(made, comparison, policy_sha256="0" * 64, baseline_run_id="base")


def _margin(margin, **more):
    return {"metric": "m", "margin": margin, **more}


@pytest.mark.parametrize(
    ("wins", "losses", "n", "margin", "outcome", "code"),
    [
        (5, 5, 1000, 0.02, "pass", 0),
        (0, 200, 1000, 0.05, "fail", 1),
        (5, 8, 100, 0.02, "inconclusive", 4),
        (0, 0, 100, 0.03, "inconclusive", 4),
        (0, 0, 200, 0.03, "pass", 0),
        (0, 3, 100, 0.03, "inconclusive", 4),
        (40, 0, 200, 0.0, "pass", 0),
    ],
)
def test_non_inferiority(wins, losses, n, margin, outcome, code):
    verdict = _decide(_comparison(wins, losses, n), _margin(margin))
    assert (verdict.outcome, verdict.exit_code) == (outcome, code)


def test_lower_is_better_metrics_may_rise_by_the_margin():
    metric = Metric("m", higher_is_better=False, binary=True)
    worse = _comparison(300, 0, 1000, metric=metric)
    assert _decide(worse, _margin(0.05)).outcome == "fail"
    better = _comparison(0, 300, 1000, metric=metric)
    assert _decide(better, _margin(0.0)).outcome == "pass"


def test_inconclusive_tells_how_many_examples_would_settle_it():
    (rule,) = _decide(_comparison(10, 10, 200), _margin(0.03)).rules
    assert rule.outcome == "inconclusive"
    more = _decide(_comparison(10 * 3, 10 * 3, 600), _margin(0.03)).rules[0]
    assert 200 < rule.n_needed <= 600
    assert more.outcome == "pass"


def test_a_warning_policy_does_not_block_on_weak_evidence_but_does_on_a_regression():
    weak = _decide(_comparison(5, 8, 100), _margin(0.02), on_inconclusive="warn")
    assert (weak.outcome, weak.exit_code) == ("inconclusive", 0)
    bad = _decide(_comparison(0, 60, 100), _margin(0.02), on_inconclusive="warn")
    assert (bad.outcome, bad.exit_code) == ("fail", 1)


def test_floors_and_ceilings_bound_the_candidate_alone():
    comparison = _comparison(0, 100, 1000)
    outcomes = [
        rule.outcome
        for rule in _decide(
            comparison,
            {"metric": "m", "floor": 0.8},
            {"metric": "m", "floor": 0.95},
            {"metric": "m", "floor": 0.9},
            {"metric": "m", "ceiling": 0.5},
        ).rules
    ]
    assert outcomes == ["pass", "fail", "inconclusive", "fail"]


def test_a_pattern_names_every_value_of_a_slice():
    verdict = _decide(_comparison(5, 5, 1000), _margin(0.2, slice="kind=*"))
    assert [rule.slice for rule in verdict.rules] == ["kind=x", "kind=y"]
    assert slices_of_rule("kind=*", ["all", "kind=x", "kindred=x"]) == ["kind=x"]
    assert slices_of_rule("kind=z", ["all", "kind=x"]) == []


def test_too_few_examples_in_a_slice_are_inconclusive():
    verdict = _decide(_comparison(0, 0, 32), _margin(0.5, slice="kind=x"))
    (rule,) = verdict.rules
    assert (rule.n, rule.outcome) == (8, "inconclusive")
    assert "few" in rule.reason


def test_coverage_below_the_threshold_is_never_a_pass_nor_a_fail():
    for comparison in (_comparison(5, 5, 1000, lose=50), _comparison(0, 400, 1000, lose=50)):
        verdict = _decide(comparison, _margin(0.05))
        assert verdict.outcome == "inconclusive"
        assert "95.0%" in verdict.rules[0].reason
    assert _decide(_comparison(5, 5, 1000, lose=50), _margin(0.05), coverage=0.9).exit_code == 0


def test_lost_repeats_count_against_coverage():
    """Three of four repeats timed out on one side: every example is left, most trials are not."""
    value = np.ones((2, 200, 4))
    value[1, :, 1:] = np.nan
    verdict = _decide(_at(subject([metric_scores(Metric("m", binary=True), value)])), _margin(0.1))
    assert verdict.outcome == "inconclusive"
    assert "25.0% of the trials" in verdict.rules[0].reason


def test_a_pattern_leaves_out_values_that_the_metric_does_not_apply_to():
    value = np.ones((2, 100, 1))
    reason = np.zeros(value.shape, int)
    reason[:, ::4] = NOT_APPLICABLE
    value[reason > 0] = np.nan
    examples = tuple(
        Example(id=f"e{i:04d}", input={}, slices={"kind": "x" if i % 4 == 0 else "y"})
        for i in range(100)
    )
    scores = [metric_scores(Metric("m", binary=True), value, reason=reason)]
    made = _at(subject(scores, examples=examples))
    assert [rule.slice for rule in _decide(made, _margin(0.2, slice="kind=*")).rules] == ["kind=y"]
    (named,) = _decide(made, _margin(0.2, slice="kind=x")).rules
    assert named.outcome == "inconclusive"


def test_a_pattern_that_applies_nowhere_is_no_pass():
    value = np.full((2, 100, 1), np.nan)
    idle = metric_scores(Metric("n"), value, reason=np.full(value.shape, NOT_APPLICABLE))
    fine = metric_scores(Metric("m", binary=True), np.ones((2, 100, 1)))
    examples = tuple(Example(id=f"e{i:04d}", input={}, slices={"kind": "x"}) for i in range(100))
    rules = [_margin(0.2), {"metric": "n", "margin": 0.2, "slice": "kind=*"}]
    verdict = _decide(_at(subject([fine, idle], examples=examples)), *rules)
    assert [rule.outcome for rule in verdict.rules] == ["pass", "inconclusive"]
    assert verdict.outcome == "inconclusive"


def test_free_on_both_sides_is_no_rise():
    free = _comparison(0, 0, 400, cost=np.zeros((2, 400)))
    assert _decide(free, {"cost": "mean", "max_ratio": 1.0}).outcome == "pass"


def _latency(ratio, n=400):
    rng = np.random.default_rng(1)
    base = rng.lognormal(0, 0.3, n)
    return np.stack([base, ratio * rng.lognormal(0, 0.3, n)])


def test_latency_ratios():
    outcomes = [
        _decide(
            _comparison(0, 0, 400, latency=_latency(ratio)), {"latency": "p95", "max_ratio": 1.3}
        ).outcome
        for ratio in (0.8, 1.3, 2.5)
    ]
    assert outcomes == ["pass", "inconclusive", "fail"]


def test_latencies_missing_on_one_side_count_against_coverage():
    latency = _latency(0.5)
    latency[1, :20] = np.nan
    verdict = _decide(_comparison(0, 0, 400, latency=latency), {"latency": "p50", "max_ratio": 1})
    assert verdict.outcome == "inconclusive"
    assert "95.0% of the examples have a latency on both sides" in verdict.rules[0].reason


def test_unknown_latency_and_cost_cannot_pass():
    verdict = _decide(
        _comparison(0, 0, 400),
        {"latency": "p50", "max_ratio": 5},
        {"cost": "mean", "max_ratio": 5},
    )
    assert [rule.outcome for rule in verdict.rules] == ["inconclusive", "inconclusive"]
    assert all("unknown" in rule.reason for rule in verdict.rules)


def test_cost_ratios_and_partly_unknown_cost():
    cost = np.stack([np.full(400, 0.01), np.full(400, 0.012)])
    assert (
        _decide(_comparison(0, 0, 400, cost=cost), {"cost": "mean", "max_ratio": 1.3}).exit_code
        == 0
    )
    assert (
        _decide(_comparison(0, 0, 400, cost=cost), {"cost": "mean", "max_ratio": 1.1}).exit_code
        == 1
    )
    cost[1, :20] = np.nan
    partial = _decide(_comparison(0, 0, 400, cost=cost), {"cost": "mean", "max_ratio": 1.3})
    assert partial.outcome == "inconclusive"


def test_a_small_p95_has_no_upper_end_and_cannot_pass():
    verdict = _decide(
        _comparison(0, 0, 30, latency=_latency(0.5, 30)), {"latency": "p95", "max_ratio": 1}
    )
    assert verdict.outcome == "inconclusive"


def test_the_verdict_survives_json():
    verdict = _decide(_comparison(5, 8, 100), _margin(0.02))
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


def test_identical_systems_are_blocked_no_more_often_than_stated():
    """A/A: two samples of one system, 21 rules with margin 0: a fail in at most 2.5 % of gates."""
    rng = np.random.default_rng(7)
    n, runs = 200, 400
    names = [f"m{index}" for index in range(21)]
    failed = 0
    for _ in range(runs):
        scores = [
            metric_scores(Metric(name, binary=True), (rng.random((2, n, 1)) < 0.7).astype(float))
            for name in names
        ]
        rules = [{"metric": name, "margin": 0.0} for name in names]
        failed += _decide(_at(subject(scores)), *rules).outcome == "fail"
    assert failed / runs <= 0.025 + np.sqrt(0.025 * 0.975 / runs)
