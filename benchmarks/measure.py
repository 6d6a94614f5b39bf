"""What the benchmarks share: a measured command, medians, a table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from subprocess import PIPE
from typing import Any

PYTHON = sys.executable
HARNESS = str(Path(PYTHON).parent / "harness")
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds by the clock and of CPU (all threads), MB resident.

    MB are 2^20 bytes, as the peers' kit counts them.
    """

    wall_s: float
    cpu_s: float
    peak_rss_mb: float


def measured(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    *,
    check: bool = True,
) -> tuple[Cost, str]:
    """Run `command` in `folder`; what it took, and what it printed.

    Raises:
        RuntimeError: if it fails and is to be checked, with the end of what it said.
    """
    if environment is None:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    said = folder / "said.txt"
    with said.open("w+") as out:
        watch = [PYTHON, "-S", str(HERE / "watch.py"), *command]
        watched = subprocess.run(
            watch, cwd=folder, stdout=PIPE, stderr=out, env=environment, text=True, check=True
        )
    found, text = json.loads(watched.stdout), said.read_text()
    if found["exit"] and check:
        raise RuntimeError(f"{command} ended with {found['exit']}:\n{text[-2000:]}")
    return Cost(found["wall_s"], found["cpu_s"], found["peak_rss_mb"]), text


def middle(costs: Iterable[Cost]) -> Cost:
    """Medians, field by field."""
    rows = [asdict(cost) for cost in costs]
    return Cost(**{name: median(row[name] for row in rows) for name in rows[0]})


def last_json(text: str) -> Any:
    """The JSON value on the last line of what a script printed."""
    return json.loads(text.strip().splitlines()[-1])


def show(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """A table on stdout, a line per row; numbers with three significant figures."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([_cell(row.get(name, "")) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    print(f"\n{title}")
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))


def conditions() -> dict[str, Any]:
    """What the figures hang on besides the code."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "python": sys.version.split()[0],
        "cores": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 2),
    }


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)
