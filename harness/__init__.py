"""Controlled comparison of LLM systems: paired, with intervals, and a verdict for CI.

`harness.run("configs/quickstart.yaml")` runs an experiment; `harness.load_run("quickstart")` takes
a finished one. Either gives a `Run`: `.comparison` holds all figures, `.trials`, `.scores` and
`.pairs` are pandas frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import version as _version

    from harness.errors import InputError as InputError
    from harness.experiment.frames import Run as Run
    from harness.experiment.frames import load_run as load_run
    from harness.experiment.run import run_config as run

    __version__ = _version("harness")

__all__ = ["InputError", "Run", "__version__", "load_run", "run"]

_HOMES = {
    "InputError": ("harness.errors", "InputError"),
    "Run": ("harness.experiment.frames", "Run"),
    "load_run": ("harness.experiment.frames", "load_run"),
    "run": ("harness.experiment.run", "run_config"),
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
