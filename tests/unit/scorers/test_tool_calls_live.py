from __future__ import annotations

from typing import Any

import pytest

from harness.core.example import Example
from harness.core.record import Answer, AnswerPath, Failure, Outcome, Record, Stage, Step, Trace
from harness.core.score import NO_ANSWER, Scored, ScoreOutcome, Unscored
from harness.core.values import ToolCall
from harness.plugins.scorers.tool_calls import ToolCalls

A, B = ToolCall("a", {"x": 1}), ToolCall("b", {})
EVERYTHING = ("exact", "invocation", "arguments", "decision", "success")


def score(
    outcome: Outcome, gold: tuple[ToolCall, ...] | None, trace: Trace | None = None, **options: Any
) -> dict[str, ScoreOutcome]:
    scorer = ToolCalls.model_validate({"id": "t", **options})
    record = Record("v", "e", 0, outcome, AnswerPath.COLD, trace=trace)
    found = dict(scorer.score(Example("e", {}, tool_calls=gold), record))
    assert found.keys() == {metric.id for metric in scorer.metrics}
    return found


def tool(name: str, error: str | None = None) -> Step:
    return Step(Stage.TOOL, 0.0, 0.1, detail={"name": name, "error": error})


@pytest.mark.parametrize(
    ("made", "gold", "right", "expected", "predicted"),
    [
        ((), (), 1, "no tool", "no tool"),
        ((A,), (), 0, "no tool", "tool"),
        ((), (A,), 0, "tool", "no tool"),
        ((A,), (A,), 1, "tool", "tool"),
        ((B, B), (A,), 1, "tool", "tool"),
    ],
)
def test_the_decision_to_use_a_tool_at_all(
    made: tuple[ToolCall, ...],
    gold: tuple[ToolCall, ...],
    right: float,
    expected: str,
    predicted: str,
) -> None:
    (found,) = score(Answer("x", tool_calls=made), gold, measures=["decision"]).values()
    assert isinstance(found, Scored)
    assert (found.value, found.expected, found.predicted) == (right, expected, predicted)
    assert bool(found.explanation) == (not right)


def test_the_decision_among_named_tools() -> None:
    (found,) = score(
        Answer("x", tool_calls=(B,)), (A,), measures=["decision"], names=["a"]
    ).values()
    assert isinstance(found, Scored)
    assert (found.value, found.predicted) == (0, "no tool")
    assert ToolCalls(id="t").classes == {"tool", "no tool"}


def test_a_failure_decided_nothing() -> None:
    failure = Failure(infrastructure=False, error_kind="refused", tool_calls=())
    (found,) = score(failure, (), measures=["decision"]).values()
    assert found == Scored(
        0.0, explanation="no answer (refused)", expected="no tool", predicted=NO_ANSWER
    )


def test_an_example_that_does_not_say_is_out_whatever_the_record() -> None:
    for outcome in (
        Answer("x", tool_calls=(A,)),
        Failure(infrastructure=False, error_kind="refused", tool_calls=(A,)),
    ):
        for found in score(outcome, None, Trace((tool("a"),)), measures=EVERYTHING).values():
            assert isinstance(found, Unscored)
            assert not found.applicable


def test_calls_before_a_failure_weigh_in_the_ratios() -> None:
    loop = Failure(infrastructure=False, error_kind="tool_loop", tool_calls=(A, B, B, B))
    found = score(loop, (A,), Trace((tool("a"), tool("b", "timeout"))), measures=EVERYTHING)
    assert found["t.invocation_precision"] == found["t.arguments_precision"] == Scored(0.25, 4.0)
    assert found["t.invocation_recall"] == Scored(1.0, 1.0)
    assert found["t.success"] == Scored(0.5, 2.0)
    for name in ("exact", "decision", "example_invocation_precision", "example_arguments_recall"):
        assert found[f"t.{name}"].value == 0  # type: ignore[union-attr]


def test_a_failure_that_says_nothing_of_calls_misses_the_gold_ones() -> None:
    found = score(Failure(infrastructure=False, error_kind="refused"), (A, B))
    assert found["t.invocation_recall"] == Scored(0.0, 2.0)
    assert found["t.invocation_precision"] == Scored(0.0, 0.0)


def test_success_is_of_the_calls_in_the_trace() -> None:
    trace = Trace((tool("a"), tool("b", "raised"), Step(Stage.GENERATE, 0.0, 1.0), tool("b", "")))
    answer = Answer("x", tool_calls=(A, B, B))
    assert score(answer, (A,), trace, measures=["success"]) == {"t.success": Scored(1 - 1 / 3, 3.0)}
    of_a = score(answer, (A,), trace, measures=["success"], names=["a"])
    assert of_a == {"t.success": Scored(1.0, 1.0)}
    none = score(Answer("x", tool_calls=()), (), Trace(), measures=["success"])
    assert none == {"t.success": Scored(0.0, 0.0)}
    (recorded,) = score(answer, (A,), None, measures=["success"]).values()
    assert isinstance(recorded, Unscored)
    assert recorded.applicable


def test_measures_that_are_not_asked_for_are_not_given() -> None:
    assert [metric.id for metric in ToolCalls(id="t", measures=("exact",)).metrics] == ["t.exact"]
    by_name = ToolCalls(id="t", measures=("invocation",)).metrics
    assert len(by_name) == 4
    assert all("invocation" in metric.id for metric in by_name)
    assert len(ToolCalls(id="t").metrics) == 9
    assert "measures" not in ToolCalls(id="t").model_dump()
