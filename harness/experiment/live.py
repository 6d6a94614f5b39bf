"""Runs an experiment's live variants: opens what they use, answers every trial, closes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.core.example import EvalSet
from harness.core.experiment import Execution
from harness.core.prices import PriceBook
from harness.core.record import Record
from harness.core.trial import Trial
from harness.core.values import JsonValue
from harness.core.variant import LiveVariant
from harness.execution.pacing import ServicePacer
from harness.execution.run import MonotonicTimer, in_event_loop, run_trials
from harness.experiment.components import Components
from harness.experiment.hours import Clocked, with_hours
from harness.experiment.opening import opened_parts
from harness.planning.schedule import schedule
from harness.ports import Timer
from harness.storage.journal import Entry, Journal
from harness.system.system import System

Key = tuple[str, str, int]
"""A trial: variant, example, repeat."""

Progress = Callable[[Record, int, int], None]
"""Told of every record, how many there are, and how many there will be."""


@dataclass(frozen=True, slots=True)
class LiveRun:
    """What is to be run: the variants, the set, and the limits."""

    variants: tuple[LiveVariant, ...]
    evalset: EvalSet
    repeats: int
    seed: int
    execution: Execution
    components: Components
    prices: PriceBook

    @property
    def n_trials(self) -> int:
        """How many trials it has in all."""
        return len(self.variants) * len(self.evalset.examples) * self.repeats


def answer_all(
    run: LiveRun, journal: Journal, done: Mapping[Key, Entry], progress: Progress | None = None
) -> list[Record]:
    """Every trial's record, in the order in which they ended.

    Args:
        run: what is to be run.
        journal: is given every trial that ends.
        done: trials that ended earlier, and are not run again.
        progress: is told of every trial, those of `done` first.

    Raises:
        InputError: if an index or a tool cannot be opened; no model has been asked then.
        ServiceDownError: if a service has answered none of its first calls.
        OSError: if the journal cannot be written.
    """
    log = _Log(run, journal, dict(done), progress or _silent)
    if len(done) < run.n_trials:
        try:
            in_event_loop(lambda: _answer_all(run, log))
        except KeyboardInterrupt:
            log.interrupted()
            raise
    return log.records()


class _Log:
    """The trials of a run that have ended, on one clock."""

    def __init__(
        self, run: LiveRun, journal: Journal, done: dict[Key, Entry], progress: Progress
    ) -> None:
        self.done = done
        self.in_flight: set[Key] = set()
        self._run, self._journal, self._progress = run, journal, progress
        self._ended = [Clocked(entry.began_s, entry.record) for entry in done.values()]
        self._before_s = max((_end_s(entry) for entry in done.values()), default=0.0)
        self._zero_s = 0.0
        for number, item in enumerate(self._ended, 1):
            progress(item.record, number, run.n_trials)

    def start(self, now_s: float) -> None:
        """Let the clock go on from where it stood."""
        self._zero_s = now_s - self._before_s

    def begin(self, key: Key) -> None:
        """Note that a trial is under way."""
        self.in_flight.add(key)

    def interrupted(self) -> None:
        """Keep which trials were under way when the run was stopped."""
        if self.in_flight and (self.done or self._journal.n_added):
            under_way: list[JsonValue] = [list(key) for key in sorted(self.in_flight)]
            self._journal.note("interrupted", {"in_flight": under_way})

    def keep(self, began_s: float, record: Record) -> None:
        """Keep a trial that began at `began_s` on the timer."""
        self.in_flight.discard((record.variant, record.example_id, record.repeat))
        entry = Entry(record, began_s - self._zero_s)
        self._journal.add(entry)
        self._ended.append(Clocked(entry.began_s, record))
        self._progress(record, len(self._ended), self._run.n_trials)

    def records(self) -> list[Record]:
        """All of them, with machines that are paid by the hour priced."""
        return with_hours(self._ended, self._run.prices)


def _end_s(entry: Entry) -> float:
    record, trace = entry.record, entry.record.trace
    waited_s = trace.queue_s + trace.retry_wait_s if trace else 0.0
    return entry.began_s + waited_s + (record.latency_s or 0.0)


async def _answer_all(run: LiveRun, log: _Log) -> None:
    used = run.components.of(run.variants)
    timer = MonotonicTimer()
    try:
        parts = await opened_parts(run.variants, used, run.prices)
        pacer = ServicePacer(run.execution.concurrency, run.execution.attempts, timer, run.seed)
        systems = {variant.id: System(variant, parts, pacer, timer) for variant in run.variants}
        await _answers(run, systems, timer, log)
    finally:
        await used.close()


async def _answers(run: LiveRun, systems: Mapping[str, System], timer: Timer, log: _Log) -> None:
    examples = run.evalset.examples
    log.start(timer.now_s())

    async def answer(trial: Trial, cold: bool) -> None:  # noqa: FBT001
        example = examples[trial.example]
        log.begin((trial.variant, example.id, trial.repeat))
        began_s = timer.now_s()
        record = await systems[trial.variant].answer(
            example.id, example.input, trial.repeat, block=trial.block, cold=cold
        )
        log.keep(began_s, record)

    trials = schedule(tuple(systems), len(examples), run.repeats, run.seed)
    left = (
        trial
        for trial in trials
        if (trial.variant, examples[trial.example].id, trial.repeat) not in log.done
    )
    await run_trials(left, answer, run.execution.concurrency)


def _silent(record: Record, done: int, total: int) -> None:
    """Tell nobody."""
