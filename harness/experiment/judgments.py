"""Verdicts that were given elsewhere, analysed by themselves: no outputs, no run folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.comparison.judged import judged_comparison
from harness.comparison.judged_queue import Queued, queue_of
from harness.config.evalset import load_evalset
from harness.config.examples import read_examples
from harness.config.findings import Findings
from harness.config.verdicts import Reading
from harness.core.example import Example
from harness.core.experiment import Analysis
from harness.core.judged import JudgedComparison
from harness.core.judging import Judged
from harness.errors import InputError, Problem
from harness.experiment.judged_again import panels_of
from harness.experiment.judged_run import compared
from harness.experiment.judged_setup import read_judged
from harness.experiment.subject import analysis_of
from harness.files import write_atomically
from harness.storage.labels import LABELS, read_labels
from harness.storage.run_folder import load_run
from harness.storage.text import json_text


@dataclass(frozen=True, slots=True)
class Analysed:
    """Verdicts, of a run those of every judged comparison, and what they come to."""

    judged: tuple[Judged, ...]
    comparison: JudgedComparison


def analyse(
    files: Sequence[Path],
    reading: Reading,
    analysis: Analysis,
    evalset: Path | None = None,
    baseline: str | None = None,
) -> Analysed:
    """All figures of the verdicts in `files`.

    Raises:
        InputError: with everything that is wrong with them, or with the examples.
    """
    examples = _examples(evalset) if evalset is not None else ()
    judged = read_judged(files, reading, examples, baseline=baseline)
    return Analysed((judged,), judged_comparison(judged, analysis))


def analyse_run(folder: Path) -> Analysed:
    """A finished run's verdicts, with what reviewers have said since.

    Raises:
        InputError: if it is no finished run, or nothing was judged in it.
    """
    run = load_run(folder)
    panels = panels_of(run, read_labels(folder / LABELS))
    if not panels:
        hint = "add judges to its config (pairwise:), or let people look: harness review RUN"
        raise InputError(Problem(str(folder), "nothing was judged in this run", hint))
    analysis = analysis_of(run.manifest)
    facts = run.manifest.get("judging", ())
    return Analysed(tuple(one.judged for one in panels), compared(panels, analysis, facts))


def write_queue(found: Analysed, path: Path) -> int:
    """Write the examples most worth a look, best first; returns how many.

    Raises:
        InputError: if it is neither a .jsonl nor a .csv file.
        OSError: if it cannot be written.
    """
    queued = queue_of(*found.judged)
    if path.suffix == ".jsonl":
        write_atomically(path, "".join(f"{json_text(_as_row(one))}\n" for one in queued))
    elif path.suffix == ".csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(_as_row(_EMPTY)), lineterminator="\n")
        writer.writeheader()
        writer.writerows({**_as_row(one), "reasons": "; ".join(one.reasons)} for one in queued)
        write_atomically(path, text.getvalue())
    else:
        raise InputError(Problem("--queue", f"{path} is neither .jsonl nor .csv"))
    return len(queued)


_EMPTY = Queued("", "", "", (), 0.0)


def _as_row(one: Queued) -> dict[str, object]:
    """In the shape of a vote whose verdict is yet to be given."""
    return {
        "id": one.example,
        "model_a": one.first,
        "model_b": one.second,
        "winner": None,
        "score": round(one.score, 6),
        "reasons": list(one.reasons),
    }


def _examples(path: Path) -> tuple[Example, ...]:
    if path.is_dir():
        return load_evalset(path).examples
    findings = Findings(path)
    examples = read_examples(path, {}, (), findings)
    findings.raise_if_any()
    return examples
