"""The composition root: the only place that knows the order of the stages.

`run` is the whole walk on one screen; `check`, `gate` and `merge` start from parts of it.
"""

from harness.experiment.check import Check, check_experiment
from harness.experiment.frames import Run, load_run
from harness.experiment.gate import gate_run
from harness.experiment.merge import compare_runs
from harness.experiment.prepare import Options
from harness.experiment.renderings import render_again
from harness.experiment.run import run_config, run_experiment

__all__ = [
    "Check",
    "Options",
    "Run",
    "check_experiment",
    "compare_runs",
    "gate_run",
    "load_run",
    "render_again",
    "run_config",
    "run_experiment",
]
