"""Tools: who is offered which, the loop and its bound, checks before the model is asked."""

from dataclasses import replace

import pytest
from system_fakes import (
    BENCH,
    Rig,
    says,
    stages,
    step,
    steps,
    template,
    tools,
    variant,
)

from harness.core.chat import ServiceError
from harness.core.tools import ToolResult
from harness.core.values import ToolCall
from harness.core.variant import Fallback, ToolCheck, Tools, ToolUse

STATUS = {"status": lambda arguments: f"order {arguments.get('id')} is late"}


def test_calls_are_made_shown_and_kept():
    rig = Rig(
        says("let me see", ("status", '{"id": "A1"}'), ("status", '{"id": "B2"}')),
        "both are late",
        functions=STATUS,
    )
    record = rig.answer(variant(tools=tools()))
    assert record.outcome.output == "both are late"
    assert record.tool_calls == (ToolCall("status", {"id": "A1"}), ToolCall("status", {"id": "B2"}))
    assert stages(record) == ["generate", "tool", "tool", "generate"]
    first, second = rig.main.requests
    assert [tool.name for tool in first.tools] == ["status"]
    assert [(m.role, m.content, m.call_id) for m in second.messages[1:]] == [
        ("assistant", "let me see", None),
        ("tool", "order A1 is late", "c1"),
        ("tool", "order B2 is late", "c2"),
    ]
    assert second.messages[1].calls[0].arguments == '{"id": "A1"}'
    assert steps(record, "tool")[0].detail == {
        "name": "status", "arguments": {"id": "A1"}, "call_id": "c1", "result": "order A1 is late",
    }  # fmt: skip
    later = steps(record, "generate")[1].detail
    assert [message["role"] for message in later["messages"]] == ["assistant", "tool", "tool"]


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (("stats", "{}"), "unknown", "there is no tool 'stats'; there are: status"),
        (("status", '{"id": '), "arguments", "no JSON"),
        (("status", "[1]"), "arguments", "must be a JSON object"),
        (("status", '{"id": 1, "id": 2}'), "arguments", "duplicate key"),
        (("status", "[" * 100_000), "arguments", "nests too deep"),
        (("status", '{"a": ' + "[" * 200 + "]" * 200 + "}"), "arguments", "nests deeper"),
        (("status", '{"id": "' + "9" * 1_000_000 + '"}'), "arguments", "characters"),
    ],
)
def test_a_call_that_is_no_good_is_told_to_the_model_and_kept(call, error, told):
    rig = Rig(says("", call), "sorry", functions=STATUS)
    record = rig.answer(variant(tools=tools()))
    assert record.outcome.output == "sorry"
    shown = rig.main.requests[1].messages[-1]
    assert shown.role == "tool"
    assert shown.content.startswith(f"error ({error}): ")
    assert told in shown.content
    assert step(record, "tool").detail["error"] == error
    assert rig.bench.calls == []
    assert record.tool_calls[0].name == call[0]


def test_blank_arguments_are_none():
    rig = Rig(says("", ("status", " ")), "fine", functions=STATUS)
    assert rig.answer(variant(tools=tools())).tool_calls == (ToolCall("status", {}),)
    assert rig.bench.calls == [("status", {})]


def test_a_tool_that_fails_is_told_to_the_model_with_its_cost():
    def hangs(arguments):
        return ToolResult("no answer in 5 s", "timeout", cost_usd=0.5)

    def breaks(arguments):
        raise ServiceError("connection", "gone")

    rig = Rig(says("", ("a", "{}"), ("b", "{}")), "sorry", functions={"a": hangs, "b": breaks})
    record = rig.answer(variant(tools=tools()))
    assert record.outcome.output == "sorry"
    assert [m.content for m in rig.main.requests[1].messages[-2:]] == [
        "error (timeout): no answer in 5 s",
        "error (connection): gone",
    ]
    assert [one.cost_usd for one in steps(record, "tool")] == [0.5, None]
    assert record.cost_usd is None


def test_a_huge_result_is_cut_for_the_model():
    rig = Rig(says("", ("big", "{}")), "x", functions={"big": lambda arguments: "z" * 300_000})
    rig.answer(variant(tools=tools()))
    shown = rig.main.requests[1].messages[-1].content
    assert shown.endswith("[cut: 200000 more characters]")
    assert len(shown) < 101_000


def test_forty_calls_at_once_end_in_a_recorded_failure():
    calls = [("status", f'{{"id": {n}}}') for n in range(40)]
    rig = Rig(says("", *calls), functions=STATUS)
    record = rig.answer(variant(tools=tools(max_calls=8)))
    assert record.outcome.error_kind == "tool_loop"
    assert len(rig.bench.calls) == 8
    assert len(record.tool_calls) == 40
    assert len(rig.main.requests) == 1


def test_a_loop_that_never_ends_is_bounded():
    rig = Rig(says("again", ("status", "{}")), functions=STATUS)
    record = rig.answer(variant(tools=tools(max_calls=3)))
    assert record.outcome.error_kind == "tool_loop"
    assert "more than 3 calls" in record.outcome.message
    assert len(rig.bench.calls) == 3
    assert len(rig.main.requests) == 4


def test_exactly_so_many_calls_are_fine():
    rig = Rig(says("", ("status", "{}")), says("", ("status", "{}")), "done", functions=STATUS)
    assert rig.answer(variant(tools=tools(max_calls=2))).outcome.output == "done"


def test_the_policies():
    asked = {}
    for policy in ("auto", "required", "none"):
        rig = Rig(says("", ("status", "{}")), "done", functions=STATUS)
        if policy == "none":
            rig.main.lines = ["done"]
        record = rig.answer(variant(tools=tools(policy=policy)))
        assert record.outcome.output == "done"
        asked[policy] = [(r.tool_choice, len(r.tools)) for r in rig.main.requests]
    assert asked == {
        "auto": [("auto", 1), ("auto", 1)],
        "required": [("required", 1), ("auto", 1)],
        "none": [("auto", 0)],
    }


def test_a_model_that_must_call_a_tool_and_does_not_is_rejected():
    record = Rig("I know it anyway", functions=STATUS).answer(
        variant(tools=tools(policy="required"))
    )
    assert record.outcome.error_kind == "tool_required"
    assert record.trace.rejections == ("tool_required: the model called no tool",)


def test_a_model_that_is_cut_before_the_call_it_must_make_was_cut():
    said = says("I will", finish_reason="length")
    record = Rig(said, functions=STATUS).answer(variant(tools=tools(policy="required")))
    assert record.outcome.error_kind == "truncated"


@pytest.mark.parametrize(("risk", "choice"), [("high", "required"), ("low", "auto")])
def test_a_policy_under_a_condition(risk, choice):
    rig = Rig(says("", ("status", "{}")), "done", functions=STATUS)
    policy = tools(policy="required", when=template("risk == 'high'"), otherwise="auto")
    rig.answer(variant(user="{{ risk }}", tools=policy), {"risk": risk})
    assert rig.main.requests[0].tool_choice == choice


def test_only_eligible_tools_are_offered_and_no_other_can_be_called():
    rig = Rig(says("", ("status", "{}")), "hm", functions=STATUS)
    only = Tools((ToolUse(BENCH, template("'order' in question")),))
    given = {"question": "refund?"}
    record = rig.answer(variant(tools=only), given)
    assert rig.main.requests[0].tools == ()
    assert rig.bench.calls == []
    assert record.outcome.error_kind == "no_answer"
    required = replace(only, policy="required")
    record = rig.answer(variant(tools=required), given)
    assert record.outcome.error_kind == "tool_required"
    assert rig.answer(variant(tools=only), {"question": "order?"}).outcome.output == "hm"


def test_a_model_that_wants_tools_where_there_are_none():
    both = says("so be it", ("status", "{}"))
    record = Rig(both).answer(variant())
    assert record.outcome.output == "so be it"
    assert record.tool_calls == (ToolCall("status", {}),)
    assert Rig(says("", ("status", "{}"))).answer(variant()).outcome.error_kind == "no_answer"


def test_cut_while_it_asked_for_tools():
    said = says("", ("status", '{"id'), finish_reason="length")
    record = Rig(said, functions=STATUS).answer(variant(tools=tools()))
    assert record.outcome.error_kind == "truncated"


CHECKED = "{{ checks.status.result.state }}"


def test_checks_are_made_before_and_seen_by_templates_and_conditions():
    rig = Rig(
        says("", ("status", "{}")), "done", functions={"status": lambda a: '{"state": "open"}'}
    )
    check = ToolCheck("status", {"id": "{{ order }}", "n": 3})
    policy = tools(
        before=(check,), policy="required", when=template("checks.status.result.state == 'open'")
    )
    record = rig.answer(variant(user=CHECKED, tools=policy), {"order": "A1"})
    assert rig.bench.calls[0] == ("status", {"id": "A1", "n": 3})
    assert rig.main.requests[0].messages[0].content == "open"
    assert rig.main.requests[0].tool_choice == "required"
    assert stages(record) == ["tool", "generate", "tool", "generate"]
    assert steps(record, "tool")[0].detail["before"] is True
    assert record.tool_calls == (ToolCall("status", {}),)


def test_a_check_that_is_not_due_fails_or_speaks_no_json():
    rig = Rig(
        "x",
        functions={"down": lambda a: ToolResult("no", "timeout"), "text": lambda a: "plain"},
    )
    before = (
        ToolCheck("down", {}),
        ToolCheck("text", {}),
        ToolCheck("late", {}, template("question == 'late'")),
        ToolCheck("lost", {}),
    )
    user = (
        "{{ checks.down.error }} {{ checks.text.result }} {{ checks.late.result is none }} "
        "{{ checks.lost.error }}"
    )
    rig.answer(variant(user=user, tools=tools(before=before, policy="none")))
    assert rig.main.requests[0].messages[0].content == "timeout plain True unknown"


def test_too_many_calls_lead_to_the_fallback():
    rig = Rig(says("", ("status", "{}")), functions=STATUS)
    record = rig.answer(variant(tools=tools(max_calls=1), fallback=Fallback(None, "ask a human")))
    assert record.outcome.output == "ask a human"
    assert record.trace.fallback_used == "human"
