"""`harness init`."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import note, say
from harness.errors import InputError, Problem


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Where to; this folder if left out.")
    ] = Path(),
) -> None:
    """Write a small working experiment to start from."""
    with as_file(files("harness.cli") / "scaffold") as scaffold:
        sources = {
            path.relative_to(scaffold): path.read_bytes()
            for path in sorted(scaffold.rglob("*"))
            if path.is_file() and path.suffix in {".yaml", ".jsonl", ".j2"}
        }
    taken = [folder / name for name in sources if (folder / name).exists()]
    if taken:
        hint = "choose an empty folder: harness init DIR"
        raise InputError([Problem(str(path), "exists already", hint) for path in taken])
    for name, content in sources.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("xb") as file:
            file.write(content)
        say(str(folder / name))
    go = "" if folder == Path() else f"cd {folder} && "
    note(f"next: {go}harness freeze evalsets/tickets && harness run configs/tickets.yaml")
    note("then, with a model of your own: configs/live.yaml")
