"""Turns questions.yaml into the eval set `evalsets/support_mini` and the development split.

    python examples/support_mini/make_evalset.py

The same text and seed give the same files, byte for byte. Every question appears three times, in
one cluster: as it is (`plain`), in other words (`paraphrase`) and with typing errors (`typo`).
After a change, freeze the set anew: `harness freeze evalsets/support_mini`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

HERE = Path(__file__).resolve().parent
EVALSET = HERE.parent.parent / "evalsets" / "support_mini"
SEED = 20261120
LETTERS_PER_TYPO = 25
SHORTEST_WORD = 4


def main() -> None:
    """Write both files."""
    questions = YAML(typ="safe").load(HERE / "questions.yaml")
    write_lines(EVALSET / "examples.jsonl", evaluation_rows(questions["evaluation"]))
    write_lines(HERE / "development.jsonl", development_rows(questions["development"]))


def evaluation_rows(entries: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
    """Three examples per entry: plain, paraphrase and typo."""
    rng = np.random.default_rng(SEED)
    for number, entry in enumerate(entries):
        wordings = {
            "plain": entry["plain"],
            "paraphrase": entry["paraphrase"],
            "typo": with_typos(entry["plain"], rng),
        }
        for phrasing, text in wordings.items():
            row = example(f"q{number:03d}-{phrasing}", entry, text)
            row["slices"]["phrasing"] = phrasing
            yield row | {"cluster": f"q{number:03d}"}


def development_rows(entries: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
    """One example per entry."""
    for number, entry in enumerate(entries):
        yield example(f"dev{number:03d}", entry, entry["plain"])


def example(example_id: str, entry: dict[str, str], text: str) -> dict[str, Any]:
    """A row in the harness's eval set format."""
    answered = entry["article"] != "none"
    target = {"article": entry["article"]}
    if "answer" in entry:
        target["answer"] = entry["answer"]
    row: dict[str, Any] = {
        "id": example_id,
        "input": {"question": text},
        "target": target,
        "slices": {"topic": entry["topic"], "kind": entry["kind"]},
        "abstain": not answered,
    }
    return row | {"evidence": [entry["article"]]} if answered else row


def with_typos(text: str, rng: np.random.Generator) -> str:
    """`text` with a letter swapped, dropped or doubled about once per `LETTERS_PER_TYPO`."""
    words = text.split(" ")
    long_enough = [i for i, word in enumerate(words) if len(word.strip("?.,")) >= SHORTEST_WORD]
    count = min(len(long_enough), max(1, round(len(text) / LETTERS_PER_TYPO)))
    for index in rng.choice(long_enough, size=count, replace=False):
        words[index] = misspelt(words[index], rng)
    return " ".join(words)


def misspelt(word: str, rng: np.random.Generator) -> str:
    """`word` with one error behind its first letter."""
    letters = len(word.rstrip("?.,"))
    at = int(rng.integers(1, letters - 1))
    match int(rng.integers(3)):
        case 0:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        case 1:
            return word[:at] + word[at + 1 :]
        case _:
            return word[:at] + word[at] + word[at:]


def write_lines(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Write rows as JSON lines."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
