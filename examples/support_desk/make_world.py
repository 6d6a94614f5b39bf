"""Makes the support desk: its articles, its database and the questions to it.

    python -m examples.support_desk.make_world           # write both worlds
    python -m examples.support_desk.make_world --check   # are the files what the seed gives?

Two worlds of the same make. `frozen` is the eval set `evalsets/support_desk`; `development` is
another company with other products, values and wordings, for everything that is tuned or tried.
The same texts and seed give the same files, byte for byte. After a change of the frozen world,
freeze it anew: `harness freeze evalsets/support_desk`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from random import Random  # noqa: TID251 - a generator with its own seed, passed along

from examples.support_desk.articles import write_corpus
from examples.support_desk.questions import write_examples
from examples.support_desk.records import draw_records
from examples.support_desk.texts import HERE, read_facts, read_world
from examples.support_desk.world import Sizes, draw_world

SEED = 20261120
FOLDERS = {
    "frozen": HERE.parents[1] / "evalsets" / "support_desk",
    "development": HERE / "development",
}
SIZES = {
    "frozen": Sizes(
        groups=40,
        groups_rare=3,
        singles=50,
        singles_rare=6,
        conflicting=35,
        conflicting_rare=3,
        regional=8,
        exceptions=35,
        exceptions_rare=3,
        tools={"status": 13, "arrival": 13, "accounts": 8, "refund": 20},
        gaps=28,
        gaps_rare=2,
        unknown=27,
        unknown_rare=2,
        escalate_high=20,
        escalate_normal=10,
        out_of_scope=25,
        vague={"singles": 26, "conflicting": 3, "exceptions": 3, "tools": 8},
        long={
            "singles": 16,
            "conflicting": 4,
            "exceptions": 3,
            "tools": 5,
            "abstain": 5,
            "escalate": 2,
        },
    ),
    "development": Sizes(
        groups=0,
        groups_rare=0,
        singles=54,
        singles_rare=4,
        conflicting=15,
        conflicting_rare=1,
        regional=3,
        exceptions=15,
        exceptions_rare=1,
        tools={"status": 6, "arrival": 5, "accounts": 3, "refund": 8},
        gaps=12,
        gaps_rare=1,
        unknown=12,
        unknown_rare=1,
        escalate_high=10,
        escalate_normal=4,
        out_of_scope=10,
        vague={"singles": 12, "conflicting": 1, "exceptions": 1, "tools": 4},
        long={
            "singles": 8,
            "conflicting": 2,
            "exceptions": 2,
            "tools": 2,
            "abstain": 2,
            "escalate": 1,
        },
    ),
}


def main() -> None:
    """Write the worlds, or check them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; say what differs")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--world", choices=sorted(FOLDERS), help="only this one")
    options = parser.parse_args()
    different = []
    for world in [options.world] if options.world else sorted(FOLDERS):
        files = world_files(world, options.seed)
        if options.check:
            different += differences(FOLDERS[world], files)
        else:
            write(FOLDERS[world], files)
    if different:
        sys.exit("\n  ".join(["not what the texts and the seed give:", *different]))


def world_files(world: str, seed: int) -> dict[str, str]:
    """The files of a world by their paths in its folder."""
    facts, texts, sizes = read_facts(world), read_world(world), SIZES[world]

    def rng(stage: str) -> Random:
        """A generator of a stage's own, so that a change in one leaves the others as they are."""
        return Random(f"{stage} of {world} {seed}")  # noqa: S311 - drawn from a seed, no secret

    drawn = draw_world(texts, facts, sizes, rng("world"))
    corpus = write_corpus(drawn, rng("articles"))
    records = draw_records(drawn, sizes, rng("records"))
    rows = write_examples(drawn, corpus, records, sizes, rng("questions"))
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    files = {f"corpus/{article.id}.md": article.text() for article in corpus.articles}
    files |= {"examples.jsonl": "".join(lines), "desk.sql": records.sql()}
    return files


def write(folder: Path, files: dict[str, str]) -> None:
    """Replace the files of a world; what else lies in its folder stays."""
    if (folder / "corpus").is_dir():
        shutil.rmtree(folder / "corpus")
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def differences(folder: Path, files: dict[str, str]) -> list[str]:
    """The paths of files that are missing, too many, or of other content."""
    there = {f"corpus/{path.name}" for path in (folder / "corpus").glob("*")}
    wrong = there - files.keys()
    for name, text in files.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != text.encode():
            wrong.add(name)
    return [f"{folder.name}/{name}" for name in sorted(wrong)]


if __name__ == "__main__":
    main()
