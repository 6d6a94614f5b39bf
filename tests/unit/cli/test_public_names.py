"""The names that `import harness` promises are there, and come when they are used."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

import harness


def test_every_public_name_is_there() -> None:
    assert harness.__all__ == ["InputError", "Run", "__version__", "load_run", "run"]
    assert all(getattr(harness, name) is not None for name in harness.__all__)
    assert dir(harness) == sorted(harness.__all__)
    assert harness.__version__ == version("harness")


def test_no_other_name_is_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        harness.nothing  # noqa: B018


def test_importing_harness_imports_nothing_heavy() -> None:
    script = "import sys, harness; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not {"numpy", "pydantic", "pyarrow", "pandas", "typer"} & set(done.stdout.split())
