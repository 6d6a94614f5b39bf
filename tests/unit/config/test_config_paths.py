"""Paths in configuration files: variables, and what is wrong with those that lead nowhere."""

from pathlib import Path

import pytest

from harness.config.paths import PathError, near_config, require, resolve, shown


def test_a_path_starts_from_its_file() -> None:
    assert resolve("../a/b.jsonl", Path("/x/y")) == Path("/x/y/../a/b.jsonl")
    assert resolve("/a/b.jsonl", Path("/x/y")) == Path("/a/b.jsonl")


def test_harness_variables_stand_for_their_value_or_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "${HARNESS_TEST_DATA:-../data}/x"
    assert resolve(text, Path("c")) == Path("c/../data/x")
    monkeypatch.setenv("HARNESS_TEST_DATA", "/elsewhere")
    assert resolve(text, Path("c")) == Path("/elsewhere/x")
    monkeypatch.setenv("HARNESS_TEST_DATA", "")
    assert resolve(text, Path("c")) == Path("c/../data/x")


@pytest.mark.parametrize("text", ["${HOME}/x", "${OPENAI_API_KEY}", "${}", "${HARNESS_A-b}"])
def test_no_other_variable_is_read(text: str) -> None:
    with pytest.raises(PathError, match="which is not read"):
        resolve(text, Path())


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(PathError, match=r"\$\{HARNESS_NEVER_SET\}, which is not set") as caught:
        resolve("${HARNESS_NEVER_SET}/x", Path())
    assert (
        caught.value.hint == "set HARNESS_NEVER_SET, or give a default: ${HARNESS_NEVER_SET:-path}"
    )


def test_impossible_paths() -> None:
    Path("a").symlink_to("b")
    Path("b").symlink_to("a")
    Path("file").touch()
    for path, kind, expected in (
        ("a/x", "file", "is a loop of symbolic links"),
        ("file/x", "file", "does not exist: a part of its path is a file"),
        ("file", "folder", "is a file, not a folder"),
        ("n" * 300, "file", "has too long a name"),
        ("a\0b", "file", "is not a possible path"),
    ):
        with pytest.raises(PathError) as caught:
            require(Path(path), kind)  # type: ignore[arg-type]
        assert caught.value.what == expected


def test_paths_are_shown_from_the_working_folder(here: Path) -> None:
    assert shown(here / "a" / ".." / "b") == "b"
    assert shown(Path("/etc")) == "/etc"


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("toy", "did you mean 'configs/toy.yaml'?"),
        ("toy.yaml", "did you mean 'configs/toy.yaml'?"),
        ("cnfigs/toy.yaml", "did you mean 'configs/toy.yaml'?"),
        ("configs/toy", "did you mean 'configs/toy.yaml'?"),
        ("configs", "name one of: configs/other.yaml, configs/toy.yaml"),
        ("empty", ""),
        ("nothing", ""),
        ("configs/toy.yaml", ""),
        ("a\0b", ""),
    ],
)
def test_a_config_that_may_have_been_meant(here: Path, typed: str, hint: str) -> None:
    (here / "empty").mkdir()
    (here / "configs").mkdir()
    for name in ("toy", "other"):
        (here / f"configs/{name}.yaml").write_text("name: toy\n")
    assert near_config(Path(typed)) == hint
