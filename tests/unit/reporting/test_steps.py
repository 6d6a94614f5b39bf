"""Steps in words: whatever a step holds, in bounded texts."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from live_runs import live_run
from reporting_fixtures import HOSTILE

from harness.core.record import Failure, Stage, Step, Trace, Usage
from harness.core.values import ToolCall
from harness.reporting import html
from harness.reporting.steps import LEFT_OUT, MOST_CHARACTERS, TraceBlocks, step_rows, trace_facts


def row_of(detail: dict[str, Any], wanted: tuple[str, ...] = (), **more: Any) -> Any:
    (row,) = step_rows(Trace(steps=(Step(Stage.GENERATE, 0, 1.5, detail=detail, **more),)), wanted)
    return row


def test_a_step_says_what_it_took() -> None:
    row = row_of(
        {"model": "http/m", "finish_reason": "stop"},
        cost_usd=0.01,
        usage=Usage(1200, 0, 40),
        attempts=3,
        retry_wait_s=2.0,
        queue_s=0.25,
        variant="large",
    )
    assert row.name == "generate (large)"
    assert row.took == (
        "1.50 s · cost $0.01 · 1,200 tokens in · 40 out · 2 retries, 2.00 s · waited 250 ms for a "
        "place · model http/m · finish reason stop"
    )
    assert row_of({}, cost_usd=None).took == "1.50 s · cost unknown"


def test_messages_are_shown_one_by_one_and_exactly() -> None:
    messages = [
        {"role": "system", "content": "Answer.\n"},
        {
            "role": "assistant",
            "content": "",
            "calls": [{"name": "look_up", "arguments": '{"a":1}'}],
        },
        {"role": "tool", "content": "found", "call_id": "c1"},
    ]
    assert row_of({"messages": messages}).texts == (
        ("system message", "Answer.\n"),
        ("assistant message", 'look_up({"a":1})'),
        ("tool message", "found"),
    )


def test_passages_have_ranks_and_scores_and_what_was_wanted_is_marked() -> None:
    passages = [
        {"id": "returns~2", "rank": 1, "score": 12.25, "sections": ["returns#refunds", "returns"]},
        {"id": "shipping", "rank": 2, "score": None, "tokens": 40},
    ]
    (text,) = row_of({"passages": passages}, ("returns#refunds",)).texts
    assert text == ("passages", "1. returns~2  score 12.2  ✓ wanted\n2. shipping  tokens 40")
    assert row_of({"passages": []}).texts == (("passages", "none"),)


def test_a_tools_arguments_result_and_error() -> None:
    detail = {"name": "refund", "arguments": {"id": "A1"}, "result": "no", "error": "raised"}
    (row,) = step_rows(Trace(steps=(Step(Stage.TOOL, 0, 1, detail={**detail, "call_id": "c1"}),)))
    assert "name refund" in row.took
    assert "error raised" in row.took
    assert "c1" not in row.took
    assert row.texts == (("arguments", '{"id": "A1"}'), ("result", "no"))


def test_a_call_that_failed_says_why() -> None:
    row = row_of({"error": {"kind": "timeout", "message": "no answer in 60 s"}, "text": ""})
    assert row.texts == (("error", "timeout: no answer in 60 s"), ("text", "(empty)"))


def test_long_texts_are_cut_and_say_so() -> None:
    (text,) = row_of({"text": "x" * (MOST_CHARACTERS + 1234)}).texts
    assert text[1].endswith("x\n… 1,234 more characters")
    assert len(text[1]) < MOST_CHARACTERS + 40


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(["messages", "passages", "calls", "error", "text", "dropped", "query"])


@given(st.dictionaries(KEYS | st.text(), JSON, max_size=6), st.lists(st.text(), max_size=2))
def test_whatever_a_step_holds_it_is_shown_and_bounded(detail: Any, wanted: list[str]) -> None:
    row = row_of(detail, tuple(wanted))
    assert "\n" not in row.name + row.took
    assert all(isinstance(part, str) for text in row.texts for part in text)


def test_the_outcomes_story_in_one_line() -> None:
    trace = Trace(
        calls=3,
        attempts=5,
        retry_wait_s=1.5,
        validation="failed",
        repairs=2,
        fallback_used="human",
        routed_to="small",
    )
    assert trace_facts(trace) == (
        "routed to small · output failed validation · 2 repairs · human answered instead · 3 calls "
        "· 2 retries, 1.50 s"
    )
    assert trace_facts(Trace()) == ""


def test_the_page_carries_texts_up_to_its_share_and_then_says_where_they_are() -> None:
    trace = Trace(steps=(Step(Stage.GENERATE, 0, 1.0, detail={"text": "x" * 100}),), calls=1)
    blocks = TraceBlocks(most_characters=250)
    made = [blocks.of(trace, ()) for _ in range(4)]
    assert [size for _, size in made] == [100, 100, 0, 0]
    assert made[1][0][2] == [["generate", "1.00 s", [["text", "x" * 100]]]]
    facts, rejections, steps = made[2][0]
    assert (facts, rejections) == (f"1 call · {LEFT_OUT}", [])
    assert steps == [["generate", "1.00 s", []]]
    bare = Trace(steps=(Step(Stage.NORMALISE, 0, 1.0),))
    assert LEFT_OUT not in blocks.of(bare, ())[0][0]


def facts_of(page: str) -> list[Any]:
    found = re.search(
        r'<script type="application/octet-stream" id="chunk-0">([^<]*)</script>', page
    )
    assert found
    text = gzip.decompress(base64.b64decode(found[1])).decode("utf-8")
    return [json.loads(line) for line in text.split("\n")]


def test_every_live_trial_brings_its_trace_and_a_failure_what_it_had_done() -> None:
    run = live_run(n=12)
    failure = Failure(False, "tool_loop", "too many", (ToolCall("look_up", {}),), ("returns#1",))
    records = (replace(run.records[0], outcome=failure), *run.records[1:])
    texts, facts, *_ = facts_of(html.render(replace(run, records=records)))
    assert texts[3][0] == ["tool_loop", "too many", [["look_up", {}]], ["returns#1"]]
    assert all(len(trial) == 7 for trial in facts[6])
    names = [step[0] for step in facts[6][1][6][2]]
    assert names[:3] == ["normalise", "retrieve", "rerank"]


def test_hostile_steps_stay_out_of_the_markup() -> None:
    run = live_run(n=len(HOSTILE))
    steps = [
        Step(Stage.TOOL, 0, 1.0, variant=text[:80], detail={text[:60]: text, "result": text})
        for text in HOSTILE
    ]
    trace = Trace(steps=tuple(steps), rejections=HOSTILE, served_model=HOSTILE[3], calls=1)
    records = tuple(replace(record, trace=trace) for record in run.records)
    page = html.render(replace(run, records=records))
    page.encode("utf-8")
    assert page.count("<script") == page.count("</script>")
    assert HOSTILE[1] not in page
    assert "\x1b" not in page
    assert len(page) < 3_000_000
