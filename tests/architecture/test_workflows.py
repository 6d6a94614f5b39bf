"""The CI workflows: no input in a shell's text, only the rights they need, gate before report."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

WORKFLOWS = sorted((Path(__file__).resolve().parents[2] / ".github" / "workflows").glob("*.yml"))


def load(path: Path) -> dict[str, Any]:
    workflow: dict[str, Any] = YAML(typ="safe").load(path)
    return workflow


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_shell_steps_are_valid_and_hold_no_expressions(path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    for step in steps(load(path)):
        if "run" in step:
            assert "${{" not in step["run"]
            checked = subprocess.run([bash, "-n"], input=step["run"], text=True, check=False)
            assert checked.returncode == 0, step["run"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_and_rights_are_declared(path: Path) -> None:
    workflow = load(path)

    assert "permissions" in workflow
    for step in steps(workflow):
        if "uses" in step:
            _, _, version = step["uses"].partition("@")
            assert version.startswith("v")


def test_the_report_follows_the_gate_whatever_it_said() -> None:
    gate = next(path for path in WORKFLOWS if path.name == "release-gate.yml")
    names = [step.get("name") for step in steps(load(gate))]
    after = list(steps(load(gate)))[names.index("Gate") + 1 :]

    assert {"Job summary", "Report", "Pull-request comment"} <= {step["name"] for step in after}
    assert all("!cancelled()" in step["if"] for step in after)
    assert not any("continue-on-error" in step for step in steps(load(gate)))
