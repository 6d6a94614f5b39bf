"""Answers kept between runs: as they were, by several processes at once, and never in the way."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.chat import Completion, RequestedCall
from harness.core.record import Usage
from harness.storage.answers import ANSWERS, AnswerCache

ANSWER = Completion(
    'He said "ä\ud800\u2028".',
    (RequestedCall("call_1", "look_up", '{"id": 7'),),
    "tool_calls",
    Usage(7, None, 3, 0, 1),
    0.25,
    ttft_s=0.1,
    served_model="m-2026",
    confidence=0.5,
    first_logprobs={"A": -0.25, " B": -1.5},
    connect_s=0.001,
)


def test_another_run_gets_what_was_kept(tmp_path: Path) -> None:
    with closing(AnswerCache(tmp_path, "one")) as one:
        one.put("key", ANSWER)
    with closing(AnswerCache(tmp_path, "two")) as two:
        assert two.get("key") == ANSWER
        assert two.get("other") is None


def test_a_run_does_not_answer_itself(tmp_path: Path) -> None:
    """Two variants that ask the same are measured both."""
    with closing(AnswerCache(tmp_path, "one")) as one:
        for i in range(300):
            one.put(f"key {i}", ANSWER)
        assert one.get("key 3") is None


@given(st.text(), st.lists(st.text(), max_size=3), st.none() | st.integers(0, 2**40))
def test_any_text_comes_back(text: str, arguments: list[str], n_tokens: int | None) -> None:
    calls = tuple(RequestedCall(str(i), text[:5], each) for i, each in enumerate(arguments))
    answer = Completion(text, calls, "stop", Usage(n_tokens), 1.5)
    with tempfile.TemporaryDirectory() as folder:
        with closing(AnswerCache(Path(folder), "one")) as one:
            one.put("key", answer)
        with closing(AnswerCache(Path(folder), "two")) as two:
            assert two.get("key") == answer


WRITER = """
import sys
from pathlib import Path
from harness.core.chat import Completion
from harness.core.record import Usage
from harness.storage.answers import AnswerCache

name, folder = sys.argv[1:]
cache = AnswerCache(Path(folder), name)
for i in range(2000):
    cache.put(f"{name} {i}", Completion(str(i), (), "stop", Usage(), 0.1))
    cache.get(f"key {i}")
cache.close()
"""


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, name, str(tmp_path)]) for name in "abc"
    ]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    with closing(AnswerCache(tmp_path, "reader")) as reader:
        for name in "abc":
            for i in range(2000):
                found = reader.get(f"{name} {i}")
                assert found is not None
                assert found.text == str(i)


def test_a_damaged_answer_is_asked_for_again(tmp_path: Path) -> None:
    with closing(AnswerCache(tmp_path, "one")) as one:
        one.put("key", ANSWER)
    with closing(sqlite3.connect(tmp_path / ANSWERS)) as file, file:
        file.execute("UPDATE answer SET body = '{\"text\": 3}'")
    with closing(AnswerCache(tmp_path, "two")) as two:
        assert two.get("key") is None


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / ANSWERS).write_bytes(b"no database" * 1000)
    with pytest.raises(OSError, match="delete it, or run with --no-cache"):
        AnswerCache(tmp_path, "one")
