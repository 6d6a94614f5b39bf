"""A run folder is whole or it is not a run."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.comparison import Comparison, Conclusion, EvalSetSummary, Settings
from harness.core.example import Example
from harness.core.record import Answer, AnswerPath, Record
from harness.core.run import RunData
from harness.core.score import Metric, MetricScores, ScoreTable
from harness.core.verdict import Verdict
from harness.errors import InputError
from harness.storage.baselines import _swap, save_baseline
from harness.storage.find import find_baseline, find_run
from harness.storage.run_folder import (
    DATA_FILES,
    _read,
    finish,
    load_comparison,
    load_run,
    new_run_folder,
    write_run,
    write_verdict,
)

STARTED = "2026-11-20T10:11:12+00:00"


def run_data(run_id: str, output: str = "an answer") -> RunData:
    examples = tuple(Example(f"e{i}", {"q": "a question"}, target=str(i)) for i in range(3))
    scores = MetricScores(
        metric=Metric("correct", binary=True),
        value=np.ones((1, 3, 1)),
        weight=np.ones((1, 3, 1)),
        reason=np.zeros((1, 3, 1), dtype=np.int32),
        reasons=(),
        explanation={(0, 0, 0): f"it says {output}"},
    )
    return RunData(
        manifest={"run_id": run_id, "name": "toy", "partial": None},
        examples=examples,
        records=tuple(
            Record("a", example.id, 0, Answer(output), AnswerPath.RECORDED, latency_s=0.5)
            for example in examples
        ),
        scores=ScoreTable(("a",), tuple(example.id for example in examples), 1, (scores,)),
        comparison=Comparison(
            run_id=run_id,
            evalset=EvalSetSummary(name="toy", sha256="0" * 64, n_examples=3),
            baseline="a",
            settings=Settings(
                confidence=0.95, resamples=100, seed=0, min_examples=10, coverage=0.98
            ),
            variants=(),
            metrics=(),
            slices=(),
            conclusion=Conclusion(kind="single", variant="a", metric="correct", slice="all"),
            scores=(),
            pairs=(),
        ),
    )


def finished(root: Path, output: str = "an answer", **manifest: object) -> Path:
    with new_run_folder(root, STARTED) as folder:
        run = run_data(folder.name, output)
        run = dataclasses.replace(run, manifest={**run.manifest, **manifest})
        write_run(folder, run, {"report.html": "<p>"})
    return folder


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "reports"


def problems_of(error: pytest.ExceptionInfo[InputError]) -> str:
    return "\n".join(map(str, error.value.problems))


def test_a_run_comes_back_as_it_was(reports: Path) -> None:
    folder = finished(reports / "toy")
    run, read = run_data(folder.name), load_run(folder)
    assert read.examples == run.examples
    assert read.records == run.records
    assert read.comparison == run.comparison == load_comparison(folder)
    assert read.run_id == folder.name
    assert read.verdict is None
    assert {key: read.manifest[key] for key in run.manifest} == run.manifest
    assert (folder / "report.html").read_text() == "<p>"


def test_ids_are_unique_and_sort_by_time(tmp_path: Path) -> None:
    times = ["2026-11-20T10:11:12Z", "2026-11-20T10:11:13Z", "2026-12-01T00:00:00Z"]
    ids = []
    for time in times:
        for _ in range(50):
            with new_run_folder(tmp_path, time) as folder:
                ids.append(folder.name)
    assert len(set(ids)) == 150
    assert [name[:16] for name in sorted(ids)] == [name[:16] for name in ids]


def test_a_run_that_raises_leaves_no_folder(reports: Path) -> None:
    def interrupted() -> None:
        with new_run_folder(reports, STARTED) as folder:
            (folder / "trials.parquet").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(reports.iterdir()) == []


@pytest.mark.parametrize("name", ["manifest.json", *DATA_FILES])
def test_a_folder_that_lacks_a_file_is_refused(reports: Path, name: str) -> None:
    folder = finished(reports / "toy")
    (folder / name).unlink()
    with pytest.raises(InputError, match=name.replace(".", r"\.")) as error:
        load_run(folder)
    assert ("not a finished run" in problems_of(error)) == (name == "manifest.json")


def test_every_changed_file_is_named(reports: Path) -> None:
    folder = finished(reports / "toy")
    for name in DATA_FILES:
        with (folder / name).open("ab") as file:
            file.write(b" ")
    with pytest.raises(InputError) as error:
        load_run(folder)
    assert len(error.value.problems) == len(DATA_FILES)
    assert all("changed since" in problem.what for problem in error.value.problems)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "\udcff", '{"format": "harness.run/9"}', "[" * 100_000]
)
def test_a_manifest_that_is_none_is_refused(reports: Path, text: str) -> None:
    folder = finished(reports / "toy")
    (folder / "manifest.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"manifest\.json"):
        load_run(folder)


@pytest.mark.parametrize("content", [b"PAR1 nonsense PAR1", b"", b"{}"])
def test_a_forged_file_is_bad_input_not_a_crash(reports: Path, content: bytes) -> None:
    folder = finished(reports / "toy")
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in DATA_FILES:
        kept = (folder / name).read_bytes()
        (folder / name).write_bytes(content)
        finish(folder, manifest)
        with pytest.raises(InputError, match="cannot be read"):
            load_run(folder)
        (folder / name).write_bytes(kept)


def test_a_reader_may_fail_without_a_word(reports: Path) -> None:
    def fails(_: Path) -> None:
        raise ValueError

    with pytest.raises(InputError, match=r"cannot be read: ValueError$"):
        _read(reports, fails)


@pytest.mark.parametrize(
    "edit",
    [
        lambda manifest: {**manifest, "partial": None},
        lambda manifest: {**manifest, "baseline": "b"},
        lambda manifest: {**manifest, "more": 1},
        lambda manifest: {**manifest, "manifest_sha256": "0" * 64},
        lambda manifest: {k: v for k, v in manifest.items() if k != "manifest_sha256"},
        lambda manifest: {k: v for k, v in manifest.items() if k != "name"},
    ],
)
def test_a_manifest_edited_by_hand_is_refused(reports: Path, edit: Any) -> None:
    folder = finished(reports / "toy", partial={"n_examples": 3, "of": 5}, baseline="a")
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(edit(manifest)))
    with pytest.raises(InputError, match=r"manifest\.json: changed since the run was finished"):
        load_run(folder)
    path.write_text(json.dumps(dict(reversed(manifest.items()))))
    assert load_run(folder).manifest == manifest


def test_a_manifest_holds_any_text(reports: Path) -> None:
    folder = finished(reports / "toy", command=["harness", "run", "half \ud83d", "ü\x00"])
    assert load_run(folder).manifest["command"][2:] == ["half \ud83d", "ü\x00"]


def test_a_verdict_comes_back_and_is_replaced(reports: Path) -> None:
    folder = finished(reports / "toy")
    for outcome in ("fail", "pass"):
        verdict = Verdict(
            run_id="r",
            baseline_run_id="r",
            candidate="b",
            baseline="a",
            policy_sha256="",
            confidence=0.95,
            on_inconclusive="block",
            outcome=outcome,
            exit_code=0,
            rules=(),
        )
        write_verdict(folder, verdict)
        assert load_run(folder).verdict == verdict


def test_latest_is_the_newest_finished_run(reports: Path) -> None:
    finished(reports / "toy")
    second = finished(reports / "toy")
    assert (reports / "toy" / "latest").is_symlink()
    assert str((reports / "toy" / "latest").readlink()) == second.name
    with pytest.raises(RuntimeError), new_run_folder(reports / "toy", STARTED):
        raise RuntimeError
    assert find_run("toy", reports) == second.resolve()


@pytest.mark.parametrize(
    "facts", [{"partial": {"n_examples": 3, "of": 5}}, {"compared_runs": ["x", "y"]}]
)
def test_latest_is_a_whole_run_of_one_experiment(reports: Path, facts: dict[str, Any]) -> None:
    other = finished(reports / "toy", **facts)
    with pytest.raises(InputError, match=f"no latest whole run.*{other.name}"):
        find_run("toy", reports)
    whole = finished(reports / "toy")
    finished(reports / "toy", **facts)
    assert find_run("toy", reports) == whole.resolve()


def test_a_bare_name_of_a_baseline_is_nothing_else(
    reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = finished(reports / "toy")
    with pytest.raises(InputError, match=r"no baseline 'toy'.*\n.*none is saved there"):
        find_baseline("toy", reports)
    save_baseline(folder, "main", reports)
    save_baseline(folder, "v1.2", reports)
    blessed = (reports / "baselines" / "main").resolve()
    assert find_baseline("main", reports) == blessed
    assert find_baseline(str(blessed), reports) == blessed
    assert find_baseline("baselines/main", reports) == blessed
    assert find_baseline(f"toy/{folder.name}", reports) == folder.resolve()
    monkeypatch.chdir(reports.parent)
    shutil.copytree(folder, reports.parent / "here")
    assert find_baseline("./here") == Path("here")
    for name in ("toy", folder.name, "mian", "here", "manifest.json", ".", ".."):
        with pytest.raises(InputError, match=r"no (baseline|run)") as error:
            find_baseline(name, reports)
        if "." not in name:
            assert "saved there: main, v1.2" in problems_of(error)


def test_latest_may_be_a_text_file(reports: Path) -> None:
    folder = finished(reports / "toy")
    (reports / "toy" / "latest").unlink()
    (reports / "toy" / "latest").write_text(folder.name + "\n")
    assert find_run("toy", reports) == folder.resolve()
    assert find_run(str(reports / "toy" / "latest"), reports) == folder.resolve()
    (reports / "toy" / "latest").write_text("latest")
    with pytest.raises(InputError, match="no run"):
        find_run("toy", reports)


def test_a_folder_called_latest_is_left_alone(reports: Path) -> None:
    (reports / "toy" / "latest").mkdir(parents=True)
    finished(reports / "toy")
    assert (reports / "toy" / "latest").is_dir()


def test_every_way_to_name_a_run(reports: Path) -> None:
    folder = finished(reports / "toy")
    save_baseline(folder, "main", reports)
    for argument in (
        str(folder),
        str(folder / "manifest.json"),
        str(folder / "comparison.json"),
        str(reports / "toy"),
        str(reports / "toy" / "latest"),
        "toy",
        "toy/latest",
        f"toy/{folder.name}",
        folder.name,
    ):
        assert find_run(argument, reports) == folder.resolve(), argument
    blessed = (reports / "baselines" / "main").resolve()
    assert find_run("main", reports) == blessed
    assert find_run("baselines/main", reports) == blessed


def test_a_name_that_is_no_run_gets_a_hint(reports: Path) -> None:
    with pytest.raises(InputError, match="there is no run in"):
        find_run("toy", reports)
    finished(reports / "support-copilot")
    with pytest.raises(InputError, match=r"did you mean 'support-copilot'"):
        find_run("suport-copilot", reports)
    for argument in ("", "/", "..", "../..", "nothing-like-it", "a" * 5000, "a\0b"):
        with pytest.raises(InputError, match="no run"):
            find_run(argument, reports)


def test_an_unfinished_folder_is_named_as_such(reports: Path) -> None:
    folder = finished(reports / "toy")
    (folder / "manifest.json").unlink()
    for argument in (str(folder), folder.name, "toy"):
        with pytest.raises(InputError, match="not a finished run"):
            find_run(argument, reports)


def test_a_baseline_is_a_run_without_its_texts(reports: Path) -> None:
    folder = finished(reports / "toy", output="PRIVATE")
    blessed = save_baseline(folder, "v1.2", reports)
    run, baseline = load_run(folder), load_run(blessed)
    assert baseline.comparison == run.comparison
    assert baseline.run_id == run.run_id
    np.testing.assert_array_equal(
        baseline.scores.metric("correct").value, run.scores.metric("correct").value
    )
    assert [record.latency_s for record in baseline.records] == [0.5] * 3
    assert [example.id for example in baseline.examples] == ["e0", "e1", "e2"]
    for path in blessed.iterdir():
        assert b"PRIVATE" not in path.read_bytes(), path
    assert sorted(path.name for path in blessed.iterdir()) == sorted(["manifest.json", *DATA_FILES])


def test_a_baseline_is_replaced_only_on_purpose(reports: Path) -> None:
    old, new = finished(reports / "toy"), finished(reports / "toy")
    save_baseline(old, "main", reports)
    with pytest.raises(InputError, match="already"):
        save_baseline(new, "main", reports)
    assert load_run(reports / "baselines" / "main").run_id == old.name
    blessed = save_baseline(new, "main", reports, replace=True)
    assert load_run(blessed).run_id == new.name
    assert [path.name for path in blessed.parent.iterdir()] == ["main"]


def test_a_baseline_stays_if_its_successor_cannot_take_its_place(reports: Path) -> None:
    blessed = save_baseline(finished(reports / "toy"), "main", reports)
    with pytest.raises(FileNotFoundError):
        _swap(reports / "baselines" / "not-there", blessed)
    assert load_run(blessed).manifest["baseline_name"] == "main"
    assert [path.name for path in blessed.parent.iterdir()] == ["main"]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../up", "a/b", "a\\b", ".hidden", " a", "a\n", "a\0", "x" * 200, "a:b"]
)
def test_a_baseline_name_cannot_leave_its_folder(reports: Path, name: str) -> None:
    folder = finished(reports / "toy")
    with pytest.raises(InputError, match="name"):
        save_baseline(folder, name, reports)
    assert not (reports / "baselines").exists() or not list((reports / "baselines").iterdir())


def test_a_partial_run_is_no_baseline(reports: Path) -> None:
    folder = finished(reports / "toy", partial={"n_examples": 3, "of": 5})
    with pytest.raises(InputError, match="partial"):
        save_baseline(folder, "main", reports)


def test_a_copied_run_folder_is_still_the_run(reports: Path, tmp_path: Path) -> None:
    folder = finished(reports / "toy")
    copy = shutil.copytree(folder, tmp_path / "elsewhere")
    assert load_run(find_run(str(copy), reports)).run_id == folder.name
