"""Baselines, `reports/baselines/<name>/`: what a gate needs of a run, and no text of it."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from harness.core.comparison import Comparison
from harness.errors import InputError, Problem
from harness.storage import scores, tables
from harness.storage.files import checked_name, write_json
from harness.storage.find import BASELINES, REPORTS
from harness.storage.run_folder import (
    COMPARISON,
    EXAMPLES,
    SCORES,
    finish,
    load_run,
)


def save_baseline(
    run_folder: Path, name: str, reports: Path = REPORTS, *, replace: bool = False
) -> Path:
    """Copy a finished run to `reports/baselines/<name>`, which `load_run` reads like any run.

    Inputs, targets, outputs, errors, explanations and whatever else can quote them stay behind, so
    a baseline is small and can be committed. Names stay: ids, slices, clusters, classes, and what
    the config says.

    Raises:
        InputError: if the run is unfinished or covers a part of its set only, the name cannot be
            a folder's, or such a baseline exists and `replace` is False.
    """
    target = reports / BASELINES / checked_name(name, "a baseline")
    run = load_run(run_folder)
    if run.manifest.get("partial"):
        hint = "run it again without --limit"
        raise InputError(Problem(str(run_folder), "a partial run cannot be a baseline", hint))
    if target.exists() and not replace:
        hint = "replace it with --replace, or choose another name"
        raise InputError(Problem(str(target), "there is such a baseline already", hint))
    if target.exists() and run_folder.resolve() == target.resolve():
        raise InputError(Problem(str(target), "a baseline cannot replace itself"))
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{name}.{secrets.token_hex(4)}")
    fresh.mkdir()
    try:
        tables.write_trials(
            fresh / tables.TRIALS, run.run_id, run.records, tables.PRIVATE_TRIAL_COLUMNS
        )
        tables.write_examples(fresh / EXAMPLES, run.examples, tables.PRIVATE_EXAMPLE_COLUMNS)
        scores.write_scores(fresh / SCORES, run.scores, texts=False)
        write_json(fresh / COMPARISON, _without_texts(run.comparison).model_dump(mode="json"))
        finish(fresh, {**run.manifest, "baseline_name": name})
        _swap(fresh, target)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return target


def _without_texts(comparison: Comparison) -> Comparison:
    """`comparison` without error kinds and warnings, which may quote the data."""
    variants = (one.model_copy(update={"error_kinds": {}}) for one in comparison.variants)
    return comparison.model_copy(update={"variants": tuple(variants), "warnings": ()})


def _swap(fresh: Path, target: Path) -> None:
    """Put `fresh` in the place of `target`; the old one goes only once the new one stands."""
    if not target.exists():
        fresh.rename(target)
        return
    old = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    target.rename(old)
    try:
        fresh.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
