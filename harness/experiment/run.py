"""From a config to a finished run folder: the whole walk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.comparison.compare import compare
from harness.core.record import Record
from harness.core.run import RunData
from harness.experiment.clock import SystemClock
from harness.experiment.frames import Run
from harness.experiment.live import LiveRun, Progress, answer_all
from harness.experiment.manifest import manifest_of
from harness.experiment.prepare import Options, Prepared, in_run_order, prepare
from harness.experiment.renderings import renderings
from harness.experiment.subject import subject_of
from harness.ports import Clock
from harness.scoring.pointwise import score_records
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

    No folder is left then.
    """
    options, clock = options or Options(), clock or SystemClock()
    started = clock.now_iso()
    ready = prepare(config, options)
    experiment, evalset = ready.experiment, ready.evalset
    ids = tuple(variant.id for variant in ready.variants)
    with new_run_folder(options.out or Path("reports") / experiment.name, started) as folder:
        records = in_run_order(evalset, ids, [*ready.records, *_answered(ready, progress)])
        manifest = manifest_of(ready, options, folder.name, started)
        scores = score_records(evalset, ids, experiment.repeats, records, ready.scorers)
        comparison = compare(
            subject_of(manifest, evalset.examples, records, scores, ready.warnings)
        )
        manifest["finished"] = clock.now_iso()
        data = RunData(manifest, evalset.examples, records, scores, comparison)
        write_run(folder, data, renderings(data))
    return Run(folder, data)


def _answered(ready: Prepared, progress: Progress | None) -> list[Record]:
    """The records of the live variants, which are run now."""
    experiment = ready.experiment
    if not experiment.live:
        return []
    return answer_all(
        LiveRun(
            variants=experiment.live,
            evalset=ready.evalset,
            repeats=experiment.repeats,
            seed=experiment.analysis.seed,
            execution=experiment.execution,
            components=ready.setup.components,
            prices=ready.setup.prices,
        ),
        progress,
    )


def run_config(  # noqa: PLR0913  keywords, as the command line's flags
    config: str | Path,
    *,
    limit: int | None = None,
    variants: Sequence[str] | None = None,
    repeats: int | None = None,
    seed: int | None = None,
    concurrency: int | None = None,
    out: str | Path | None = None,
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

    Raises:
        InputError: if anything that the experiment needs is wrong.
        ServiceDownError: if a service has answered none of its first calls.
    """
    options = Options(
        limit=limit,
        variants=None if variants is None else tuple(variants),
        repeats=repeats,
        seed=seed,
        concurrency=concurrency,
        out=None if out is None else Path(out),
    )
    return run_experiment(Path(config), options)
