"""What calls cost, or may have cost, of which no trial that has ended tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.core.record import Record
from harness.system.asking import NOT_BILLED


@dataclass(frozen=True, slots=True)
class Uncosted:
    """Such calls of the processes before: what their budget counted, and how many nobody counted.

    `usd` is what was spent or held beside what the trials that ended tell; `n` trials were under
    way of which only that is known. `usd` has in it the first `n_unpriced` calls of unknown cost.
    """

    usd: float = 0.0
    n: int = 0
    n_unpriced: int = 0


def uncosted(header: Mapping[str, Any], events: Iterable[Mapping[str, Any]], most: int) -> Uncosted:
    """What the journal of a run tells of calls that were under way when a process ended.

    Args:
        header: the journal's, of the first process.
        events: the journal's.
        most: trials in flight at most, where the journal does not tell.
    """
    found, running, in_flight = Uncosted(), True, header.get("in_flight", most)
    for event in events:
        what = event["event"]
        if what == "resumed":
            if running:  # killed: all that may have been under way was
                found = Uncosted(found.usd, found.n + in_flight, found.n_unpriced)
            running, in_flight = True, event.get("in_flight", most)
        elif what in {"interrupted", "stopped"}:
            running = False
            if "uncosted_usd" in event:
                found = Uncosted(event["uncosted_usd"], 0, event["n_unpriced"])
            else:
                found = Uncosted(found.usd, found.n + len(event["in_flight"]), found.n_unpriced)
        elif what == "ended":
            running = False
    return found


def n_unpriced(record: Record) -> int:
    """How many calls of models of a trial may have been billed nobody knows what."""
    return sum(
        step.cost_usd is None
        and "model" in step.detail
        and not step.detail.get("cached")
        and _kind(step.detail.get("error")) not in NOT_BILLED
        for step in (record.trace.steps if record.trace else ())
    )


def _kind(error: object) -> object:
    return error.get("kind") if isinstance(error, Mapping) else None
