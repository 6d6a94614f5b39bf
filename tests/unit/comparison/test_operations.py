"""Rates, stages and tokens of live trials against arithmetic done by hand."""

from dataclasses import replace

import numpy as np
import pytest
from builders import metric_scores, subject
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.comparison.compare import compare
from harness.comparison.subject import confounded_pairs
from harness.core.comparison import Comparison
from harness.core.example import Example
from harness.core.record import Answer, AnswerPath, Failure, Record, Stage, Step, Trace, Usage
from harness.core.score import Metric
from harness.scoring.trials import trial_table
from harness.statistics.binomial import share_interval

ANSWER, USAGE = Answer("x"), Usage(100, 20, 5)
GENERATE = Step(Stage.GENERATE, 0.0, 1.0, 0.01, USAGE)
REJECTION = Step(Stage.VALIDATE, 1.0, 0.0, detail={"result": "failed"})
PLAIN = Trace(steps=(GENERATE,), calls=1, attempts=1)
CHECKED = replace(PLAIN, validation="passed")


def live(*rows, examples=None, **more):
    """The comparison of variants a, b, ... whose records are `rows`, each (examples, repeats)."""
    repeats = max(len(trials) for row in rows for trials in row)
    names = tuple("abcd"[: len(rows)])
    value = np.ones((len(rows), len(rows[0]), repeats))
    made = subject([metric_scores(Metric("m", binary=True), value)], examples=examples, **more)
    ids = made.scores.example_ids
    records = [
        replace(record, variant=name, example_id=example_id, repeat=repeat)
        for name, row in zip(names, rows, strict=True)
        for example_id, trials in zip(ids, row, strict=True)
        for repeat, record in enumerate(trials)
    ]
    return compare(replace(made, trials=trial_table(names, ids, repeats, records)))


def trial(trace, outcome=ANSWER, path=AnswerPath.WARM, usage=USAGE):
    return Record("", "", 0, outcome, path, 1.0, 0.01, usage, trace=trace)


def operation(comparison, quantity, variant="a", slice_name="all"):
    found = [
        entry
        for entry in comparison.operations
        if (entry.quantity, entry.variant, entry.slice) == (quantity, variant, slice_name)
    ]
    return found[0] if found else None


def test_recorded_runs_gain_empty_parts_only():
    comparison = live([[trial(None)]] * 20, [[trial(None)]] * 20)
    for part in ("operations", "stages", "first_token", "tokens", "token_savings", "confounded"):
        assert getattr(comparison, part) == ()


def test_a_comparison_of_an_older_run_still_loads():
    document = live([[trial(None)]] * 20).model_dump(mode="json")
    for part in ("operations", "stages", "first_token", "tokens", "token_savings", "confounded"):
        del document[part]
    assert Comparison.model_validate(document).operations == ()


def test_rates_are_shares_of_answered_trials_with_their_intervals():
    rejected = replace(CHECKED, steps=(GENERATE, REJECTION), repairs=1)
    rejected = replace(rejected, rejections=("rule: 'cited' is broken",))
    failed = replace(rejected, validation="failed", rejections=("schema: 'x' is missing",))
    gave_up = trial(replace(PLAIN, attempts=4, retry_wait_s=9.0), Failure(True, "timeout"))
    row = [[trial(CHECKED)]] * 30 + [[trial(rejected)]] * 6
    row += [[trial(failed, Failure(False, "schema"))]] * 4 + [[gave_up]] * 10
    comparison = live(row)
    rejection = operation(comparison, "rejection_rate")
    assert (rejection.n, rejection.n_affected, rejection.rate) == (40, 10, 0.25)
    assert (rejection.ci_low, rejection.ci_high) == pytest.approx(share_interval(10, 40, 0.95))
    assert operation(comparison, "schema_failure_rate").rate == 0.1
    assert operation(comparison, "invalid_rate").rate == 0.1
    assert operation(comparison, "tool_error_rate") is None
    assert operation(comparison, "repair_rate").rate == 0.25
    assert operation(comparison, "fallback_rate").rate == 0
    retry = operation(comparison, "retry_rate")
    assert (retry.n, retry.n_affected, retry.rate) == (50, 10, 0.2)
    assert (retry.latency_s, retry.latency_per_affected_s) == pytest.approx((1.8, 9.0))
    assert (retry.cost_usd, retry.cost_per_affected_usd) == (None, None)


def test_what_repairs_and_fallbacks_add_to_a_trial_and_to_those_affected():
    repair = Step(Stage.REPAIR, 1.0, 2.0, 0.5, Usage(9, 0, 9))
    repaired = replace(
        CHECKED, steps=(GENERATE, repair), rejections=("x",), repairs=1, calls=2, attempts=2
    )
    large = Step(Stage.GENERATE, 1.0, 4.0, 0.25, Usage(9, 0, 9), variant="large")
    handed = replace(
        CHECKED,
        steps=(GENERATE, Step(Stage.FALLBACK, 1.0, 0.0), large),
        rejections=("x",),
        fallback_used="large",
    )
    comparison = live([[trial(CHECKED)]] * 15 + [[trial(repaired)]] * 4 + [[trial(handed)]])
    found = operation(comparison, "repair_rate")
    assert (found.latency_s, found.latency_per_affected_s) == pytest.approx((0.4, 2.0))
    assert (found.cost_usd, found.cost_per_affected_usd) == pytest.approx((0.1, 0.5))
    assert found.latency_ci_low_s < 0.4 < found.latency_ci_high_s
    assert found.cost_ci_low_usd < 0.1 < found.cost_ci_high_usd
    found = operation(comparison, "fallback_rate")
    assert (found.latency_s, found.latency_per_affected_s) == pytest.approx((0.2, 4.0))
    assert (found.cost_usd, found.cost_per_affected_usd) == pytest.approx((0.0125, 0.25))


def test_an_unknown_cost_of_one_repair_makes_the_mean_unknown():
    dear = replace(CHECKED, steps=(GENERATE, Step(Stage.REPAIR, 0, 1.0, None)), repairs=1)
    found = operation(live([[trial(CHECKED)]] * 15 + [[trial(dear)]]), "repair_rate")
    assert (found.cost_usd, found.cost_per_affected_usd) == (None, None)
    assert found.latency_s == pytest.approx(1 / 16)


def test_nothing_is_rejected_where_nothing_is_checked():
    comparison = live([[trial(PLAIN)]] * 20, [[trial(CHECKED)]] * 20)
    assert operation(comparison, "rejection_rate") is None
    assert operation(comparison, "schema_failure_rate") is None
    assert operation(comparison, "invalid_rate") is None
    assert operation(comparison, "repair_rate").rate == 0
    assert operation(comparison, "rejection_rate", "b").rate == 0


def test_answers_from_the_cache_were_not_retried_and_add_no_time():
    repair = Step(Stage.REPAIR, 0, 8.0, 1.0)
    repaired = replace(CHECKED, steps=(GENERATE, repair), repairs=1, rejections=("x",))
    cached = trial(repaired, path=AnswerPath.CACHED)
    comparison = live([[cached]] * 10 + [[trial(CHECKED)]] * 10)
    found = operation(comparison, "repair_rate")
    assert (found.n, found.rate) == (20, 0.5)
    assert (found.latency_s, found.latency_per_affected_s) == (0, None)
    assert operation(comparison, "retry_rate").n == 10
    assert operation(live([[cached]] * 10), "retry_rate") is None


def test_rates_by_slice_and_for_variants_that_are_live():
    examples = tuple(
        Example(f"e{i}", {}, slices={"kind": "odd" if i % 2 else "even"}) for i in range(20)
    )
    repaired = replace(CHECKED, repairs=1, rejections=("x",))
    row = [[trial(repaired if i % 2 else CHECKED)] for i in range(20)]
    comparison = live([[trial(None)]] * 20, row, examples=examples, ids=[e.id for e in examples])
    assert {entry.variant for entry in comparison.operations} == {"b"}
    assert operation(comparison, "repair_rate", "b", "kind=odd").rate == 1
    assert operation(comparison, "repair_rate", "b", "kind=even").rate == 0
    assert operation(comparison, "repair_rate", "b").rate == 0.5


def test_repeats_of_an_example_are_one_cluster():
    repaired = trial(replace(CHECKED, repairs=1, rejections=("x",)))
    alike = [[repaired] * 4] * 10 + [[trial(CHECKED)] * 4] * 30
    found = operation(live(alike), "repair_rate")
    single = operation(live([row[:1] for row in alike]), "repair_rate")
    assert found.n == 4 * single.n
    assert found.rate == single.rate == 0.25
    width, narrow = found.ci_high - found.ci_low, (single.ci_high - single.ci_low) / 2
    assert width > 1.5 * narrow  # four repeats that agree tell little more than one


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=2, max_size=2), min_size=3, max_size=25))
def test_a_rate_lies_within_its_interval_and_counts_what_happened(table):
    repaired = replace(CHECKED, repairs=1, rejections=("x",))
    comparison = live([[trial(repaired if hit else CHECKED) for hit in row] for row in table])
    found = operation(comparison, "repair_rate")
    assert found.n_affected == sum(map(sum, table))
    assert found.rate == pytest.approx(found.n_affected / found.n)
    if found.ci_low is not None:
        assert 0 <= found.ci_low <= found.rate + 1e-12
        assert found.rate - 1e-12 <= found.ci_high <= 1


def stage(comparison, name, variant="a"):
    return next(s for s in comparison.stages if (s.stage, s.variant) == (name, variant))


def staged(retrieve_s, generate_s, cost=0.02):
    steps = (Step(Stage.RETRIEVE, 0, retrieve_s, 0.001), Step(Stage.GENERATE, 0, generate_s, cost))
    return replace(PLAIN, steps=steps)


def test_a_stage_has_quantiles_a_share_of_the_time_and_a_cost():
    row = [[trial(staged(0.001 * i, 1.0))] for i in range(1, 102)]
    comparison = live(row)
    assert [s.stage for s in comparison.stages] == [Stage.RETRIEVE, Stage.GENERATE]
    found = stage(comparison, Stage.RETRIEVE)
    assert (found.n, found.path) == (101, "warm")
    assert (found.p50_s, found.p95_s) == pytest.approx((0.051, 0.096))
    assert found.p50_ci_low_s < 0.051 < found.p50_ci_high_s
    whole = 0.001 * 101 * 102 / 2
    assert found.time_share == pytest.approx(whole / (whole + 101))
    assert found.mean_usd == pytest.approx(0.001)
    assert sum(s.time_share for s in comparison.stages) == pytest.approx(1)


def test_a_cost_that_is_unknown_once_is_unknown_for_its_stage_only():
    comparison = live([[trial(staged(0.1, 1.0))]] * 5 + [[trial(staged(0.1, 1.0, None))]])
    assert stage(comparison, Stage.GENERATE).mean_usd is None
    assert stage(comparison, Stage.RETRIEVE).mean_usd == pytest.approx(0.001)


def test_stages_are_those_of_warm_answers_where_there_are_any():
    cold = trial(staged(5.0, 5.0), path=AnswerPath.COLD)
    warm, failed = trial(staged(1.0, 1.0)), trial(staged(9.0, 9.0), Failure(True, "timeout"))
    comparison = live([[cold], [warm], [failed], [warm]])
    assert {(s.path, s.n, s.p50_s) for s in comparison.stages} == {("warm", 2, 1.0)}
    assert {(s.path, s.n, s.p50_s) for s in live([[cold], [failed]]).stages} == {("cold", 1, 5.0)}
    assert live([[failed]]).stages == ()


def test_latency_is_compared_on_the_warm_path_whatever_a_repeat_was():
    cold = replace(trial(PLAIN, path=AnswerPath.COLD), latency_s=50.0)
    slow, fast = (replace(trial(PLAIN), latency_s=s) for s in (2.0, 1.0))
    comparison = live([[cold, slow]] + [[slow, slow]] * 19, [[fast, fast]] * 20)
    (p50,) = [r for r in comparison.ratios if r.quantity == "latency_p50"]
    assert (p50.path, p50.n, p50.n_missing, p50.ratio) == ("warm", 20, 0, 0.5)


def test_the_first_token_is_timed_path_by_path():
    trials = [replace(PLAIN, ttft_s=0.1 * i) for i in range(1, 12)]
    row = [[trial(t)] for t in trials] + [[trial(replace(PLAIN, ttft_s=9.0), path=AnswerPath.COLD)]]
    comparison = live(row, [[trial(PLAIN)]] * 12)
    by_path = {entry.path: entry for entry in comparison.first_token}
    assert {entry.variant for entry in comparison.first_token} == {"a"}
    assert (by_path["warm"].n, by_path["warm"].p50_s) == (11, pytest.approx(0.6))
    assert (by_path["cold"].n, by_path["cold"].p50_s) == (1, 9.0)


def saving(comparison, quantity="prompt_tokens_per_trial", candidate="b", baseline="a"):
    return next(
        s
        for s in comparison.token_savings
        if (s.quantity, s.candidate, s.baseline) == (quantity, candidate, baseline)
    )


def test_tokens_per_trial():
    usages = [Usage(100 + i, None if i == 3 else 10, 7) for i in range(20)]
    comparison = live([[trial(PLAIN, usage=u)] for u in usages])
    found = {entry.quantity: entry for entry in comparison.tokens}
    assert found["prompt_tokens"].mean == pytest.approx(109.5)
    assert found["prompt_tokens"].ci_low < 109.5 < found["prompt_tokens"].ci_high
    assert (found["cached_prompt_tokens"].n, found["cached_prompt_tokens"].mean) == (19, 10)
    assert found["completion_tokens"].ci_low == found["completion_tokens"].ci_high == 7
    assert found["model_calls"].mean == 1


def test_prompt_tokens_saved_are_paired_and_those_of_the_baseline_minus_the_candidates():
    long = [[trial(PLAIN, usage=Usage(900 + 10 * i))] for i in range(21)]
    short = [[trial(PLAIN, usage=Usage(100 + 9 * i))] for i in range(20)]
    unknown = [trial(PLAIN, usage=Usage())]
    found = saving(live(long, [*short, unknown]))
    assert (found.n, found.n_missing) == (20, 1)
    assert found.saved == pytest.approx(800 + 9.5)
    assert 805 < found.ci_low < found.saved < found.ci_high < 814


def test_a_loop_with_tools_sends_its_prompt_several_times():
    looped = trial(replace(PLAIN, steps=(GENERATE, GENERATE), calls=2), usage=Usage(220))
    comparison = live([[trial(PLAIN, usage=Usage(300))]] * 20, [[looped]] * 20)
    found = saving(comparison)
    assert (found.saved, found.ci_low, found.ci_high) == (80, 80, 80)
    assert saving(comparison, "prompt_tokens_per_call").saved == 190


def test_repeats_are_averaged_before_tokens_are_compared():
    often = [[trial(PLAIN, usage=Usage(n)) for n in (100, 200, 300)]] * 12
    once = [[trial(PLAIN, usage=Usage(50))] * 3] * 11
    lost = trial(PLAIN, Failure(True, "timeout"), usage=Usage(1))
    found = saving(live(often, [*once, [lost, lost, lost]]))
    assert (found.n, found.n_missing, found.saved) == (11, 1, 150)


def test_confounded_pairs_are_turned_as_the_pairs_are():
    listed = [
        {"pair": ["a", "b"], "fields": ["model", "prompt.user"], "reason": "needs its template"},
        {"pair": ["gone", "a"], "fields": ["model"], "reason": "not in this run"},
    ]
    made = subject([metric_scores(Metric("m", binary=True), np.ones((3, 12, 1)))])
    comparison = compare(replace(made, confounded=confounded_pairs(listed)))
    (found,) = comparison.confounded
    assert (found.candidate, found.baseline) == ("b", "a")
    assert found.fields == ("model", "prompt.user")
    assert any((p.candidate, p.baseline) == ("b", "a") for p in comparison.pairs)
    turned = [{**listed[0], "pair": ["b", "a"]}]
    assert compare(replace(made, confounded=confounded_pairs(turned))).confounded == (found,)


def called(*errors):
    steps = [
        Step(Stage.TOOL, 0, 0.5 + i, detail={"name": "hang"} | ({"error": error} if error else {}))
        for i, error in enumerate(errors)
    ]
    return replace(PLAIN, steps=(GENERATE, *steps))


def test_a_tool_that_fails_is_counted_and_warned_of():
    row = [[trial(called("timeout"))]] * 6 + [[trial(called(None, "raised"))]] * 2
    row += [[trial(PLAIN)]] * 12
    comparison = live(row)
    rate = operation(comparison, "tool_error_rate")
    assert (rate.n, rate.n_affected, rate.rate) == (8, 8, 1.0)
    assert (rate.latency_s, rate.cost_usd) == (None, None)
    (tool,) = comparison.tools
    assert (tool.variant, tool.tool, tool.n_calls, tool.n_errors) == ("a", "hang", 10, 8)
    assert tool.error_kinds == {"timeout": 6, "raised": 2}
    assert (tool.p50_s, tool.p95_s) == pytest.approx((0.5, 1.5))
    assert "a: 8 of 10 calls of the tool hang failed (timeout, raised)" in comparison.warnings


def test_names_that_a_model_made_up_are_one_warning_without_them():
    comparison = live([[trial(called("unknown"))]] * 3 + [[trial(PLAIN)]] * 17)
    assert [text for text in comparison.warnings if "tool" in text] == [
        "a: 3 calls of tools that were not offered"
    ]


def test_a_tool_that_mostly_works_is_not_warned_of():
    comparison = live([[trial(called(None, None, "raised"))]] * 20)
    assert comparison.tools[0].n_errors == 20
    assert not [text for text in comparison.warnings if "tool" in text]
    assert operation(comparison, "tool_error_rate").rate == 1.0


@pytest.mark.parametrize(
    ("error", "failed", "told"),
    [
        ("timeout", 6, "at least half of the calls failed of 26 more tools"),
        ("unknown", 0, "a: 100 calls of tools that were not offered"),  # made up by the model
    ],
)
def test_many_tools_neither_fill_the_result_nor_the_warnings(error, failed, told):
    def one(i):
        detail = {"name": f"tool_{i:03d}", "error": error}
        return trial(replace(PLAIN, steps=(GENERATE, Step(Stage.TOOL, 0, 0.5, detail=detail))))

    comparison = live([[one(i)] for i in range(100)])
    assert len(comparison.tools) == 31
    assert (comparison.tools[-1].tool, comparison.tools[-1].n_calls) == ("(others)", 70)
    assert len([text for text in comparison.warnings if "failed" in text]) == failed
    assert told in comparison.warnings


def sent(to, rule=None, path=AnswerPath.WARM, **more):
    step = Step(Stage.ROUTE, 0, 0.1, detail={"rule": rule, "label": None, "to": to})
    trace = replace(PLAIN, steps=(step, GENERATE), routed_to=to)
    return replace(trial(trace, path=path), **more)


def test_routes_are_shares_of_the_trials_on_which_the_router_decided():
    row = [[sent("large", "hard", latency_s=4.0, cost_usd=0.5)]] * 8
    row += [[sent("large", "legal", latency_s=2.0, cost_usd=0.1)]] * 2
    row += [[sent("a", "simple", latency_s=1.0)]] * 25 + [[sent(None, cost_usd=None)]] * 5
    row += [[trial(PLAIN, Failure(True, "timeout"))]] * 9
    itself, large = live(row).routes
    assert (itself.to, itself.rule, itself.n, itself.share) == ("self", None, 30, 0.75)
    assert (itself.ci_low, itself.ci_high) == pytest.approx(share_interval(30, 40, 0.95))
    assert (itself.p50_s, itself.mean_usd, itself.path) == (1.0, None, "warm")
    assert (large.to, large.rule, large.n) == ("large", None, 10)
    assert (large.p50_s, large.mean_usd) == pytest.approx((4.0, 0.42))


def test_a_rule_is_named_where_it_alone_leads_there_and_paths_are_not_mixed():
    row = [[sent("large", "hard", path=AnswerPath.COLD, latency_s=9.0)]] * 5
    row += [[sent("large", "hard", latency_s=2.0)]] * 15
    (large,) = live(row, [[trial(PLAIN)]] * 20).routes
    assert (large.variant, large.rule, large.share, large.p50_s) == ("a", "hard", 1.0, 2.0)


@given(st.lists(st.sampled_from(["large", "answer", None]), min_size=1, max_size=30))
@settings(max_examples=20, deadline=None)
def test_shares_of_routes_add_up_to_1(targets):
    routes = live([[sent(to)] for to in targets]).routes
    assert sum(route.n for route in routes) == len(targets)
    assert sum(route.share for route in routes) == pytest.approx(1.0)


def test_nobody_knows_the_routes_and_tools_of_a_baseline():
    bare = replace(PLAIN, steps=(), routed_to="large", validation="passed")
    comparison = live([[trial(bare)]] * 20, [[trial(CHECKED)]] * 20)
    assert comparison.routes == comparison.tools == ()
    assert operation(comparison, "schema_failure_rate") is None
    assert operation(comparison, "schema_failure_rate", "b").rate == 0


def test_reasoning_tokens_per_trial():
    thinking = replace(trial(PLAIN), usage=Usage(100, 20, 50, None, 40))
    comparison = live([[thinking]] * 20, [[trial(PLAIN)]] * 20)
    found = {(t.variant, t.quantity): t.mean for t in comparison.tokens}
    assert found[("a", "reasoning_tokens")] == 40
    assert ("b", "reasoning_tokens") not in found
