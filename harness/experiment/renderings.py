"""The files that people and CI read, from one result object."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TextIO

from harness.core.run import RunData
from harness.files import write_atomically
from harness.reporting import html, junit, markdown

REPORT = "report.html"


def get_ready() -> None:
    """Compile the page's template. Before the trials, so that they use its memory again."""
    html.template()


def renderings(run: RunData) -> dict[str, str | Callable[[TextIO], None]]:
    """`report.html`, `report.md` and `junit.xml` of a run, by file name.

    The page, which holds every output, is made while it is being written.
    """
    return {
        REPORT: partial(html.write, run),
        "report.md": markdown.render(run),
        "junit.xml": junit.render(run),
    }


def render_again(folder: Path, run: RunData) -> Path:
    """Write a run's renderings anew, after its verdict changed; returns the page's path."""
    for name, text in renderings(run).items():
        write_atomically(folder / name, text)
    return folder / REPORT
