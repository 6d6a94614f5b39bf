"""The rows of the factor table."""

from __future__ import annotations

from harness.core.factors import rows, short

BM25 = "retrieval.kind"


def table(**variants: dict[str, object]) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for variant, factors in variants.items():
        for name, value in factors.items():
            found.setdefault(name, {})[variant] = value
    return found


def test_values_that_all_have_stand_one_by_one() -> None:
    given = table(a={"model": "m", "output.repair": 1}, b={"model": "n", "output.repair": 2})
    assert list(rows(given, "ab")) == [
        ("model", {"a": "m", "b": "n"}),
        ("output.repair", {"a": 1, "b": 2}),
    ]


def test_a_part_that_one_lacks_is_one_row() -> None:
    given = table(
        a={"model": "m"},
        b={"model": "m", BM25: "bm25", "retrieval.top_k": 5},
        c={"model": "m", BM25: "bm25", "retrieval.top_k": 20},
    )
    assert list(rows(given, "abc")) == [
        ("model", {"a": "m", "b": "m", "c": "m"}),
        ("retrieval", {"b": "bm25, top_k 5", "c": "bm25, top_k 20"}),
    ]


def test_so_is_a_part_of_a_part() -> None:
    given = table(
        a={"output.repair": 1},
        b={"output.repair": 1, "output.rules.0.name": "r", "output.rules.0.that": "x > 1"},
    )
    assert list(rows(given, "ab")) == [
        ("output.repair", {"a": 1, "b": 1}),
        ("output.rules", {"b": "0.name r, 0.that x > 1"}),
    ]


def test_what_a_cut_hides_follows() -> None:
    long = {f"route.rules.{i}.when": "x" * 60 for i in range(4)}
    last = "route.rules.9.when"
    given = table(a={}, b={**long, last: "1"}, c={**long, last: "2"})
    (first, second) = rows(given, "abc")
    assert first[0] == "route"
    assert first[1]["b"] == first[1]["c"]
    assert second == (last, {"b": "1", "c": "2"})


def test_facts_of_recorded_variants_stay_as_they_are() -> None:
    given = table(a={"search": "rules", "sdk.client": "x"}, b={"search": "bm25"})
    assert list(rows(given, "ab")) == [
        ("search", {"a": "rules", "b": "bm25"}),
        ("sdk.client", {"a": "x"}),
    ]


def test_a_part_that_is_cut_ends_after_a_whole_word() -> None:
    part = {f"route.rules.{i}.when": "question is long" for i in range(9)}
    ((_, texts),) = rows(table(a={}, b=part), "ab")
    assert str(texts["b"]).endswith("question is long, ...")
    long = " ".join(["words"] * 60)
    assert short(long).endswith("words...")
    assert len(short(long)) <= 80
    assert short("x" * 200) == "x" * 77 + "..."
