"""What `run` and `compare` print when they are done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.cli.output import say, say_json, say_raw, warn

if TYPE_CHECKING:
    from harness.experiment.frames import Run


def print_finished(run: Run, *, as_json: bool) -> None:
    """The summary and where the report is; with `as_json`, the comparison and the folder."""
    from harness.reporting import terminal

    for text in run.comparison.warnings:
        warn(text)
    if as_json:
        say_json({"run": str(run.path), "comparison": run.comparison.model_dump(mode="json")})
        return
    say_raw(terminal.render(run.data))
    say(f"report: {run.path / 'report.html'}")
