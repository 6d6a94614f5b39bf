"""Plain text in columns: nothing is lost without a sign, and nothing goes beyond the edge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reporting_fixtures import Shape, make_run

from harness.reporting import terminal
from harness.reporting.columns import WIDTH, folded, shortened, table, tables, told_apart


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "Zs"))), st.integers(4, 30))
def test_folded_text_is_whole_and_within_its_width(text: str, width: int) -> None:
    lines = folded(text, width)
    assert max(map(len, lines)) <= width
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(st.text(st.sampled_from("ab ,._/")), st.integers(4, 20), st.integers(1, 3))
def test_cut_text_has_no_more_lines_and_tells_that_it_is_cut(
    text: str, width: int, most: int
) -> None:
    lines = folded(text, width, most)
    assert len(lines) <= most
    assert max(map(len, lines)) <= width
    assert (lines[-1].endswith("…")) == (len(folded(text, width)) > most)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("bm25, top_k 5, corpus docs", ["bm25, top_k 5,", "corpus docs"]),
        ("system.j2 sha256:ab12cd34..", ["system.j2", "sha256:ab12cd3", "4.."]),
        ("output.rules.1.message", ["output.", "rules.1.", "message"]),
        ("http/llama-3.1-8b-ft", ["http/", "llama-3.1-8b-f", "t"]),
    ],
)
def test_lines_end_at_words(text: str, lines: list[str]) -> None:
    assert folded(text, 14) == lines


def test_a_long_text_loses_its_middle() -> None:
    assert shortened("20261120T141343Z-0ef9ba:rag", 24) == "20261120T14…Z-0ef9ba:rag"
    assert shortened("short", 24) == "short"


def test_names_are_cut_so_that_none_looks_like_another() -> None:
    runs = ("20261120T141343Z-0ef9ba", "20261120T141353Z-bde0aa")
    short = told_apart([f"{run}:prompt_only" for run in runs] + ["short"], 24)
    assert list(short[f"{runs[0]}:prompt_only"].partition("…")) == [
        "20261",
        "…",
        "0ef9ba:prompt_only",
    ]
    assert short["short"] == "short"
    long = [f"{'x' * 40}{name}{'y' * 40}" for name in ("a", "b")]
    assert len(set(told_apart(long, 24).values())) == 2


def test_wide_tables_go_on_below_with_the_first_column_again() -> None:
    heads = ["stage", *(f"variant_{i}" for i in range(9))]
    rows = [[name, *(f"{name} of {i} takes so long" for i in range(9))] for name in ("a", "b")]
    lines = tables(heads, rows, [["  note of a"], []])
    assert max(map(len, lines)) <= WIDTH
    assert sum(line.startswith("stage") for line in lines) == 3
    text = "\n".join(lines)
    assert all(cell in text for row in rows for cell in row)
    assert lines.count("  note of a") == 1
    assert lines[-3].startswith("a")
    narrow = [row[:3] for row in (heads, *rows)]
    assert tables(narrow[0], narrow[1:]) == table(narrow[0], narrow[1:])


def test_both_sides_of_a_pair_can_be_told_apart_whatever_their_run() -> None:
    runs = ("20261120T141343Z-0ef9ba", "20261120T141353Z-bde0aa")
    names = tuple(f"{run}:prompt_only" for run in runs)
    text = terminal.render(make_run(Shape(n=40, variants=names)))
    lines = text.splitlines()
    (head,) = [line for line in lines if line.startswith("primary figure")]
    start, end = head.index("candidate - baseline"), head.index("difference")
    row = lines[lines.index(head) + 2]
    candidate, baseline = row[start:end].strip().split(" - ")
    assert candidate != baseline
