# ruff: noqa: E501 - whole messages stand on one line
"""Eval sets: what is read from which file, what freezing pins, and what loading refuses."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.config.evalset import examine_evalset, freeze_evalset, load_evalset
from harness.core.example import EvalSet, Example
from harness.core.values import ToolCall
from harness.errors import InputError

SET = Path("mini")

ROWS: list[dict[str, Any]] = [
    {"id": "q2", "input": {"question": "1+1"}, "target": "2", "slices": {"steps": "1"}},
    {"id": "q1", "input": {"question": "2*3"}, "target": "6", "slices": {"steps": "2"}},
]


def write(rows: Iterable[Any], name: str = "examples.jsonl", yaml: str | None = None) -> None:
    SET.mkdir(exist_ok=True)
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    (SET / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    if yaml is not None:
        (SET / "evalset.yaml").write_text(yaml)


def frozen(rows: Iterable[Any], yaml: str | None = None) -> EvalSet:
    write(rows, yaml=yaml)
    freeze_evalset(SET)
    return load_evalset(SET)


def problems(step: Any = freeze_evalset) -> list[str]:
    with pytest.raises(InputError) as caught:
        step(SET)
    return [str(problem).replace("\n  hint:", " |") for problem in caught.value.problems]


def test_examples_come_in_the_order_of_their_ids() -> None:
    evalset = frozen(ROWS)
    assert evalset.name == "mini"
    assert evalset.examples == (
        Example("q1", {"question": "2*3"}, "6", {"steps": "2"}),
        Example("q2", {"question": "1+1"}, "2", {"steps": "1"}),
    )


def test_every_field_is_read_and_unknown_ones_are_kept() -> None:
    row = {
        "id": 7, "input": "hi", "target": {"a": [1, None]}, "cluster": 3, "abstain": True,
        "slices": {"n": 2, "hard": False, "none": None, "x": 0.5}, "evidence": ["d1", 2],
        "tool_calls": [
            {"name": "f", "arguments": '{"x": 1}'},
            {"type": "function", "function": {"name": "g"}},
        ],
        "metadata": {"source": "s"}, "rationale": "r",
    }  # fmt: skip
    (example,) = frozen([row]).examples
    assert example == Example(
        id="7",
        input="hi",
        target={"a": [1, None]},
        slices={"n": "2", "hard": "false", "x": "0.5"},
        cluster="3",
        evidence=("d1", "2"),
        tool_calls=(ToolCall("f", {"x": 1}), ToolCall("g", {})),
        abstain=True,
        metadata={"source": "s", "rationale": "r"},
    )


def test_the_description_is_read() -> None:
    (SET / "docs").mkdir(parents=True)
    (SET / "docs" / "a.md").write_text("text")
    evalset = frozen(
        ROWS,
        "name: other\ndescription: d\nlicense: MIT\norigin: by hand\ninput_fields: [question]\n"
        "slices: {steps: lines}\ncorpus: docs\n"
        "contract: {inputs: i, outputs: o, evidence_sources: [e], abstention: a,"
        " disallowed: [x], metrics: [m]}\n",
    )
    assert (evalset.name, evalset.description, evalset.license, evalset.origin) == (
        "other", "d", "MIT", "by hand",
    )  # fmt: skip
    assert evalset.slice_meanings == {"steps": "lines"}
    assert evalset.contract is not None
    assert (evalset.contract.inputs, evalset.contract.disallowed) == ("i", ("x",))
    assert evalset.corpus_sha256 is not None


def test_the_lock_holds_hashes_and_counts() -> None:
    write(ROWS)
    result = freeze_evalset(SET)
    lock = json.loads(result.lock_path.read_text())
    assert lock["format"] == "harness.evalset-lock/1"
    assert lock["n_examples"] == 2
    assert lock["slices"] == {"all": 2, "steps=1": 1, "steps=2": 1}
    assert lock["sha256"] == result.evalset.sha256
    assert list(lock["examples"]) == ["q1", "q2"]
    assert result.changes.added == ("q1", "q2")


def test_freezing_again_changes_nothing() -> None:
    write(ROWS)
    path = freeze_evalset(SET).lock_path
    before = path.read_bytes()
    assert not freeze_evalset(SET).changes
    assert path.read_bytes() == before
    assert sorted(p.name for p in SET.iterdir()) == ["evalset.lock", "examples.jsonl"]


def test_a_set_without_a_lock_is_refused() -> None:
    write(ROWS)
    assert problems(load_evalset) == [
        "mini: the eval set 'mini' has not been frozen: it has no evalset.lock"
        " | run `harness freeze mini`"
    ]


def test_a_set_edited_after_freezing_is_refused_naming_the_ids() -> None:
    many = [{"id": f"r{i:02}", "input": "x"} for i in range(12)]
    frozen([*ROWS, *many])
    write([ROWS[0], {**ROWS[1], "target": "7"}, {"id": "new", "input": "x"}])
    hint = " | run `harness freeze mini` if that is meant, else restore the examples"
    at = "mini/evalset.lock:1:1"
    ten = ", ".join(f"r{i:02}" for i in range(10))
    assert problems(load_evalset) == [
        f"{at}: 1 example changed since the set was frozen: q1{hint}",
        f"{at}: 1 example added since the set was frozen: new{hint}",
        f"{at}: 12 examples removed since the set was frozen: {ten} and 2 more{hint}",
    ]


def test_a_changed_corpus_is_refused() -> None:
    (SET / "docs" / "sub").mkdir(parents=True)
    (SET / "docs" / "sub" / "a.md").write_text("text")
    frozen(ROWS, "name: mini\ncorpus: docs\n")
    (SET / "docs" / ".hidden").touch()
    load_evalset(SET)
    (SET / "docs" / "sub" / "a.md").write_text("Text")
    assert "the corpus changed since the set was frozen" in problems(load_evalset)[0]
    (SET / "docs" / "loop").symlink_to("loop")
    assert "the corpus docs holds 'loop', which is a loop of" in problems(load_evalset)[0]


def test_a_corpus_that_cannot_be_walked_is_refused() -> None:
    write(ROWS, yaml="name: mini\ncorpus: docs\n")
    (SET / "docs").mkdir()
    (SET / "docs" / "a.md").write_text("text")
    freeze_evalset(SET)
    here = os.open(SET / "docs", os.O_RDONLY)
    for _ in range(20):  # deeper than any path that the system accepts
        os.mkdir("d" * 250, dir_fd=here)
        inner = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    (found,) = problems()
    assert found.startswith("mini/evalset.yaml:2:9: the corpus docs holds 'ddd")
    assert found.endswith("which has too long a name")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"format": "harness.evalset-lock/1"}',
        '{"format": "other/1"}',
        "\udcff",
    ],
)
def test_a_damaged_lock_is_refused_and_repaired_by_freezing(content: str) -> None:
    write(ROWS)
    (SET / "evalset.lock").write_bytes(content.encode("utf-8", "surrogateescape"))
    (problem,) = problems(load_evalset)
    assert problem.endswith("| run `harness freeze mini`")
    freeze_evalset(SET)
    assert len(load_evalset(SET).examples) == 2


def test_a_lock_edited_by_hand_is_refused() -> None:
    sha256 = frozen(ROWS).sha256
    lock = SET / "evalset.lock"
    lock.write_text(lock.read_text().replace(sha256, "0" * 64))
    assert "the lock was edited by hand" in problems(load_evalset)[0]


def test_every_bad_row_is_listed_with_its_place() -> None:
    write(
        [
            '{"id": "a", "input": 1',
            '["a"]',
            '{"id": "b"}',
            '{"input": 1}',
            '{"id": " ", "input": 1}',
            '{"id": 1.5, "input": 1}',
            '{"id": true, "input": 1}',
            '{"id": "c", "input": NaN}',
            '{"id": "c2", "input": 1e999}',
            '{"id": "c3", "id": "d", "input": 1}',
            '{"id": "e", "input": 1, "slices": ["x"]}',
            '{"id": "e", "input": 1, "slices": {"x=y": "z"}}',
            '{"id": "e", "input": 1, "slices": {"x": ["z"]}}',
            '{"id": "e", "input": 1, "evidence": "d1"}',
            '{"id": "e", "input": 1, "tool_calls": [{"arguments": {}}]}',
            '{"id": "e", "input": 1, "tool_calls": [{"name": "f", "arguments": "{"}]}',
            '{"id": "e", "input": 1, "abstain": "no"}',
            "",
            '{"id": "ok", "input": 1}',
            '{"id": "ok", "input": 2}',
        ]
    )
    at = "mini/examples.jsonl"
    assert problems() == [
        f"{at}:1:23: broken JSON: Expecting ',' delimiter | one JSON object a line",
        f"{at}:2:1: a line must hold a JSON object | one JSON object a line",
        f"{at}:3:1: the input is missing | an input that must stay untold can be null",
        f"{at}:4:1: the id is missing",
        f"{at}:5:2: the id is empty",
        f"{at}:6:2: the id must be text, not a number",
        f"{at}:7:2: the id must be text, not true or false",
        f"{at}:8:13: broken JSON: NaN is not a finite number",
        f"{at}:9:14: broken JSON: the number 1e999 is out of range",
        f"{at}:10:14: broken JSON: duplicate key 'id'",
        f"{at}:11:25: slices must be an object (name: value), not a list",
        f"{at}:12:36: 'x=y' cannot name a slice: a name is not empty and holds no '='",
        f"{at}:13:36: the value of slice 'x' must be text, not a list",
        f"{at}:14:25: evidence must be a list of ids, not text",
        f"{at}:15:25: tool_calls[0] must be an object with a name"
        ' | {"name": ..., "arguments": {...}}',
        f"{at}:16:54: tool_calls[0].arguments must be an object, not text",
        f"{at}:17:25: abstain must be true or false, not text",
        f"{at}:20:2: the id 'ok' is already on line 19",
    ]


def test_everything_wrong_on_a_line_is_told() -> None:
    write(
        [
            '{"id": "a", "slices": {"x=y": "z", "n": []}, "abstain": "no", "evidence": [3.5]}',
            '{"id": "b", "input": {"q": NaN, "r": "NaN, \\"s\\": NaN"}, "target": -Infinity}',
        ]
    )
    at = "mini/examples.jsonl"
    assert problems() == [
        f"{at}:1:1: the input is missing | an input that must stay untold can be null",
        f"{at}:1:24: 'x=y' cannot name a slice: a name is not empty and holds no '='",
        f"{at}:1:36: the value of slice 'n' must be text, not a list",
        f"{at}:1:46: abstain must be true or false, not text",
        f"{at}:1:63: evidence[0] must be text, not a number",
        f"{at}:2:23: broken JSON: NaN is not a finite number",
        f"{at}:2:58: broken JSON: -Infinity is not a finite number",
    ]


def test_drift_is_told_beside_everything_else() -> None:
    (SET / "docs").mkdir(parents=True)
    (SET / "docs" / "a.md").write_text("text")
    third = {"id": "q3", "input": "x"}
    frozen([*ROWS, third], "name: mini\ncorpus: docs\n")
    (SET / "docs" / "a.md").write_text("Text")
    write(
        [{**ROWS[0], "target": "7"}, '{"id": "q1", "input": NaN}', {"id": "q4", "input": 1}],
        yaml="name: mini\ncorpus: docs\nslice: {}\n",
    )
    assert [text.partition(" |")[0] for text in problems(load_evalset)] == [
        "mini/evalset.yaml:3:1: unknown key 'slice'",
        "mini/examples.jsonl:2:14: broken JSON: NaN is not a finite number",
        "mini/evalset.lock:1:1: 1 example changed since the set was frozen: q2",
        "mini/evalset.lock:1:1: 1 example added since the set was frozen: q4",
        "mini/evalset.lock:1:1: the corpus changed since the set was frozen",
    ]


def test_evidence_that_is_no_document_of_the_corpus_is_a_warning() -> None:
    for name in ("refunds.md", "faq/returns.md"):
        (SET / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
        (SET / "docs" / name).write_text("text")
    good = ["refunds", "refunds.md#2", "returns", "faq/returns", "faq/returns.md#a#b"]
    rows = [{"id": "a", "input": "x", "evidence": good}, {"id": "b", "input": "x"}]
    yaml = "name: mini\ncorpus: docs\n"
    write(rows, yaml=yaml)
    assert freeze_evalset(SET).warnings == ()
    rows[1]["evidence"] = ["refund", "refund", *(f"n{i:02}#1" for i in range(11))]
    write(rows, yaml=yaml)
    named = ", ".join(["refund", *(f"n{i:02}#1" for i in range(9))])
    expected = (f"12 evidence ids name no document of the corpus mini/docs: {named} and 2 more",)
    assert freeze_evalset(SET).warnings == expected
    assert examine_evalset(SET).warnings == expected


def test_the_number_of_problems_is_true_when_not_all_are_shown() -> None:
    write(["{"] * 5000)
    found = problems()
    assert len(found) == 21
    assert found[-1] == "mini/examples.jsonl: and 4980 more problems in this file"


def test_an_empty_set_is_refused() -> None:
    write([])
    assert problems() == ["mini/examples.jsonl:1:1: the eval set is empty: no examples"]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"id": "a", "input": "caf\xe9"}\n', ":1:26: byte 0xe9 is not UTF-8 text"),
        ('{"id": "a", "input": 1}\n'.encode("utf-16"), ":1:1: byte 0xff is not UTF-8 text"),
        (b'{"id": "a", "input": "x\x00"}\n', ":1:24: broken JSON: Invalid control character"),
        (b"[" * 100_000 + b"\n", ":1:1: broken JSON: it nests too deep"),
        (b'{"id": "a", "input": ' + b"9" * 9999 + b"}\n", ":1:13: broken JSON: a number of 9999"),
    ],
)
def test_bytes_that_are_no_json(raw: bytes, expected: str) -> None:
    write([])
    (SET / "examples.jsonl").write_bytes(raw)
    assert problems()[0].startswith(f"mini/examples.jsonl{expected}")


def test_odd_but_valid_files_are_read() -> None:
    SET.mkdir()
    (SET / "examples.jsonl").write_bytes(
        b'\xef\xbb\xbf{"id": "a", "input": "x \\ud800 y"}\r\n\r\n{"id": "b", "input": "\xe2\x80\xa8"}'
    )
    freeze_evalset(SET)
    a, b = load_evalset(SET).examples
    assert (a.input, b.input) == ("x \ufffd y", "\u2028")


def test_columns_are_mapped_and_displaced_ones_kept() -> None:
    yaml = (
        "name: mini\nfields: {id: qid, input.question: q.text, target: gold, slices.topic: topic}\n"
    )
    rows = [{"qid": 1, "q": {"text": "why"}, "gold": "x", "topic": "t", "id": "own", "n": 3}]
    (example,) = frozen(rows, yaml).examples
    assert example == Example(
        "1", {"question": "why"}, "x", {"topic": "t"},
        metadata={"q": {"text": "why"}, "id": "own", "n": 3},
    )  # fmt: skip


def test_a_mapping_that_fits_no_row_is_told() -> None:
    write(ROWS, yaml="name: mini\nfields: {target: gold}\n")
    assert problems() == [
        "mini/examples.jsonl:1:1: no row has the field 'gold' that `fields` takes as target"
    ]


def test_two_columns_for_one_field_are_refused() -> None:
    write([{"id": "a", "input": "x", "input.question": "y"}])
    assert problems() == [
        "mini/examples.jsonl:1:27: two columns fill 'input': one whole, one 'input.question'"
    ]


def test_an_input_field_must_be_in_every_input() -> None:
    write([*ROWS, {"id": "x", "input": {}}], yaml="name: mini\ninput_fields: [question]\n")
    assert problems() == [
        "mini/examples.jsonl:3:13: the input has no 'question', which evalset.yaml lists in"
        " input_fields"
    ]


def test_slices_are_described_truly() -> None:
    write(ROWS, yaml="name: mini\nslices: {step: x, steps=2: y}\n")
    assert freeze_evalset(SET).warnings == (
        "the slice 'step' is described in evalset.yaml but absent",
    )
    write(ROWS, yaml="name: mini\nslices: {topic: x}\n")
    assert freeze_evalset(SET).warnings == (
        "the slice 'topic' is described in evalset.yaml but absent",
        "the slice 'steps' is present but not described",
    )
    write(ROWS, yaml="name: mini\n")
    assert freeze_evalset(SET).warnings == ()


def test_csv_keeps_ids_as_text() -> None:
    SET.mkdir()
    with (SET / "examples.csv").open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows(
            [
                ["id", "input.question", "target", "slices.steps", "evidence", "abstain", "note"],
                ["007", "two\nlines", "6", "02", '["d1"]', "True", ""],
                ["008", "b, c", "", "", "", "false", "n"],
            ]
        )
    freeze_evalset(SET)
    assert load_evalset(SET).examples == (
        Example(
            "007", {"question": "two\nlines"}, "6", {"steps": "02"},
            evidence=("d1",), abstain=True,
        ),
        Example("008", {"question": "b, c"}, abstain=False, metadata={"note": "n"}),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id,input,id\na,b,c\n", ":1:1: two columns are called 'id'"),
        ("id,,input\na,b,c\n", ":1:1: column 2 has no name"),
        ('id,input\na,"x\ny"\nb\n', ":4:1: 1 cells in a table of 2 columns"),
        ('id,input\na,"x\n', ":2:1: broken CSV: unexpected end of data"),
        ("id,input\na,x\0\n", ":2:4: a NUL character"),
        ("id,input\n", ":1:1: the eval set is empty"),
        ("id,input\na,x\na,y\n", ":3:1: the id 'a' is already on line 2"),
    ],
)
def test_broken_csv(text: str, expected: str) -> None:
    write([])
    (SET / "examples.jsonl").unlink()
    (SET / "examples.csv").write_text(text)
    assert problems()[0].startswith(f"mini/examples.csv{expected}")


def test_parquet_holds_the_same_examples() -> None:
    whole = frozen(ROWS)
    (SET / "examples.jsonl").unlink()
    pq.write_table(pa.Table.from_pylist(ROWS), SET / "examples.parquet")
    assert load_evalset(SET) == whole


def test_broken_parquet() -> None:
    SET.mkdir()
    path = SET / "examples.parquet"
    path.write_bytes(b"not parquet at all")
    assert problems()[0].startswith("mini/examples.parquet:1:1: not a readable Parquet file")
    pq.write_table(pa.table({"id": ["a", "b"], "input": [1.0, float("nan")]}), path)
    assert problems() == [
        "mini/examples.parquet:2:1: input is not a finite number | leave unknown values empty"
    ]


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("nam: x\n", "mini/evalset.yaml:1:1: missing key 'name'"),
        ("name: x\nslice: {}\n", "mini/evalset.yaml:2:1: unknown key 'slice' | did you mean 'slices'"),
        ("name: x\nfields: {idd: q}\n", "mini/evalset.yaml:2:10: fields.idd must be a field of an"),
        ("name: x\nexamples: e.json\n", "mini/evalset.yaml:2:11: the file of examples e.json does"),
        ("name: x\nexamples: 3\n", "mini/evalset.yaml:2:11: examples must be a path or a mapping"),
        ("name: x\nexamples: evalset.yaml\n", "mini/evalset.yaml:1:1: files ending in '.yaml' are not"),
        ("name: x\ncorpus: docs\n", "mini/evalset.yaml:2:9: the corpus docs does not exist"),
        ("name: x\ncontract: {input: y}\n", "mini/evalset.yaml:2:12: unknown key 'input' | did you"),
        ("name: x\nexamples: ${HOME}/e.jsonl\n", "mini/evalset.yaml:2:11: the file of examples ${HOME}"),
    ],
)  # fmt: skip
def test_mistakes_in_the_description(yaml: str, expected: str) -> None:
    write(ROWS, yaml=yaml)
    assert problems()[0].startswith(expected)


def test_a_folder_that_is_none() -> None:
    SET.symlink_to("mini")
    assert problems() == ["mini: the eval set is a loop of symbolic links"]
    SET.unlink()
    SET.mkdir()
    assert problems()[0].startswith("mini: there is none of examples.jsonl, examples.csv")


def test_a_saved_dataset_is_resolved_once() -> None:
    table = datasets.Dataset.from_list([{"qid": "007", "q": "why", "a": "x"}])
    datasets.DatasetDict({"test": table}).save_to_disk("saved")
    yaml = (
        "name: mini\nexamples:\n  dataset: ../saved\n  split: test\n"
        "  fields: {id: qid, input.question: q, target: a}\n"
    )
    SET.mkdir()
    (SET / "evalset.yaml").write_text(yaml)
    assert "has not been frozen" in problems(load_evalset)[0]
    freeze_evalset(SET)
    assert load_evalset(SET).examples == (Example("007", {"question": "why"}, "x"),)
    for file in sorted(Path("saved").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    assert not freeze_evalset(SET).changes
    assert len(load_evalset(SET).examples) == 1


def referring(reference: str) -> None:
    SET.mkdir(exist_ok=True)
    (SET / "evalset.yaml").write_text(f"name: mini\nexamples: {{dataset: {reference}}}\n")


def test_a_local_file_can_be_a_dataset() -> None:
    Path("rows.csv").write_text("id,input\n007,x\n")
    referring("../rows.csv")
    freeze_evalset(SET)
    assert load_evalset(SET).examples == (Example("007", "x"),)
    (SET / "evalset.yaml").write_text(
        "name: mini\nexamples: {dataset: ../rows.csv, split: train}\n"
    )
    assert problems(load_evalset) == [
        "mini/evalset.yaml:2:11: the dataset reference is not the one that was frozen"
        " | run `harness freeze mini`"
    ]


def test_examples_written_by_hand_are_never_replaced() -> None:
    Path("rows.csv").write_text("id,input\n007,x\n")
    write(ROWS)
    by_hand = (SET / "examples.jsonl").read_bytes()
    freeze_evalset(SET)
    referring("../rows.csv")
    for _ in range(2):
        assert problems() == [
            "mini/examples.jsonl: examples.jsonl was not written by freezing, and the dataset would"
            " replace it | move it away, or take it: no `dataset`"
        ]
        assert (SET / "examples.jsonl").read_bytes() == by_hand
        (SET / "evalset.lock").unlink(missing_ok=True)


def test_what_freezing_wrote_is_replaced_when_the_reference_changes() -> None:
    Path("rows.csv").write_text("qid,input\n007,x\n")
    Path("more.csv").write_text("id,input\n008,y\n")
    referring("../rows.csv")
    assert "the id is missing" in problems()[0]
    referring("../rows.csv, fields: {id: qid}")  # what the first try left behind is no hindrance
    freeze_evalset(SET)
    referring("../more.csv")
    freeze_evalset(SET)
    assert load_evalset(SET).examples == (Example("008", "y"),)


def test_keys_that_mean_nothing_for_a_local_dataset() -> None:
    Path("rows.csv").write_text("id,input\n007,x\n")
    referring("../rows.csv, split: train, revision: abc, config: en")
    assert problems() == [
        "mini/evalset.yaml:2:71: config is not used for a file | leave it out",
        "mini/evalset.yaml:2:41: split is not used for a file | leave it out",
        "mini/evalset.yaml:2:58: revision is not used for a file | leave it out",
    ]
    table = datasets.Dataset.from_list([{"id": "a", "input": "x"}])
    datasets.DatasetDict({"dev": table}).save_to_disk("saved")
    referring("../saved, split: dev, config: en")
    assert problems() == [
        "mini/evalset.yaml:2:51: config is not used for a local folder | leave it out"
    ]
    referring("../saved, split: dev")
    freeze_evalset(SET)
    assert load_evalset(SET).examples == (Example("a", "x"),)


def test_a_dataset_that_cannot_be_had() -> None:
    Path("empty").mkdir()
    referring("../empty")
    (problem,) = problems()
    assert problem.startswith(
        "mini/evalset.yaml:2:11: the dataset '../empty' could not be resolved"
    )


@pytest.mark.parametrize("name", ["../rows.csv", "rows", "data/rows.jsonl", "./a/b"])
def test_a_dataset_path_that_leads_nowhere_is_no_name(name: str) -> None:
    referring(name)
    (problem,) = problems()
    at = f"mini/evalset.yaml:2:21: the dataset {name} does not exist"
    assert problem.startswith(f"{at} ({os.path.normpath(SET / name)})")


def test_a_hub_that_is_not_reached_is_told_at_once() -> None:
    code = (
        "from pathlib import Path\n"
        "from harness.config.evalset import freeze_evalset\n"
        "from harness.errors import InputError\n"
        "try:\n    freeze_evalset(Path('mini'))\n"
        "except InputError as error:\n    print(error)\n"
    )
    referring("some-org/some-name")
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, **nowhere}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "the dataset 'some-org/some-name' could not be resolved" in done.stdout
    assert "http://127.0.0.1:1 is not reached" in done.stdout
    assert "Retrying" not in done.stderr


def test_a_split_that_is_not_there_names_those_that_are() -> None:
    table = datasets.Dataset.from_list([{"id": "a", "input": "x"}])
    datasets.DatasetDict({"dev": table, "train": table}).save_to_disk("saved")
    referring("../saved, split: test")
    assert problems() == [
        "mini/evalset.yaml:2:38: the dataset '../saved' has no split 'test' | known: dev, train"
    ]
    Path("folder").mkdir()
    Path("folder/train.jsonl").write_text('{"id": "a", "input": "x"}\n')
    referring("../folder, split: dev")
    (problem,) = problems()
    assert "Unknown split \"dev\". Should be one of ['train']" in problem


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
WORD = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6).filter(str.strip)
ROW = st.fixed_dictionaries(
    {"input": JSON},
    optional={
        "target": JSON,
        "slices": st.dictionaries(WORD.filter(lambda name: "=" not in name), WORD, max_size=2),
        "cluster": WORD,
        "evidence": st.lists(WORD, max_size=2),
        "abstain": st.booleans(),
        "extra": JSON,
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(WORD, ROW, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_the_lock_depends_on_neither_row_nor_key_order(rows: dict[str, Any], random: Any) -> None:
    lines = [{"id": key, **row} for key, row in rows.items()]
    write(lines)
    result = freeze_evalset(SET)
    locked = result.lock_path.read_bytes()
    assert [example.id for example in result.evalset.examples] == sorted(rows)
    random.shuffle(lines)
    write([dict(sorted(line.items(), reverse=True)) for line in lines])
    assert load_evalset(SET) == result.evalset
    freeze_evalset(SET)
    assert result.lock_path.read_bytes() == locked
