"""The engine beside the bare client loops and other tools, on one job, in one run (`make bench`).

    python benchmarks/engine/run.py [CELL ...] [--repeats 5] [--write docs/performance.md]

Cells: speed, memory, faults, crash. `speed` runs every client once in each repeat, one after
another, so that they share the machine's mood; medians and ratios of medians. Peers (inspect,
lmeval, promptfoo) take part where $PEERS holds what ../shared/peers/setup.sh installs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]

import peers  # noqa: E402
from job import HARNESS, KIT, Server, environment, serving, write_job, write_prompts  # noqa: E402
from measure import Cost, conditions, measured, show  # noqa: E402

N, CONCURRENCY, LATENCY_S = 2000, 200, 0.1
BEGIN, END = "<!-- engine: begin -->", "<!-- engine: end -->"
FAULTS = "http500=0.05,http429=0.05,malformed=0.02,reset=0.01,hang=0.005"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Ran:
    """One run of one client: what it took, and what the server saw."""

    cost: Cost
    span_s: float
    folder: Path | None = None


@contextmanager
def job(n: int, provider: str, server: Server, concurrency: int = CONCURRENCY) -> Iterator[Path]:
    """A fresh folder with the job, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as scratch:
        prompts = write_prompts(Path(scratch) / "prompts.jsonl", n)
        yield write_job(Path(scratch) / "job", prompts, provider, server.url, concurrency)


def ours(folder: Path, *options: str, check: bool = True) -> Ran:
    """`harness run` on the job in `folder`."""
    command = [HARNESS, "run", "configs/job.yaml", *options]
    cost, _ = measured(command, folder, environment(folder), check=check)
    runs = sorted(folder.glob("reports/job/2*"))
    return Ran(cost, 0.0, runs[-1] if runs else None)


def speed(repeats: int) -> list[Row]:
    """CPU, rate and recorded latency of every client, against the bare loop of its library."""
    options = ("--latency-ms", str(1000 * LATENCY_S))
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(repeats):
        for name, client in _clients().items():
            with serving(*options) as server, tempfile.TemporaryDirectory() as scratch:
                found.setdefault(name, []).append(client(server, Path(scratch)))
    middle = {
        name: {key: median(row[key] for row in rows) for key in rows[0]}
        for name, rows in found.items()
    }
    return [
        {"client": name, **row, "CPU / bare loop": row["CPU s"] / middle[_bare_of(name)]["CPU s"]}
        for name, row in middle.items()
    ]


def _bare_of(name: str) -> str:
    last = name.rsplit(maxsplit=1)[-1]
    return f"bare {last}" if last in {"openai", "anthropic"} else "bare aiohttp"


def _clients() -> dict[str, Callable[[Server, Path], dict[str, float]]]:
    def bare(library: str) -> Callable[[Server, Path], dict[str, float]]:
        def run(server: Server, scratch: Path) -> dict[str, float]:
            prompts = write_prompts(scratch / "prompts.jsonl", N)
            raw = [sys.executable, str(KIT / "drivers/raw.py"), library, str(prompts), "out.jsonl"]
            command = [*raw, "--base", server.url, "-c", str(CONCURRENCY)]
            cost, _ = measured(command, scratch, environment(scratch))
            rows = map(json.loads, (scratch / "out.jsonl").read_text().splitlines())
            return _figures(cost, server, [row["latency_s"] for row in rows], scratch / "out.jsonl")

        return run

    def harness(provider: str) -> Callable[[Server, Path], dict[str, float]]:
        def run(server: Server, scratch: Path) -> dict[str, float]:
            with job(N, provider, server) as folder:
                ran = ours(folder)
                assert ran.folder is not None
                return _figures(ran.cost, server, latencies(ran.folder), ran.folder)

        return run

    clients = {}
    for library, provider in (("aiohttp", "http"), ("openai",) * 2, ("anthropic",) * 2):
        clients[f"bare {library}"] = bare(library)
        clients[f"harness {provider}"] = harness(provider)
    return clients | peers.clients(N, CONCURRENCY)


def _figures(cost: Cost, server: Server, latency_s: list[float], output: Path) -> dict[str, float]:
    found = server.stats()
    cuts = sorted(latency_s) or [float("nan")]
    return {
        "wall s": cost.wall_s,
        "CPU s": cost.cpu_s,
        "CPU ms / request": 1000 * cost.cpu_s / N,
        "% of ideal": 100 * N * LATENCY_S / CONCURRENCY / found["span_s"],
        "true p95 ms": found["service_ms"]["p95"],
        "recorded p50 ms": 1000 * cuts[len(cuts) // 2],
        "recorded p95 ms": 1000 * cuts[int(0.95 * len(cuts))],
        "peak MB": cost.peak_rss_mb,
        "bytes / trial": _bytes(output) / N,
    }


def _bytes(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def latencies(folder: Path) -> list[float]:
    """The recorded latencies of a run, in seconds."""
    return [row["latency_s"] for row in trials(folder)]


def trials(folder: Path) -> list[dict[str, Any]]:
    """The rows of a run's trials."""
    import pyarrow.parquet as pq

    columns = ["example_id", "status", "latency_s", "output_text"]
    found: list[dict[str, Any]] = pq.read_table(
        folder / "trials.parquet", columns=columns
    ).to_pylist()
    return found


def memory(repeats: int) -> list[Row]:
    """Peak memory of runs of more and more trials, and of an eval set of as many examples."""
    rows: list[Row] = []
    for n_prompts, n_repeats in ((N, 1), (N, 5), (N, 50), (50 * N, 1)):
        with serving("--latency-ms", "20") as server, job(n_prompts, "http", server) as folder:
            ran = ours(folder, "--repeats", str(n_repeats))
            assert ran.folder is not None
            n = n_prompts * n_repeats
            row = {"prompts": n_prompts, "trials": n, "peak MB": ran.cost.peak_rss_mb}
            row |= {"wall s": ran.cost.wall_s, "bytes / trial": _bytes(ran.folder) / n}
            rows.append(row)
    return rows


def faults(repeats: int) -> list[Row]:
    """Faults mixed in, and prompts that always fail, with default settings."""
    rows: list[Row] = []
    sticky = ("--fault-sticky", "--fault-attempts", "1000000")
    for name, options in (
        ("5 % 500, 5 % 429, 2 % malformed, 1 % reset, 0.5 % hang", ("--fault-rate", FAULTS)),
        ("0.25 % of prompts always fail", ("--fault-rate", "http500=0.0025", *sticky)),
    ):
        with serving("--latency-ms", "100", *options) as server, job(N, "http", server) as folder:
            ran = ours(folder, check=False)
            assert ran.folder is not None
            kept = [row["status"] for row in trials(ran.folder)]
            rows.append(
                {
                    "faults": name,
                    "answered": kept.count("ok"),
                    "recorded as lost": len(kept) - kept.count("ok"),
                    "missing": N - len(kept),
                    "requests": server.stats()["total"],
                    "wall s": ran.cost.wall_s,
                }
            )
    return rows


def crash(repeats: int) -> list[Row]:
    """`kill -9` at half of the job, and `--resume`."""
    rows: list[Row] = []
    for _ in range(repeats):
        with serving("--latency-ms", "100") as server, job(N, "http", server) as folder:
            command = [HARNESS, "run", "configs/job.yaml"]
            process = subprocess.Popen(
                command, cwd=folder, env=environment(folder), stderr=subprocess.DEVNULL
            )
            server.wait_for(N // 2)
            process.send_signal(signal.SIGKILL)
            process.wait()
            sent = server.stats()["total"]
            (stopped,) = folder.glob("reports/job/2*")
            n_kept = len((stopped / "journal.jsonl").read_bytes().splitlines()) - 1
            ran = ours(folder, "--resume", str(stopped))
            assert ran.folder is not None
            again = server.stats()["total"] - sent
            found = trials(ran.folder)
            shutil.rmtree(folder / "cache")
            ours(folder, "--out", "whole")
            ids = {row["example_id"] for row in found}
            uninterrupted = max(folder.glob("whole/2*"))
            rows.append(
                {
                    "kept at kill": n_kept,
                    "in flight at kill": sent - n_kept,
                    "sent again": again - (N - sent),
                    "lost": N - len(ids),
                    "doubled": len(found) - len(ids),
                    "same summary": _scores(ran.folder) == _scores(uninterrupted),
                }
            )
    return rows


def _scores(folder: Path) -> Any:
    return json.loads((folder / "comparison.json").read_text())["scores"]


CELLS: Mapping[str, Callable[[int], list[Row]]] = {
    "speed": speed,
    "memory": memory,
    "faults": faults,
    "crash": crash,
}
TITLES = {
    "speed": f"{N} prompts, {1000 * LATENCY_S:.0f} ms, {CONCURRENCY} in flight",
    "memory": "Memory and disk, 20 ms, 200 in flight",
    "faults": f"Faults, default settings, {N} prompts",
    "crash": f"kill -9 at half of {N} prompts, then --resume",
}


def main() -> None:
    """Measure the cells that are named, all by default."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cells", nargs="*", metavar="CELL", default=list(CELLS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into the page")
    options = parser.parse_args()
    if not KIT.is_dir():
        sys.exit(f"the server and the drivers are missing: {KIT}")
    parts = [f"Measured: {', '.join(f'{key} {value}' for key, value in conditions().items())}."]
    for name in options.cells:
        rows = CELLS[name](options.repeats)
        show(TITLES[name], rows)
        parts.append(f"**{TITLES[name]}**\n\n{_markdown(rows)}")
    if options.write:
        page = options.write.read_text()
        before, after = page.partition(BEGIN)[0], page.partition(END)[2]
        options.write.write_text(f"{before}{BEGIN}\n" + "\n\n".join(parts) + f"\n{END}{after}")


def _markdown(rows: list[Row]) -> str:
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *([_shown(row[name]) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)


if __name__ == "__main__":
    main()
