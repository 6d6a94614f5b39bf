"""How long `harness --help` takes, against Python alone and against importing typer.

    python benchmarks/start_up.py [--repeats R]

The three are measured in turn, each R times after one unmeasured turn that compiles the bytecode.
Also lists the heavy modules that `harness --help` imports; there should be none.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from measure import HARNESS, PYTHON, Cost, conditions, measured, middle, show

HEAVY = ("openai", "anthropic", "litellm", "datasets", "pandas", "scipy", "numpy", "pyarrow",
         "jinja2", "pydantic", "rich", "ruamel", "regex", "rapidfuzz", "jsonschema_rs")  # fmt: skip
FORBIDDEN = HEAVY[:6]
TARGET_S = 0.25
COMMANDS = {
    "harness --help": [HARNESS, "--help"],
    "harness --version": [HARNESS, "--version"],
    "python -c pass": [PYTHON, "-c", "pass"],
    "python -c 'import typer'": [PYTHON, "-c", "import typer"],
}


def main(repeats: int) -> dict[str, Any]:
    costs: dict[str, list[Cost]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(repeats + 1):
            for name, command in COMMANDS.items():
                cost, _ = measured(command, Path(folder))
                if turn:
                    costs[name].append(cost)
    medians = {name: middle(taken) for name, taken in costs.items()}
    base = medians["python -c pass"].wall_s
    show(
        f"start-up, medians of {repeats}",
        [
            {
                "command": name,
                "wall_s": cost.wall_s,
                "cpu_s": cost.cpu_s,
                "x python": cost.wall_s / base,
            }
            for name, cost in medians.items()
        ],
    )
    imported = _imported_by_help()
    heavy = [name for name in HEAVY if name in imported]
    print(f"heavy modules imported by --help: {', '.join(heavy) or 'none'} of {', '.join(HEAVY)}")
    return {
        "conditions": conditions(),
        "repeats": repeats,
        "medians": {name: asdict(cost) for name, cost in medians.items()},
        "heavy": heavy,
        "forbidden": [name for name in heavy if name in FORBIDDEN],
        "target_s": TARGET_S,
    }


def _imported_by_help() -> set[str]:
    done = subprocess.run(
        [PYTHON, "-X", "importtime", HARNESS, "--help"], capture_output=True, text=True, check=True
    )
    lines = (line for line in done.stderr.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--repeats", type=int, default=15)
    print(json.dumps(main(parser.parse_args().repeats)))
