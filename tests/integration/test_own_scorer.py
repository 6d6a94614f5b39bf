"""A scorer of the user's own, beside the config that names it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

OWN = (
    "def length(example, output, record):\n    return len(output), f'{example.id} has this many'\n"
)
CALLED = "  - {id: length, use: python, call: 'own_scorer:length', upper: null}\n"


def test_the_installed_command_finds_a_module_of_the_working_folder(project: Any) -> None:
    project.write("own_scorer.py", OWN)
    config = (project.folder / "configs/toy.yaml").read_text()
    project.write("configs/toy.yaml", config.replace("primary:", f"{CALLED}primary:"))
    command = shutil.which("harness", path=str(Path(sys.executable).parent))
    assert command is not None
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [command, "run", "configs/toy.yaml", "--json"],
        cwd=project.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    comparison = json.loads(done.stdout)
    scores = comparison.get("scores") or comparison["comparison"]["scores"]
    (length,) = [
        s for s in scores if (s["variant"], s["metric"], s["slice"]) == ("old", "length", "all")
    ]
    # 10 outputs "wrong", 30 numbers of which those of e00001 to e00009 have one digit
    assert length["mean"] * length["n"] == 10 * 5 + 7 + 23 * 2


def test_a_module_that_is_not_there_is_named(project: Any) -> None:
    config = (project.folder / "configs/toy.yaml").read_text()
    project.write("configs/toy.yaml", config.replace("primary:", f"{CALLED}primary:"))
    done = project.run("check", "configs/toy.yaml", check=2)
    assert "own_scorer" in done.stderr
    assert "configs/toy.yaml:" in done.stderr
