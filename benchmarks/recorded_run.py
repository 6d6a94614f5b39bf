"""A whole `harness run` on recorded outputs: time, memory, stages, and ratios to pandas and scipy.

    python benchmarks/recorded_run.py [--examples N] [--variants K] [--repeats R] [--keep FOLDER]

Each repeat measures, one after another so that they share the machine's mood: the command, the same
run stage by stage (stages.py), and the plain computation (plain.py). Medians over repeats. Prints
tables, then one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from measure import HARNESS, HERE, PYTHON, conditions, last_json, measured, middle, show
from workload import Size, Workload, write_workload

TARGETS = {"run wall_s": 25, "run peak_rss_mb": 600, "statistics wall_s": 6}


def main(size: Size, repeats: int, keep: Path | None = None) -> dict[str, Any]:
    """Measure; with `keep`, the workload and its run stay in that folder."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "work"
        result = _measure(write_workload(folder, size), folder, size, repeats)
        if keep is not None:
            shutil.copytree(folder, keep, symlinks=True)
    _show(size, result)
    return result


def _measure(workload: Workload, folder: Path, size: Size, repeats: int) -> dict[str, Any]:
    config = workload.config.name
    stages_py, plain_py = str(HERE / "stages.py"), str(HERE / "plain.py")
    freeze, _ = measured([HARNESS, "freeze", workload.evalset.name], folder)
    runs, staged, plain, plain_costs = [], [], [], []
    for _ in range(repeats):
        shutil.rmtree(folder / "reports", ignore_errors=True)
        runs.append(measured([HARNESS, "run", config], folder)[0])
        staged.append(last_json(measured([PYTHON, stages_py, config], folder)[1]))
        cost, said = measured([PYTHON, plain_py, ".", str(size.resamples)], folder)
        plain.append(last_json(said))
        plain_costs.append(cost)
    stages = {
        name: {key: median(run[name][key] for run in staged) for key in values}
        for name, values in staged[0].items()
    }
    plain_stages = {
        name: {key: median(run[name][key] for run in plain) for key in ("wall_s", "cpu_s")}
        for name in ("reading", "scoring", "statistics")
    }
    extrapolated = median(run["permutation_s_extrapolated"] for run in plain)
    whole = middle(runs)
    plain_cpu = sum(stage["cpu_s"] for stage in plain_stages.values())
    return {
        "size": asdict(size),
        "conditions": conditions(),
        "repeats": repeats,
        "freeze": asdict(freeze),
        "run": asdict(whole),
        "runs": [asdict(run) for run in runs],
        "stages": stages,
        "plain": {
            "stages": plain_stages,
            "peak_rss_mb": middle(plain_costs).peak_rss_mb,
            "permutation_cpu_s_extrapolated": extrapolated,
        },
        "ratios_of_cpu": {
            "reading": stages["reading"]["cpu_s"] / plain_stages["reading"]["cpu_s"],
            "scoring": stages["scoring"]["cpu_s"] / plain_stages["scoring"]["cpu_s"],
            "statistics to t tests alone": (
                stages["statistics"]["cpu_s"] / plain_stages["statistics"]["cpu_s"]
            ),
            "statistics to t tests and permutations": (
                stages["statistics"]["cpu_s"] / (plain_stages["statistics"]["cpu_s"] + extrapolated)
            ),
            "whole run to reading, scoring and t tests": whole.cpu_s / plain_cpu,
            "whole run to these and permutations": whole.cpu_s / (plain_cpu + extrapolated),
        },
        "ratio_of_peak_rss": whole.peak_rss_mb / middle(plain_costs).peak_rss_mb,
        "targets": TARGETS,
    }


def _show(size: Size, result: dict[str, Any]) -> None:
    print(f"{size}, {size.resamples} resamples; medians of {result['repeats']}")
    whole = [{"command": name, **result[name]} for name in ("freeze", "run")]
    show("harness, whole commands", whole)
    show("harness run by stage", [{"stage": k, **v} for k, v in result["stages"].items()])
    plain = result["plain"]
    rows = [{"stage": k, **v} for k, v in plain["stages"].items()]
    extrapolated = plain["permutation_cpu_s_extrapolated"]
    rows.append({"stage": "permutation tests (extrapolated)", "cpu_s": extrapolated})
    rows.append({"stage": "whole", "peak_rss_mb": plain["peak_rss_mb"]})
    show("plain pandas and scipy", rows)
    ratios = {**result["ratios_of_cpu"], "peak memory": result["ratio_of_peak_rss"]}
    show("harness / plain", [{"CPU time": k, "ratio": v} for k, v in ratios.items()])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--examples", type=int, default=Size.n_examples)
    parser.add_argument("--variants", type=int, default=Size.n_variants)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="a new folder for the workload and its run")
    given = parser.parse_args()
    wanted = Size(n_examples=given.examples, n_variants=given.variants)
    print(json.dumps(main(wanted, given.repeats, given.keep)))
