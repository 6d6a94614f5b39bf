"""`harness report`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from harness.cli.output import note, say, say_json, say_raw


class Format(StrEnum):
    """The renderings of a run."""

    HTML = "html"
    MD = "md"
    JUNIT = "junit"
    JSON = "json"


def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or a run's name.")],
    form: Annotated[
        Format, typer.Option("--format", help="html writes the page anew; the others print.")
    ] = Format.HTML,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser.")
    ] = False,
) -> None:
    """Render a finished run.

    Writes the run folder's page anew and prints where it is, or prints another form of it.
    """
    from harness.experiment.frames import load_run
    from harness.experiment.renderings import render_again
    from harness.reporting import junit, markdown

    found = load_run(run)
    if form is Format.JSON:
        say_json(found.comparison.model_dump(mode="json"))
    elif form is Format.MD:
        say_raw(markdown.render(found.data))
    elif form is Format.JUNIT:
        say_raw(junit.render(found.data))
    else:
        page = render_again(found.path, found.data)
        say(str(page))
    if open_page:
        import webbrowser

        page = found.path / "report.html"
        if not webbrowser.open(page.resolve().as_uri()):
            note(f"no browser to open {page} with")
