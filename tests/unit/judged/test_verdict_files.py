"""Files of verdicts: what is read, what is counted, and what is refused with its place."""

import json

import numpy as np
import pytest

from harness.config.verdicts import Known, read_verdicts
from harness.core.judging import UNKNOWN_ORDER, TableBuilder


def read(tmp_path, *rows, known=None, **options):
    file = tmp_path / "votes.jsonl"
    file.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    )
    builder = TableBuilder()
    findings = read_verdicts(file, builder, known or Known(), **options)
    return builder.table(), [str(problem) for problem in findings.problems()]


def vote(**changes):
    row = {"id": "e1", "judge": "j", "model_a": "a", "model_b": "b", "winner": "model_b"}
    return {key: value for key, value in (row | changes).items() if value is not ...}


def test_the_four_shapes(tmp_path):
    table, problems = read(
        tmp_path,
        vote(),
        {"id": "e1", "judge": "p", "baseline": "a", "variant": "c", "p_variant": 0.25},
        {"id": "e2", "judge": "n", "swapped": True, "better": "1"},
        {"winner": "a", "loser": "b", "count": 3},
    )
    assert problems == []
    names = table.variants
    rows = [
        (names[one], names[other], p)
        for one, other, p in zip(table.first, table.second, table.p_second, strict=True)
    ]
    assert rows == [("a", "b", 1.0), ("a", "c", 0.25), ("1", "2", 0.0), *[("b", "a", 1.0)] * 3]
    assert table.swapped.tolist() == [UNKNOWN_ORDER, UNKNOWN_ORDER, 1, *[UNKNOWN_ORDER] * 3]
    assert len(set(table.example[3:].tolist())) == 3, "votes without examples are independent"


@pytest.mark.parametrize(
    ("winner", "p_second", "flipped"),
    [
        ("model_a", 0.0, False),
        ("b", 1.0, False),
        ("tie", 0.5, False),
        ("tie (inconsistent)", 0.5, True),
        (None, np.nan, False),
    ],
)
def test_what_a_winner_means(tmp_path, winner, p_second, flipped):
    table, problems = read(tmp_path, vote(winner=winner))
    assert problems == []
    np.testing.assert_array_equal(table.p_second, [p_second])
    assert table.flipped.tolist() == [flipped]
    assert bool(table.reasons) == (winner is None)


def test_every_mistake_is_told_with_its_place(tmp_path):
    table, problems = read(
        tmp_path,
        vote(winner="model_c"),
        vote(id="nowhere"),
        vote(model_b="d"),
        vote(winner=...),
        {"id": "e1", "judge": "p", "baseline": "a", "variant": "b", "p_variant": 1.5},
        '{"id": "e1", "judge": "p", "baseline": "a", "variant": "b", "p_variant": NaN}',
        vote(judge="k", model_a=...),
        vote(judge="k", repeat=-1),
        known=Known({"a", "b"}, {"e1"}),
    )
    assert len(table) == 0
    text = "\n".join(problems)
    for line, said in (
        (1, "'model_c' is none of the two"),
        (2, "'nowhere' is not in the eval set"),
        (3, "'d' is no variant"),
        (4, "the verdict is missing"),
        (5, "from 0 to 1, not 1.5"),
        (6, "NaN"),
        (7, "two answers are not named"),
        (8, "repeat must be a whole number"),
    ):
        assert any(f"votes.jsonl:{line}:" in p and said in p for p in problems), (line, text)


def test_a_verdict_given_twice_is_refused_and_one_on_the_turned_pair_is_another(tmp_path):
    turned = vote(model_a="b", model_b="a", winner="model_a")
    table, problems = read(tmp_path, vote(), turned)
    assert problems == []
    assert table.repeat.tolist() == [0, 1]
    _, problems = read(tmp_path, vote(), vote(winner="tie"))
    assert any("judged this pair before, on line 1" in problem for problem in problems)
    _, problems = read(tmp_path, vote(), vote(winner="tie", repeat=1))
    assert problems == []


def test_rows_are_chosen_and_fields_renamed(tmp_path):
    rows = [vote(turn=1), vote(turn=2, winner="tie"), vote(id="e2", turn=2)]
    table, problems = read(tmp_path, *rows, where={"turn": "2"})
    assert (len(table), problems) == (2, [])
    renamed = [{"question": "e1", "a": "x", "b": "y", "winner": "y"}]
    fields = {"id": "question", "model_a": "a", "model_b": "b"}
    table, problems = read(tmp_path, *renamed, fields=fields, judge="panel")
    assert problems == []
    assert (table.judges, table.variants, table.p_second.tolist()) == (("panel",), ("x", "y"), [1])


def test_an_empty_file_is_no_analysis_of_nothing(tmp_path):
    for rows, where in (((), None), ((vote(),), {"turn": "7"})):
        _, problems = read(tmp_path, *rows, where=where)
        assert any("there are no verdicts" in problem for problem in problems)


def test_lengths_costs_and_times_are_unknown_unless_told(tmp_path):
    row = {"id": "e", "baseline": "a", "variant": "b", "p_variant": 1}
    told = {"baseline_chars": 10, "variant_chars": 20, "judge_cost_usd": 0.5, "judge_time_s": 2}
    table, problems = read(tmp_path, row, row | told | {"id": "f"})
    assert problems == []
    for column, value in (("first_chars", 10), ("second_chars", 20), ("cost_usd", 0.5)):
        np.testing.assert_array_equal(getattr(table, column), [np.nan, value])
    np.testing.assert_array_equal(table.latency_s, [np.nan, 2])
