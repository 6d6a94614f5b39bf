"""Live records survive `trials.parquet`; a baseline keeps their counts and none of their texts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.record import Answer, AnswerPath, Failure, Record, Stage, Step, Trace, Usage
from harness.core.values import ToolCall
from harness.storage.tables import PRIVATE_TRIAL_COLUMNS, read_trials, write_trials

amounts = st.floats(0, 1e6)
counts = st.integers(0, 2**31 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
usages = st.builds(Usage, *[st.none() | counts] * 5)
steps = st.builds(
    Step,
    stage=st.sampled_from(Stage),
    start_s=amounts,
    latency_s=amounts,
    cost_usd=st.none() | amounts,
    usage=st.none() | usages.filter(lambda usage: usage != Usage()),
    attempts=st.integers(1, 9),
    queue_s=amounts,
    retry_wait_s=amounts,
    variant=texts,
    detail=st.dictionaries(texts, texts | amounts | st.lists(texts), max_size=3),
)
traces = st.builds(
    Trace,
    steps=st.lists(steps, max_size=4).map(tuple),
    queue_s=amounts,
    retry_wait_s=amounts,
    ttft_s=st.none() | amounts,
    calls=counts,
    attempts=counts,
    validation=st.sampled_from([None, "passed", "failed"]),
    rejections=st.lists(texts, max_size=3).map(tuple),
    repairs=counts,
    fallback_used=st.none() | texts,
    routed_to=st.none() | texts,
    served_model=st.none() | texts,
    block=st.none() | counts,
)
ids = st.none() | st.lists(texts, max_size=3).map(tuple)
calls = st.none() | st.lists(st.builds(ToolCall, texts, st.just({"a": 1})), max_size=2).map(tuple)
outcomes = st.builds(Answer, texts, calls, ids) | st.builds(
    Failure, st.booleans(), texts, texts, calls, ids
)
records = st.builds(
    Record,
    variant=texts,
    example_id=texts,
    repeat=counts,
    outcome=outcomes,
    path=st.sampled_from([AnswerPath.COLD, AnswerPath.WARM]),
    latency_s=st.none() | amounts,
    cost_usd=st.none() | amounts,
    usage=usages,
    trace=traces,
)


@settings(max_examples=60)
@given(st.lists(records, min_size=1, max_size=5))
def test_live_records_come_back_as_they_were(written: list[Record]) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "trials.parquet"
        write_trials(path, "run", written)
        assert list(read_trials(path)) == written


def test_a_baseline_keeps_counts_and_no_text(tmp_path: Path) -> None:
    step = Step(Stage.GENERATE, 0.0, 1.0, detail={"text": "secret"})
    trace = Trace((step,), calls=2, attempts=3, rejections=("secret",), fallback_used="other")
    answer = Answer("secret", (ToolCall("t", {"q": "secret"}),), ("secret",))
    record = Record("v", "e", 0, answer, AnswerPath.WARM, trace=trace)
    path = tmp_path / "trials.parquet"
    write_trials(path, "run", [record], PRIVATE_TRIAL_COLUMNS)
    (kept,) = read_trials(path)
    assert b"secret" not in path.read_bytes()
    assert kept.trace == replace(trace, steps=(), rejections=())


def test_a_run_from_before_there_were_live_variants_is_read(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    record = Record("v", "e", 0, Answer("x"), AnswerPath.RECORDED)
    path = tmp_path / "trials.parquet"
    write_trials(path, "run", [record])
    new = ["cache_write_tokens", "reasoning_tokens", "calls", "rejections", "fallback_to"]
    pq.write_table(pq.read_table(path).drop_columns([*new, "routed_to"]), path)
    assert read_trials(path) == (record,)
