"""`labels.jsonl`: nothing is lost, the last label counts, and the votes reader reads it."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from harness.config.verdicts import Known, read_verdicts
from harness.core.judging import TableBuilder
from harness.core.label import Label
from harness.errors import InputError
from harness.storage.labels import LabelFile, read_labels

LABEL = Label(
    example="e1", reviewer="Ada", pair=("old", "new"), winner="model_b", swapped=True,
    comment="it cites \ud800 \u2028 the rule", criteria={"tone": "tie"}, revealed=True,
    at="2026-11-20T12:00:00+00:00", session="ab12",
)  # fmt: skip


@pytest.fixture
def labels(tmp_path: Path) -> LabelFile:
    return LabelFile(tmp_path / "labels.jsonl")


def test_without_a_file_there_are_none(labels: LabelFile) -> None:
    assert labels.read() == ()


def test_a_label_reads_back(labels: LabelFile) -> None:
    other = replace(LABEL, example="e2", winner=None, comment="", criteria={}, revealed=False)
    labels.append(LABEL)
    labels.append(other)
    assert labels.read() == (LABEL, other)
    assert [label.p_second for label in labels.read()] == [1.0, None]


def test_the_last_label_of_a_reviewer_and_a_pair_counts(labels: LabelFile) -> None:
    turned = replace(LABEL, pair=("new", "old"), winner="tie")
    bens = replace(LABEL, reviewer="Ben")
    for label in (LABEL, bens, replace(LABEL, winner="model_a"), turned):
        labels.append(label)
    assert labels.read() == (turned, bens)
    assert labels.path.read_bytes().count(b"\n") == 4


def test_a_label_can_be_withdrawn_and_given_again(labels: LabelFile) -> None:
    labels.append(LABEL)
    labels.append(replace(LABEL, winner=None, withdrawn=True))
    assert labels.read() == ()
    labels.append(LABEL)
    assert labels.read() == (LABEL,)


@pytest.mark.parametrize("cut", [1, 2, 30, 150])
def test_a_torn_last_line_is_passed_over_and_loses_nothing_else(
    labels: LabelFile, cut: int
) -> None:
    labels.append(LABEL)
    labels.append(replace(LABEL, example="e2"))
    labels.path.write_bytes(labels.path.read_bytes()[:-cut])
    kept = [LABEL] if cut > 1 else [LABEL, replace(LABEL, example="e2")]
    assert list(labels.read()) == kept
    for example in ("e3", "e4"):
        labels.append(replace(LABEL, example=example))
        kept.append(replace(LABEL, example=example))
        assert list(labels.read()) == kept


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"id": "e1"}', '{"id": 1, "judge": "A"}'])
def test_a_damaged_line_is_named(labels: LabelFile, line: str) -> None:
    labels.append(LABEL)
    with labels.path.open("a") as file:
        file.write(line + "\n")
        file.write(labels.path.read_text())
    with pytest.raises(InputError, match=r"labels\.jsonl:2: this line is no label"):
        labels.read()


def test_unknown_winners_are_damage(labels: LabelFile) -> None:
    labels.append(LABEL)
    labels.path.write_text(labels.path.read_text().replace('"model_b",', '"both",', 1))
    labels.path.write_text(labels.path.read_text().replace('"winner":"model_b"', '"winner":"both"'))
    with pytest.raises(InputError, match=":1: this line is no label"):
        labels.read()


def test_the_votes_reader_reads_it(labels: LabelFile) -> None:
    labels.append(LABEL)
    labels.append(replace(LABEL, example="e2", winner=None))
    labels.append(replace(LABEL, reviewer="Ben", winner="tie", swapped=False))
    builder = TableBuilder()
    known = Known(("old", "new"), ("e1", "e2"))
    read_verdicts(labels.path, builder, known).raise_if_any()
    table = builder.table()
    assert table.judges == ("Ada", "Ben")
    assert table.p_second[[0, 2]].tolist() == [1.0, 0.5]
    assert table.swapped.tolist() == [1, 1, 0]
    assert list(table.reasons) == [1]


def test_writers_at_once_lose_nothing(labels: LabelFile) -> None:
    script = (
        "import sys; from pathlib import Path; from harness.core.label import Label\n"
        "from harness.storage.labels import LabelFile\n"
        "for i in range(30): LabelFile(Path(sys.argv[1])).append(Label(f'e{i}', sys.argv[2], "
        "('old', 'new'), 'tie', False, comment='x' * 9000))"
    )

    def write(name: str) -> int:
        return subprocess.run(
            [sys.executable, "-c", script, labels.path, name], check=False
        ).returncode

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(write, ("Ada", "Ben"))) == [0, 0]
    found = [json.loads(line) for line in labels.path.read_bytes().splitlines()]
    assert len(found) == 60
    assert len(read_labels(labels.path)) == 60


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "labels.jsonl").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        LabelFile(tmp_path / "labels.jsonl").append(LABEL)


def test_where_nothing_can_be_written(tmp_path: Path, labels: LabelFile) -> None:
    labels.require_writable()
    assert list(tmp_path.iterdir()) == []
    labels.append(LABEL)
    labels.require_writable()
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="labels cannot be written there"):
        LabelFile(tmp_path / "other").require_writable()
    with pytest.raises(InputError, match="labels cannot be written there"):
        LabelFile(tmp_path / "gone" / "labels.jsonl").require_writable()
