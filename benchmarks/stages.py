"""One `harness run` in this process, timed stage by stage; prints one JSON object.

    python benchmarks/stages.py CONFIG

Stages are timed where `harness.experiment.run` calls them, so that they are those of the command.
Times are the process's CPU seconds (all threads) and wall seconds. Memory is the peak resident set
up to the end of a stage. The page is made while it is being written, so its time is in `writing`.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STAGES = {
    "prepare": "reading",
    "score_records": "scoring",
    "subject_of": "scoring",
    "compare": "statistics",
    "renderings": "rendering",
    "write_run": "writing",
}
"""What `harness.experiment.run` calls, and the stage that it counts to."""


def peak_mb() -> float:
    """The peak resident set of this process so far, in MB (2^20 bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(config: Path) -> dict[str, Any]:
    began = time.perf_counter()
    began_cpu = time.process_time()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as harness.cli.main does
    import harness.experiment.run as walk

    found: dict[str, dict[str, float]] = {
        "imports": {
            "wall_s": time.perf_counter() - began,
            "cpu_s": time.process_time() - began_cpu,
            "peak_rss_mb": peak_mb(),
        }
    }
    for name, stage in STAGES.items():
        setattr(walk, name, _timed(getattr(walk, name), found.setdefault(stage, {})))
    walk.run_experiment(config)
    found["whole"] = {
        "wall_s": time.perf_counter() - began,
        "cpu_s": time.process_time() - began_cpu,
        "peak_rss_mb": peak_mb(),
    }
    return found


def _timed(step: Callable[..., Any], into: dict[str, float]) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        result = step(*args, **kwargs)
        into["wall_s"] = into.get("wall_s", 0.0) + time.perf_counter() - wall
        into["cpu_s"] = into.get("cpu_s", 0.0) + time.process_time() - cpu
        into["peak_rss_mb"] = peak_mb()
        return result

    return timed


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
