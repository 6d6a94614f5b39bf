"""One job for every tool: N prompts of 1.2 kB to one model, exact match, results on disk.

The prompts, the server and the drivers of the peers are those of ../shared/peers, so that figures
can be held against those in its RESULTS.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KIT = Path(__file__).resolve().parents[3] / "shared" / "peers"
HARNESS = str(Path(sys.executable).parent / "harness")
CONFIG = """\
name: job
evalset: ../evalsets/job
baseline: one
variants: [../variants/one]
factors: [model]
scorers: [{{id: correct, use: exact_match}}]
primary: [correct]
execution: {{concurrency: {concurrency}}}
"""
VARIANT = """\
id: one
model: {provider}/fake
base_url: {base_url}
params: {{max_output_tokens: 256}}
user: user.j2
"""
PRICES = """\
date: 2026-11-01
source: made up, so that cost is computed too
models:
  {provider}/fake: {{input_usd_per_million: 1, output_usd_per_million: 4}}
"""


def write_prompts(path: Path, n: int) -> Path:
    """The prompts as the drivers of the peers read them."""
    subprocess.run([sys.executable, str(KIT / "mkdata.py"), str(n), str(path)], check=True)
    return path


def write_job(folder: Path, prompts: Path, provider: str, url: str, concurrency: int) -> Path:
    """The same prompts as an experiment of harness, frozen."""
    for name in ("configs/prices", "variants/one", "evalsets/job"):
        (folder / name).mkdir(parents=True)
    base_url = url if provider == "anthropic" else f"{url}/v1"
    (folder / "configs/job.yaml").write_text(CONFIG.format(concurrency=concurrency))
    (folder / "configs/prices/made_up.yaml").write_text(PRICES.format(provider=provider))
    variant = VARIANT.format(provider=provider, base_url=base_url)
    (folder / "variants/one/variant.yaml").write_text(variant)
    (folder / "variants/one/user.j2").write_text("{{ prompt }}")
    with (folder / "evalsets/job/examples.jsonl").open("w") as examples:
        for line in prompts.read_text().splitlines():
            row = json.loads(line)
            example = {"id": row["id"], "input": {"prompt": row["prompt"]}, "target": row["target"]}
            examples.write(json.dumps(example) + "\n")
    subprocess.run([HARNESS, "freeze", "evalsets/job"], cwd=folder, check=True, capture_output=True)
    return folder


def environment(folder: Path) -> dict[str, str]:
    """That of every client: keys that nobody checks, and a cache of its own."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    keys = {"OPENAI_API_KEY": "k" * 8, "ANTHROPIC_API_KEY": "k" * 8}
    return {**kept, **keys, "HARNESS_CACHE": str(folder / "cache"), "NO_COLOR": "1"}


class Server:
    """The stand-in for a model, on a free port of the loopback."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, str(KIT / "fake_openai.py"), "--port", "0", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().split()[-1].removesuffix("/v1")

    def stats(self) -> Mapping[str, Any]:
        """What it has counted since the last `reset`."""
        with urllib.request.urlopen(f"{self.url}/stats", timeout=20) as answer:  # noqa: S310
            found: Mapping[str, Any] = json.load(answer)
        return found

    def reset(self) -> None:
        """Count from nothing."""
        request = urllib.request.Request(f"{self.url}/reset", method="POST", data=b"")  # noqa: S310
        urllib.request.urlopen(request, timeout=20).close()  # noqa: S310

    def wait_for(self, n_answers: int) -> None:
        """Until it has given so many answers."""
        while self.stats()["per_status"].get("200", 0) < n_answers:
            time.sleep(0.01)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


@contextmanager
def serving(*options: str) -> Iterator[Server]:
    """A server for as long as the block lasts."""
    server = Server(*options)
    try:
        yield server
    finally:
        server.stop()
