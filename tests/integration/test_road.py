"""The whole road, as a user goes it: from an eval set to a verdict."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest


def test_from_init_to_verdict(tmp_path: Path, project: Any) -> None:
    toy = type(project)(tmp_path / "fresh")
    toy.folder.mkdir()
    toy.run("init", ".")
    toy.run("freeze", "evalsets/tickets")
    assert "tickets: valid" in toy.run("check", "configs/tickets.yaml").stdout
    run = toy.run("run", "configs/tickets.yaml")
    assert "keywords" in run.stdout
    assert "model" in run.stdout
    toy.run("baseline", "save", "tickets", "released")
    gate = toy.run("gate", "tickets", "--policy", "configs/gates/release.yaml")
    assert "report.html" in gate.stdout
    refused = toy.run("init", ".", check=2)
    assert "exists already" in refused.stderr


def test_a_run_folder_holds_what_the_contract_says(finished: Any) -> None:
    (folder,) = finished.runs()
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "manifest.json", "trials.parquet", "scores.parquet", "examples.parquet",
        "comparison.json", "report.html", "report.md", "junit.xml",
    }  # fmt: skip
    comparison = json.loads((folder / "comparison.json").read_text())
    assert comparison["format"] == "harness.comparison/1"
    assert comparison["run_id"] == folder.name
    (pair,) = [p for p in comparison["pairs"] if p["metric"] == "correct" and p["slice"] == "all"]
    # old is wrong on 100 of 400, new on 40, both on 20
    assert (pair["wins"], pair["losses"], pair["ties"]) == (80, 20, 300)
    assert pair["diff"] == pytest.approx(0.15)
    assert pair["finding"] == "better"
    assert ET.parse(folder / "junit.xml").getroot().tag in {"testsuites", "testsuite"}  # noqa: S314


def test_a_manifest_pins_what_ran(finished: Any) -> None:
    (folder,) = finished.runs()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["format"] == "harness.run/1"
    assert manifest["command"] == ["harness", "run", "configs/toy.yaml"]
    assert manifest["config"]["document"]["name"] == "toy"
    assert manifest["config"]["path"] == "configs/toy.yaml"
    assert len(manifest["evalset"]["sha256"]) == 64
    assert [variant["id"] for variant in manifest["variants"]] == ["old", "new"]
    assert manifest["variants"][0]["recorded"] == "recordings/old.jsonl"
    (scorer,) = manifest["scorers"]
    assert (scorer["id"], scorer["use"], scorer["options"]) == ("correct", "exact_match", {})
    assert len(scorer["sha256"]) == len(manifest["scorers_sha256"]) == 64
    recorded = (finished.folder / "recordings/old.jsonl").read_bytes()
    assert manifest["variants"][0]["recorded_sha256"] == hashlib.sha256(recorded).hexdigest()
    assert {"python", "harness", "numpy", "scipy"} <= set(manifest["versions"])
    assert manifest["partial"] is None
    assert manifest["started"] <= manifest["finished"]
    assert set(manifest["files"]) == {
        "trials.parquet", "scores.parquet", "examples.parquet", "comparison.json",
    }  # fmt: skip
    assert str(finished.folder) not in json.dumps(manifest)


def test_run_json_is_one_object(project: Any) -> None:
    done = project.run("run", "configs/toy.yaml", "--json", "--seed", "3", "--repeats", "1")
    printed = json.loads(done.stdout)
    folder = project.folder / printed["run"]
    assert printed["comparison"] == json.loads((folder / "comparison.json").read_text())
    assert printed["comparison"]["settings"]["seed"] == 3


def test_out_stands_for_the_reports_folder(project: Any) -> None:
    project.run("run", "configs/toy.yaml", "--out", "elsewhere/here")
    project.run("show", "elsewhere/here", "e00001")
    project.run("show", "elsewhere/here/latest", "e00001")
    assert not (project.folder / "reports").exists()


def test_variants_keeps_only_those_named(project: Any) -> None:
    project.recording("third", 40, wrong=lambda i: i == 3)
    config = (project.folder / "configs/toy.yaml").read_text()
    third = "  - {id: third, recorded: ../recordings/third.jsonl}\nrepeats"
    project.write("configs/toy.yaml", config.replace("repeats", third))
    done = project.run("run", "configs/toy.yaml", "--json", "--variants", "old, third")
    variants = json.loads(done.stdout)["comparison"]["variants"]
    assert [variant["id"] for variant in variants] == ["old", "third"]
    refused = project.run("run", "configs/toy.yaml", "--variants", "thrid", check=2)
    assert "did you mean 'third'?" in refused.stderr
    assert "baseline is not among them" in refused.stderr


def test_a_limited_run_is_marked_and_never_gated_or_blessed(project: Any) -> None:
    done = project.run("run", "configs/toy.yaml", "--limit", "30", "--json")
    comparison = json.loads(done.stdout)["comparison"]
    assert comparison["evalset"]["n_examples"] == 30
    assert any("partial" in text for text in comparison["warnings"])
    assert "partial" in done.stderr
    policy = "configs/gates/release.yaml"
    (partial,) = (folder.name for folder in project.runs())
    assert "is partial" in project.run("gate", partial, "--policy", policy, check=2).stderr
    assert "a partial run" in project.run("baseline", "save", partial, "b", check=2).stderr
    assert partial in project.run("report", "toy", check=2).stderr


def test_the_order_of_records_changes_nothing(project: Any) -> None:
    def result() -> dict[str, Any]:
        done = project.run("run", "configs/toy.yaml", "--json")
        comparison = json.loads(done.stdout)["comparison"]
        del comparison["run_id"]
        for variant in comparison["variants"]:
            del variant["fingerprint"]  # of the file, which does change
        return comparison

    before = result()
    for name in ("recordings/old.jsonl", "recordings/new.jsonl", "evalsets/toy/examples.jsonl"):
        rows = (project.folder / name).read_text().splitlines(keepends=True)
        project.write(name, "".join(reversed(rows)))
    assert result() == before


def test_check_prints_what_would_run(project: Any) -> None:
    config = (project.folder / "configs/toy.yaml").read_text()
    config = config.replace("old.jsonl}", "old.jsonl, facts: {model: tiny}}")
    project.write("configs/toy.yaml", config)
    text = project.run("check", "configs/toy.yaml").stdout
    assert "40 examples" in text
    assert "model calls: 0" in text
    assert "tiny" in text
    assert "parity=odd" in text
    found = json.loads(project.run("check", "configs/toy.yaml", "--json").stdout)
    assert found["n_trials"] == 80
    assert found["factors"] == {"model": {"old": "tiny"}}
    sizes = {plan["slice"]: plan["n_examples"] for plan in found["slices"]}
    assert sizes == {"all": 40, "parity=even": 20, "parity=odd": 20}
    assert not (project.folder / "reports").exists()


def test_freeze_names_what_changed(project: Any) -> None:
    path = project.folder / "evalsets/toy/examples.jsonl"
    path.write_text(path.read_text().replace('"target": "7"', '"target": "seven"'))
    again = json.loads(project.run("freeze", "evalsets/toy", "--json").stdout)
    assert again["changes"] == {"changed": ["e00007"], "added": [], "removed": []}
    assert again["slices"]["all"] == 40


@pytest.mark.parametrize("to", ["parquet", "csv", "jsonl"])
def test_export_writes_every_table(finished: Any, tmp_path: Path, to: str) -> None:
    done = finished.run("export", "toy", "--to", to, "--out", str(tmp_path / "out"))
    paths = [Path(line) for line in done.stdout.splitlines()]
    assert [path.name for path in paths] == [
        f"{name}.{to}" for name in ("trials", "scores", "examples", "pairs")
    ]
    counts = {path.stem: len(_rows(path)) for path in paths}
    assert counts["trials"] == counts["scores"] == 800
    assert counts["examples"] == 400
    assert counts["pairs"] >= 3
    row = _rows(paths[0])[0]
    assert (row["variant"], row["example_id"], row["output_text"]) == ("old", "e00000", "wrong")


def _rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return rows
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file)) if path.suffix == ".csv" else list(map(json.loads, file))


def test_report_in_every_form(finished: Any) -> None:
    (folder,) = finished.runs()
    page = Path(finished.run("report", "toy").stdout.strip())
    assert (finished.folder / page).resolve() == (folder / "report.html").resolve()
    comparison = json.loads(finished.run("report", "toy", "--format", "json").stdout)
    assert comparison == json.loads((folder / "comparison.json").read_text())
    markdown = finished.run("report", "toy", "--format", "md").stdout
    assert markdown.strip() == (folder / "report.md").read_text(encoding="utf-8").strip()
    ET.fromstring(finished.run("report", "toy", "--format", "junit").stdout)  # noqa: S314
    assert "--format" in finished.run("report", "toy", "--format", "pdf", check=2).stderr


def test_show_prints_one_example(finished: Any) -> None:
    text = finished.run("show", "toy", "e00004").stdout
    assert "variant old: ok" in text
    assert "output: wrong" in text
    assert "correct: 0" in text
    assert "variant new: ok" in text
    missing = finished.run("show", "toy", "e0004", check=2)
    assert "did you mean 'e00004'?" in missing.stderr


def test_version(finished: Any) -> None:
    assert finished.run("--version").stdout.startswith("harness ")


def test_a_reader_that_closes_the_pipe_changes_no_exit_code(finished: Any) -> None:
    process = finished.start("gate", "toy", "--policy", "configs/gates/release.yaml", "--json")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=120) == 0
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()


def test_python_api(finished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import harness

    monkeypatch.chdir(finished.folder)
    run = harness.load_run("toy")
    assert len(run.trials) == len(run.scores) == 800
    assert set(run.trials["status"]) == {"ok"}
    assert run.scores.groupby("variant", observed=True)["value"].mean().to_dict() == {
        "old": 0.75,
        "new": 0.9,
    }
    pair = run.pairs.query("metric == 'correct' and slice == 'all'").iloc[0]
    assert pair["diff"] == pytest.approx(0.15)
    assert run.comparison.baseline == "old"
    assert (run.path / "manifest.json").is_file()

    again = harness.run("configs/toy.yaml", out=finished.folder / "again", seed=1)
    assert again.comparison.settings.seed == 1
    assert os.path.commonpath([again.path, finished.folder / "again"]).endswith("again")
    with pytest.raises(harness.InputError, match="no run"):
        harness.load_run("nothing")
