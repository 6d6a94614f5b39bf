"""Runs both systems over the eval set and records what they answer, how fast, and from what.

    python examples/support_mini/record.py

Questions come in random order, and for each the two systems in random order, so that a slow
moment of the machine hurts both alike. Answers are the same on every machine; latencies are not.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from systems import Answer, KeywordRule, SectionLookup, best_threshold, read_sections

HERE = Path(__file__).resolve().parent
EVALSET = HERE.parent.parent / "evalsets" / "support_mini"
SEED = 7


def main() -> None:
    """Write one recording per system."""
    systems = make_systems()
    examples = read_lines(EVALSET / "examples.jsonl")
    for system in systems.values():
        ask(system, examples[0])  # the first call warms caches up and is not kept
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in systems}
    rng = np.random.default_rng(SEED)
    for index in rng.permutation(len(examples)):
        for name in rng.permutation(list(systems)):
            rows[name].append(ask(systems[name], examples[index]))
    for name, recorded in rows.items():
        write_lines(EVALSET / "recordings" / f"{name}.jsonl", recorded)
    sys.stdout.write(f"{len(examples)} questions recorded for each of {', '.join(systems)}\n")


def make_systems() -> dict[str, KeywordRule | SectionLookup]:
    """Both systems, the look-up's threshold chosen on the development questions."""
    sections = read_sections(EVALSET / "corpus")
    development = read_lines(HERE / "development.jsonl")
    threshold = best_threshold(
        SectionLookup(sections, threshold=0.0),
        [row["input"]["question"] for row in development],
        [row["target"]["article"] for row in development],
    )
    return {
        "keyword_rule": KeywordRule(sections),
        "section_lookup": SectionLookup(sections, threshold),
    }


def ask(system: KeywordRule | SectionLookup, example: dict[str, Any]) -> dict[str, Any]:
    """Ask one question, time it, and give the line of the recording."""
    start_s = perf_counter()
    answer: Answer = system(example["input"]["question"])
    latency_s = perf_counter() - start_s
    return {
        "id": example["id"],
        "output": {"article": answer.article, "text": answer.text},
        "latency_s": round(latency_s, 7),
        "evidence": list(answer.evidence),
    }


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as JSON lines, by id."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in sorted(rows, key=lambda row: str(row["id"])):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
