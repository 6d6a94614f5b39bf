"""`harness gate` and `harness compare`: exit codes that CI can believe."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import Any

import pytest

KEEPS = "rules: [{metric: correct, margin: 0.05}]\n"
BREAKS = "rules: [{metric: correct, floor: 0.99}]\n"
UNSURE = "rules: [{metric: correct, floor: 0.9}]\n"


@pytest.mark.parametrize(
    ("policy", "outcome", "code"),
    [
        (KEEPS, "pass", 0),
        (BREAKS, "fail", 1),
        (UNSURE, "inconclusive", 4),
        (UNSURE + "on_inconclusive: warn\n", "inconclusive", 0),
        ("candidate: old\nbaseline: new\n" + KEEPS, "fail", 1),
    ],
)
def test_exit_codes(finished: Any, policy: str, outcome: str, code: int) -> None:
    path = finished.write("policy.yaml", policy)
    done = finished.run("gate", "toy", "--policy", str(path), "--json", check=code)
    verdict = json.loads(done.stdout)
    assert (verdict["outcome"], verdict["exit_code"]) == (outcome, code)
    (folder,) = finished.runs()
    assert json.loads((folder / "verdict.json").read_text()) == verdict
    if "warn" in policy:
        assert "does not block" in done.stderr


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ("rules: []\n", "rules"),
        ("", "policy.yaml"),
        ("rules: [{metric: correct, margin: 0.05}", "policy.yaml:"),
        ("rules: [{metric: corect, margin: 0.05}]\n", "did you mean 'correct'?"),
        ("rules: [{metric: correct, margin: 0.05, slice: parity=od}]\n", "'parity=odd'"),
        ("rules: [{metric: correct, margn: 0.05}]\n", "did you mean 'margin'?"),
        ("rules: [{metric: correct, margin: .nan}]\n", "margin"),
        ("rules: [{metric: correct, margin: -1}]\n", "margin"),
        ("candidate: newer\nrules: [{metric: correct, margin: 0.05}]\n", "did you mean 'new'?"),
        ("candidate: old\nrules: [{metric: correct, margin: 0.05}]\n", "against itself"),
        ("rules: [{metric: correct, margin: 0.05}]\nrules: []\n", "policy.yaml:2:1"),
    ],
)
def test_a_wrong_policy_is_never_a_pass(finished: Any, policy: str, told: str) -> None:
    path = finished.write("policy.yaml", policy)
    done = finished.run("gate", "toy", "--policy", path.name, check=2)
    assert told in done.stderr
    assert done.stdout == ""


def test_without_a_policy_there_is_no_verdict(finished: Any) -> None:
    assert "--policy FILE" in finished.run("gate", "toy", check=2).stderr
    done = finished.run("gate", "toy", "--policy", "missing.yaml", check=2)
    assert "missing.yaml" in done.stderr


def test_the_experiments_own_policy(project: Any) -> None:
    config = (project.folder / "configs/toy.yaml").read_text()
    project.write("configs/toy.yaml", config + "gate: gates/release.yaml\n")
    project.run("run", "configs/toy.yaml")
    project.write("configs/gates/release.yaml", BREAKS)  # the run pinned the one before
    verdict = json.loads(project.run("gate", "toy", "--json", check=None).stdout)
    assert [rule["kind"] for rule in verdict["rules"]] == ["non_inferiority"]


def test_files_for_ci(finished: Any) -> None:
    path = finished.write("policy.yaml", BREAKS)
    files = ("--markdown", "ci/gate.md", "--junit", "ci/gate.xml")
    done = finished.run("gate", "toy", "--policy", path.name, *files, check=1)
    assert "report.html" in done.stdout
    (folder,) = finished.runs()
    for copy, name in (("ci/gate.md", "report.md"), ("ci/gate.xml", "junit.xml")):
        assert (finished.folder / copy).read_bytes() == (folder / name).read_bytes()
    ET.parse(finished.folder / "ci/gate.xml")  # noqa: S314


def test_against_a_blessed_run(project: Any) -> None:
    """The same variant in two runs: what CI asks when a system has changed."""
    project.examples(400)
    project.recording("old", 400, wrong=lambda i: i % 4 == 0)
    project.recording("new", 400, wrong=lambda i: i % 10 == 0)
    project.freeze()
    project.run("run", "configs/toy.yaml")
    saved = project.run("baseline", "save", "toy", "released")
    assert saved.stdout.strip() == "reports/baselines/released"
    project.recording("new", 400, wrong=lambda i: i % 5 == 0)
    project.run("run", "configs/toy.yaml")
    gate = ("gate", "toy", "--policy", "configs/gates/release.yaml", "--json")
    worse = json.loads(project.run(*gate, "--baseline", "released", check=1).stdout)
    blessed, current = project.runs()
    assert (worse["run_id"], worse["baseline_run_id"]) == (current.name, blessed.name)
    assert worse["candidate"] == "new"
    assert worse["baseline"] == f"{blessed.name}:new"
    assert worse["rules"][0]["estimate"] == pytest.approx(-0.1)
    for name in ("reports/baselines/released", "reports/baselines/released/comparison.json"):
        assert json.loads(project.run(*gate, "--baseline", name, check=1).stdout) == worse
    within = json.loads(project.run(*gate).stdout)
    assert within["baseline"] == "old"
    assert project.run("baseline", "save", "toy", "released", check=2).stdout == ""
    project.run("baseline", "save", "toy", "released", "--replace")
    project.run("baseline", "save", "toy", "../out", check=2)


@pytest.mark.parametrize("command", ["gate", "compare"])
def test_runs_of_different_sets_or_scorers_are_not_comparable(project: Any, command: str) -> None:
    project.run("run", "configs/toy.yaml")
    config = (project.folder / "configs/toy.yaml").read_text()
    project.write(
        "configs/toy.yaml",
        config.replace("use: exact_match", "use: exact_match, normalise: [lower]"),
    )
    path = project.folder / "evalsets/toy/examples.jsonl"
    path.write_text(path.read_text().replace('"target": "7"', '"target": "seven"'))
    project.freeze()
    project.run("run", "configs/toy.yaml")
    first, second = (folder.name for folder in project.runs())
    arguments = {
        "gate": ("gate", second, "--baseline", first, "--policy", "configs/gates/release.yaml"),
        "compare": ("compare", first, second),
    }
    done = project.run(*arguments[command], check=2)
    assert "their eval set" in done.stderr
    assert "their scorers (correct)" in done.stderr
    assert len(project.runs()) == 2


def test_compare_puts_several_runs_side_by_side(project: Any) -> None:
    project.run("run", "configs/toy.yaml")
    config = (project.folder / "configs/toy.yaml").read_text()
    project.recording("third", 40, wrong=lambda i: False)
    project.write(
        "configs/toy.yaml",
        config.replace("id: new", "id: third").replace("new.jsonl", "third.jsonl"),
    )
    project.run("run", "configs/toy.yaml")
    first, second = (folder.name for folder in project.runs())
    done = project.run("compare", first, second, "--json")
    comparison = json.loads(done.stdout)["comparison"]
    ids = [variant["id"] for variant in comparison["variants"]]
    assert ids == [f"{first}:old", "new", f"{second}:old", "third"]
    assert comparison["baseline"] == f"{first}:old"
    means = {
        score["variant"]: score["mean"] for score in comparison["scores"] if score["slice"] == "all"
    }
    assert means == {f"{first}:old": 0.75, "new": 0.9, f"{second}:old": 0.75, "third": 1.0}
    project.run("show", comparison["run_id"], "e00003")
    project.run("gate", comparison["run_id"], "--policy", "configs/gates/release.yaml", check=2)
