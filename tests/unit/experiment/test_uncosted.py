"""What a journal tells of calls that were under way when a process ended."""

from __future__ import annotations

from typing import Any

import pytest

from harness.core.record import AnswerPath, Failure, Record, Stage, Step, Trace
from harness.experiment.uncosted import Uncosted, n_unpriced, uncosted

RESUMED = {"event": "resumed", "in_flight": 3}
LISTED = {"event": "interrupted", "in_flight": [["a", "e1", 0], ["a", "e2", 0]]}
COUNTED = {"event": "stopped", "in_flight": [["a", "e1", 0]], "uncosted_usd": 7.0, "n_unpriced": 1}
ENDED = {"event": "ended"}


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([], Uncosted()),
        ([RESUMED], Uncosted(n=4)),  # killed with four in flight
        ([RESUMED, RESUMED], Uncosted(n=7)),
        ([LISTED, RESUMED], Uncosted(n=2)),
        ([LISTED, RESUMED, LISTED, RESUMED], Uncosted(n=4)),
        ([ENDED, RESUMED], Uncosted()),
        ([RESUMED, COUNTED, RESUMED], Uncosted(usd=7.0, n_unpriced=1)),
        ([COUNTED, RESUMED, RESUMED], Uncosted(usd=7.0, n=3, n_unpriced=1)),
    ],
)
def test_what_was_under_way(events: list[dict[str, Any]], found: Uncosted) -> None:
    assert uncosted({"in_flight": 4}, events, most=8) == found


def test_an_old_journal_does_not_tell_how_many_there_were() -> None:
    assert uncosted({}, [{"event": "resumed", "at": "-"}], most=8) == Uncosted(n=8)


def test_calls_that_may_have_been_billed() -> None:
    def failed(kind: str) -> Step:
        detail = {"model": "http/m", "error": {"kind": kind}}
        return Step(Stage.GENERATE, 0.0, 0.1, cost_usd=None, detail=detail)

    untold = Step(Stage.GENERATE, 0.0, 0.1, cost_usd=None, detail={"model": "http/m"})
    found = Step(Stage.RETRIEVE, 0.0, 0.1, cost_usd=None)  # is not under the budget
    steps = (found, failed("connection"), failed("timeout"), untold)
    outcome = Failure(True, "timeout", "gone")
    assert n_unpriced(Record("a", "e", 0, outcome, AnswerPath.WARM, trace=Trace(steps=steps))) == 2
    assert n_unpriced(Record("a", "e", 0, outcome, AnswerPath.WARM)) == 0
