"""Asks the judges of an experiment, when all trials have ended.

Their calls are paced, repeated, priced and kept as those of systems are; what they cost stands
apart. Verdicts that an earlier run, or this one before it was stopped, was given are not asked for
again.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeAlias

from harness.config.variant import RecordedVariant
from harness.core.chat import ServiceError
from harness.core.example import EvalSet
from harness.core.experiment import Execution
from harness.core.judging import TableBuilder
from harness.core.pairwise import PairwiseSpec
from harness.core.pointwise import RubricSpec, Verdicts
from harness.core.prices import PriceBook
from harness.core.record import Record
from harness.core.values import JsonValue
from harness.core.variant import LiveVariant
from harness.errors import InputError, Problem
from harness.execution.budget import Budget
from harness.execution.pacing import ServicePacer
from harness.execution.run import MonotonicTimer, in_event_loop
from harness.experiment.bench import Bench
from harness.experiment.components import Components
from harness.experiment.indexes import cache_root
from harness.experiment.marking import Judged, Marking
from harness.experiment.pricing import pricer
from harness.experiment.readiness import secrets_of
from harness.judging.families import family
from harness.judging.pairs import Pair, asked_of, duels_of, pairs_of
from harness.judging.panel import Panel
from harness.storage.answers import AnswerCache
from harness.system.parts import Parts

Variant: TypeAlias = RecordedVariant | LiveVariant


@dataclass(frozen=True, slots=True)
class JudgeRun:
    """What is judged, and what the judges are asked with.

    `components` are the judges' own. The judges may spend what is left of `budget_usd` after
    `spent_usd`. With `cache`, what was judged before is not asked for again.
    """

    variants: Sequence[Variant]
    baseline: str
    repeats: int
    seed: int
    execution: Execution
    components: Components
    prices: PriceBook
    secrets: frozenset[str] = frozenset()
    cache: bool = True
    budget_usd: float | None = None
    spent_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Judging:
    """What the judges said: the verdicts by the id of their comparison, or of their scorer.

    `left_out` counts, by comparison and pair, what was not judged because an answer was lost to the
    infrastructure. `facts`, and `rubric_facts` of scorers, are for the manifest, `warnings` for
    whoever reads the figures.
    """

    builders: Mapping[str, TableBuilder] = field(default_factory=dict)
    verdicts: Mapping[str, Verdicts] = field(default_factory=dict)
    left_out: Mapping[str, Mapping[Pair, int]] = field(default_factory=dict)
    facts: tuple[Mapping[str, JsonValue], ...] = ()
    rubric_facts: tuple[Mapping[str, JsonValue], ...] = ()
    warnings: tuple[str, ...] = ()


def judge_all(
    entries: Sequence[PairwiseSpec],
    evalset: EvalSet,
    records: Iterable[Record],
    run: JudgeRun,
    rubrics: Sequence[Judged] = (),
) -> Judging:
    """Have every pair of answers judged by the judges of every comparison that has any.

    And every single answer by those of scorers.

    Args:
        entries: the judged comparisons; those of recorded verdicts are passed over.
        evalset: the examples that were run.
        records: of all trials; gone through more than once.
        run: what is judged, and with what.
        rubrics: the scorers that a model judges for.

    Raises:
        InputError: if a judge's client cannot be opened; none has been asked then.
        BudgetReachedError: if the next call could exceed the budget.
        ServiceDownError: if a judge's service has answered none of its first calls.
        OSError: if the answers kept between runs cannot be read or written.
    """
    asked = [spec for spec in entries if spec.judges]
    if not asked and not rubrics:
        return Judging()
    # a run reads what others have written: each time judges are asked counts as one of its own
    cache = AnswerCache(cache_root(), f"judges-{secrets.token_hex(8)}") if run.cache else None
    try:
        return in_event_loop(lambda: _judge_all(asked, evalset, records, run, rubrics, cache))
    finally:
        if cache is not None:
            cache.close()


async def _judge_all(
    specs: Sequence[PairwiseSpec],
    evalset: EvalSet,
    records: Iterable[Record],
    run: JudgeRun,
    rubrics: Sequence[Judged],
    cache: AnswerCache | None,
) -> Judging:
    budget = None if run.budget_usd is None else Budget(run.budget_usd, run.spent_usd)
    timer = MonotonicTimer()
    bench = Bench(
        Parts(
            providers=run.components.providers,
            cost_usd=pricer(run.prices),
            cache=cache,
            budget=budget,
            secrets=tuple(run.secrets | secrets_of(run.components)),
        ),
        ServicePacer(run.execution, timer, run.seed),
        timer,
    )
    found: dict[str, TableBuilder] = {}
    left_out: dict[str, Mapping[Pair, int]] = {}
    facts: list[Mapping[str, JsonValue]] = []
    every: list[PairwiseSpec | RubricSpec] = [*specs, *(rubric.spec for rubric in rubrics)]
    marking = Marking(evalset, records, run.variants, run.seed, run.execution.concurrency)
    try:
        await _open(every, run.components)
        for spec in specs:
            found[spec.id] = TableBuilder.of(
                (variant.id for variant in run.variants),
                (example.id for example in evalset.examples),
            )
            told, left_out[spec.id] = await _judged(
                spec, evalset, records, run, bench, found[spec.id]
            )
            facts.append(told)
        marked = {rubric.spec.id: await marking.marks(rubric, bench) for rubric in rubrics}
    finally:
        await run.components.close()
    return Judging(
        builders=found,
        verdicts={name: verdicts for name, (verdicts, _) in marked.items()},
        left_out=left_out,
        facts=tuple(facts),
        rubric_facts=tuple(told for _, told in marked.values()),
        warnings=(*family_warnings(every, run.variants), *_lost_warnings(left_out)),
    )


async def _judged(
    spec: PairwiseSpec,
    evalset: EvalSet,
    records: Iterable[Record],
    run: JudgeRun,
    bench: Bench,
    builder: TableBuilder,
) -> tuple[dict[str, JsonValue], Mapping[Pair, int]]:
    """Judge one comparison; returns its facts, and the pairs that were left out."""
    began_s = perf_counter()
    examples = evalset.examples
    ids = [example.id for example in examples]
    pairs = pairs_of([variant.id for variant in run.variants], run.baseline, spec.pairs)
    duels = duels_of(records, ids, pairs, run.repeats)
    judges = [bench.judge(judge, spec) for judge in spec.judges]
    panel = Panel(judges, examples, run.seed)
    asked = asked_of(duels.duels, ids, spec, run.seed)
    await panel.judge(asked, builder, run.execution.concurrency)
    facts: dict[str, JsonValue] = {
        "id": spec.id,
        "judges": [
            bench.facts(judge, ready.prompt.sha256, panel.tallies[judge.id])
            for judge, ready in zip(spec.judges, judges, strict=True)
        ],
        "left_out": [{"pair": list(pair), "n": n} for pair, n in duels.left_out.items()],
        "wall_s": perf_counter() - began_s,
    }
    return facts, duels.left_out


async def _open(specs: Sequence[PairwiseSpec | RubricSpec], components: Components) -> None:
    """Have the clients of the judges' models imported.

    Raises:
        InputError: naming each that cannot be opened.
    """
    problems = []
    for key, provider in components.providers.items():
        try:
            await provider.open()
        except ServiceError as error:
            judges = [j for spec in specs for j in spec.judges if j.model.provider.key == key]
            named = ", ".join(judge.id for judge in judges)
            what = f"{named}: the judge's provider cannot be opened: {error.message}"
            problems.append(Problem(judges[0].model.provider.where() if judges else "", what))
    if problems:
        raise InputError(problems)


def family_warnings(
    specs: Iterable[PairwiseSpec | RubricSpec], variants: Iterable[Variant]
) -> list[str]:
    """Judges that are of one family with a system whose answers they judge."""
    families = [(variant.id, found) for variant in variants for found in _families(variant)]
    told: dict[str, None] = {}
    for judge in (judge for spec in specs for judge in spec.judges):
        own = family(judge.model.name)
        for variant, found in families:
            if own and own == found:
                told[
                    f"the judge {judge.id} and the variant {variant} are of one family ({own}): "
                    "judges favour their own"
                ] = None
    return list(told)


def _families(variant: Variant) -> set[str]:
    """Those of all models that may have written a variant's answers."""
    if isinstance(variant, RecordedVariant):
        stated = variant.facts.get("model")
        return {family(stated)} if isinstance(stated, str) else set()
    writers = [
        task.model.name
        for inner in variant.variants()
        for name, task in inner.subtasks()
        if name in {"generate", "draft"}
    ]
    return {family(name) for name in writers}


def _lost_warnings(left_out: Mapping[str, Mapping[Pair, int]]) -> Iterator[str]:
    for comparison, counts in left_out.items():
        for (first, second), n in counts.items():
            yield (
                f"{comparison}: {n} pairs of answers of {first} and {second} are not judged: an "
                "answer was lost to the infrastructure"
            )
