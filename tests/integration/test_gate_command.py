"""`harness gate` and `harness compare`: exit codes that CI can believe."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import Any

import pytest

KEEPS = "rules: [{metric: correct, margin: 0.05}]\n"
BREAKS = "rules: [{metric: correct, floor: 0.99}]\n"
POLICY = "rules: [{metric: correct, margin: 0.5}]\n"
POLICY_FILE = "configs/gates/release.yaml"
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
    words = project.run(*gate[:-1], "--baseline", "released", check=1).stdout
    assert words.startswith(f"new of run {current.name} against new of run {blessed.name}\n")
    words = project.run(*gate[:-1]).stdout
    assert words.startswith(f"new against old, both of run {current.name}\n")
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
        "gate": ("gate", second, "--baseline", f"toy/{first}", "--policy", POLICY_FILE),
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
    project.run("gate", comparison["run_id"], "--policy", POLICY_FILE, check=2)


def test_compare_leaves_the_experiments_runs_alone(project: Any) -> None:
    project.run("run", "configs/toy.yaml")
    project.run("run", "configs/toy.yaml")
    first, second = project.runs()
    done = project.run("compare", str(first), str(second), "--json")
    folder = project.folder / json.loads(done.stdout)["run"]
    assert folder.parent == project.folder / "reports/toy-compared"
    assert project.runs() == [first, second]
    assert (first.parent / "latest").resolve() == second
    assert folder.name in project.run("report", "toy-compared", check=2).stderr
    project.run("report", folder.name)
    copied = json.loads((folder / "manifest.json").read_text())["variants"][1]["origin"]
    assert copied == {"run_id": first.name, "variant": "new"}


def test_a_run_and_its_baseline_copy_are_not_compared(project: Any) -> None:
    project.run("run", "configs/toy.yaml")
    project.run("baseline", "save", "toy", "released")
    (folder,) = project.runs()
    refused = project.run("compare", "toy", "released", check=2).stderr
    assert f"are the same run, {folder.name}" in refused
    assert "reports/baselines/released" in refused
    assert not project.runs("toy-compared")


def test_a_gate_never_compares_a_system_with_itself(project: Any) -> None:
    project.run("run", "configs/toy.yaml")
    (folder,) = project.runs()
    gate = ("gate", "toy", "--policy", POLICY_FILE, "--baseline")
    for name in ("toy", folder.name, "latest"):
        words = project.run(*gate, name, check=2).stderr
        assert f"no baseline '{name}'" in words
        assert "none is saved there" in words
    for path in (str(folder), "reports/toy", "toy/latest", f"reports/toy/{folder.name}"):
        words = project.run(*gate, path, check=2).stderr
        assert f"new of run {folder.name} cannot be gated against itself" in words
    project.run("baseline", "save", "toy", "released")
    assert "against itself" in project.run(*gate, "released", check=2).stderr
    assert "saved there: released" in project.run(*gate, "toy", check=2).stderr
    assert not (folder / "verdict.json").exists()
    project.write(POLICY_FILE, "baseline: old\n" + POLICY)
    project.run(*gate, "released")

    project.run("run", "configs/toy.yaml")
    _, again = project.runs()
    project.run("compare", str(folder), str(again))
    (compared,) = project.runs("toy-compared")
    project.write(POLICY_FILE, f"candidate: '{folder.name}:new'\nbaseline: new\n" + POLICY)
    words = project.run("gate", str(compared), *gate[2:], "released", check=2).stderr
    assert f"{folder.name}:new of run {folder.name} cannot be gated against itself" in words
    project.write(POLICY_FILE, f"candidate: '{again.name}:new'\nbaseline: new\n" + POLICY)
    project.run("gate", str(compared), *gate[2:], "released")


@pytest.mark.parametrize("command", ["gate", "compare"])
def test_a_scorer_is_what_it_does_not_what_it_is_called(project: Any, command: str) -> None:
    """A schema file or a function that was edited makes two runs incomparable."""
    project.write("scorers.py", "def right(example, output, record):\n    return output != ''\n")
    project.write("configs/schema.json", '{"type": "string"}')
    config = (
        (project.folder / "configs/toy.yaml")
        .read_text()
        .replace(
            "primary:",
            "  - {id: shaped, use: json_schema, schema: schema.json}\n"
            "  - {id: mine, use: python, call: 'scorers:right'}\n"
            "primary:",
        )
    )
    project.write("configs/toy.yaml", config)
    project.run("run", "configs/toy.yaml")
    project.write("scorers.py", "def right(example, output, record):\n    return output == ''\n")
    project.write("configs/schema.json", '{"type": "number"}')
    project.run("run", "configs/toy.yaml")
    first, second = (f"toy/{folder.name}" for folder in project.runs())
    arguments = {
        "gate": ("gate", second, "--baseline", first, "--policy", POLICY_FILE),
        "compare": ("compare", first, second),
    }
    words = project.run(*arguments[command], check=2).stderr
    assert "their scorers (shaped, mine)" in words
    project.write("configs/toy.yaml", config.replace("exact_match", "exact_match, normalise: []"))
    project.run("run", "configs/toy.yaml")
    third = f"toy/{project.runs()[-1].name}"
    project.run("compare", second, third)  # the default written out is no difference


def test_a_run_whose_manifest_was_edited_is_not_gated(project: Any) -> None:
    project.run("run", "configs/toy.yaml", "--limit", "39")
    (folder,) = project.runs()
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "partial": None}))
    words = project.run("gate", str(folder), "--policy", POLICY_FILE, check=2).stderr
    assert "manifest.json: changed since the run was finished" in words


def test_failures_are_counted_by_kind(project: Any) -> None:
    recording = project.folder / "recordings/new.jsonl"
    rows = [json.loads(row) for row in recording.read_text().splitlines()]
    for index, kind in ((3, "timeout"), (5, "timeout"), (7, "http_429")):
        rows[index] = {"id": rows[index]["id"], "error": kind}
    rows[9]["output"] = None
    project.write("recordings/new.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    comparison = json.loads(project.run("run", "configs/toy.yaml", "--json").stdout)["comparison"]
    kinds = {variant["id"]: variant["error_kinds"] for variant in comparison["variants"]}
    assert kinds == {"old": {}, "new": {"timeout": 2, "http_429": 1, "no_answer": 1}}
