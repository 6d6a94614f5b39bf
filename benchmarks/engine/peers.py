"""Other tools on the same job, called as ../shared/peers/run.py calls them, where installed."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from job import KIT, Server, write_prompts
from measure import measured

INSTALLED = {
    "lmeval": "lmeval/bin/lm_eval",
    "promptfoo": "promptfoo/node_modules/.bin/promptfoo",
    "inspect": "inspect/bin/inspect",
}


def clients(n: int, concurrency: int) -> dict[str, Callable[[Server, Path], dict[str, float]]]:
    """Those of the peers that are installed, by name."""
    home = Path(os.environ.get("PEERS", Path(tempfile.gettempdir()) / "peers"))
    there = [name for name, file in INSTALLED.items() if (home / file).exists()]
    if not there:
        return {}
    os.environ["PEERS"] = str(home)
    kit = _kit()
    (home / "data").mkdir(exist_ok=True)
    write_prompts(home / "data" / f"p{n}.jsonl", n)
    return {name: _client(kit, name, n, concurrency) for name in there}


def _client(
    kit: Any, name: str, n: int, concurrency: int
) -> Callable[[Server, Path], dict[str, float]]:
    def run(server: Server, scratch: Path) -> dict[str, float]:
        command, environment, folder = kit.command(name, n, concurrency, server.url, str(scratch))
        cost, _ = measured(command, Path(folder), environment, check=False)
        found = server.stats()
        nothing = float("nan")
        return {
            "wall s": cost.wall_s,
            "CPU s": cost.cpu_s,
            "CPU ms / request": 1000 * cost.cpu_s / n,
            "% of ideal": 100 * n * 0.1 / concurrency / found["span_s"],
            "true p95 ms": found["service_ms"]["p95"],
            "recorded p50 ms": nothing,
            "recorded p95 ms": nothing,
            "peak MB": cost.peak_rss_mb,
            "bytes / trial": nothing,
        }

    return run


def _kit() -> Any:
    spec = importlib.util.spec_from_file_location("peers_kit", KIT / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
