"""Runs an experiment's live variants: opens what they use, answers every trial, closes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.core.chat import ServiceError, ToolSpec
from harness.core.example import EvalSet
from harness.core.prices import PriceBook
from harness.core.record import Record
from harness.core.trial import Trial
from harness.core.variant import LiveVariant
from harness.errors import InputError, Problem
from harness.execution.pacing import ServicePacer
from harness.execution.run import MonotonicTimer, in_event_loop, run_trials
from harness.experiment.components import Components
from harness.experiment.hours import Clocked, with_hours
from harness.experiment.indexes import open_retrievers
from harness.experiment.pricing import pricer
from harness.planning.schedule import schedule
from harness.ports import Timer
from harness.system.parts import Parts
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
    concurrency: int
    attempts: int
    components: Components
    prices: PriceBook


def answer_all(run: LiveRun, progress: Progress | None = None) -> list[Record]:
    """Every trial's record, in the order in which they ended.

    Raises:
        InputError: if an index or a tool cannot be opened; no model has been asked then.
    """
    return in_event_loop(lambda: _answer_all(run, progress or _silent))


async def _answer_all(run: LiveRun, progress: Progress) -> list[Record]:
    timer = MonotonicTimer()
    try:
        parts = await _open(run)
        pacer = ServicePacer(run.concurrency, run.attempts, timer, run.seed)
        systems = {variant.id: System(variant, parts, pacer, timer) for variant in run.variants}
        return await _answers(run, systems, timer, progress)
    finally:
        await run.components.close()


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
    await run_trials(trials, answer, keep, run.concurrency)
    return with_hours(clocked, run.prices)


async def _open(run: LiveRun) -> Parts:
    """Everything made ready for the first trial."""
    from harness.corpus.tokens import count_tokens
    from harness.plugins.nearest import nearest

    problems: list[Problem] = []
    await open_retrievers(run.components, problems)
    tools = await _open_tools(run, problems)
    if problems:
        raise InputError(problems)
    count_tokens("read the vocabulary now, not in the first trial's time")
    found = run.components

    return Parts(
        providers=found.providers,
        retrievers=found.retrievers,
        rerankers=found.rerankers,
        toolboxes=found.toolboxes,
        tools=tools,
        functions=found.functions,
        cost_usd=pricer(run.prices),
        count_tokens=count_tokens,
        nearest=nearest,
    )


async def _open_tools(run: LiveRun, problems: list[Problem]) -> dict[str, tuple[ToolSpec, ...]]:
    tools: dict[str, tuple[ToolSpec, ...]] = {}
    for key, toolbox in run.components.toolboxes.items():
        try:
            tools[key] = tuple(await toolbox.open())
        except ServiceError as error:
            problems.append(Problem("", f"the tools cannot be opened: {error.message}"))
    inner = [one for variant in run.variants for one in variant.variants()]
    for variant in inner:
        uses = variant.tools.use if variant.tools else ()
        names = [spec.name for use in uses for spec in tools.get(use.component.key, ())]
        problems += _wrong_tools(variant, names)
    return tools


def _wrong_tools(variant: LiveVariant, names: Sequence[str]) -> list[Problem]:
    """Two tools of one name, and checks by tools that are not there."""
    doubled = sorted({name for name in names if names.count(name) > 1})
    problems = [Problem("", f"{variant.id}: two tools are called '{name}'") for name in doubled]
    checks = variant.tools.before if variant.tools else ()
    problems += [
        Problem("", f"{variant.id}: tools.before calls '{check.name}', which is no tool")
        for check in checks
        if check.name not in names
    ]
    return problems


def _silent(record: Record, done: int, total: int) -> None:
    """Tell nobody."""
