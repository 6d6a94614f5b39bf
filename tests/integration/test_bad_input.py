"""Every wrong input ends in exit 2 with all its problems, and in no run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def refused(project: Any, *told: str, command: str = "run") -> str:
    done = project.run(command, "configs/toy.yaml", check=2)
    assert "Traceback" not in done.stderr
    for text in told:
        assert text in done.stderr, done.stderr
    assert done.stdout == ""
    assert project.runs() == []
    return str(done.stderr)


def edit(project: Any, name: str, old: str, new: str) -> None:
    path = project.folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


CONFIGS = {
    "unknown key": ("repeats: 1", "repeat: 1", ("toy.yaml:7:1", "did you mean 'repeats'?")),
    "duplicate key": ("repeats: 1", "repeats: 1\nrepeats: 2", ("toy.yaml:8:1", "repeats")),
    "variant named twice": ("id: new", "id: old", ("toy.yaml:6:10", "old")),
    "baseline is no variant": ("baseline: old", "baseline: ol", ("toy.yaml:3:11", "'old'")),
    "unknown scorer": ("use: exact_match", "use: exactmatch", (":9:24", "'exact_match'")),
    "unknown metric": ("primary: [correct]", "primary: [corect]", (":10:11", "'correct'")),
    "unknown slice": (
        "primary: [correct]",
        "primary: [{metric: correct, slice: parity=od}]",
        ("toy.yaml:10:36", "'parity=odd'"),
    ),
    "slice of a gate rule": (
        "repeats: 1",
        "gate: {rules: [{metric: correct, margin: 0.1, slice: parity=none}]}",
        ("toy.yaml:7:54", "parity=none"),
    ),
    "missing recording": ("../recordings/new.jsonl", "../recordings/nwe.jsonl", ("'new.jsonl'",)),
    "missing eval set": ("../evalsets/toy", "../evalsets/toyy", ("toy.yaml:2:10", "'toy'")),
    "infinity": ("repeats: 1", "repeats: .inf", ("toy.yaml:7:10",)),
    "name that leaves the folder": ("name: toy", "name: ../toy", ("toy.yaml:1:7",)),
    "name of the baselines' folder": ("name: toy", "name: baselines", ("toy.yaml:1:7",)),
}  # fmt: skip


@pytest.mark.parametrize("case", CONFIGS)
def test_config(project: Any, case: str) -> None:
    old, new, told = CONFIGS[case]
    edit(project, "configs/toy.yaml", old, new)
    refused(project, *told, command="check")


def test_run_refuses_what_check_refuses(project: Any) -> None:
    edit(project, "configs/toy.yaml", "repeats: 1", "repeat: 1")
    told = refused(project, "toy.yaml:7:1", command="run")
    assert told == refused(project, command="check")


def test_all_problems_at_once(project: Any) -> None:
    edit(project, "configs/toy.yaml", "repeats: 1", "repeat: 1")
    edit(project, "configs/toy.yaml", "baseline: old", "baseline: olf")
    edit(project, "configs/toy.yaml", "use: exact_match", "use: exactmatch")
    refused(project, ":3:11", ":7:1", ":9:24", "3 problems")


def test_problems_of_all_files_at_once(project: Any) -> None:
    config = "configs/toy.yaml"
    edit(project, config, "repeats: 1", "repeats: .inf")
    edit(project, config, "primary: [correct]", "primary: [corect]\ngate: gates/release.yaml")
    edit(project, config, "{id: new,", "{id: new, modle: 3,")
    rules = "  - {metric: corrct, margin: 0.1}\n  - {metric: correct, slice: parity=x, floor: 0.1}"
    edit(project, "configs/gates/release.yaml", "0.05}", f".nan}}\n{rules}")
    edit(project, "evalsets/toy/examples.jsonl", '"target": "7"', '"target": "8"')
    edit(project, "evalsets/toy/examples.jsonl", '"target": "9"', '"target": NaN')
    edit(project, "recordings/old.jsonl", '"latency_s": 0.11', '"latency_s": NaN, "repeat": -1')
    edit(project, "recordings/old.jsonl", '"id": "e00008",', '"id": "e00008"')
    edit(project, "recordings/new.jsonl", '"id": "e00008"', '"id": "e8"')
    told = refused(project)
    assert [line.split(": ")[0] for line in told.splitlines() if not line.startswith(" ")] == [
        "configs/toy.yaml:6:15",
        "configs/toy.yaml:7:10",
        "configs/toy.yaml:10:11",
        "configs/gates/release.yaml:2:31",
        "configs/gates/release.yaml:3:14",
        "configs/gates/release.yaml:4:30",
        "evalsets/toy/examples.jsonl:10:40",
        "evalsets/toy/evalset.lock:1:1",
        "recordings/old.jsonl:2:33",
        "recordings/old.jsonl:2:51",
        "recordings/old.jsonl:9:17",
        "recordings/new.jsonl:1:1",
        "recordings/new.jsonl:9:1",
        "harness",
    ]
    assert told == refused(project, command="check")


def test_metrics_of_a_wrong_scorer_are_not_called_unknown(project: Any) -> None:
    edit(project, "configs/toy.yaml", "use: exact_match", "use: exact_match, normalize: []")
    told = refused(project, "toy.yaml:9:37", "'normalise'")
    assert "no metric" not in told


def test_latencies_that_nobody_believes(project: Any) -> None:
    edit(project, "recordings/old.jsonl", '"latency_s": 0.11', '"latency_s": 1e200')
    refused(project, "recordings/old.jsonl:2:33", "at most 1e+12")


def test_more_repeats_than_recorded(project: Any) -> None:
    done = project.run("run", "configs/toy.yaml", "--repeats", "2", check=2)
    assert "recordings/old.jsonl: the recording holds 1 repeat, not 2" in done.stderr
    assert "recordings/new.jsonl: the recording holds 1 repeat, not 2" in done.stderr


def test_evidence_without_a_document_is_a_warning(project: Any) -> None:
    edit(project, "evalsets/toy/examples.jsonl", '"target": "7"', '"evidence": ["a#1", "b"]')
    project.write("evalsets/toy/docs/a.md", "text")
    project.write("evalsets/toy/evalset.yaml", "name: toy\ncorpus: docs\n")
    warning = "1 evidence id names no document of the corpus evalsets/toy/docs: b"
    assert warning in project.run("freeze", "evalsets/toy").stderr
    assert warning in project.run("check", "configs/toy.yaml").stderr


def test_a_module_that_exits_is_a_problem(project: Any) -> None:
    project.write("leaves.py", "raise SystemExit(0)\n")
    edit(project, "configs/toy.yaml", "use: exact_match", "use: python, call: 'leaves:score'")
    refused(project, "cannot import leaves:score (SystemExit: 0)")


def test_an_eval_set_edited_after_freezing(project: Any) -> None:
    edit(project, "evalsets/toy/examples.jsonl", '"target": "7"', '"target": "8"')
    refused(project, "e00007", "harness freeze")


def test_an_eval_set_that_was_never_frozen(project: Any) -> None:
    (project.folder / "evalsets/toy/evalset.lock").unlink()
    refused(project, "evalset.lock", "harness freeze")


RECORDINGS = {
    "doubled id": ('{"id": "e00008"', '{"id": "e00007"', ("e00007", "e00008")),
    "unknown id": ('{"id": "e00008"', '{"id": "e8"', ("e8", "e00008")),
    "broken JSON": ('"id": "e00008",', '"id": "e00008"', ("old.jsonl:9",)),
    "NaN": ('"latency_s": 0.11', '"latency_s": NaN', ("old.jsonl:2",)),
    "infinity": ('"latency_s": 0.11', '"latency_s": -Infinity', ("old.jsonl:2",)),
    "negative latency": ('"latency_s": 0.11', '"latency_s": -1', ("old.jsonl:2",)),
    "no object": ('{"id": "e00008"', '7\n{"id": "e00008"', ("old.jsonl:9",)),
}


@pytest.mark.parametrize("case", RECORDINGS)
def test_recording(project: Any, case: str) -> None:
    old, new, told = RECORDINGS[case]
    edit(project, "recordings/old.jsonl", old, new)
    refused(project, *told)


def test_a_recording_that_lacks_ids(project: Any) -> None:
    path = project.folder / "recordings/old.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-3]))
    refused(project, "e00037", "e00038", "e00039")


@pytest.mark.parametrize(
    "name", ["configs/toy.yaml", "recordings/old.jsonl", "evalsets/toy/examples.jsonl"]
)
def test_not_utf8(project: Any, name: str) -> None:
    path = project.folder / name
    path.write_bytes(path.read_bytes().replace(b"o", b"\xff", 1))
    refused(project, path.name, "UTF-8")


@pytest.mark.parametrize("name", ["recordings/old.jsonl", "evalsets/toy/examples.jsonl"])
def test_empty(project: Any, name: str) -> None:
    path = project.folder / name
    path.write_text("")
    refused(project, path.name, "empty")


@pytest.mark.parametrize("name", ["recordings/old.jsonl", "configs/toy.yaml"])
def test_a_loop_of_links(project: Any, name: str) -> None:
    path: Path = project.folder / name
    path.unlink()
    path.symlink_to(path.name)
    refused(project, "loop")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("rnu",), "'run'"),
        (("run", "configs/toy.yaml", "--limt", "3"), "--limit"),
        (("run", "configs/toy.yaml", "--limit", "0"), "--limit"),
        (("run", "configs/toy.yaml", "--limit", "many"), "--limit"),
        (("run", "configs/toy.yaml", "--repeats", "2"), "repeats"),
        (("run",), "harness run --help"),
        (("run", "configs/toy.yaml", "more"), "more"),
        (("run", "configs/missing.yaml"), "missing.yaml"),
        (("run", "configs"), "configs"),
        (("check", "evalsets/toy/examples.jsonl"), "examples.jsonl"),
        (("freeze", "evalsets/none"), "none"),
        (("freeze", "configs"), "examples"),
        (("show", "toy", "e1"), "no run 'toy'"),
        (("export", "toy"), "--to"),
        (("export", "toy", "--to", "xls"), "--to"),
        (("baseline",), None),
        (("baseline", "sav", "toy", "x"), "'save'"),
        (("gate", ""), "no run"),
        (("compare",), "harness compare --help"),
        ((), None),
    ],
)
def test_command_line(project: Any, arguments: tuple[str, ...], told: str | None) -> None:
    done = project.run(*arguments, check=2)
    assert "Traceback" not in done.stderr
    assert told is None or told in done.stderr
    assert project.runs() == []


def test_a_folder_that_cannot_be_written(project: Any) -> None:
    project.write("reports", "a file where the folder should be")
    done = project.run("run", "configs/toy.yaml", check=2)
    assert "Traceback" not in done.stderr
    assert "reports" in done.stderr
