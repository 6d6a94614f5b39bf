"""`harness judgments`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from harness.errors import InputError, Problem

_PAIRS = "NAME=PATTERN"


_Files: TypeAlias = Annotated[
    list[Path],
    typer.Argument(metavar="FILE...", help="Verdicts or votes on pairs of answers; or a run."),
]
_Evalset: TypeAlias = Annotated[
    Path | None,
    typer.Option("--evalset", help="The examples: a frozen set's folder, or a file of them."),
]
_Baseline: TypeAlias = Annotated[
    str | None, typer.Option("--baseline", help="The variant to hold the others against.")
]
_Panel: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--panel", metavar=_PAIRS, help="Judges whose verdicts count as one."),
]
_Humans: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--humans", metavar="PATTERN", help="Judges who are people: 'expert_*'."),
]
_Labels: TypeAlias = Annotated[
    str | None,
    typer.Option("--labels", help="What is right: a field such as target.better, or a file."),
]
_MinAgreement: TypeAlias = Annotated[
    float | None,
    typer.Option("--min-agreement", min=0, max=1, help="Of a judge that can be trusted."),
]
_Where: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="FIELD=VALUE", help="Only such verdicts: 'turn=1'."),
]
_Field: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--field", metavar="OURS=THEIRS", help="What the file calls a field."),
]
_LengthControl: TypeAlias = Annotated[
    bool, typer.Option("--length-control", help="Also tell win rates at equal lengths.")
]
_Difficulty: TypeAlias = Annotated[
    str | None,
    typer.Option("--difficulty", metavar="FIELD", help="A number of every example."),
]
_LengthRows: TypeAlias = Annotated[
    Path | None,
    typer.Option("--length-rows", help="The baseline asked to be short and long."),
]
_LengthConstants: TypeAlias = Annotated[
    Path | None, typer.Option("--length-constants", help="The sums over these rows (JSON).")
]
_Seed: TypeAlias = Annotated[int, typer.Option("--seed", min=0, help="Of the resampling.")]
_Queue: TypeAlias = Annotated[
    Path | None,
    typer.Option("--queue", help="Write the examples most worth a look (.jsonl or .csv)."),
]
_AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print everything as one JSON object.")
]


def judgments(
    files: _Files,
    evalset: _Evalset = None,
    baseline: _Baseline = None,
    panel: _Panel = None,
    humans: _Humans = None,
    labels: _Labels = None,
    min_agreement: _MinAgreement = None,
    where: _Where = None,
    field: _Field = None,
    length_control: _LengthControl = False,
    difficulty: _Difficulty = None,
    length_rows: _LengthRows = None,
    length_constants: _LengthConstants = None,
    seed: _Seed = 0,
    queue: _Queue = None,
    as_json: _AsJson = False,
) -> None:
    """Analyse verdicts given elsewhere: win rates, rankings, and how good the judges are."""
    from harness.cli.output import say, say_json, say_raw
    from harness.config.verdicts import Reading
    from harness.core.experiment import Analysis, PrimaryFigure
    from harness.experiment.judgments import analyse, analyse_run, write_queue
    from harness.reporting.terminal_judged import render

    is_file = labels is not None and Path(labels).suffix in {".jsonl", ".csv", ".parquet"}
    reading = Reading(
        fields=_named(field, "--field"),
        where=_named(where, "--where"),
        panels=_panels(panel),
        humans=tuple(humans or ()),
        labels=Path(labels) if labels and is_file else labels,
        min_agreement=min_agreement,
        length_control=length_control or difficulty is not None or length_rows is not None,
        difficulty=difficulty,
        rows=length_rows,
        constants=length_constants,
    )
    analysis = Analysis((PrimaryFigure("win_rate"),), seed=seed)
    run = _run_among(files)
    found = (
        analyse(files, reading, analysis, evalset, baseline) if run is None else analyse_run(run)
    )
    if as_json:
        say_json(found.comparison.model_dump(mode="json"))
    else:
        say_raw(render(found.comparison))
    if queue is not None:
        n = write_queue(found, queue)
        if not as_json:
            say(f"queue: {queue} ({n} examples)")


def _run_among(files: list[Path]) -> Path | None:
    """The run that is named instead of files.

    Raises:
        InputError: if runs and files are mixed, or there is no such run.
    """
    from harness.storage.find import find_run

    if all(file.suffix and not file.is_dir() for file in files):
        return None
    if len(files) > 1:
        hint = "give verdict files, or one run"
        raise InputError(Problem("FILE", "a run is analysed by itself", hint))
    return find_run(str(files[0]))


def _named(given: list[str] | None, flag: str) -> dict[str, str]:
    """`a=b` pairs.

    Raises:
        InputError: naming those that are none.
    """
    pairs = [text.partition("=") for text in given or ()]
    wrong = [
        Problem(flag, f"'{name}{sign}{value}' is no NAME=VALUE")
        for name, sign, value in pairs
        if not (name and sign and value)
    ]
    if wrong:
        raise InputError(wrong)
    return {name: value for name, _, value in pairs}


def _panels(given: list[str] | None) -> dict[str, tuple[str, ...]]:
    panels: dict[str, tuple[str, ...]] = {}
    for text in given or ():
        ((name, pattern),) = _named([text], "--panel").items()
        panels[name] = (*panels.get(name, ()), *pattern.split(","))
    return panels
