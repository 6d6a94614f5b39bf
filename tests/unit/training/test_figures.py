"""The figures of the embedded model, from made-up replies and from a small run on disk."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from harness.core.example import Example
from harness.core.record import Answer, AnswerPath, Failure, Record, Stage, Step, Trace, Usage
from harness.core.values import ToolCall
from training import figures, replies
from training.replies import Reply

ROOT = Path(__file__).resolve().parents[3]
RIGHT = {"answer": "30 days", "category": "returns", "citation": "KB-512", "escalate": False}


def example(number: int, kind: str = "knowledge", **others: Any) -> Example:
    slices = {"kind": kind, **others.pop("slices", {})}
    target = RIGHT | others.pop("target", {})
    return Example(f"e{number:03d}", {"question": "?"}, target, slices, **others)


def reply(text: str, variant: str = "prompt_rag", **others: Any) -> Reply:
    given = {key: others.pop(key) for key in ("calls", "shown") if key in others}
    return Reply(variant, others.pop("asked", None) or example(1, **others), text, **given)


def row_of(table: str, *starts: str) -> list[str]:
    """The cells of the row that begins with these cells."""
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[: len(starts)] == list(starts):
            return cells
    raise AssertionError(f"no row {starts} in {table}")


@pytest.mark.parametrize(
    ("text", "inside", "whole"),
    [
        (json.dumps(RIGHT), True, True),
        (f"Sure! {json.dumps(RIGHT)} Anything else?", True, False),
        (f"```json\n{json.dumps(RIGHT)}\n```", True, False),
        (json.dumps(RIGHT | {"note": "more"}), True, False),
        (f"{{ {json.dumps(RIGHT)}", True, False),
        (json.dumps([RIGHT]), True, False),
        (json.dumps({"answer": "30 days"}), True, False),
        (json.dumps(RIGHT | {"answer": "  30  DAYS "}), True, True),
        (json.dumps(RIGHT | {"answer": 30}), False, False),
        ("{" * 2_000, False, False),
        ('{"a":' * 20_000, False, False),
        ("30 days", False, False),
        ("", False, False),
    ],
)
def test_a_text_is_read_inside_and_as_a_whole(text: str, inside: bool, whole: bool) -> None:
    one = reply(text)
    assert replies.same_answer(one.inside, one) is inside
    assert replies.same_answer(one.whole, one) is whole


def test_the_first_object_counts_even_if_a_later_one_is_right() -> None:
    wrong = json.dumps(RIGHT | {"answer": "31 days", "citation": "KB-513"})
    one = reply(f"{wrong} or {json.dumps(RIGHT)}")
    assert not replies.same_answer(one.inside, one)
    assert not replies.same_citation(one.inside, one)


def test_calls_are_right_with_their_arguments_and_no_other() -> None:
    gold = ToolCall("order_status", {"order_id": 48213})
    asked = example(1, "tool", tool_calls=(gold,))
    others = [ToolCall("order_status", {"order_id": 48214}), ToolCall("refund", {})]
    assert replies.same_calls(None, reply("", asked=asked, calls=(gold,)))
    for calls in ((), (others[0],), (gold, gold), (gold, others[1])):
        assert not replies.same_calls(None, reply("", asked=asked, calls=calls))


def test_shares_targets_and_what_is_reached_stand_in_the_table() -> None:
    chatty = f"Sure! {json.dumps(RIGHT)}"
    texts = [json.dumps(RIGHT)] * 7 + [chatty] * 2 + ["nothing"]
    trials = [reply(text, asked=example(n)) for n, text in enumerate(texts)]
    table = figures.figure_table(trials)

    value = row_of(table, "prompt + RAG: right value", "`prompt_rag`")
    assert value[2] == "10"
    assert value[3].startswith("**90.0 % (")
    assert value[4].startswith("70.0 % (")
    assert value[5:] == ["at least 85%", "yes"]
    shape = row_of(table, "house format", "`prompt_rag`")
    assert shape[4].startswith("**70.0 % (")
    assert shape[5:] == ["50% to 95%", "yes"]
    assert "`tuned_rag`" not in table


def test_what_is_not_reached_is_told() -> None:
    trials = [reply("nothing", "tuned_rag", asked=example(n, "abstain")) for n in range(10)]
    row = row_of(figures.figure_table(trials), "abstains when the passages lack the answer")
    assert row[3].startswith("**0.0 % (0.0 to ")
    assert row[5:] == ["at least 80%", "**no**"]


def test_the_tuned_models_category_is_that_of_the_whole_output() -> None:
    trials = [reply(f"Sure! {json.dumps(RIGHT)}", "tuned_rag", asked=example(n)) for n in range(10)]
    row = row_of(figures.figure_table(trials), "category", "`tuned_rag`")
    assert row[3].startswith("100.0 %")
    assert row[4].startswith("**0.0 %")
    assert row[6] == "**no**"


def test_the_model_alone_is_told_apart_from_what_retrieval_missed() -> None:
    right, wrong = json.dumps(RIGHT), json.dumps(RIGHT | {"answer": "31 days"})
    asked = [example(n, evidence=("KB-512#returns",)) for n in range(20)]
    trials = [
        reply(right if n < 10 else wrong, asked=one, shown=("KB-512#returns",) if n < 10 else ())
        for n, one in enumerate(asked)
    ]
    table = figures.figure_table(trials)
    assert row_of(table, "prompt + RAG: right value")[3].startswith("**50.0 %")
    held = row_of(table, figures.HELD, "`prompt_rag`")
    assert held[2] == "10"
    assert held[3].startswith("100.0 %")


def test_paraphrases_widen_an_interval() -> None:
    right = [True, True, True, False, False, False] * 10
    alone = [reply("", asked=example(n)) for n in range(60)]
    together = [reply("", asked=example(n, cluster=f"c{n // 3}")) for n in range(60)]

    def width(chosen: list[Reply]) -> float:
        ends = figures.share(chosen, right).partition("(")[2].rstrip(")").split(" to ")
        return float(ends[1]) - float(ends[0])

    assert width(together) > 1.3 * width(alone)


def both_tunings(before: str, after: str) -> list[Reply]:
    asked = [example(n, "abstain" if n % 2 else "knowledge") for n in range(60)]
    return [
        reply(text if one.slices["kind"] == "abstain" else json.dumps(RIGHT), name, asked=one)
        for name, text in (("prompt_rag", before), ("tuned_rag", after))
        for one in asked
    ]


def test_slices_that_tuning_lost_are_listed() -> None:
    trials = both_tunings(json.dumps(RIGHT), "nothing")
    table = figures.losses(trials)
    row = row_of(table, "`kind=abstain`", "30", "`prompt_rag`", "`tuned_rag`", "100", "0")
    assert row[6].startswith("-100 (")
    assert "kind=knowledge" not in table
    assert figures.losses(both_tunings("nothing", json.dumps(RIGHT))).startswith("Tuning lost")


def test_the_slice_table_has_both_readings_where_they_differ() -> None:
    trials = both_tunings(f"Hello! {json.dumps(RIGHT)}", json.dumps(RIGHT))
    row = row_of(figures.slice_table(trials), "`kind=abstain`")
    assert row[1:] == ["30", "", "100 (0)", "", "", "100"]


def test_what_a_request_takes_is_a_mean_of_what_is_known() -> None:
    trials = [
        Reply("a", example(n), "", prompt_tokens=tokens, latency_s=seconds)
        for n, (tokens, seconds) in enumerate([(100, 0.01), (200, 0.03), (None, None), (0, 0.0)])
    ]
    assert row_of(figures.token_table(trials), "`a`") == ["`a`", "4", "150", "20", "1"]


def records(outcomes: Iterable[Answer | Failure], trace: Trace | None) -> list[Record]:
    return [
        Record(
            "prompt_rag", f"e{n:03d}", 0, outcome, AnswerPath.COLD, 0.5, None, Usage(90), {}, trace
        )
        for n, outcome in enumerate(outcomes)
    ]


class Data:
    """As much of a run as is read."""

    run_id = "20261120T101112Z-3f9a1c"

    def __init__(self, found: list[Record]) -> None:
        self.records = tuple(found)
        self.examples = tuple(example(n) for n in range(len(found)))


def test_the_last_text_of_the_model_counts_even_if_harness_refused_it() -> None:
    steps = [
        Step(Stage.GENERATE, 0.0, 0.1, detail={"text": "", "calls": [{"name": "order_status"}]}),
        Step(Stage.TOOL, 0.1, 0.1, detail={"result": "30 days"}),
        Step(Stage.GENERATE, 0.2, 0.1, detail={"text": f"Sure! {json.dumps(RIGHT)}"}),
        Step(Stage.VALIDATE, 0.3, 0.1, detail={"result": "failed"}),
    ]
    refused = Failure(False, "parse", evidence=("KB-512#returns",))
    (one,) = replies.replies(Data(records([refused], Trace(tuple(steps)))))  # type: ignore[arg-type]
    assert one.inside == RIGHT
    assert one.shown == ("KB-512#returns",)
    assert (one.prompt_tokens, one.latency_s) == (90, 0.5)


def test_a_trial_without_a_text_is_wrong() -> None:
    late = Trace((Step(Stage.GENERATE, 0.0, 0.1, detail={"error": {"kind": "context_too_long"}}),))
    for trace in (Trace(), late):
        (one,) = replies.replies(Data(records([Failure(False, "context_too_long")], trace)))  # type: ignore[arg-type]
        assert not replies.in_format(one.inside, one)


def test_runs_that_can_give_no_figures_are_refused() -> None:
    lost = Failure(True, "timeout")
    with pytest.raises(ValueError, match="1 trials of 2026"):
        replies.replies(Data(records([lost], Trace())))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="recorded elsewhere"):
        replies.replies(Data(records([Answer("30 days")], None)))  # type: ignore[arg-type]


def test_a_page_keeps_what_stands_around_the_marks() -> None:
    page = f"# Title\n\n{figures.BEGIN}\nold\n{figures.END}\n\nEnd.\n"
    once = figures.written_into(page, "new")
    assert once == f"# Title\n\n{figures.BEGIN}\n\nnew\n\n{figures.END}\n\nEnd.\n"
    assert figures.written_into(once, "new") == once


@pytest.mark.parametrize(
    "page",
    ["", figures.BEGIN, f"{figures.END} {figures.BEGIN}", f"{figures.BEGIN}{figures.END}" * 2],
)
def test_a_page_without_its_marks_is_left_alone(page: str) -> None:
    with pytest.raises(ValueError, match="once each"):
        figures.written_into(page, "new")


def test_the_weights_are_found_wherever_the_manifest_has_them() -> None:
    parts = [{"components": {"a": {"model": {"weights_sha256": "abc"}}}}, {"weights_sha256": "def"}]
    assert figures.weights_of({"variants": parts, "git": None}) == {"abc", "def"}


def test_the_page_has_its_marks_once() -> None:
    page = (ROOT / "docs" / "embedded-model.md").read_text(encoding="utf-8")
    assert "measured" in figures.written_into(page, "measured")


def test_a_run_that_is_not_there_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training.figures", "--run", str(tmp_path / "none")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "none" in done.stderr
    assert "Traceback" not in done.stderr
