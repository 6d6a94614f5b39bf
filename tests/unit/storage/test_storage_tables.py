"""What is written is what is read: records, examples, scores."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.example import Example
from harness.core.record import Answer, AnswerPath, Failure, Record, Usage
from harness.core.score import Aggregate, Metric, MetricScores, ScoreTable, Unscored
from harness.core.values import ToolCall
from harness.storage import scores as score_files
from harness.storage import tables
from harness.storage.text import json_text, utf8

UTF8_TEXT = st.text(max_size=20)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20).map(
    # A JSON or CSV reader never gives a whole pair as two halves.
    lambda text: text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
MAPS = st.dictionaries(ANY_TEXT, JSON, max_size=3)
NUMBERS = st.none() | st.floats(0, 1e9)
COUNTS = st.none() | st.integers(0, 2**40)
CALLS = st.none() | st.lists(st.builds(ToolCall, ANY_TEXT, MAPS), max_size=2).map(tuple)
IDS = st.none() | st.lists(UTF8_TEXT, max_size=3).map(tuple)
RECORDS = st.builds(
    Record,
    variant=UTF8_TEXT,
    example_id=UTF8_TEXT,
    repeat=st.integers(0, 9),
    outcome=st.builds(
        Answer,
        output=JSON.filter(lambda value: value is not None),
        tool_calls=CALLS,
        evidence=IDS,
    )
    | st.builds(Failure, st.booleans(), UTF8_TEXT, UTF8_TEXT),
    path=st.sampled_from(AnswerPath),
    latency_s=NUMBERS,
    cost_usd=NUMBERS,
    usage=st.builds(Usage, COUNTS, COUNTS, COUNTS),
    metadata=MAPS,
)
EXAMPLES = st.builds(
    Example,
    id=UTF8_TEXT,
    input=JSON,
    target=JSON,
    slices=st.dictionaries(ANY_TEXT, ANY_TEXT, max_size=3),
    cluster=st.none() | UTF8_TEXT,
    evidence=st.none() | st.lists(ANY_TEXT, max_size=3).map(tuple),
    tool_calls=CALLS,
    abstain=st.none() | st.booleans(),
    metadata=MAPS,
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@settings(deadline=None)
@given(records=st.lists(RECORDS, max_size=4))
def test_records_come_back_as_they_were(scratch: Path, records: list[Record]) -> None:
    path = scratch / "trials.parquet"
    tables.write_trials(path, "r", records)
    assert tables.read_trials(path) == tuple(records)


@settings(deadline=None)
@given(examples=st.lists(EXAMPLES, max_size=4))
def test_examples_come_back_as_they_were(scratch: Path, examples: list[Example]) -> None:
    path = scratch / "examples.parquet"
    tables.write_examples(path, examples)
    assert tables.read_examples(path) == tuple(examples)


def test_more_records_than_one_row_group_holds(tmp_path: Path) -> None:
    records = tuple(
        Record("a", f"e{index}", 0, Answer(str(index)), AnswerPath.RECORDED)
        for index in range(2 * tables.ROWS_AT_ONCE + 1)
    )
    tables.write_trials(tmp_path / "t.parquet", "r", records)
    assert tables.read_trials(tmp_path / "t.parquet") == records


def test_a_false_or_zero_or_empty_output_is_not_an_absent_one(tmp_path: Path) -> None:
    records = tuple(
        Record("a", f"e{index}", 0, Answer(output), AnswerPath.RECORDED)
        for index, output in enumerate([False, 0, 0.0, "", [], {}, "null", "0"])
    )
    tables.write_trials(tmp_path / "t.parquet", "r", records)
    read = tables.read_trials(tmp_path / "t.parquet")
    assert [repr(record.outcome) for record in read] == [repr(one.outcome) for one in records]


def test_a_lone_surrogate_is_escaped_in_text_columns_and_kept_in_outputs(tmp_path: Path) -> None:
    record = Record("v\ud800", "e\udfff", 0, Answer("half \ud83d"), AnswerPath.RECORDED)
    tables.write_trials(tmp_path / "t.parquet", "r", [record])
    (read,) = tables.read_trials(tmp_path / "t.parquet")
    assert read == dataclasses.replace(record, variant="v\\ud800", example_id="e\\udfff")
    row = pq.read_table(tmp_path / "t.parquet").to_pylist()[0]
    assert row["output_text"] == "half \\ud83d"


def test_json_text_has_no_nan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text({"a": float("nan")})


@given(ANY_TEXT)
def test_utf8_changes_only_what_utf8_cannot_hold(text: str) -> None:
    written = utf8(text)
    written.encode()
    assert (written == text) == (not any(0xD800 <= ord(char) < 0xE000 for char in text))


def test_trial_columns_are_those_of_the_contract(tmp_path: Path) -> None:
    tables.write_trials(tmp_path / "t.parquet", "r", [])
    contract = """run_id, variant, example_id, repeat, block, status, error_kind, output_text,
        output_json, latency_s, queue_s, retry_wait_s, ttft_s, attempts, path, prompt_tokens,
        cached_prompt_tokens, completion_tokens, cost_usd, evidence_ids, tool_calls, validation,
        repairs, fallback_used, served_model, steps"""
    columns = pq.read_schema(tmp_path / "t.parquet").names
    assert {name.strip() for name in contract.split(",")} <= set(columns)


def test_what_is_left_out_for_a_baseline_is_not_in_the_file(tmp_path: Path) -> None:
    private = "sEcReT"
    record = Record(
        "a",
        "e",
        0,
        Answer(private, (ToolCall(private, {}),), (private,)),
        AnswerPath.RECORDED,
        metadata={"m": private},
    )
    failed = Record("b", "e", 0, Failure(False, private, private), AnswerPath.RECORDED)
    example = Example("e", private, private, {"s": "1"}, "c", (private,), (), True, {"m": private})
    tables.write_trials(tmp_path / "t.parquet", "r", [record, failed], tables.PRIVATE_TRIAL_COLUMNS)
    tables.write_examples(tmp_path / "e.parquet", [example], tables.PRIVATE_EXAMPLE_COLUMNS)
    for name in ("t.parquet", "e.parquet"):
        assert private not in str(pq.read_table(tmp_path / name).to_pylist())
    assert tables.read_trials(tmp_path / "t.parquet") == (
        Record("a", "e", 0, Answer(None), AnswerPath.RECORDED),
        Record("b", "e", 0, Failure(False, ""), AnswerPath.RECORDED),
    )
    assert tables.read_examples(tmp_path / "e.parquet") == (
        Example("e", None, None, {"s": "1"}, "c", abstain=True),
    )


@st.composite
def score_tables(draw: st.DrawFn) -> ScoreTable:
    names = st.lists(UTF8_TEXT, min_size=1, max_size=3, unique=True).map(tuple)
    variants, example_ids = draw(names), draw(names)
    n_repeats = draw(st.integers(1, 3))
    shape = (len(variants), len(example_ids), n_repeats)
    ids = draw(st.lists(UTF8_TEXT, max_size=3, unique=True))
    return ScoreTable(
        variants, example_ids, n_repeats, tuple(draw(metric_scores(name, shape)) for name in ids)
    )


@st.composite
def metric_scores(draw: st.DrawFn, name: str, shape: tuple[int, int, int]) -> MetricScores:
    size = int(np.prod(shape))

    def array(values: st.SearchStrategy[float]) -> np.ndarray:
        drawn = draw(st.lists(values, min_size=size, max_size=size))
        return np.array(drawn).reshape(shape)

    reasons = draw(st.lists(st.builds(Unscored, UTF8_TEXT, st.booleans()), max_size=3, unique=True))
    reason = array(st.integers(0, len(reasons))).astype(np.int32)
    value = array(st.floats(allow_nan=False, allow_infinity=False)).astype(float)
    labels = draw(st.none() | st.lists(UTF8_TEXT, max_size=3, unique=True))
    classes = None if labels is None else st.integers(-1, len(labels) - 1)
    slots = st.tuples(*(st.integers(0, length - 1) for length in shape))
    return MetricScores(
        metric=Metric(
            name,
            draw(st.booleans()),
            draw(st.none() | st.floats(-5, 0)),
            draw(st.none() | st.floats(1, 5)),
            draw(st.sampled_from(Aggregate)),
            draw(st.booleans()),
            draw(UTF8_TEXT),
        ),
        value=np.where(reason == 0, value, np.nan),
        weight=array(st.floats(0, 9)).astype(float),
        reason=reason,
        reasons=tuple(reasons),
        explanation=draw(st.dictionaries(slots, UTF8_TEXT, max_size=3)),
        expected=None if classes is None else array(classes).astype(np.int32),
        predicted=None if classes is None else array(classes).astype(np.int32),
        labels=tuple(labels or ()),
    )


def assert_same_scores(read: ScoreTable, table: ScoreTable) -> None:
    assert read.variants == table.variants
    assert read.example_ids == table.example_ids
    assert read.n_repeats == table.n_repeats
    assert len(read.metrics) == len(table.metrics)
    for one, other in zip(read.metrics, table.metrics, strict=True):
        for field in dataclasses.fields(MetricScores):
            left, right = getattr(one, field.name), getattr(other, field.name)
            if isinstance(right, np.ndarray):
                assert left.dtype == right.dtype, field.name
                np.testing.assert_array_equal(left, right, err_msg=field.name)
            else:
                assert left == right, field.name


@settings(deadline=None, max_examples=200)
@given(table=score_tables())
def test_scores_come_back_as_they_were(scratch: Path, table: ScoreTable) -> None:
    path = scratch / "scores.parquet"
    score_files.write_scores(path, table)
    assert_same_scores(score_files.read_scores(path), table)


@settings(deadline=None, max_examples=20)
@given(table=score_tables())
def test_a_baseline_keeps_no_explanation_and_no_reason_in_words(
    scratch: Path, table: ScoreTable
) -> None:
    path = scratch / "bare.parquet"
    score_files.write_scores(path, table, texts=False)
    kinds = (Unscored("no score"), Unscored("does not apply", applicable=False))
    bare = tuple(
        dataclasses.replace(
            scores,
            explanation={},
            reasons=kinds,
            reason=np.where(np.isnan(scores.value), np.where(scores.applicable, 1, 2), 0).astype(
                np.int32
            ),
        )
        for scores in table.metrics
    )
    assert_same_scores(score_files.read_scores(path), dataclasses.replace(table, metrics=bare))


def test_score_columns_and_rows_are_those_of_the_contract(tmp_path: Path) -> None:
    scores = MetricScores(
        metric=Metric("correct"),
        value=np.array([[[1.0], [np.nan]], [[0.0], [np.nan]]]),
        weight=np.ones((2, 2, 1)),
        reason=np.array([[[0], [1]], [[0], [2]]], dtype=np.int32),
        reasons=(Unscored("no target", applicable=False), Unscored("timed out")),
        explanation={(1, 0, 0): "7 is not 8"},
    )
    table = ScoreTable(("a", "b"), ("e1", "e2"), 1, (scores,))
    score_files.write_scores(tmp_path / "s.parquet", table)
    rows = pq.read_table(tmp_path / "s.parquet").to_pylist()
    names = ("variant", "example_id", "repeat", "metric", "value", "unscored_reason", "explanation")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("a", "e1", 0, "correct", 1.0, None, None),
        ("a", "e2", 0, "correct", None, "no target", None),
        ("b", "e1", 0, "correct", 0.0, None, "7 is not 8"),
        ("b", "e2", 0, "correct", None, "timed out", None),
    ]
    assert [row["applicable"] for row in rows] == [True, False, True, True]
