"""Figures of the comparison against arithmetic done by hand and by other libraries."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from builders import NOT_APPLICABLE, compared, metric_scores, pair, score, subject
from sklearn.metrics import f1_score

from harness.comparison.compare import compare
from harness.core.example import Example
from harness.core.example_values import derived_metric_ids
from harness.core.experiment import Analysis, PrimaryFigure
from harness.core.score import NO_ANSWER, Aggregate, Metric, MetricScores, Unscored


def _binary(counts):
    """Scores of a and b with given (both, only a, only b, neither) right."""
    both, only_a, only_b, neither = counts
    a = [1] * (both + only_a) + [0] * (only_b + neither)
    b = [1] * both + [0] * only_a + [1] * only_b + [0] * neither
    return np.array([a, b], dtype=float)


def test_the_published_gsm8k_table():
    p = pair(compared(_binary((222, 64, 293, 740))))
    assert p.diff == pytest.approx(0.17361637604)
    assert (p.ci_low, p.ci_high) == pytest.approx((0.1470, 0.2001), abs=0.003)
    assert p.p_value == pytest.approx(3.928874710490944e-36, rel=1e-9)
    assert (p.wins, p.ties, p.losses) == (293, 962, 64)
    assert p.win_rate == pytest.approx(0.5 + 0.17361637604 / 2)
    assert (p.test, p.method, p.finding, p.family) == (
        "mcnemar_exact",
        "tango",
        "better",
        "primary",
    )


def test_identical_variants_are_no_evidence_and_keep_a_width():
    p = pair(compared(_binary((50, 0, 0, 50))))
    assert (p.diff, p.p_value, p.finding) == (0, 1, "no_evidence")
    assert p.ci_low < 0 < p.ci_high
    assert p.win_rate_ci_low < 0.5 < p.win_rate_ci_high


def test_nine_examples_are_too_few():
    assert pair(compared(_binary((0, 0, 9, 0)))).finding == "too_few"
    assert pair(compared(_binary((0, 0, 10, 0)))).finding == "better"


def test_lower_is_better_turns_wins_and_findings():
    p = pair(compared(_binary((10, 2, 30, 10)), Metric("m", higher_is_better=False, binary=True)))
    assert p.diff > 0
    assert (p.wins, p.losses, p.finding) == (2, 30, "worse")


def test_missing_is_counted_and_not_applicable_is_not():
    value = _binary((20, 5, 10, 15))[:, :, None]
    reason = np.zeros(value.shape, int)
    reason[0, 0] = 1
    reason[:, 1:4] = NOT_APPLICABLE
    value[reason > 0] = np.nan
    comparison = compare(subject([metric_scores(Metric("m", binary=True), value, reason=reason)]))
    p = pair(comparison)
    assert (p.n, p.n_missing) == (46, 1)
    assert (score(comparison, "a").n, score(comparison, "a").n_missing) == (46, 1)
    assert (score(comparison, "b").n, score(comparison, "b").n_missing) == (47, 0)


def test_a_primary_figure_that_cannot_be_tested_leaves_no_conclusion():
    value = np.full((2, 100, 1), np.nan)
    idle = metric_scores(Metric("n"), value, reason=np.full(value.shape, NOT_APPLICABLE))
    scores = [metric_scores(Metric("m", binary=True), _binary((10, 0, 60, 30))[:, :, None]), idle]
    both = Analysis((PrimaryFigure("m"), PrimaryFigure("n")))
    assert compare(subject(scores, analysis=both)).conclusion.kind == "incomplete"
    assert compare(subject(scores)).conclusion.kind == "ship"


def test_coverage_below_the_threshold_gives_no_conclusion():
    value = _binary((20, 0, 60, 20))
    value[1, :3] = np.nan
    assert compared(value).conclusion.kind == "incomplete"
    value[1, 1:3] = 1
    assert compared(value).conclusion.kind == "ship"


def test_slices_carry_their_own_members():
    examples = tuple(
        Example(id=f"e{i:04d}", input={}, slices={"kind": "x" if i < 40 else "y"})
        for i in range(100)
    )
    comparison = compared(_binary((30, 10, 40, 20)), examples=examples)
    assert [(s.id, s.n_examples) for s in comparison.slices] == [
        ("all", 100),
        ("kind=x", 40),
        ("kind=y", 60),
    ]
    assert pair(comparison, slice_name="kind=x").losses == 10
    (share,) = comparison.losses
    assert (share.slice, share.n_losses, share.share_of_losses) == ("kind=x", 10, 1.0)
    assert share.share_of_examples == pytest.approx(0.4)


def test_ratio_metrics_are_micro_averages():
    """3 of 4 fabricated in one example, 0 of 1 in another, and one that cites nothing."""
    metric = Metric("m", aggregate=Aggregate.RATIO, higher_is_better=False)
    value = np.array([[[0.75], [0.0], [0.0]], [[0.0], [0.0], [1.0]]])
    weight = np.array([[[4], [1], [0]], [[1], [1], [2]]])
    comparison = compare(subject([metric_scores(metric, value, weight)]))
    assert score(comparison, "a").mean == pytest.approx(3 / 5)
    assert score(comparison, "a").n == 2
    assert score(comparison, "b").mean == pytest.approx(2 / 4)
    p = pair(comparison)
    assert p.diff == pytest.approx(-0.1)
    assert (p.wins, p.ties, p.losses) == (1, 2, 0)


def test_a_ratio_of_few_items_keeps_a_width():
    metric = Metric("m", aggregate=Aggregate.RATIO)
    value, weight = np.ones((2, 60, 1)), np.zeros((2, 60, 1))
    weight[:, :5] = 1
    comparison = compare(subject([metric_scores(metric, value, weight)]))
    assert score(comparison).n == 5
    assert score(comparison).ci_low < 0.6
    assert pair(comparison).ci_low < -0.02


def _classes(n=200, seed=1):
    rng = np.random.default_rng(seed)
    labels = ("red", "green", "blue")
    expected = rng.choice(3, n, p=[0.7, 0.2, 0.1]).astype(np.int32)
    predicted = np.array(
        [np.where(rng.random(n) < skill, expected, rng.integers(0, 3, n)) for skill in (0.5, 0.8)],
        dtype=np.int32,
    )
    expected = np.stack([expected] * 2)
    value = (expected == predicted).astype(float)[:, :, None]
    return [
        MetricScores(
            metric,
            value,
            np.ones_like(value),
            np.zeros(value.shape, np.int32),
            (),
            expected=expected[:, :, None],
            predicted=predicted[:, :, None],
            labels=labels,
        )
        for metric in (
            Metric("label", binary=True),
            Metric("label.macro_f1", aggregate=Aggregate.MACRO_F1),
        )
    ]


def test_macro_f1_and_classes_agree_with_scikit_learn():
    scores = _classes()
    comparison = compare(subject(scores))
    expected, predicted = scores[0].expected[0, :, 0], scores[0].predicted[:, :, 0]
    for index, variant in enumerate("ab"):
        figure = score(comparison, variant, "label.macro_f1")
        assert figure.mean == pytest.approx(f1_score(expected, predicted[index], average="macro"))
        assert figure.ci_low < figure.mean < figure.ci_high
        per_class = f1_score(expected, predicted[index], average=None)
        ours = {c.label: c.f1 for c in comparison.classes if c.variant == variant}
        assert [ours[name] for name in ("red", "green", "blue")] == pytest.approx(list(per_class))
    assert sum(cell.n for cell in comparison.confusion if cell.variant == "a") == 200


def test_no_answer_is_a_miss_of_its_class_and_no_class_of_its_own():
    scores = _classes()
    failed = [
        replace(
            s, predicted=np.where(s.predicted == 2, 3, s.predicted), labels=(*s.labels, NO_ANSWER)
        )
        for s in scores
    ]
    comparison = compare(subject(failed))
    expected, predicted = failed[0].expected[0, :, 0], failed[0].predicted[0, :, 0]
    figure = score(comparison, "a", "label.macro_f1")
    theirs = f1_score(expected, predicted, average="macro", labels=[0, 1, 2], zero_division=0)
    assert figure.mean == pytest.approx(theirs)
    assert NO_ANSWER not in {c.label for c in comparison.classes}
    assert NO_ANSWER in {cell.predicted for cell in comparison.confusion}


def test_macro_f1_standard_error_agrees_with_the_bootstrap():
    scores = _classes(n=600)
    expected, predicted = scores[0].expected[0, :, 0], scores[0].predicted[0, :, 0]
    rng = np.random.default_rng(2)
    draws = [rng.integers(0, 600, 600) for _ in range(800)]
    bootstrap = np.std([f1_score(expected[d], predicted[d], average="macro") for d in draws])
    figure = score(compare(subject(scores)), "a", "label.macro_f1")
    assert figure.standard_error == pytest.approx(bootstrap, rel=0.1)


def test_macro_f1_of_a_class_with_few_examples_has_no_interval_and_no_test():
    comparison = compare(subject(_classes(n=60)))
    assert min(c.n_expected for c in comparison.classes) < 10
    assert score(comparison, "a", "label.macro_f1").ci_low is None
    p = pair(comparison, metric="label.macro_f1")
    assert (p.ci_low, p.p_value, p.p_adjusted, p.finding) == (None, None, None, "too_few")
    assert p.method.startswith("undefined: a class")
    assert pair(comparison, metric="label").ci_low is not None


def test_classes_that_were_never_expected_are_misses_only():
    scores = _classes()
    invented = [
        replace(
            s,
            predicted=np.where(np.arange(200)[None, :, None] < 3, 3, s.predicted).astype(np.int32),
            labels=(*s.labels, "violet"),
        )
        for s in scores
    ]
    before, after = (
        score(compare(subject(s)), "b", "label.macro_f1").mean for s in (scores, invented)
    )
    assert after == pytest.approx(before, abs=0.05)


def test_macro_f1_without_any_class_at_all_is_not_a_crash():
    (scores,) = _classes()[1:]
    blank = np.full(scores.value.shape, -1, np.int32)
    nothing = replace(
        scores,
        value=np.full(scores.value.shape, np.nan),
        reason=np.full(scores.value.shape, 1, np.int32),
        reasons=(Unscored("no answer came"),),
        expected=blank,
        predicted=blank,
        labels=(),
    )
    p = pair(compare(subject([nothing])), metric="label.macro_f1")
    assert (p.n, p.n_missing, p.diff, p.finding) == (0, 200, None, "too_few")


def test_a_ratio_with_nothing_to_count_on_one_side_has_no_difference():
    """The baseline never abstains: its precision is undefined, not 0."""
    metric = Metric("m", aggregate=Aggregate.RATIO)
    value, weight = np.zeros((2, 100, 1)), np.zeros((2, 100, 1))
    value[1, :6] = 1
    weight[1, :12] = 1
    p = pair(compare(subject([metric_scores(metric, value, weight)])))
    assert (p.n, p.diff, p.p_value, p.finding) == (12, None, None, "too_few")
    assert (p.wins, p.ties, p.losses) == (0, 12, 0)


def test_ratio_pairs_count_the_examples_that_say_something():
    metric = Metric("m", aggregate=Aggregate.RATIO)
    value, weight = np.ones((2, 100, 1)), np.zeros((2, 100, 1))
    weight[0, :5] = weight[1, 3:8] = 1
    p = pair(compare(subject([metric_scores(metric, value, weight)])))
    assert (p.n, p.n_units, p.n_missing, p.finding) == (8, 8, 0, "too_few")


def test_pass_to_the_k_by_brute_force():
    rng = np.random.default_rng(3)
    value = rng.integers(0, 2, (1, 30, 4)).astype(float)
    comparison = compared(np.concatenate([value, value]))
    for k in (2, 3, 4):
        chosen = [value[0][:, list(which)] for which in combinations(range(4), k)]
        every = np.mean([c.min(axis=1) for c in chosen])
        some = np.mean([c.max(axis=1) for c in chosen])
        assert score(comparison, metric=f"m.pass^{k}").mean == pytest.approx(every)
        assert score(comparison, metric=f"m.pass@{k}").mean == pytest.approx(some)
    metric = Metric("m", binary=True)
    assert derived_metric_ids(metric, 4) == [m.id for m in comparison.metrics][1:]
    assert derived_metric_ids(metric, 1) == []


def test_only_what_is_better_higher_can_be_passed():
    rate = Metric("m", binary=True, higher_is_better=False)
    assert derived_metric_ids(rate, 4) == []
    assert [m.id for m in compared(np.ones((2, 20, 4)), rate).metrics] == ["m"]


def test_repeats_are_not_independent_examples():
    rng = np.random.default_rng(4)
    of_example = rng.integers(0, 2, (2, 50, 1)).astype(float)
    once = score(compared(of_example))
    four = score(compared(np.repeat(of_example, 4, axis=2)))
    assert four.standard_error == pytest.approx(once.standard_error)
    assert four.n == 50


def test_primary_family_is_held_by_holm_and_the_rest_by_benjamini_hochberg():
    rng = np.random.default_rng(5)
    value = (rng.random((4, 80, 1)) < np.array([0.4, 0.5, 0.6, 0.7])[:, None, None]).astype(float)
    scores = [metric_scores(Metric(name, binary=True), value) for name in ("m", "n")]
    comparison = compare(subject(scores, analysis=Analysis((PrimaryFigure("m"),), resamples=200)))
    primary = [p for p in comparison.pairs if p.family == "primary"]
    assert {(p.candidate, p.baseline, p.metric) for p in primary} == {
        ("b", "a", "m"),
        ("c", "a", "m"),
        ("d", "a", "m"),
    }
    smallest = min(primary, key=lambda p: p.p_value)
    assert smallest.p_adjusted == pytest.approx(3 * smallest.p_value)
    assert len([p for p in comparison.pairs if p.family == "exploratory"]) == 9


def test_a_gain_with_a_certain_primary_loss_is_a_trade_off():
    better, worse = _binary((10, 5, 60, 25)), _binary((25, 60, 5, 10))
    scores = [
        metric_scores(Metric(name, binary=True), value[:, :, None])
        for name, value in (("m", better), ("n", worse))
    ]
    both = Analysis((PrimaryFigure("m"), PrimaryFigure("n")))
    conclusion = compare(subject(scores, analysis=both)).conclusion
    assert (conclusion.kind, conclusion.variant) == ("trade_off", "b")
    assert {metric for _, metric, _ in conclusion.because} == {"m", "n"}
    assert compare(subject(scores)).conclusion.kind == "ship"


def test_one_variant_alone_has_figures_and_no_pairs():
    comparison = compared(np.ones((1, 20)))
    assert comparison.conclusion.kind == "single"
    assert comparison.pairs == ()
    assert score(comparison).mean == 1


def test_latency_leaves_out_infrastructure_failures_and_keeps_paths_apart():
    value = np.ones((2, 40, 1))
    latency = np.tile(np.arange(1.0, 41.0), (2, 1))[:, :, None]
    status = np.zeros(value.shape, np.int8)
    status[0, 39] = 2
    path = np.full(value.shape, 4, np.int8)
    path[1, :20] = 1
    path[1, 20:] = 2
    comparison = compare(
        subject(
            [metric_scores(Metric("m", binary=True), value)],
            latency_s=latency,
            status=status,
            path=path,
        )
    )
    rows = {(r.variant, r.path): r for r in comparison.latency}
    assert set(rows) == {("a", "recorded"), ("b", "cold"), ("b", "warm")}
    assert rows["a", "recorded"].n == 39
    assert rows["b", "cold"].p50_s == 10.5


def test_unknown_cost_stays_unknown_and_known_cost_is_divided_by_right_answers():
    value = _binary((10, 10, 5, 15))[:, :, None]
    cost = np.full(value.shape, np.nan)
    cost[0] = 0.01
    comparison = compare(subject([metric_scores(Metric("m", binary=True), value)], cost_usd=cost))
    (row,) = comparison.cost
    assert (row.variant, row.total_usd) == ("a", pytest.approx(0.4))
    assert (row.ci_low_usd, row.ci_high_usd) == (0.01, 0.01)
    assert row.per_correct_usd == pytest.approx(0.4 / 20)
    cost[0, 0] = np.nan
    (partial,) = compare(
        subject([metric_scores(Metric("m", binary=True), value)], cost_usd=cost)
    ).cost
    assert (partial.n, partial.total_usd, partial.per_correct_usd) == (39, None, None)


def test_a_metric_that_applies_nowhere_is_a_warning():
    value = np.full((2, 12, 1), np.nan)
    scores = [
        metric_scores(Metric("m", binary=True), np.ones((2, 12, 1))),
        metric_scores(Metric("idle"), value, reason=np.full(value.shape, NOT_APPLICABLE)),
    ]
    comparison = compare(subject(scores))
    (warning,) = comparison.warnings
    assert warning.startswith("idle applies to none")
    assert not [s for s in comparison.scores if s.metric == "idle"]


def _operations(latency=None, cost=None, status=None):
    shape = (2, 40, 2)
    columns = {
        name: value
        for name, value in (("latency_s", latency), ("cost_usd", cost), ("status", status))
        if value is not None
    }
    scores = [metric_scores(Metric("m", binary=True), np.ones(shape))]
    return compare(subject(scores, **columns))


def test_ratios_rest_on_examples_known_on_both_sides():
    rng = np.random.default_rng(6)
    latency = rng.lognormal(0, 0.2, (2, 40, 2))
    latency[1] *= 2
    latency[0, :4, 1] = np.nan
    latency[1, 2:6, 0] = np.nan
    ratios = {r.quantity: r for r in _operations(latency=latency).ratios}
    p50 = ratios["latency_p50"]
    assert (p50.n, p50.n_missing, p50.path) == (34, 6, "recorded")
    known = latency[:, 6:].reshape(2, -1)
    assert p50.ratio == pytest.approx(np.median(known[1]) / np.median(known[0]))
    assert p50.ci_low < 2 < p50.ci_high
    assert "cost_mean" not in ratios


def test_infrastructure_failures_are_missing_from_a_cost_ratio():
    cost = np.full((2, 40, 2), 0.01)
    cost[1] = 0.02
    status = np.zeros(cost.shape, np.int8)
    status[1, :20] = 2
    cost[1, :20] = np.nan
    (ratio,) = _operations(cost=cost, status=status).ratios
    assert (ratio.n, ratio.n_missing, ratio.ratio) == (20, 20, pytest.approx(2))


def test_one_price_seen_once_is_no_certainty():
    cost = np.full((2, 40, 2), np.nan)
    cost[:, :1] = 0.01
    comparison = _operations(cost=cost)
    assert comparison.cost[0].ci_low_usd is None
    assert comparison.ratios[0].ci_high is None


def test_partly_known_latency_is_a_warning():
    latency = np.full((2, 40, 2), 0.5)
    latency[1, 10:] = np.nan
    comparison = _operations(latency=latency)
    assert [
        w for w in comparison.warnings if w.startswith("latency of b is known for 20 of its 80")
    ]


def test_rounding_is_no_difference_and_needs_no_examples():
    value = np.array([[0.1, 0.2, 0.3] * 20, [0.3, 0.1, 0.2] * 20])
    p = pair(compared(value, Metric("m")))
    assert (p.diff, p.n_needed) == (0.0, None)


def test_a_pair_without_data_has_no_p_value_and_weighs_on_no_other():
    value = _binary((10, 5, 30, 15))[:, :, None]
    lost = np.full((1, *value.shape[1:]), np.nan)
    three = compared(np.concatenate([value, lost]))
    assert (pair(three, "c").p_value, pair(three, "c").test) == (None, "none")
    assert pair(three).p_adjusted == pair(compared(value)).p_adjusted
