"""Controlled comparison of LLM systems: paired, with intervals, and a verdict for CI.

    import harness

    run = harness.run("configs/quickstart.yaml")  # or harness.load_run("reports/quickstart/latest")
    run.comparison.conclusion                     # what to do, and which figures decided
    run.pairs                                     # pandas frames: .trials, .scores, .pairs
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import version as _version

    from harness.errors import InputError as InputError
    from harness.experiment import Run as Run
    from harness.experiment import load_run as load_run
    from harness.experiment import run_config as run

    __version__ = _version("harness")

__all__ = ["InputError", "Run", "__version__", "load_run", "run"]

_HOMES = {
    "InputError": ("harness.errors", "InputError"),
    "Run": ("harness.experiment", "Run"),
    "load_run": ("harness.experiment", "load_run"),
    "run": ("harness.experiment", "run_config"),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that the command line starts at once."""
    from importlib import import_module, metadata

    if name == "__version__":
        return metadata.version("harness")
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return __all__
