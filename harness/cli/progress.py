"""How far a live run is: a table that stays in its place on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from time import monotonic
from typing import TYPE_CHECKING

from harness.cli.output import note, safe
from harness.cli.tally import Tally, duration, forecast, spent
from harness.core.record import Record

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

    from harness.ports import Progress

_REFRESH_S = 0.25
_LINE_S = 60.0
"""A line is written at every tenth of a run, and after so many seconds without one."""


def progress_here() -> Progress:
    """What suits stderr."""
    return ProgressTable() if sys.stderr.isatty() else ProgressLines()


class Listeners:
    """Several that are told of a run (a `harness.ports.Progress`)."""

    def __init__(self, *listeners: Progress) -> None:
        self._listeners = listeners

    def begin(
        self, variants: Sequence[str], n_each: int, in_flight: int, before: Collection[Record]
    ) -> None:
        """Tell all of them."""
        for listener in self._listeners:
            listener.begin(variants, n_each, in_flight, before)

    def ended(self, record: Record) -> None:
        """Tell all of them."""
        for listener in self._listeners:
            listener.ended(record)

    def close(self) -> None:
        """Tell all of them."""
        for listener in self._listeners:
            listener.close()


def listeners_here() -> Progress:
    """What suits stderr, and whatever the environment asks for.

    Raises:
        InputError: if it asks for what is not installed.
    """
    from harness.errors import InputError, Problem
    from harness.plugins.telemetry import spans

    if not spans.is_wanted():
        return progress_here()
    try:
        return Listeners(progress_here(), spans.TrialSpans())
    except ImportError as error:
        what = f"spans are asked for, and {error.name} is not installed"
        raise InputError(Problem("OTEL_EXPORTER_OTLP_ENDPOINT", what, spans.HINT)) from None


def explain(variants: Sequence[str], n_each: int, in_flight: int) -> None:
    """Say what begins, and that it can be stopped."""
    n_trials = len(variants) * n_each
    what = f"{len(variants)} variants" if len(variants) > 1 else "1 variant"
    note(
        f"harness: running {what}, {n_each} trials each, up to {min(in_flight, n_trials)} at once; "
        "Ctrl-C stops and keeps what has ended"
    )


class ProgressLines:
    """A line at the first record, at every tenth of the run, and at its end."""

    def __init__(self) -> None:
        self._told = -1
        self._told_s = monotonic()
        self._forecast = ""
        self._tally = Tally((), 0)

    def begin(
        self, variants: Sequence[str], n_each: int, in_flight: int, before: Collection[Record]
    ) -> None:
        """Say what begins."""
        self._tally = Tally(variants, n_each, before)
        explain(variants, n_each, in_flight)
        if before:
            note(f"harness: {len(before)} trials have ended before and are not run again")
            self._told = 10 * self._tally.n_done // self._tally.n_trials

    def ended(self, record: Record) -> None:
        """Count a record; tell if another tenth is done."""
        tally = self._tally
        tally.add(record)
        tenth = 10 * tally.n_done // tally.n_trials
        if tenth > self._told or monotonic() - self._told_s > _LINE_S:
            self._told, self._told_s = tenth, monotonic()
            note(self._line())
        if not self._forecast and tally.is_pilot:
            self._forecast = forecast(tally)
            if self._forecast:
                pilot = f"by the first {tally.n_done} trials"
                note(f"harness: {pilot}, the whole run takes {self._forecast}")

    def close(self) -> None:
        """Nothing is left to be said."""

    def _line(self) -> str:
        tally = self._tally
        parts = [f"{tally.n_done} of {tally.n_trials} trials"]
        parts += [f"{tally.n_failed} failed by the system"] if tally.n_failed else []
        parts += [f"{tally.n_lost} lost to the infrastructure"] if tally.n_lost else []
        parts.append(spent(tally.spending))
        if tally.per_s and tally.n_done < tally.n_trials:
            parts.append(f"{tally.per_s:.3g} a second")
            parts.append(f"about {duration(tally.left_s or 0.0)} left")
        return f"harness: {', '.join(parts)}"


class ProgressTable:
    """A row for each variant, drawn anew a few times a second."""

    def __init__(self) -> None:
        self._tally = Tally((), 0)
        self._live: Live | None = None
        self._drawn_s = 0.0

    def begin(
        self, variants: Sequence[str], n_each: int, in_flight: int, before: Collection[Record]
    ) -> None:
        """Say what begins, and draw the empty table."""
        from rich.console import Console
        from rich.live import Live

        self._tally = Tally(variants, n_each, before)
        explain(variants, n_each, in_flight)
        console = Console(stderr=True, highlight=False)
        self._live = Live(self._table(), console=console, auto_refresh=False)
        self._live.start(refresh=True)

    def ended(self, record: Record) -> None:
        """Count a record; draw the table if it is time."""
        self._tally.add(record)
        if monotonic() - self._drawn_s > _REFRESH_S:
            self._draw()

    def close(self) -> None:
        """Draw the table for the last time and leave it there."""
        if self._live is not None:
            self._draw()
            self._live.stop()

    def _draw(self) -> None:
        self._drawn_s = monotonic()
        if self._live is not None:
            self._live.update(self._table(), refresh=True)

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        tally = self._tally
        left = "" if tally.left_s is None else f"about {duration(tally.left_s)} left"
        rate = "" if tally.per_s is None else f"{tally.per_s:.3g} a second"
        cost = tally.whole_usd() if tally.is_pilot else None
        whole = f"${cost[0]:.4g} to ${cost[1]:.4g} in all" if cost and cost[1] > 0 else ""
        caption = ", ".join(part for part in (rate, left, spent(tally.spending), whole) if part)
        table = Table(box=None, pad_edge=False, caption=caption, caption_justify="left")
        for head in ("variant", "done", "failed", "lost", "p50", "spent"):
            table.add_column(head, justify="left" if head == "variant" else "right")
        for name, one in tally.variants.items():
            p50 = "" if one.p50_s is None else f"{one.p50_s * 1000:.4g} ms"
            money = "?" if one.spending.n_unknown else f"${one.spending.spent_usd:.4f}"
            counts = (one.n_failed, one.n_lost)
            table.add_row(
                Text(safe(name)),
                f"{one.n_done} of {tally.n_each}",
                *(str(count) if count else "" for count in counts),
                p50,
                money,
            )
        return table
