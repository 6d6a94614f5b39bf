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
from harness.core.chat import Message, ServiceError
from harness.core.example import EvalSet
from harness.core.experiment import Execution
from harness.core.judging import TableBuilder
from harness.core.pairwise import JudgeSpec, PairwiseSpec, Rubric
from harness.core.prices import PriceBook
from harness.core.record import Record, Stage
from harness.core.values import JsonValue
from harness.core.variant import LiveVariant, Prompt, Subtask, Template
from harness.errors import InputError, Problem
from harness.execution.budget import Budget
from harness.execution.pacing import ServicePacer
from harness.execution.run import MonotonicTimer, in_event_loop
from harness.experiment.components import Components
from harness.experiment.indexes import cache_root
from harness.experiment.judge_checks import asked_model, schema_of
from harness.experiment.pricing import pricer
from harness.experiment.readiness import secrets_of
from harness.judging.families import family
from harness.judging.pairs import Pair, asked_of, duels_of, pairs_of
from harness.judging.panel import Ask, Judge, Panel, Reply, Tally
from harness.judging.prompt import JudgePrompt
from harness.ports import Pacer
from harness.storage.answers import AnswerCache
from harness.system.asking import Asker, Question
from harness.system.log import TrialLog
from harness.system.parts import Parts
from harness.system.redaction import Redactor

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
    """What the judges said: the verdicts by the id of their comparison.

    `left_out` counts, by comparison and pair, what was not judged because an answer was lost to the
    infrastructure. `facts` are for the manifest, `warnings` for whoever reads the figures.
    """

    builders: Mapping[str, TableBuilder] = field(default_factory=dict)
    left_out: Mapping[str, Mapping[Pair, int]] = field(default_factory=dict)
    facts: tuple[Mapping[str, JsonValue], ...] = ()
    warnings: tuple[str, ...] = ()


def judge_all(
    entries: Sequence[PairwiseSpec], evalset: EvalSet, records: Iterable[Record], run: JudgeRun
) -> Judging:
    """Have every pair of answers judged by the judges of every comparison that has any.

    Args:
        entries: the judged comparisons; those of recorded verdicts are passed over.
        evalset: the examples that were run.
        records: of all trials.
        run: what is judged, and with what.

    Raises:
        InputError: if a judge's client cannot be opened; none has been asked then.
        BudgetReachedError: if the next call could exceed the budget.
        ServiceDownError: if a judge's service has answered none of its first calls.
        OSError: if the answers kept between runs cannot be read or written.
    """
    asked = [spec for spec in entries if spec.judges]
    if not asked:
        return Judging()
    kept = list(records)
    # a run reads what others have written: each time judges are asked counts as one of its own
    cache = AnswerCache(cache_root(), f"judges-{secrets.token_hex(8)}") if run.cache else None
    try:
        return in_event_loop(lambda: _judge_all(asked, evalset, kept, run, cache))
    finally:
        if cache is not None:
            cache.close()


async def _judge_all(
    specs: Sequence[PairwiseSpec],
    evalset: EvalSet,
    records: Sequence[Record],
    run: JudgeRun,
    cache: AnswerCache | None,
) -> Judging:
    budget = None if run.budget_usd is None else Budget(run.budget_usd, run.spent_usd)
    timer = MonotonicTimer()
    bench = _Bench(
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
    try:
        await _open(specs, run.components)
        for spec in specs:
            found[spec.id] = TableBuilder.of(
                (variant.id for variant in run.variants),
                (example.id for example in evalset.examples),
            )
            told, left_out[spec.id] = await _judged(
                spec, evalset, records, run, bench, found[spec.id]
            )
            facts.append(told)
    finally:
        await run.components.close()
    warnings = (*family_warnings(specs, run.variants), *_lost_warnings(left_out))
    return Judging(found, left_out, tuple(facts), warnings)


async def _judged(
    spec: PairwiseSpec,
    evalset: EvalSet,
    records: Sequence[Record],
    run: JudgeRun,
    bench: _Bench,
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
            _judge_facts(judge, ready, panel.tallies[judge.id], bench)
            for judge, ready in zip(spec.judges, judges, strict=True)
        ],
        "left_out": [{"pair": list(pair), "n": n} for pair, n in duels.left_out.items()],
        "wall_s": perf_counter() - began_s,
    }
    return facts, duels.left_out


@dataclass(frozen=True, slots=True)
class _Bench:
    """What judges are made ready with."""

    parts: Parts
    pacer: Pacer
    timer: MonotonicTimer

    def judge(self, judge: JudgeSpec, spec: PairwiseSpec) -> Judge:
        """A judge, ready to be asked."""
        rubric = spec.rubric or Rubric("", {})  # the config has seen to one
        prompt = JudgePrompt(rubric, spec.show, judge.verdict, judge.prompt)
        return Judge(judge.id, prompt, judge.verdict, self._ask(judge))

    def _ask(self, judge: JudgeSpec) -> Ask:
        choice = asked_model(judge)
        subtask = Subtask(choice, Prompt(None, Template(judge.id, "")))
        asker = Asker(subtask, self.parts, self.pacer)
        schema = schema_of(judge, self.parts.providers[choice.provider.key])
        redactor = Redactor(self.parts.secrets)

        async def ask(messages: tuple[Message, ...], repeat: int) -> Reply:
            log = TrialLog(self.timer, repeat)
            ended = await asker.call(log, Stage.GENERATE, Question(messages, schema=schema))
            (step,) = ended.steps
            if ended.value is None:
                error = ended.error
                reason = f"{error.kind}: {error.message}" if error else ""
                return Reply(None, step.cost_usd, reason=redactor.text(reason))
            answer = redactor.completion(ended.value)
            latency_s = None if log.cached else step.latency_s
            return Reply(answer, step.cost_usd, latency_s, cached=log.cached)

        return ask


async def _open(specs: Sequence[PairwiseSpec], components: Components) -> None:
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


def _judge_facts(
    judge: JudgeSpec, ready: Judge, tally: Tally, bench: _Bench
) -> dict[str, JsonValue]:
    """What a judge is, for the manifest, and what it took."""
    provider = bench.parts.providers[judge.model.provider.key]
    return {
        "id": judge.id,
        "model": judge.model.id,
        "params": dict(asked_model(judge).params),
        "identity": dict(provider.identity),
        "served_models": sorted(tally.served),
        "verdict": judge.verdict,
        "structured": schema_of(judge, provider) is not None,
        "prompt_sha256": ready.prompt.sha256,
        "n_calls": tally.n_calls,
        "n_cached": tally.n_cached,
        "n_unparsed": tally.n_unparsed,
        "n_decided": tally.n_decided,
        "n_unknown_cost": tally.n_unknown,
        "cost_usd": None if tally.n_unknown else tally.cost_usd,
        "avoided_usd": tally.avoided_usd,
        "latency_s": tally.latency_s,
    }


def family_warnings(specs: Iterable[PairwiseSpec], variants: Iterable[Variant]) -> list[str]:
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
