"""What is told of a run that goes on."""

from __future__ import annotations

import os
import pty
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.cli.progress import ProgressLines, ProgressTable, progress_here
from harness.cli.tally import Tally, duration, spent
from harness.core.record import Answer, AnswerPath, Failure, Record, Stage, Step, Trace
from harness.core.spending import Spending


def record(
    variant: str = "a",
    *,
    cost_usd: float | None = 0.25,
    cached: bool = False,
    latency_s: float = 0.1,
    lost: bool | None = None,
) -> Record:
    outcome = Answer("x") if lost is None else Failure(lost, "kind")
    step = Step(Stage.GENERATE, 0, 0, cost_usd, detail={"cached": True} if cached else {})
    path = AnswerPath.CACHED if cached else AnswerPath.WARM
    return Record(variant, "e", 0, outcome, path, latency_s, cost_usd, trace=Trace((step,)))


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_rate_and_time_left_are_those_of_the_last_seconds() -> None:
    clock = Clock()
    tally = Tally(("a", "b"), 500, clock=clock)
    assert (tally.per_s, tally.left_s) == (None, None)
    for _ in range(400):
        clock.now_s += 0.5
        tally.add(record())
    assert tally.per_s == pytest.approx(2, rel=0.05)
    assert tally.left_s == pytest.approx(300, rel=0.05)
    for _ in range(100):
        clock.now_s += 2
        tally.add(record("b"))
    assert tally.per_s == pytest.approx(0.5, rel=0.15)


def test_what_ended_before_counts_but_makes_no_rate() -> None:
    clock = Clock()
    tally = Tally(("a",), 100, [record()] * 50, clock)
    clock.now_s += 10
    assert (tally.n_done, tally.per_s) == (50, None)


def test_each_variant_is_counted_by_itself() -> None:
    tally = Tally(("a", "b"), 10, clock=Clock())
    for one in (record(), record(lost=False), record("b", lost=True), record(cached=True)):
        tally.add(one)
    a, b = tally.variants["a"], tally.variants["b"]
    assert (a.n_done, a.n_failed, a.n_lost) == (3, 1, 0)
    assert (b.n_done, b.n_failed, b.n_lost) == (1, 0, 1)
    assert (tally.n_done, tally.n_failed, tally.n_lost) == (4, 1, 1)


def test_the_median_is_that_of_live_answers() -> None:
    tally = Tally(("a",), 10, clock=Clock())
    for latency_s in (0.1, 0.3, 0.2):
        tally.add(record(latency_s=latency_s))
    tally.add(record(latency_s=0.00001, cached=True))
    assert tally.variants["a"].p50_s == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([record(), record()], "$0.5000 spent"),
        ([record(cost_usd=None)], "cost unknown"),
        ([record(), record(cost_usd=None)], "over $0.2500 spent, 1 of unknown cost"),
        ([record(), record(cached=True)], "$0.2500 spent, 1 answers from the cache ($0.2500)"),
    ],
)
def test_money_in_words(records: list[Record], words: str) -> None:
    total = Spending()
    for one in records:
        total.add(one)
    assert spent(total) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(3.2, "3 s"), (89, "89 s"), (200, "3 min"), (7800, "2 h 10 min")]
)
def test_durations_are_rough(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_lines_for_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    progress = ProgressLines()
    progress.begin(("a", "b"), 10, 8, [record()] * 5)
    for _ in range(5):
        progress.ended(record("b"))
    progress.close()
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "harness: running 2 variants, 10 trials each, up to 8 at once; Ctrl-C stops and keeps what "
        "has ended",
        "harness: 5 trials have ended before and are not run again",
        "harness: 6 of 20 trials, $1.5000 spent",
        "harness: 8 of 20 trials, $2.0000 spent",
        "harness: 10 of 20 trials, $2.5000 spent",
    ]


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Stderr is a terminal, whose other end this gives."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", "100")
        yield ours
    os.close(ours)


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_a_table_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as screen:
        progress = progress_here()
        assert isinstance(progress, ProgressTable)
        progress.begin(("plain", "bad \x1b[2J name"), 3, 8, [])
        for _ in range(3):
            progress.ended(record("plain"))
        progress.ended(record("bad \x1b[2J name", lost=True, cost_usd=None))
        progress.close()
        sys.stderr.flush()
        shown = os.read(screen, 100_000).decode()
    assert "\x1b[2J" not in shown
    drawn_last = shown.rpartition("\x1b[2K")[2]
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn_last).replace("\r", "").splitlines()[-4:]
    assert [line.split() for line in last] == [
        ["variant", "done", "failed", "lost", "p50", "spent"],
        ["plain", "3", "of", "3", "100", "ms", "$0.7500"],
        ["bad", "\\x1b[2J", "name", "1", "of", "3", "1", "100", "ms", "?"],
        ["over", "$0.7500", "spent,", "1", "of", "unknown", "cost"],
    ]
