"""Runs to be reviewed, and a review of them that is served."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any

import numpy as np
from builders import metric_scores, subject

from harness.comparison.compare import compare
from harness.core.example import Example
from harness.core.label import Label
from harness.core.record import Answer, AnswerPath, Failure, Record
from harness.core.run import RunData
from harness.core.score import Metric
from harness.core.values import ToolCall
from harness.review.items import items_of
from harness.review.rubric import Rubric
from harness.review.server import ReviewServer
from harness.review.session import Review

PAIR = ("secret_baseline", "secret_candidate")


class HeldClock:
    def now_iso(self) -> str:
        return "2026-11-20T12:00:00+00:00"


@dataclass
class KeptLabels:
    """Labels in memory, the last of every reviewer and pair."""

    lines: list[Label] = field(default_factory=list)

    def read(self) -> list[Label]:
        last = {label.key: label for label in self.lines}
        return [label for label in last.values() if not label.withdrawn]

    def append(self, label: Label) -> None:
        self.lines.append(label)


def reviewed_run(n: int = 12, texts: Mapping[int, str] | None = None) -> RunData:
    """Both are right on every third example, with the same answer; else one of them is."""
    texts = texts or {}
    examples = tuple(
        Example(
            f"e{i:03d}",
            {"question": texts.get(i, f"May I return item {i} after {7 + i % 40} days?")},
            target=f"yes-{i}",
            slices={"kind": "rare" if i % 2 else "usual"},
            evidence=(f"returns#{i}",),
        )
        for i in range(n)
    )
    right = np.array([[i % 3 != 1 for i in range(n)], [i % 3 != 2 for i in range(n)]], dtype=float)
    records = tuple(
        Record(variant, example.id, 0, _outcome(texts, i, v, bool(right[v, i])), AnswerPath.WARM)
        for i, example in enumerate(examples)
        for v, variant in enumerate(PAIR)
    )
    scores = [metric_scores(Metric("correct", binary=True), right[:, :, None])]
    ids = tuple(example.id for example in examples)
    made = subject(scores, ids=ids, examples=examples, variants=PAIR)
    return RunData({"name": "returns"}, examples, records, made.scores, compare(made))


def with_failure(run: RunData, place: int, *, infrastructure: bool) -> RunData:
    """The run, with one record that failed."""
    failed = Failure(infrastructure, "timeout", "secret_baseline is gone")
    records = list(run.records)
    records[place] = replace(records[place], outcome=failed)
    return replace(run, records=tuple(records))


def _outcome(texts: Mapping[int, str], i: int, v: int, right: bool) -> Answer:
    said = f"Yes, item {i} may be returned." if right else f"No, item {i} stays ({'ab'[v]})."
    call = ToolCall("look_up", {"item": i})
    return Answer(texts.get(i, "") + said, (call,), (f"returns#{i}", "hours#1"))


def review_of(run: RunData, labels: Any = None, **given: Any) -> Review:
    ids = tuple(example.id for example in run.examples)
    items = items_of(run, PAIR)
    kept = KeptLabels() if labels is None else labels
    given = {"rubric": Rubric(), "seed": 7} | given
    return Review(PAIR, items, ids, labels=kept, clock=HeldClock(), **given)


class Reviewed:
    """A review that is served from a thread of its own; a context manager."""

    def __init__(self, review: Review) -> None:
        self._review = review
        self.reports: list[str] = []
        self.url = ""
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event

    def __enter__(self) -> Reviewed:
        self._thread.start()
        assert self._started.wait(60), "the server did not start"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = ReviewServer(self._review, self.reports.append)
        self.url = await server.start("127.0.0.1", 0)
        self._started.set()
        await self._stop.wait()
        await server.end()
