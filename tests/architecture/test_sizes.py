"""Files and functions stay small enough to read at one go, and every module says what it is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "harness").rglob("*.py"))
MOST_FILE_LINES = 400
MOST_FUNCTION_LINES = 60


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_module_is_small_and_described(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)

    assert ast.get_docstring(tree), "a module starts with a docstring"
    assert len(text.splitlines()) <= MOST_FILE_LINES
    long = {
        f"{node.name} (line {node.lineno})": lines
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MOST_FUNCTION_LINES
    }
    assert not long


def test_every_package_has_an_init_file() -> None:
    folders = {path.parent for path in MODULES}
    assert not [relative(folder) for folder in folders if not (folder / "__init__.py").is_file()]


def test_variants_hold_no_python() -> None:
    assert not [relative(path) for path in (ROOT / "variants").rglob("*.py")]
