"""Recordings: every field, every failure's fault, and every trial accounted for."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.config.recorded import load_records, variant_facts
from harness.config.variant import RecordedVariant
from harness.core.example import EvalSet, Example
from harness.core.record import Answer, AnswerPath, Failure, Record, Usage
from harness.core.values import ToolCall
from harness.errors import InputError

FILE = Path("out.jsonl")
NO_ANSWER = Failure(infrastructure=False, error_kind="no_answer")


def evalset(*ids: str) -> EvalSet:
    return EvalSet("mini", "0" * 64, tuple(Example(key, "x") for key in sorted(ids)))


def variant(file: Path = FILE, **fields: str) -> RecordedVariant:
    return RecordedVariant("v", file, {k.replace("__", "."): n for k, n in fields.items()}, {})


def write(rows: Iterable[Any]) -> None:
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    FILE.write_text("".join(f"{line}\n" for line in lines))


def load(rows: Iterable[Any], *ids: str, repeats: int | None = None, **fields: str) -> list[Record]:
    write(rows)
    return load_records(variant(**fields), evalset(*ids), repeats)


def one(**row: Any) -> Record:
    (record,) = load([{"id": "a", **row}], "a")
    return record


def problems(rows: Iterable[Any], *ids: str, **options: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(rows, *ids, **options)
    return [str(problem).replace("\n  hint:", " |") for problem in caught.value.problems]


def test_every_field_is_read_and_unknown_ones_are_kept() -> None:
    record = one(
        output={"answer": 18},
        repeat=0,
        latency_s=1.25,
        cost_usd=0,
        error=None,
        usage={"prompt_tokens": 812, "cached_prompt_tokens": 0, "completion_tokens": 40, "x": 1},
        tool_calls=[{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": '{"y": 2}'}],
        evidence=["d1", 2],
        variant="theirs",
        metadata={"m": 1},
    )
    assert record == Record(
        variant="v",
        example_id="a",
        repeat=0,
        outcome=Answer(
            {"answer": 18}, (ToolCall("f", {"x": 1}), ToolCall("g", {"y": 2})), ("d1", "2")
        ),
        path=AnswerPath.RECORDED,
        latency_s=1.25,
        cost_usd=0.0,
        usage=Usage(812, 0, 40),
        metadata={"m": 1, "variant": "theirs", "usage": {"x": 1}},
    )


def test_what_is_absent_stays_unknown() -> None:
    record = one(output="x")
    assert (record.latency_s, record.cost_usd, record.usage) == (None, None, Usage())
    assert record.outcome == Answer("x", None, None)
    assert one(output="", usage={"input_tokens": 3, "output_tokens": 4.0}).usage == Usage(
        3, None, 4
    )


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        ({"output": None}, NO_ANSWER),
        ({}, NO_ANSWER),
        ({"output": "", "error": ""}, Answer("")),
        ({"output": False}, Answer(output=False)),
        ({"error": "timeout"}, Failure(True, "timeout")),
        ({"output": "cut", "error": "HTTP 503: busy"}, Failure(True, "error", "HTTP 503: busy")),
        ({"error": {"kind": "rate_limit", "message": "429"}}, Failure(True, "rate_limit", "429")),
        ({"error": "loop", "status": "system_failure"}, Failure(False, "loop")),
        ({"error": "x", "status": "infrastructure_failure"}, Failure(True, "x")),
        ({"output": "x", "status": "system_failure"}, Failure(False, "unspecified")),
        ({"status": "infrastructure_failure"}, Failure(True, "unspecified")),
        ({"output": "x", "status": "ok"}, Answer("x")),
        ({"status": "ok"}, NO_ANSWER),
    ],
)
def test_a_failure_is_the_systems_or_the_infrastructures(row: Any, outcome: Any) -> None:
    assert one(**row).outcome == outcome


def test_arguments_that_are_no_json_are_the_models_and_are_kept() -> None:
    calls = [{"name": "f", "arguments": "{x"}, {"name": "g", "arguments": [1]}]
    outcome = one(output="x", tool_calls=calls).outcome
    assert isinstance(outcome, Answer)
    assert outcome.tool_calls == (
        ToolCall("f", {"__unparsed__": "{x"}),
        ToolCall("g", {"__unparsed__": [1]}),
    )


def test_calls_without_an_output_are_an_answer() -> None:
    calls = [{"type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}]
    for row in ({"output": None}, {}, {"output": None, "status": "ok"}):
        assert one(**row, tool_calls=calls).outcome == Answer("", (ToolCall("f", {"x": 1}),))
    assert one(output=None, tool_calls=[]).outcome == NO_ANSWER
    failed = one(output=None, tool_calls=calls, status="system_failure").outcome
    assert failed == Failure(infrastructure=False, error_kind="unspecified")


def test_records_come_in_the_order_of_examples_and_repeats() -> None:
    rows = [{"id": key, "output": f"{key}{n}", "trial": n} for n in (3, 1) for key in "ba"]
    records = load(rows, "a", "b", repeats=2, repeat="trial")
    assert [(r.example_id, r.repeat, r.outcome) for r in records] == [
        ("a", 0, Answer("a1")), ("a", 1, Answer("a3")), ("b", 0, Answer("b1")),
        ("b", 1, Answer("b3")),
    ]  # fmt: skip
    assert records[0].metadata == {}


def test_fields_are_mapped_from_inside_objects_too() -> None:
    rows = [{"qid": 7, "r": {"text": "x", "calls": [{"name": "f"}]}, "ms": 0.5, "out": 9}]
    (record,) = load(
        rows, "7", id="qid", output="r.text", tool_calls="r.calls", latency_s="ms",
        usage__completion_tokens="out",
    )  # fmt: skip
    assert record.outcome == Answer("x", (ToolCall("f", {}),))
    assert (record.latency_s, record.usage.completion_tokens) == (0.5, 9)
    assert problems(rows, "7", id="qid", output="answer") == [
        "out.jsonl:1:1: no row has the field 'answer' that `fields` takes as output"
    ]


def test_missing_foreign_and_doubled_ids_are_listed_together() -> None:
    rows = [
        {"id": "a", "output": "x"},
        {"id": "zz", "output": "x"},
        {"id": "a", "output": "y"},
        {"id": "b1", "output": "x"},
    ]
    assert problems(rows, "a", "b", "c", "zzz") == [
        "out.jsonl:1:1: 3 ids are missing from the recording: b, c, zzz | add a line for each;"
        ' {"id": ..., "error": "..."} counts as a failure of the infrastructure',
        "out.jsonl:2:1: 2 ids are not in the eval set 'mini': zz (line 2), b1 (line 4)"
        " | did you mean 'zzz'?",
        "out.jsonl:3:2: the id 'a' is already on line 1 | for repeats, number them: `repeat: 0, 1"
        " ...`, or name the field that does: recorded: {file: ..., fields: {repeat: NAME}}",
    ]


def test_repeats_must_be_complete() -> None:
    rows = [
        {"id": "a", "output": "x", "repeat": 0},
        {"id": "a", "output": "x", "repeat": 1},
        {"id": "b", "output": "x", "repeat": 0},
    ]
    (problem,) = problems(rows, "a", "b")
    assert problem.startswith("out.jsonl:3:1: repeat 1 is missing for 1 id: b | add a line")
    assert problems([*rows, rows[1]], "a", "b") == [
        problem, "out.jsonl:4:1: the id 'a', repeat 1, is already on line 2",
    ]  # fmt: skip
    assert problems(rows[:2], "a", repeats=4) == [
        "out.jsonl:1:1: the recording holds 2 repeats, the experiment says 4 | repeats: 2"
    ]


def test_gaps_in_the_repeats_are_told_with_everything_else() -> None:
    rows = [
        *({"id": key, "output": "x", "repeat": n} for key in "abcd" for n in (0, 1)),
        {"id": "e", "output": "x", "repeat": 0},
        {"id": "zz", "output": "x", "repeat": 7},
    ]
    rows[3] = {"id": "b", "output": "x", "repeat": 1, "latency_s": -1}
    rows[5] = {**rows[4]}
    del rows[7]
    found = problems(rows, *"abcdef")
    assert [problem.partition(" |")[0] for problem in found] == [
        "out.jsonl:1:1: 1 id is missing from the recording: f",
        "out.jsonl:4:41: latency_s must not be negative: -1",
        "out.jsonl:6:1: the id 'c', repeat 0, is already on line 5",
        "out.jsonl:7:1: repeat 1 is missing for 2 ids: d, e",
        "out.jsonl:9:1: 1 id is not in the eval set 'mini': zz (line 9)",
    ]


def test_everything_wrong_on_a_line_is_told_by_column() -> None:
    rows = [
        '{"id": "a", "cost_usd": Infinity, "latency_s": -1, "evidence": 3, "id": "a"}',
        '{"id": "b", "usage": {"output_tokens": -1, "prompt_tokens": "x"}, "status": "okay"}',
    ]
    assert [text.partition(" |")[0] for text in problems(rows, "a", "b")] == [
        "out.jsonl:1:13: broken JSON: Infinity is not a finite number",
        "out.jsonl:1:35: latency_s must not be negative: -1",
        "out.jsonl:1:52: evidence must be a list of ids, not a number",
        "out.jsonl:1:67: broken JSON: duplicate key 'id'",
        "out.jsonl:2:23: usage.output_tokens must not be negative: -1",
        "out.jsonl:2:44: usage.prompt_tokens must be a whole number, not text",
        "out.jsonl:2:67: the status must be one of ok, system_failure, infrastructure_failure",
    ]


def test_the_column_is_that_of_the_files_own_name() -> None:
    rows = [{"id": "a", "output": "ms", "t": {"ms": -1}}]
    (problem,) = problems(rows, "a", latency_s="t.ms")
    assert problem.startswith("out.jsonl:1:35: latency_s must not be negative")


@pytest.mark.parametrize(
    "line", ['{"id": "b" "output": 1}', "[1]", '{"output": "x"}', '{"id": 1.5}']
)
def test_a_line_nobody_can_read_makes_no_id_missing(line: str) -> None:
    good = {"id": "a", "output": "x"}
    (problem,) = problems([good, line], "a", "b")
    assert problem.startswith("out.jsonl:2:")
    first, second = problems([good, line], "a", "b", "c")
    assert "2 ids are missing from the recording: b, c" in first
    assert second == problem


def test_one_repeat_is_singular() -> None:
    assert problems([{"id": "a", "output": "x"}], "a", repeats=3) == [
        "out.jsonl:1:1: the recording holds 1 repeat, the experiment says 3 | repeats: 1"
    ]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"latency_s": -1}, "latency_s must not be negative: -1"),
        ({"latency_s": "1"}, "latency_s must be a number, not text"),
        ({"latency_s": True}, "latency_s must be a number, not true or false"),
        ({"repeat": "0"}, "repeat must be a whole number, not text"),
        ({"repeat": 0.5}, "repeat must be a whole number, not 0.5"),
        ({"usage": 3}, "usage must be an object, not a number"),
        ({"usage": {"prompt_tokens": -1}}, "usage.prompt_tokens must not be negative: -1"),
        ({"usage": {"prompt_tokens": 2**63}}, "usage.prompt_tokens must be at most 9223372036854"),
        ({"usage": {"output_tokens": 1e300}}, "usage.output_tokens must be at most 9223372036"),
        ({"usage": {"cached_prompt_tokens": 10**300}}, "usage.cached_prompt_tokens must be at"),
        ({"repeat": 2**70}, "repeat must be at most 9223372036854775807"),
        ({"repeat": -1}, "repeat must not be negative: -1"),
        ({"latency_s": 1e200}, "latency_s must be at most 1e+12, not 1e+200"),
        ({"cost_usd": 10**13}, "cost_usd must be at most 1e+12, not 1e+13"),
        ({"usage": {"output_tokens": "3"}}, "usage.output_tokens must be a whole number, not text"),
        ({"evidence": {"a": 1}}, "evidence must be a list of ids, not an object"),
        ({"evidence": ["a", None]}, "evidence[1] must be text, not null"),
        ({"tool_calls": {}}, "tool_calls must be a list, not an object"),
        ({"tool_calls": ["f"]}, "tool_calls[0] must be an object with a name"),
        ({"error": 503}, "error must be text or {kind, message}, not a number"),
        ({"error": {"kind": 1}}, "an error's kind and message must be text"),
        ({"error": "x", "status": "ok"}, "the status is ok, but there is an error"),
        ({"status": "system_failur"}, "the status must be one of ok, system_failure, infr"),
        ({"status": ["ok"]}, "the status must be one of"),
        ({"metadata": []}, "metadata must be an object, not a list"),
        ({"x": 1, "metadata": {"x": 2}}, "'x' stands both in the row and in its metadata"),
    ],
)
def test_a_wrong_value_is_told_with_its_line(row: Any, expected: str) -> None:
    (problem,) = problems([{"id": "a", "output": "x"}, {"id": "b", "output": "x", **row}], "a", "b")
    line = FILE.read_text().splitlines()[1]
    key = [*_inner(row), *row][0]
    column = line.index(f'"{key}":') + 1
    assert problem.startswith(f"out.jsonl:2:{column}: {expected}")


def _inner(row: dict[str, Any]) -> list[str]:
    """Keys of counts inside `usage`, which are what is wrong there."""
    return list(row["usage"]) if isinstance(row.get("usage"), dict) else []


def test_broken_lines_are_told_with_line_and_column() -> None:
    rows = [
        '{"id": "a", "output": "x", "cost_usd": 1' + 400 * "0" + "}",
        '{"id": "b", "output": NaN}',
        '{"id": "c" "output": 1}',
    ]
    found = problems(rows, "a", "b", "c")
    assert "out.jsonl:1:28: broken JSON: a number of 401 digits is out of range" in found
    assert "out.jsonl:2:13: broken JSON: NaN is not a finite number" in found
    assert "out.jsonl:3:12: broken JSON: Expecting ',' delimiter | one JSON object a line" in found


def test_a_recording_that_is_empty_or_not_there() -> None:
    assert problems([], "a")[0] == "out.jsonl:1:1: the recording is empty"
    with pytest.raises(InputError, match=r"none\.jsonl:1:1: does not exist"):
        load_records(variant(Path("none.jsonl")), evalset("a"))


def test_csv_recordings_hold_outputs_as_text() -> None:
    path = Path("out.csv")
    path.write_text(
        "id,output,latency_s,usage.prompt_tokens,evidence,model\n"
        '007,18,0.5,12,"[""d1""]",m\n008,,,,,\n'
    )
    answered, silent = load_records(variant(path), evalset("007", "008"))
    assert answered.outcome == Answer("18", None, ("d1",))
    assert (answered.latency_s, answered.usage.prompt_tokens) == (0.5, 12)
    assert answered.metadata == {"model": "m"}
    assert silent.outcome == NO_ANSWER
    path.write_text("id,output,latency_s\n007,x,fast\n")
    with pytest.raises(InputError, match=r"out\.csv:2:1: latency_s must be a number, not text"):
        load_records(variant(path), evalset("007"))


def test_parquet_recordings_are_read_like_json_lines() -> None:
    rows = [
        {
            "id": "a",
            "output": "x",
            "latency_s": 0.5,
            "usage": {"prompt_tokens": 3},
            "evidence": ["d"],
        },
        {"id": "b", "output": None, "latency_s": None, "usage": None, "evidence": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), "out.parquet")
    assert load_records(variant(Path("out.parquet")), evalset("a", "b")) == load(rows, "a", "b")


def test_the_fingerprint_follows_content_and_facts() -> None:
    known = RecordedVariant("v", FILE, {}, {"model": "m"}, "A label")
    first = variant_facts(known, "a" * 64)
    assert (first.id, first.facts, first.label) == ("v", {"model": "m"}, "A label")
    assert variant_facts(known, "a" * 64) == first
    other = RecordedVariant("v", FILE, {}, {"model": "n"}, "A label")
    assert variant_facts(other, "a" * 64).fingerprint != first.fingerprint
    assert variant_facts(known, "b" * 64).fingerprint != first.fingerprint


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.integers(1, 5), st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True), st.data()
)
def test_the_order_of_lines_is_irrelevant(n: int, repeats: list[int], data: st.DataObject) -> None:
    ids = [f"e{i}" for i in range(n)]
    rows = [{"id": key, "repeat": k, "output": f"{key}.{k}"} for key in ids for k in repeats]
    shuffled = data.draw(st.permutations(rows))
    records = load(shuffled, *ids)
    assert records == load(rows, *ids)
    assert [(r.example_id, r.repeat) for r in records] == [
        (key, k) for key in ids for k in range(len(repeats))
    ]
    if n > 1:  # one example alone may have any number of repeats
        dropped = data.draw(st.sampled_from(rows))
        assert problems([row for row in rows if row is not dropped], *ids)
