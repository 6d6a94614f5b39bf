"""Plugin points. A plugin inherits nothing: it only has to have the right shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from harness.core.example import Example
from harness.core.record import Record
from harness.core.score import Metric, ScoreOutcome


class Scorer(Protocol):
    """Gives one or more metrics for a record.

    A predicted class that no example expects counts as `(other)`, whatever a model made up. A
    scorer that knows classes in advance names them in an attribute `classes`; they are kept.
    """

    @property
    def metrics(self) -> Sequence[Metric]:
        """The metrics this scorer gives, in the order they are reported."""
        ...

    def score(self, example: Example, record: Record) -> Mapping[str, ScoreOutcome]:
        """An outcome for every metric id in `metrics`.

        Called for answers and for failures of the system under test, which score the metric's
        worst value (or weigh nothing in a ratio); never for failures of the infrastructure.
        A metric that does not apply to the example is `Unscored(..., applicable=False)` for
        every record of that example alike.
        """
        ...


class Clock(Protocol):
    """Wall-clock time, so that tests can hold it still."""

    def now_iso(self) -> str:
        """The time in UTC, ISO 8601, to the second."""
        ...
