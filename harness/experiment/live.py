"""Runs an experiment's live variants: opens what they use, answers every trial, closes it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from math import inf
from statistics import median

from harness.core.example import EvalSet
from harness.core.experiment import Execution
from harness.core.prices import PriceBook
from harness.core.record import AnswerPath, Record
from harness.core.spending import Spending, total_cost
from harness.core.trial import Trial
from harness.core.values import JsonValue
from harness.core.variant import LiveVariant
from harness.errors import HarnessError
from harness.execution.budget import Budget
from harness.execution.lag import LoopLag
from harness.execution.pacing import ServicePacer
from harness.execution.run import MonotonicTimer, in_event_loop, run_trials
from harness.execution.sentinel import FEWEST_TRIALS, Sentinel
from harness.experiment.components import Components
from harness.experiment.ended import EndedTrials, Silence
from harness.experiment.indexes import cache_root
from harness.experiment.opening import opened_parts
from harness.experiment.records import KeptRecords
from harness.experiment.uncosted import uncosted
from harness.experiment.watching import drift_warnings, measured, samples_of, sentinel_of
from harness.planning.schedule import schedule
from harness.ports import Progress
from harness.storage.answers import AnswerCache
from harness.system.system import System


@dataclass(frozen=True, slots=True)
class LiveRun:
    """What is to be run: the variants, the set, and the limits.

    With `cache`, what earlier runs were answered is not asked for again. The whole run, those parts
    that ended earlier included, spends at most `budget_usd`.
    """

    variants: tuple[LiveVariant, ...]
    evalset: EvalSet
    repeats: int
    seed: int
    execution: Execution
    components: Components
    prices: PriceBook
    cache: bool = True
    budget_usd: float | None = None

    @property
    def n_trials(self) -> int:
        """How many trials it has in all."""
        return len(self.variants) * len(self.evalset.examples) * self.repeats


@dataclass(frozen=True, slots=True)
class Answered:
    """Every trial's record, in the order (example, variant, repeat), and how it went.

    `facts` are of the manifest's `execution`; `warnings` are for whoever reads the figures;
    `n_lost` trials were lost to the infrastructure; `counted_usd` is what counts against a budget.
    """

    records: Collection[Record]
    facts: Mapping[str, JsonValue] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    n_lost: int = 0
    counted_usd: float = 0.0


def answer_all(run: LiveRun, ended: EndedTrials, progress: Progress | None = None) -> Answered:
    """Run every trial that is left.

    Args:
        run: what is to be run.
        ended: those that ended earlier, and is given every trial that ends.
        progress: is told how it goes.

    Raises:
        InputError: if an index or a tool cannot be opened; no model has been asked then.
        BudgetReachedError: if the next call could exceed the budget.
        ServiceDownError: if a service has answered none of its first calls.
        OSError: if the journal cannot be written.
    """
    budget = _budget(run, ended)
    if ended.n_done == run.n_trials:
        ended.journal.note("ended", {})
        return _answered_before(run, ended, budget)
    cache = AnswerCache(cache_root(), ended.journal.run_id) if run.cache else None
    ids = [variant.id for variant in run.variants]
    n_each, in_flight = run.n_trials // len(ids), run.execution.concurrency
    progress = progress or Silence()
    progress.begin(ids, n_each, in_flight, KeptRecords(ended, run.prices, lost=False))
    ended.listener = progress
    try:
        watched = in_event_loop(lambda: _answer_all(run, ended, cache, budget))
    except (KeyboardInterrupt, HarnessError, OSError) as error:
        event = "interrupted" if isinstance(error, KeyboardInterrupt) else "stopped"
        ended.stopped(event, None if run.budget_usd is None else budget.counted_usd)
        raise
    finally:
        progress.close()
        if cache is not None:
            cache.close()
    ended.journal.note("ended", {})
    records = KeptRecords(ended, run.prices)
    cost = _cost(run, ended, records, watched.sentinel)
    facts: dict[str, JsonValue] = {**watched.facts, "cost": cost}
    p50_s = {variant: median(found) for variant, found in ended.latency_s.items() if found}
    warnings = (*watched.slowed(), *drift_warnings(watched.sentinel, p50_s))
    if run.budget_usd is not None and budget.uncosted_usd:
        warnings = (*warnings, _counted(budget.uncosted_usd))
    return Answered(records, facts, warnings, ended.n_lost, budget.counted_usd)


def _answered_before(run: LiveRun, ended: EndedTrials, budget: Budget) -> Answered:
    """A run of which no trial is left: only the judges, or the report, are wanting."""
    records, sentinel = KeptRecords(ended, run.prices), measured(ended.journal.events)
    cost = _cost(run, ended, records, sentinel)
    facts: dict[str, JsonValue] = {"sentinel": samples_of(sentinel), "cost": cost}
    return Answered(records, facts, counted_usd=budget.counted_usd)


def _cost(
    run: LiveRun, ended: EndedTrials, records: KeptRecords, sentinel: Sentinel
) -> dict[str, JsonValue]:
    """What the trials and the fixed requests of the whole run cost."""
    total = Spending()
    total += total_cost(records) if run.prices.by_the_hour else ended.spending
    total += sentinel.spending
    return asdict(total)


def _budget(run: LiveRun, ended: EndedTrials) -> Budget:
    """What the run may spend yet: what was under way when it was stopped counts."""
    journal = ended.journal
    before = uncosted(journal.header, journal.events, run.execution.concurrency)
    return Budget(
        inf if run.budget_usd is None else run.budget_usd,
        ended.known_usd + before.usd,
        before_usd=before.usd,
        n_uncosted=before.n + max(0, ended.n_unpriced - before.n_unpriced),
        dearest_usd=ended.dearest_usd,
    )


def _counted(usd: float) -> str:
    return (
        f"${usd:.4f} of the budget were counted for calls of unknown cost, such as were under way "
        "when the run was stopped"
    )


@dataclass(frozen=True, slots=True)
class _Watched:
    """What kept an eye on a run."""

    lag: LoopLag
    pacer: ServicePacer
    sentinel: Sentinel

    @property
    def facts(self) -> dict[str, JsonValue]:
        """For the manifest."""
        return {
            "event_loop": self.lag.facts,
            "most_at_once": {**self.pacer.lowered},
            "sentinel": samples_of(self.sentinel),
        }

    def slowed(self) -> Iterator[str]:
        """Why fewer calls were in flight than asked for."""
        lag = self.lag
        if lag.lowered_to is not None:
            yield (
                f"of {lag.asked_for} trials that may be in flight at times no more than "
                f"{lag.lowered_to} were: with more, this machine would have measured itself and "
                "not the service"
            )
        for route, least in self.pacer.lowered.items():
            yield (
                f"{route} refused many calls: at times no more than {least} of "
                f"{lag.asked_for} were made at once"
            )


async def _answer_all(
    run: LiveRun, ended: EndedTrials, cache: AnswerCache | None, budget: Budget
) -> _Watched:
    used = run.components.of(run.variants)
    by_our_loop = any(
        not (getattr(one, "in_process", False) or getattr(one, "stamps_bytes", False))
        for one in used.providers.values()
    )
    timer, lag = MonotonicTimer(), LoopLag(run.execution.concurrency, doubles=by_our_loop)
    bound = None if run.budget_usd is None else budget
    try:
        parts = await opened_parts(run.variants, used, run.prices, cache, bound)
        pacer = ServicePacer(run.execution, timer, run.seed)
        systems = {variant.id: System(variant, parts, pacer, timer) for variant in run.variants}
        is_long = run.n_trials - ended.n_done >= FEWEST_TRIALS
        sentinel = sentinel_of(run.variants if is_long else (), parts, pacer, timer, ended)
        ended.start()
        await sentinel.warm_up()
        watching = [asyncio.create_task(watch) for watch in (lag.watch(), sentinel.watch())]
        try:
            await _answers(run, systems, ended, lag)
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
    finally:
        await used.close()
    return _Watched(lag, pacer, sentinel)


async def _answers(
    run: LiveRun, systems: Mapping[str, System], ended: EndedTrials, lag: LoopLag
) -> None:
    examples = run.evalset.examples

    async def answer(trial: Trial, cold: bool) -> None:  # noqa: FBT001
        example = examples[trial.example]
        began_s = ended.begin((trial.variant, example.id, trial.repeat))
        record = await systems[trial.variant].answer(
            example.id, example.input, trial.repeat, block=trial.block, began_s=began_s, cold=cold
        )
        ended.keep(record)
        if record.latency_s is not None and _timed_by_our_loop(record):
            lag.told(record.latency_s)

    trials = schedule(tuple(systems), len(examples), run.repeats, run.seed)
    left = (
        trial
        for trial in trials
        if not ended.is_done((trial.variant, examples[trial.example].id, trial.repeat))
    )
    await run_trials(left, answer, lambda: lag.allowed)


def _timed_by_our_loop(record: Record) -> bool:
    """Whether a call of a model was timed when our own loop got round to it, not as bytes came."""
    if record.path is AnswerPath.CACHED or record.trace is None:
        return False
    asked = [step.detail for step in record.trace.steps if "finish_reason" in step.detail]
    return any("connect_s" not in detail for detail in asked)
