"""Variant folders for tests: writes files, reads an experiment's variants."""

from pathlib import Path
from textwrap import dedent

from harness.config.source import read_yaml
from harness.config.variant import Entry, read_entries
from harness.core.variant import LiveVariant
from harness.errors import Problem


def write(path: str, text: str) -> None:
    """Write an indented text to a file, with its folders."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(dedent(text), encoding="utf-8")


def read(*variants: str) -> tuple[list[Entry], list[str]]:
    """The entries of `x.yaml` that lists these variants, and what is wrong with them."""
    write("x.yaml", "variants:\n" + "".join(f"  - {variant}\n" for variant in variants))
    problems: list[Problem] = []
    source = read_yaml(Path("x.yaml"), problems)
    assert source is not None
    entries = read_entries(source, problems)
    return entries, [str(problem).replace("\n  hint:", " |") for problem in problems]


def live(*variants: str) -> list[LiveVariant]:
    """The live variants of these entries, of which none may have a problem."""
    entries, problems = read(*variants)
    assert problems == []
    found = [entry.variant for entry in entries if isinstance(entry.variant, LiveVariant)]
    assert len(found) == len(variants)
    return found
