"""Traces as columns: events, what they added, tokens, stages."""

import numpy as np
import pytest

from harness.core.record import Answer, AnswerPath, Failure, Record, Stage, Step, Trace, Usage
from harness.scoring.operations import fallback_steps, routed
from harness.scoring.trials import trial_table

NO, YES = (Step(Stage.VALIDATE, 0, 0, detail={"result": r}) for r in ("failed", "passed"))
ANSWER, UNKNOWN = Answer("x"), Usage()
GENERATE = Step(Stage.GENERATE, 0.1, 1.0, 0.01, Usage(100, 20, 5))


def table_of(*traces, outcome=ANSWER, usage=UNKNOWN, path=AnswerPath.WARM):
    """The operations of one variant whose example i left `traces[i]`."""
    records = [
        Record("a", f"e{i}", 0, outcome, path, 1.0, 0.01, usage, trace=trace)
        for i, trace in enumerate(traces)
    ]
    ids = [f"e{i}" for i in range(len(traces))]
    return trial_table(["a"], ids, 1, records).operations


def of(table, name, i=0):
    return getattr(table, name)[0, i, 0].item()


def test_recorded_outputs_have_no_operations():
    assert table_of(None, None, usage=Usage(100)) is None


def test_a_recorded_trial_beside_a_live_one_gives_its_tokens_and_no_events():
    table = table_of(None, Trace(steps=(GENERATE,), calls=1, attempts=1), usage=Usage(7, 0, 3))
    assert table.traced[0, :, 0].tolist() == [False, True]
    assert table.prompt_tokens[0, :, 0].tolist() == [7, 7]
    assert np.isnan(of(table, "model_calls"))
    assert np.isnan(of(table, "repair_s"))
    assert of(table, "repair_s", 1) == of(table, "retry_wait_s", 1) == 0


def test_steps_of_one_stage_add_up():
    tool = Step(Stage.TOOL, 0, 0.25, 0.5)
    table = table_of(Trace(steps=(GENERATE, tool, GENERATE, tool, tool), calls=5, attempts=5))
    assert set(table.stage_s) == {Stage.GENERATE, Stage.TOOL}
    assert table.stage_s[Stage.GENERATE][0, 0, 0] == 2.0
    assert table.stage_s[Stage.TOOL][0, 0, 0] == 0.75
    assert table.stage_usd[Stage.TOOL][0, 0, 0] == 1.5
    assert of(table, "model_calls") == 2


def test_one_unknown_cost_makes_the_sum_unknown():
    dear = Step(Stage.REPAIR, 0, 1.0, None, Usage(1, 0, 1))
    table = table_of(Trace(steps=(GENERATE, dear, dear), calls=3, attempts=3, repairs=2))
    assert np.isnan(table.stage_usd[Stage.REPAIR][0, 0, 0])
    assert table.stage_usd[Stage.GENERATE][0, 0, 0] == 0.01
    assert of(table, "repair_s") == 2.0
    assert np.isnan(of(table, "repair_usd"))


def test_a_stage_that_a_trial_has_not_is_unknown_there():
    other = Step(Stage.RETRIEVE, 0, 0.5)
    table = table_of(Trace(steps=(GENERATE,), calls=1), Trace(steps=(other,), calls=1))
    assert np.isnan(table.stage_s[Stage.RETRIEVE][0, 0, 0])
    assert table.stage_s[Stage.RETRIEVE][0, 1, 0] == 0.5


@pytest.mark.parametrize(("attempts", "retried"), [(2, False), (3, True)])
def test_more_attempts_than_calls_are_retries(attempts, retried):
    trace = Trace(steps=(GENERATE,), calls=2, attempts=attempts, retry_wait_s=0.5)
    assert of(table_of(trace), "retried") is retried
    assert of(table_of(trace), "retry_wait_s") == 0.5


@pytest.mark.parametrize(
    ("trace", "outcome", "found"),
    [
        (Trace(calls=0), Answer("x"), (False, False, False)),
        (Trace(validation="passed"), Answer("x"), (True, False, False)),
        (Trace(steps=(NO, YES), validation="passed"), Answer("x"), (True, True, False)),
        (Trace(steps=(NO,), validation="failed"), Failure(False, "schema"), (True, True, True)),
        (Trace(steps=(NO,), validation="failed"), Answer("a human's"), (True, True, False)),
        (Trace(steps=(NO,), validation="failed"), Failure(True, "timeout"), (True, True, False)),
        (Trace(rejections=("refused: no",)), Failure(False, "refused"), (False, False, True)),
    ],
)
def test_a_rejected_output_may_still_end_well(trace, outcome, found):
    table = table_of(trace, outcome=outcome)
    assert tuple(of(table, name) for name in ("checked", "rejected", "invalid")) == found


def test_the_fallback_is_all_from_its_marker_on():
    marker = Step(Stage.FALLBACK, 1.0, 0.125)
    after = Step(Stage.GENERATE, 1.1, 2.0, 0.25, Usage(9, 0, 9), variant="large")
    trace = Trace(steps=(GENERATE, marker, after), calls=2, attempts=2, fallback_used="large")
    assert fallback_steps(trace) == (marker, after)
    table = table_of(trace)
    assert of(table, "fallback") is True
    assert (of(table, "fallback_s"), of(table, "fallback_usd")) == (2.125, 0.25)


def test_without_a_marker_the_fallback_is_known_by_its_variant():
    routed = Step(Stage.GENERATE, 0, 1.0, variant="small")
    after = Step(Stage.GENERATE, 1, 4.0, variant="large")
    trace = Trace(steps=(routed, after), calls=2, fallback_used="large", routed_to="small")
    assert fallback_steps(trace) == (after,)
    assert fallback_steps(Trace(steps=(routed, after), calls=2, routed_to="small")) == ()


def test_steps_that_a_baseline_left_out_are_unknown_and_not_free():
    table = table_of(
        Trace(calls=3, attempts=4, validation="passed", repairs=1, fallback_used="large"),
        Trace(calls=1, attempts=1, validation="passed"),
    )
    for name in ("repair_s", "repair_usd", "fallback_s", "fallback_usd", "model_calls"):
        assert np.isnan(of(table, name)), name
    assert of(table, "repair_s", 1) == of(table, "fallback_usd", 1) == 0
    assert not table.checked.any()
    assert of(table, "retried") is of(table, "repaired") is of(table, "fallback") is True


@pytest.mark.parametrize(
    ("rejections", "failed"),
    [
        ((), False),
        (("parse: no JSON",), True),
        (("schema: 'x' is missing",), True),
        (("rule: schema: is broken", "citation: none"), False),
        (("citation: none", "schema: 'x' is missing"), True),
    ],
)
def test_only_rejections_of_parse_and_schema_are_schema_failures(rejections, failed):
    trace = Trace(steps=(NO, YES), validation="passed", rejections=rejections, repairs=1)
    assert of(table_of(trace), "schema_failed") is failed


def tool(name="look_up", error=None, took_s=0.25, **detail):
    detail |= {"name": name} | ({"error": error, "result": "no"} if error else {"result": "yes"})
    return Step(Stage.TOOL, 0.5, took_s, detail=detail)


def test_calls_of_tools_are_counted_by_name_and_kind_of_error():
    table = table_of(
        Trace(steps=(tool(), tool(error="timeout", took_s=9.0), tool("refund")), calls=1),
        Trace(steps=(tool(error="raised", before=True),), calls=1),
        Trace(steps=(GENERATE,), calls=1),
    )
    assert table.tool_called[0, :, 0].tolist() == [True, True, False]
    assert table.tool_failed[0, :, 0].tolist() == [True, True, False]
    first, second = table.tools
    assert (first.variant, first.tool, dict(first.errors)) == (
        0,
        "look_up",
        {"timeout": 1, "raised": 1},
    )
    assert first.latency_s.tolist() == [0.25, 9.0, 0.25]
    assert (second.tool, dict(second.errors)) == ("refund", {})


def test_a_name_that_a_model_made_up_is_bounded():
    (found,) = table_of(Trace(steps=(tool("x" * 10_000, "unknown"),), calls=1)).tools
    assert len(found.tool) == 200


def decided(steps, variant="a"):
    trace = Trace(steps=steps, calls=1)
    return routed(Record(variant, "e", 0, ANSWER, AnswerPath.WARM, trace=trace))


def route(to, rule=None, variant=""):
    detail = {"rule": rule, "label": None, "to": to}
    return Step(Stage.ROUTE, 0.0, 0.0, variant=variant, detail=detail)


def test_where_a_router_sent_a_trial_and_by_which_rule():
    there = Step(Stage.GENERATE, 0.0, 1.0, variant="large")
    assert decided((GENERATE,)) is None
    assert decided((route(None), GENERATE)) == ("self", None)
    assert decided((route("a", "simple"), GENERATE)) == ("self", "simple")
    assert decided((route("large", "hard"), there)) == ("large", "hard")
    assert decided((route("answer", "fixed"),)) == ("answer", "fixed")
    asked = Step(Stage.ROUTE, 0.0, 1.0, detail={"text": "hard", "model": "m"})
    assert decided((asked, route("large", "hard"), there)) == ("large", "hard")


def test_variants_of_several_runs_know_themselves_by_their_own_name():
    run = "20261120T141343Z-0ef9ba"
    assert decided((route("a", "simple"), GENERATE), f"{run}:a") == ("self", "simple")
    there = Step(Stage.GENERATE, 0.0, 1.0, variant="a")
    assert decided((route("a", "hard"), there), "b:a") == ("a", "hard")


def test_the_router_of_a_variant_handed_on_to_does_not_count():
    inner = route("tiny", variant="large")
    assert decided((route("large"), inner)) == ("large", None)
    assert decided((GENERATE, Step(Stage.FALLBACK, 0.0, 0.0), inner)) is None
    table = table_of(Trace(steps=(route("large"), inner), calls=1), Trace(steps=(GENERATE,)))
    assert table.route[0, :, 0].tolist() == [0, -1]
    assert table.routes == (("large", None),)


def test_reasoning_tokens_are_taken_along():
    table = table_of(Trace(steps=(GENERATE,), calls=1), usage=Usage(7, 0, 30, None, 12))
    assert of(table, "reasoning_tokens") == 12


def test_passages_that_are_compressed_at_once_take_the_time_that_they_took_together():
    one, two = (
        Step(Stage.COMPRESS, at, 1.0, 0.25, queue_s=wait) for at, wait in ((0, 0), (0, 0.5))
    )
    apart = Step(Stage.COMPRESS, 5, 1.0, 0.25)
    table = table_of(Trace(steps=(two, apart, one), calls=3, attempts=3))
    assert table.stage_s[Stage.COMPRESS][0, 0, 0] == 1.5 + 1.0  # 0 to 1.5, and 5 to 6
    assert table.stage_usd[Stage.COMPRESS][0, 0, 0] == 0.75
