"""YAML as plain data: what is read, what is refused, and where it stands."""

import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.config.source import MAX_BYTES, Source, read_yaml
from harness.errors import Problem


def read(content: str | bytes, name: str = "x.yaml") -> tuple[Source | None, list[str]]:
    raw = content.encode() if isinstance(content, str) else content
    Path(name).write_bytes(raw)
    problems: list[Problem] = []
    return read_yaml(Path(name), problems), [str(problem) for problem in problems]


def test_plain_values_are_those_of_yaml_1_2() -> None:
    source, problems = read(
        "a: no\nb: 1e-3\nc: 0x1f\nd: 010\ne: ~\nf: True\ng: 2020-01-01\nh: 1_000\ni: '7'\n1: x\n"
    )
    assert problems == []
    assert source is not None
    assert source.data == {
        "a": "no", "b": 0.001, "c": 31, "d": 10, "e": None, "f": True, "g": "2020-01-01",
        "h": 1000, "i": "7", "1": "x",
    }  # fmt: skip
    assert {type(value) for value in source.data.values()} <= {str, float, int, type(None), bool}


def test_every_key_and_value_has_its_place() -> None:
    source, _ = read("a:\n  - {b: 1}\n  - c:\n      d: x\n")
    assert source is not None
    assert source.where(("a", 0, "b")) == "x.yaml:2:9"
    assert source.where(("a", 0, "b"), key=True) == "x.yaml:2:6"
    assert source.where(("a", 1, "c", "d")) == "x.yaml:4:10"
    assert source.where(("a", 1, "c", "nowhere", "at all")) == "x.yaml:4:7"


def test_all_duplicate_keys_are_listed_and_the_rest_is_read() -> None:
    source, problems = read("a: 1\na: 2\nb: {c: 1, c: 2}\n")
    assert problems == [
        "x.yaml:2:1: duplicate key 'a' (first on line 1)",
        "x.yaml:3:11: duplicate key 'c' (first on line 3)",
    ]
    assert source is not None
    assert source.data == {"a": 1, "b": {"c": 1}}


def test_merged_mappings_give_way_to_own_keys() -> None:
    source, problems = read("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\n")
    assert problems == []
    assert source is not None
    assert source.data["y"] == {"a": 1, "b": 3}


BROKEN = [
    ("a: b: c\n", "x.yaml:1:5: broken YAML: mapping values are not allowed here"),
    ("\ta: 1\n", "x.yaml:1:1: broken YAML: "),
    ("a: 'x\n", "x.yaml:2:1: broken YAML: while scanning a quoted scalar"),
    ("--- 1\n--- 2\n", "x.yaml:2:1: broken YAML: expected a single document in the stream"),
    ("*x", "x.yaml:1:1: broken YAML: found undefined alias"),
    ("a: 1\nb: \x01b", "x.yaml:2:4: the control character #x01"),
    ("", "x.yaml:1:1: the file is empty"),
    ("# only a comment\n", "x.yaml:1:1: the file is empty"),
    ("- a\n", "x.yaml:1:1: the file must hold a mapping"),
    ("word\n", "x.yaml:1:1: the file must hold a mapping"),
    ("a: &a [*a]\n", "x.yaml:1:1: the document nests deeper"),
    ("x: &x\n  <<: *x\n", "x.yaml:1:1: the document nests deeper"),
    ("a: " + "[" * 5000, "x.yaml:1:1: the document nests deeper"),
    ("a: " + "[" * 100 + "]" * 100, "x.yaml:1:1: the document nests deeper"),
    (b"a: x\nb: caf\xe9\n", "x.yaml:2:7: byte 0xe9 is not UTF-8 text"),
    ("a: 1\n".encode("utf-16"), "x.yaml:1:1: byte 0xff is not UTF-8 text"),
    (b"#" * (MAX_BYTES + 1), "x.yaml:1:1: a configuration file of 1000001 bytes is too large"),
]


@pytest.mark.parametrize(("content", "expected"), BROKEN)
def test_a_file_that_cannot_be_read_is_one_problem(content: str | bytes, expected: str) -> None:
    source, problems = read(content)
    assert source is None
    assert len(problems) == 1
    assert problems[0].startswith(expected)


def test_an_alias_bomb_is_refused_before_it_expands() -> None:
    names = "abcdefghij"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]" for before, name in pairwise(names)
    ]
    source, problems = read("\n".join(lines))
    assert source is None
    assert problems == ["x.yaml:1:1: the document holds (or expands to) over 50000 values"]


@pytest.mark.parametrize("core", ["{k: 1}", "{}"])
def test_a_bomb_of_merges_is_refused_before_it_expands(core: str) -> None:
    names = "abcdefghij"
    lines = [f"a: &a {core}"]
    lines += [
        f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 10)}]}}"
        for before, name in pairwise(names)
    ]
    source, problems = read("\n".join(lines))
    assert source is None
    assert problems == ["x.yaml:1:1: the document holds (or expands to) over 50000 values"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (".nan", "numbers must be finite"),
        ("-.inf", "numbers must be finite"),
        ("1e999", "numbers must be finite"),
        ("!!python/object:os.system x", "the tag 'python/object:os.system' is not allowed"),
        ("!!int x", "'x' is not a whole number"),
        ("9" * 5000, "'9999"),
        ('"\\ud800"', "text may not hold"),
        ('"\\0"', "text may not hold"),
    ],
)
def test_a_value_that_no_json_could_hold_is_refused(value: str, expected: str) -> None:
    _, problems = read(f"ok: 1\nbad: {value}\n")
    assert len(problems) == 1
    assert problems[0].startswith(f"x.yaml:2:6: bad: {expected}")


def test_files_that_are_not_there(here: Path) -> None:
    (here / "folder.yaml").mkdir()
    (here / "loop.yaml").symlink_to("loop.yaml")
    os.mkfifo(here / "pipe.yaml")
    found = {}
    for name in ("folder.yaml", "loop.yaml", "pipe.yaml", "lop.yaml", "loop.yaml/x"):
        problems: list[Problem] = []
        assert read_yaml(Path(name), problems) is None
        found[name] = str(problems[0])
    assert found == {
        "folder.yaml": "folder.yaml: is a folder, not a file",
        "loop.yaml": "loop.yaml: is a loop of symbolic links",
        "pipe.yaml": "pipe.yaml: is not a regular file",
        "lop.yaml": "lop.yaml: does not exist\n  hint: did you mean 'loop.yaml'?",
        "loop.yaml/x": "loop.yaml/x: is a loop of symbolic links",
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.binary(max_size=60) | st.text("ab:-{}[]&*!|>'\"#%@,?<= \n\t1.", max_size=40))
def test_no_input_ends_in_a_traceback(content: str | bytes) -> None:
    source, problems = read(content)
    assert source is not None or problems
    assert all(problem.startswith("x.yaml:") for problem in problems)
