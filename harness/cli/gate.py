"""`harness gate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.output import say, say_json, say_raw, warn

if TYPE_CHECKING:
    from harness.core.verdict import Verdict


def gate(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or a run's name.")],
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="NAME|PATH",
            help="What to compare with: a saved baseline by its name, or another run by its "
            "path. Without it, the run's own baseline variant.",
        ),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="Without it, the experiment's own."),
    ] = None,
    markdown_file: Annotated[
        Path | None,
        typer.Option("--markdown", metavar="FILE", help="Write a pull-request comment."),
    ] = None,
    junit_file: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the verdict as one JSON object.")
    ] = False,
) -> int:
    """Hold a run against a release policy.

    Exit codes: 0 pass, 1 regression, 4 inconclusive, 2 wrong input.
    """
    from harness.experiment.gate import gate_run
    from harness.storage.find import find_baseline, find_run

    judged = gate_run(find_run(run), None if baseline is None else find_baseline(baseline), policy)
    _write_files(judged.path, markdown_file, junit_file)
    verdict = judged.verdict
    assert verdict is not None  # noqa: S101  gate_run gave it
    if verdict.outcome == "inconclusive" and verdict.exit_code == 0:
        warn("inconclusive: the policy says on_inconclusive: warn, so this does not block")
    if as_json:
        say_json(verdict.model_dump(mode="json"))
    else:
        from harness.reporting import terminal

        say(_systems(verdict))
        say_raw(terminal.render_gate(judged.data))
        say(f"report: {judged.path / 'report.html'}")
    return verdict.exit_code


def _systems(verdict: Verdict) -> str:
    """Which two systems the verdict is about."""
    baseline = verdict.baseline.removeprefix(f"{verdict.baseline_run_id}:")
    if verdict.run_id == verdict.baseline_run_id:
        return f"{verdict.candidate} against {baseline}, both of run {verdict.run_id}"
    return (
        f"{verdict.candidate} of run {verdict.run_id} against {baseline} "
        f"of run {verdict.baseline_run_id}"
    )


def _write_files(folder: Path, markdown_file: Path | None, junit_file: Path | None) -> None:
    """Copies of the renderings that the gate has just made."""
    import shutil

    for wanted, name in ((markdown_file, "report.md"), (junit_file, "junit.xml")):
        if wanted is not None:
            wanted.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, wanted)
