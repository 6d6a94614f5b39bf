"""Runs an experiment's live variants: opens what they use, answers every trial, closes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.core.example import EvalSet
from harness.core.experiment import Execution
from harness.core.prices import PriceBook
from harness.core.record import Record
from harness.core.trial import Trial
from harness.core.variant import LiveVariant
from harness.execution.pacing import ServicePacer
from harness.execution.run import MonotonicTimer, in_event_loop, run_trials
from harness.experiment.components import Components
from harness.experiment.hours import Clocked, with_hours
from harness.experiment.opening import opened_parts
from harness.planning.schedule import schedule
from harness.ports import Timer
from harness.system.system import System

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


def answer_all(run: LiveRun, progress: Progress | None = None) -> list[Record]:
    """Every trial's record, in the order in which they ended.

    Raises:
        InputError: if an index or a tool cannot be opened; no model has been asked then.
        ServiceDownError: if a service has answered none of its first calls.
    """
    return in_event_loop(lambda: _answer_all(run, progress or _silent))


async def _answer_all(run: LiveRun, progress: Progress) -> list[Record]:
    used = run.components.of(run.variants)
    timer = MonotonicTimer()
    try:
        parts = await opened_parts(run.variants, used, run.prices)
        pacer = ServicePacer(run.execution.concurrency, run.execution.attempts, timer, run.seed)
        systems = {variant.id: System(variant, parts, pacer, timer) for variant in run.variants}
        return await _answers(run, systems, timer, progress)
    finally:
        await used.close()


async def _answers(
    run: LiveRun, systems: Mapping[str, System], timer: Timer, progress: Progress
) -> list[Record]:
    examples = run.evalset.examples
    ids = tuple(systems)
    total = len(ids) * len(examples) * run.repeats
    clocked: list[Clocked] = []

    async def answer(trial: Trial, cold: bool) -> Record:  # noqa: FBT001
        example = examples[trial.example]
        began_s = timer.now_s()
        record = await systems[trial.variant].answer(
            example.id, example.input, trial.repeat, block=trial.block, cold=cold
        )
        clocked.append(Clocked(began_s, record))
        return record

    def keep(record: Record) -> None:
        progress(record, len(clocked), total)

    trials = schedule(ids, len(examples), run.repeats, run.seed)
    await run_trials(trials, answer, keep, run.execution.concurrency)
    return with_hours(clocked, run.prices)


def _silent(record: Record, done: int, total: int) -> None:
    """Tell nobody."""
