"""From a config to a finished run folder: the whole walk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.comparison.compare import compare
from harness.core.record import Record, Status
from harness.core.run import RunData
from harness.errors import ServiceDownError, StoppedRunError
from harness.experiment.clock import SystemClock
from harness.experiment.frames import Run
from harness.experiment.live import LiveRun, Progress, answer_all
from harness.experiment.manifest import manifest_of
from harness.experiment.prepare import Options, Prepared, in_run_order, prepare
from harness.experiment.renderings import renderings
from harness.experiment.resume import check_unchanged, finished, header_of, resumed_options
from harness.experiment.subject import subject_of
from harness.ports import Clock
from harness.scoring.pointwise import score_records
from harness.storage.find import find_stopped
from harness.storage.journal import Journal, create, reopen
from harness.storage.run_folder import new_run_folder, write_run


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
    root = options.out or Path("reports") / ready.experiment.name
    with new_run_folder(root, started) as folder:
        if not ready.experiment.live:
            return _finished(ready, options, clock, folder, {"started": started}, ready.records)
        with create(folder, header_of(ready, options, started)) as journal:
            return _live(ready, options, clock, journal, progress)


def _resumed(config: Path, options: Options, clock: Clock, progress: Progress | None) -> Run:
    """Go on with a run that was stopped."""
    with reopen(find_stopped(options.resume or "")) as journal:
        options = resumed_options(options, journal)
        ready = prepare(config, options)
        check_unchanged(ready, journal)
        journal.note("resumed", {"at": clock.now_iso()})
        return _live(ready, options, clock, journal, progress)


def _live(
    ready: Prepared, options: Options, clock: Clock, journal: Journal, progress: Progress | None
) -> Run:
    """Run what is left of the live trials; the journal goes when none was lost."""
    experiment, folder = ready.experiment, journal.path.parent
    run = LiveRun(
        variants=experiment.live,
        evalset=ready.evalset,
        repeats=experiment.repeats,
        seed=experiment.analysis.seed,
        execution=experiment.execution,
        components=ready.setup.components,
        prices=ready.setup.prices,
    )
    done = finished(journal)
    try:
        answered = answer_all(run, journal, done, progress)
    except (KeyboardInterrupt, ServiceDownError, OSError) as error:
        n_kept = len(done) + journal.n_added
        if not n_kept:
            journal.remove()
            raise
        raise StoppedRunError(str(folder), n_kept, run.n_trials) from error
    except BaseException:
        if not journal.entries and not journal.n_added:
            journal.remove()
        raise
    begun = {"started": journal.header["started"], "command": journal.header["command"]}
    facts = {**begun, "events": journal.events}
    run_ = _finished(ready, options, clock, folder, facts, [*ready.records, *answered])
    if not any(record.status is Status.INFRASTRUCTURE_FAILURE for record in answered):
        journal.remove()
    return run_


def _finished(
    ready: Prepared,
    options: Options,
    clock: Clock,
    folder: Path,
    facts: Mapping[str, Any],
    found: Iterable[Record],
) -> Run:
    """Score and compare all records, and write the run's folder."""
    experiment, evalset = ready.experiment, ready.evalset
    ids = tuple(variant.id for variant in ready.variants)
    records = in_run_order(evalset, ids, found)
    manifest = {**manifest_of(ready, options, folder.name, facts["started"]), **facts}
    scores = score_records(evalset, ids, experiment.repeats, records, ready.scorers)
    comparison = compare(subject_of(manifest, evalset.examples, records, scores, ready.warnings))
    manifest["finished"] = clock.now_iso()
    data = RunData(manifest, evalset.examples, records, scores, comparison)
    write_run(folder, data, renderings(data))
    return Run(folder, data)


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

    Raises:
        InputError: if anything that the experiment needs is wrong.
        ServiceDownError: if a service has answered none of its first calls.
        StoppedRunError: if it was stopped when some trials had ended.
    """
    options = Options(
        limit=limit,
        variants=None if variants is None else tuple(variants),
        repeats=repeats,
        seed=seed,
        concurrency=concurrency,
        out=None if out is None else Path(out),
        resume=None if resume is None else str(resume),
    )
    return run_experiment(Path(config), options)
