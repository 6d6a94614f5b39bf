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
from typing import Any

PYTHON = sys.executable
HARNESS = str(Path(PYTHON).parent / "harness")
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds by the clock and of CPU (all threads), MB (10^6) resident."""

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
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, stdout=out, stderr=subprocess.STDOUT, env=environment
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    text = said.read_text()
    if process.returncode and check:
        raise RuntimeError(f"{command} ended with {process.returncode}:\n{text[-2000:]}")
    unit = 1 if sys.platform == "darwin" else 1024
    rss_mb = usage.ru_maxrss * unit / 1e6
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, rss_mb), text


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
