"""From a config to a finished run folder: the whole walk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.comparison.compare import compare
from harness.core.record import Record
from harness.core.run import RunData
from harness.core.slots import Slots
from harness.core.values import JsonValue
from harness.errors import BudgetReachedError, ServiceDownError, StoppedRunError
from harness.experiment.budgeting import check_budget
from harness.experiment.clock import SystemClock
from harness.experiment.ended import EndedTrials
from harness.experiment.frames import Run
from harness.experiment.judge import JudgeRun, Judging, judge_all
from harness.experiment.judged_run import (
    compared,
    live_panels,
    panel_facts,
    tables_of,
)
from harness.experiment.live import Answered, LiveRun, answer_all
from harness.experiment.manifest import manifest_of
from harness.experiment.prepare import Options, Prepared, prepare
from harness.experiment.readiness import secrets_of
from harness.experiment.records import MergedRecords
from harness.experiment.renderings import get_ready, renderings
from harness.experiment.resume import check_unchanged, header_of, resumed_facts, resumed_options
from harness.experiment.rubrics import judged_of
from harness.experiment.subject import subject_of
from harness.ports import Clock, Progress, Scorer
from harness.registry import judged_scorers
from harness.scoring.pointwise import score_records
from harness.scoring.trials import TrialColumns
from harness.storage.find import find_stopped
from harness.storage.journal import Journal, create, reopen
from harness.storage.run_folder import new_run_folder, write_run
from harness.storage.tables import TRIALS, TrialFile


def run_experiment(
    config: Path,
    options: Options | None = None,
    clock: Clock | None = None,
    progress: Progress | None = None,
) -> Run:
    """Run and compare the variants of the experiment at `config`, and write a run folder.

    Args:
        config: the experiment's YAML file.
        options: what is changed about this run.
        clock: tells when it started and ended.
        progress: is told of every live trial that ended.

    Raises:
        InputError: if anything that the experiment needs is wrong.
        ServiceDownError: if a service has answered none of its first calls.
        StoppedRunError: if it was stopped when some trials had ended.

    No folder is left then, but by a run that was stopped: that can be resumed.
    """
    options, clock = options or Options(), clock or SystemClock()
    started = clock.now_iso()
    if options.resume is not None:
        return _resumed(config, options, clock, progress)
    ready = prepare(config, options)
    check_budget(ready, options.budget_usd)
    root = options.out or Path("reports") / ready.experiment.name
    with new_run_folder(root, started) as folder:
        if not ready.experiment.live:
            manifest = manifest_of(ready, options, folder.name, started)
            return _finished(ready, options, clock, folder, manifest)
        with create(folder, header_of(ready, options, started)) as journal:
            return _live(ready, options, clock, journal, progress)


def _resumed(config: Path, options: Options, clock: Clock, progress: Progress | None) -> Run:
    """Go on with a run that was stopped."""
    with reopen(find_stopped(options.resume or "")) as journal:
        options = resumed_options(options, journal)
        ready = prepare(config, options)
        check_unchanged(ready, journal)
        check_budget(ready, options.budget_usd)
        journal.note("resumed", resumed_facts(ready, options, clock.now_iso()))
        return _live(ready, options, clock, journal, progress)


def _live(
    ready: Prepared, options: Options, clock: Clock, journal: Journal, progress: Progress | None
) -> Run:
    """Run what is left of the live trials; the journal goes when none was lost."""
    get_ready()
    answered = _answered(ready, options, journal, progress)
    header = journal.header
    options = replace(options, command=tuple(header["command"]))
    how = {"execution": answered.facts, "events": _told(journal)}
    manifest = manifest_of(ready, options, journal.run_id, header["started"], how)
    found = _finished(ready, options, clock, journal.path.parent, manifest, answered)
    if not answered.n_lost:
        journal.remove()
    return found


def _told(journal: Journal) -> list[dict[str, JsonValue]]:
    """What befell a run, for its manifest, which has the measurements elsewhere."""
    return [event for event in journal.events if event["event"] not in {"sentinel", "ended"}]


def _answered(
    ready: Prepared, options: Options, journal: Journal, progress: Progress | None
) -> Answered:
    """What all live trials left; without any that ended, no journal is left on an error."""
    experiment = ready.experiment
    run = LiveRun(
        variants=experiment.live,
        evalset=ready.evalset,
        repeats=experiment.repeats,
        seed=experiment.analysis.seed,
        execution=experiment.execution,
        components=ready.setup.components,
        prices=ready.setup.prices,
        cache=options.cache,
        budget_usd=options.budget_usd,
    )
    ids = [variant.id for variant in experiment.live]
    examples = [example.id for example in ready.evalset.examples]
    ended = EndedTrials(journal, Slots.of(ids, examples, experiment.repeats))
    try:
        return answer_all(run, ended, progress)
    except BaseException as error:
        n_done = ended.n_done
        if not n_done:
            journal.remove()
        elif isinstance(error, KeyboardInterrupt | BudgetReachedError | ServiceDownError | OSError):
            raise StoppedRunError(str(journal.path.parent), n_done, run.n_trials) from error
        raise


def _finished(
    ready: Prepared,
    options: Options,
    clock: Clock,
    folder: Path,
    manifest: dict[str, JsonValue],
    answered: Answered | None = None,
) -> Run:
    """Score and compare all records, and write the run's folder."""
    experiment, evalset = ready.experiment, ready.evalset
    answered = answered or Answered(())
    ids = tuple(variant.id for variant in ready.variants)
    slots = Slots.of(ids, [example.id for example in evalset.examples], experiment.repeats)
    records = MergedRecords(slots, ready.records, answered.records)
    trials = TrialColumns(slots, live=bool(experiment.live))
    passing = trials.seen(records)
    judged = _judged(ready, options, records, answered, folder)
    scorers = _informed(ready.scorers, judged)
    scores = score_records(evalset, ids, experiment.repeats, passing, scorers)
    if judged.facts or judged.rubric_facts:
        manifest["judging"] = [*judged.facts, *judged.rubric_facts]
    warnings = (*ready.warnings, *answered.warnings, *judged.warnings)
    panels = (
        *ready.panels,
        *live_panels(experiment.pairwise, judged.builders, evalset.examples, experiment.baseline),
    )
    if panels:
        manifest["pairwise"] = panel_facts(panels, experiment.pairwise)
    found = compared(panels, experiment.analysis, judged.facts)
    subject = subject_of(manifest, evalset.examples, trials.table(), scores, warnings, found)
    comparison = compare(subject)
    manifest["finished"] = clock.now_iso()
    data = RunData(
        manifest, evalset.examples, records, scores, comparison, judgments=tables_of(panels)
    )
    write_run(folder, data, renderings(data))
    return Run(folder, replace(data, records=TrialFile(folder / TRIALS)))


def _judged(
    ready: Prepared, options: Options, records: Iterable[Record], answered: Answered, folder: Path
) -> Judging:
    """What the judges say of all answers; a run that is stopped meanwhile can be resumed."""
    experiment, setup = ready.experiment, ready.setup
    rubrics = judged_of(setup.rubrics, ready.scorers)
    if not rubrics and not any(spec.judges for spec in experiment.pairwise):
        return Judging()
    run = JudgeRun(
        variants=experiment.variants,
        baseline=experiment.baseline,
        repeats=experiment.repeats,
        seed=experiment.analysis.seed,
        execution=experiment.execution,
        components=setup.judges,
        prices=setup.prices,
        secrets=frozenset(secrets_of(setup.components)),
        cache=options.cache,
        budget_usd=options.budget_usd,
        spent_usd=answered.counted_usd,
    )
    try:
        return judge_all(experiment.pairwise, ready.evalset, records, run, rubrics)
    except (KeyboardInterrupt, BudgetReachedError, ServiceDownError, OSError) as error:
        if not experiment.live:
            raise
        n_trials = len(experiment.live) * len(ready.evalset.examples) * experiment.repeats
        n_done = len(answered.records) - answered.n_lost
        raise StoppedRunError(str(folder), n_done, n_trials) from error


def _informed(scorers: Sequence[Scorer], judged: Judging) -> list[Scorer]:
    """The scorers, those that a model judges for with what it said."""
    told = {
        scorer.id: scorer.given(judged.verdicts.get(scorer.id, {}))
        for scorer in judged_scorers(scorers)
    }
    return [told.get(getattr(scorer, "id", ""), scorer) for scorer in scorers]


def run_config(  # noqa: PLR0913  keywords, as the command line's flags
    config: str | Path,
    *,
    limit: int | None = None,
    variants: Sequence[str] | None = None,
    repeats: int | None = None,
    seed: int | None = None,
    concurrency: int | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    cache: bool = True,
    budget_usd: float | None = None,
) -> Run:
    """`harness.run`: compare the variants of the experiment at `config`; returns the run.

    Args:
        config: the experiment's YAML file.
        limit: only the first so many examples by id; a partial run.
        variants: only these, the baseline among them.
        repeats: instead of the config's.
        seed: instead of the config's.
        concurrency: how many live trials run at once, instead of the config's.
        out: the folder for the run's folder, instead of `reports/<name>`.
        resume: the folder or id of a run that was stopped, to go on with.
        cache: whether what earlier runs were answered is not asked for again.
        budget_usd: what calls of models may cost; no call is made that could exceed it.

    Raises:
        InputError: if anything that the experiment needs is wrong.
        ServiceDownError: if a service has answered none of its first calls.
        StoppedRunError: if it was stopped when some trials had ended.
        KeyboardInterrupt: if that was by an interrupt; its note says what is kept.
    """
    options = Options(
        limit=limit,
        variants=None if variants is None else tuple(variants),
        repeats=repeats,
        seed=seed,
        concurrency=concurrency,
        out=None if out is None else Path(out),
        resume=None if resume is None else str(resume),
        cache=cache,
        budget_usd=budget_usd,
    )
    try:
        return run_experiment(Path(config), options)
    except StoppedRunError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            error.__cause__.add_note(str(error))
            raise error.__cause__ from None
        raise
