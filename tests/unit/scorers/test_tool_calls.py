from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.example import Example
from harness.core.record import Answer, AnswerPath, Failure, Record
from harness.core.score import Scored, ScoreOutcome, Unscored
from harness.core.values import ToolCall
from harness.plugins.scorers.tool_calls import ToolCalls


def call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall(name, arguments)


def score(
    scorer: ToolCalls, made: Any, gold: Any, output: Any = "x", target: Any = None
) -> dict[str, ScoreOutcome]:
    outcome = Answer(output, tool_calls=made)
    record = Record("v", "e", 0, outcome, AnswerPath.RECORDED)
    return dict(scorer.score(Example("e", {}, target, tool_calls=gold), record))


def shares(found: dict[str, ScoreOutcome]) -> dict[str, Any]:
    return {
        name.removeprefix("t."): (one.value, one.weight)
        for name, one in found.items()
        if isinstance(one, Scored)
    }


A, B = call("a", x=1), call("b", y="z")


@pytest.mark.parametrize(
    ("made", "gold", "exact", "invocation", "arguments"),
    [
        ((A, B), (B, A), 1, (2, 2, 2), (2, 2, 2)),
        ((A,), (A, B), 0, (1, 1, 2), (1, 1, 2)),
        ((A, A), (A,), 0, (1, 2, 1), (1, 2, 1)),
        ((call("a", x=2),), (A,), 0, (1, 1, 1), (0, 1, 1)),
        ((call("a", x=1.0),), (A,), 1, (1, 1, 1), (1, 1, 1)),
        ((call("a", x=True),), (A,), 0, (1, 1, 1), (0, 1, 1)),
        ((call("a", x=1, extra=None),), (A,), 0, (1, 1, 1), (0, 1, 1)),
        ((call("A", x=1),), (A,), 0, (0, 1, 1), (0, 1, 1)),
        ((), (A,), 0, (0, 0, 1), (0, 0, 1)),
        ((A,), (), 0, (0, 1, 0), (0, 1, 0)),
        ((), (), 1, (0, 0, 0), (0, 0, 0)),
        (
            (call("a", x={"p": [1, {"q": None}], "r": 2}),),
            (call("a", x={"r": 2.0, "p": [1, {"q": None}]}),),
            1,
            (1, 1, 1),
            (1, 1, 1),
        ),
    ],
)
def test_multisets(
    made: Any,
    gold: Any,
    exact: float,
    invocation: tuple[int, int, int],
    arguments: tuple[int, int, int],
) -> None:
    found = shares(score(ToolCalls(id="t"), made, gold))
    assert found["exact"] == (exact, 1)
    for what, (matched, n_made, n_gold) in (("invocation", invocation), ("arguments", arguments)):
        value, weight = found[f"{what}_precision"]
        assert (value * weight, weight) == (matched, n_made)
        value, weight = found[f"{what}_recall"]
        assert (value * weight, weight) == (matched, n_gold)


def test_by_example_where_one_side_is_empty() -> None:
    def example(made: Any, gold: Any) -> tuple[float, float]:
        found = shares(score(ToolCalls(id="t"), made, gold))
        return (
            found["example_arguments_precision"][0],
            found["example_invocation_recall"][0],
        )

    assert example((), ()) == (1, 1)
    assert example((), (A,)) == (0, 0)
    assert example((A,), ()) == (0, 1)


def test_names_restrict_both_sides() -> None:
    scorer = ToolCalls(id="t", names=("a",))
    assert shares(score(scorer, (A, B, B), (A, call("c"))))["exact"] == (1, 1)
    assert shares(score(scorer, (B,), (call("c"),)))["exact"] == (1, 1)


def test_ignored_arguments() -> None:
    made, gold = (call("a", x=1, note="p"),), (call("a", x=1, note="q"),)
    assert shares(score(ToolCalls(id="t"), made, gold))["exact"][0] == 0
    assert shares(score(ToolCalls(id="t", ignore_arguments=("note",)), made, gold))["exact"][0] == 1


@pytest.mark.parametrize(
    ("calls", "n_made", "n_matched"),
    [
        ([{"name": "a", "arguments": {"x": 1}}], 1, 1),
        ([{"name": "a", "arguments": '{"x": 1.0}'}], 1, 1),
        ([{"type": "function", "function": {"name": "a", "arguments": '{"x": 1}'}}], 1, 1),
        ([{"name": "a", "arguments": "{"}], 1, 0),
        ([{"name": "a", "arguments": " "}], 1, 0),
        ([{"name": "a", "arguments": None}], 1, 0),
        ([{"name": "a", "arguments": [1]}], 1, 0),
        ([{"name": "a"}], 1, 0),
        ([{"name": "a", "arguments": {"x": 1}, "id": "call_1"}], 1, 1),
        ([{"arguments": {"x": 1}}, "a", None, 3, {"name": 7}], 5, 0),
        ([], 0, 0),
    ],
)
def test_calls_in_the_output(calls: Any, n_made: int, n_matched: int) -> None:
    scorer = ToolCalls(id="t", output_field="calls", target_field="calls")
    target = {"calls": [{"name": "a", "arguments": {"x": 1}}]}
    found = shares(score(scorer, None, None, {"calls": calls}, target))
    value, weight = found["arguments_precision"]
    assert (value * weight, weight) == (n_matched, n_made)


@pytest.mark.parametrize("output", [{}, {"calls": "a"}, {"calls": {"name": "a"}}, "text", "{"])
def test_unreadable_output_is_a_failure(output: Any) -> None:
    found = shares(score(ToolCalls(id="t", output_field="calls"), None, (A, B), output))
    assert found["exact"] == (0, 1)
    assert found["arguments_recall"] == (0, 2)
    assert found["arguments_precision"][1] == 0


def test_applicability_and_missing() -> None:
    for scorer, target in (
        (ToolCalls(id="t"), None),
        (ToolCalls(id="t", target_field="calls"), {"calls": "a"}),
        (ToolCalls(id="t", target_field="calls"), {}),
    ):
        for outcome in score(scorer, (A,), None, "x", target).values():
            assert isinstance(outcome, Unscored)
            assert not outcome.applicable
    for outcome in score(ToolCalls(id="t"), None, (A,)).values():
        assert isinstance(outcome, Unscored)
        assert outcome.applicable


def test_failure_misses_every_gold_call() -> None:
    failure = Failure(infrastructure=False, error_kind="")
    record = Record("v", "e", 0, failure, AnswerPath.RECORDED)
    found = shares(dict(ToolCalls(id="t").score(Example("e", {}, tool_calls=(A, B)), record)))
    assert found["invocation_recall"] == found["arguments_recall"] == (0, 2)
    assert found["invocation_precision"][1] == found["arguments_precision"][1] == 0
    assert found["exact"] == found["example_invocation_recall"] == (0, 1)


def test_explanations() -> None:
    def why(made: Any, gold: Any) -> str:
        outcome = score(ToolCalls(id="t"), made, gold)["t.exact"]
        assert isinstance(outcome, Scored)
        return outcome.explanation

    assert why((A, A, B), (B,)) == "called a x2, b, expected b"
    assert why((), (B,)) == "called nothing, expected b"
    assert why((call("a", x=2),), (A,)) == "called a with other arguments than expected"
    assert why((A,), (A,)) == ""


some_calls = st.lists(
    st.builds(
        ToolCall, st.sampled_from("ab"), st.dictionaries(st.sampled_from("xy"), st.integers(0, 1))
    ),
    max_size=6,
)


@given(some_calls, some_calls)
def test_precision_of_one_side_is_recall_of_the_other(
    left: list[ToolCall], right: list[ToolCall]
) -> None:
    there = shares(score(ToolCalls(id="t"), tuple(left), tuple(right)))
    back = shares(score(ToolCalls(id="t"), tuple(right), tuple(left)))
    for what in ("invocation", "arguments"):
        value, weight = there[f"{what}_precision"]
        other, other_weight = back[f"{what}_recall"]
        assert value * weight == pytest.approx(other * other_weight)
        assert weight == other_weight == len(left)
    same = Counter(repr((c.name, sorted(c.arguments.items()))) for c in left) == Counter(
        repr((c.name, sorted(c.arguments.items()))) for c in right
    )
    assert there["exact"][0] == back["exact"][0] == float(same)
