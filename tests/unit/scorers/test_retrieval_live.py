from __future__ import annotations

import math
from typing import Any

import pytest
import system_fakes
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.core.example import Example
from harness.core.record import Answer, AnswerPath, Failure, Outcome, Record, Stage, Step, Trace
from harness.core.score import Scored, ScoreOutcome, Unscored
from harness.plugins.scorers.retrieval import Measure, Retrieval

ALL: tuple[Measure, ...] = (
    "precision@k", "recall@k", "success@k", "ndcg@k", "map@k", "mrr", "mrr@k", "ndcg", "map",
    "r_precision", "n_retrieved", "n_relevant_retrieved", "signal", "n_context", "diffuseness",
)  # fmt: skip


def passage(identifier: str, *sections: str, **more: Any) -> dict[str, Any]:
    return {"id": identifier, "score": 1.0, "sections": list(sections), **more}


def step(stage: Stage, *passages: Any, variant: str = "") -> Step:
    ranked = [
        {"rank": rank, **(passage(one) if isinstance(one, str) else one)}
        for rank, one in enumerate(passages, start=1)
    ]
    return Step(stage, 0.0, 0.1, variant=variant, detail={"passages": ranked})


def live(*steps: Step, outcome: Outcome | None = None) -> Record:
    outcome = outcome or Answer("x", evidence=())
    return Record("v", "e", 0, outcome, AnswerPath.COLD, trace=Trace(steps))


def score(
    record: Record, gold: tuple[str, ...] = ("g",), /, **options: Any
) -> dict[str, ScoreOutcome]:
    scorer = Retrieval.model_validate({"id": "r", **options})
    return dict(scorer.score(Example("e", {}, evidence=gold), record))


def values(record: Record, gold: tuple[str, ...] = ("g",), /, **options: Any) -> dict[str, float]:
    found = score(record, gold, **options)
    assert all(isinstance(one, Scored) for one in found.values()), found
    return {name.removeprefix("r."): one.value for name, one in found.items()}  # type: ignore[union-attr]


FUNNEL = (
    step(Stage.RETRIEVE, "x", "y", "z", "g"),
    step(Stage.RERANK, "y", "g"),
    step(Stage.CONTEXT, "g", "y"),
)


def test_lift_of_the_reranker_inside_one_variant() -> None:
    record = live(*FUNNEL)
    mrr = [
        values(record, stage=stage, measures=["mrr"])["mrr"]
        for stage in ("retrieve", "rerank", "context")
    ]
    assert mrr == [1 / 4, 1 / 2, 1]


def test_records_of_the_system_itself() -> None:
    shelf = (
        system_fakes.passage("x", "one two"),
        system_fakes.passage("d@1", "one two three", document="d", sections=("d#a",)),
    )
    rig = system_fakes.Rig("an answer", found=shelf)
    record = rig.answer(
        system_fakes.variant(retrieval=system_fakes.SHELF, rerank=system_fakes.RERANK)
    )
    before = values(record, ("d#a",), stage="retrieve", measures=["mrr"])
    after = values(record, ("d#a",), stage="rerank", measures=["mrr"])
    assert (before, after) == ({"mrr": 1 / 2}, {"mrr": 1})
    shown = values(record, ("d#a",), measures=["mrr", "signal", "n_context", "diffuseness"])
    assert shown == {"mrr": 1, "signal": 3 / 5, "n_context": 2, "diffuseness": 1}
    prompt_only = system_fakes.Rig("an answer").answer(system_fakes.variant())
    (outcome,) = score(prompt_only, ("d#a",), measures=["mrr"]).values()
    assert isinstance(outcome, Unscored)


def test_a_stage_that_the_variant_has_not_is_the_one_before() -> None:
    plain = live(FUNNEL[0])
    for stage in ("retrieve", "rerank", "context"):
        assert values(plain, stage=stage, measures=["mrr"]) == {"mrr": 1 / 4}
    unranked = live(FUNNEL[0], step(Stage.CONTEXT, "g"))
    assert values(unranked, stage="rerank", measures=["mrr"]) == {"mrr": 1 / 4}


@pytest.mark.parametrize("evidence", [None, ()])
@pytest.mark.parametrize("stage", ["retrieve", "rerank", "context", None])
def test_a_variant_that_never_looked_is_missing_like_a_recording_without_evidence(
    stage: str | None, evidence: tuple[str, ...] | None
) -> None:
    never = live(Step(Stage.GENERATE, 0.0, 1.0), outcome=Answer("x", evidence=evidence))
    for outcome in score(never, stage=stage, measures=ALL).values():
        assert outcome == Unscored("the variant does not retrieve")


def test_of_a_recording_only_the_context_is_known() -> None:
    record = Record("v", "e", 0, Answer("x", evidence=("x", "g")), AnswerPath.RECORDED)
    assert values(record, stage="context", measures=["mrr"]) == {"mrr": 1 / 2}
    for stage in ("retrieve", "rerank"):
        (outcome,) = score(record, stage=stage, measures=["mrr"]).values()
        assert isinstance(outcome, Unscored)
        assert outcome.applicable


def test_the_variant_that_looked_last_counts() -> None:
    handed_on = live(
        step(Stage.RETRIEVE, "g"),
        step(Stage.RERANK, "g"),
        step(Stage.RETRIEVE, "x", "g", variant="fallback"),
        Step(Stage.GENERATE, 0.0, 1.0, variant="fallback"),
    )
    for stage in ("retrieve", "rerank"):
        assert values(handed_on, stage=stage, measures=["mrr"]) == {"mrr": 1 / 2}


def test_of_two_steps_of_a_stage_the_last_counts() -> None:
    twice = live(step(Stage.RETRIEVE, "x", "g"), step(Stage.RETRIEVE, "g"))
    assert values(twice, stage="retrieve", measures=["mrr"]) == {"mrr": 1}


def test_ranks_order_a_context_that_shows_the_best_last() -> None:
    shown = Step(
        Stage.CONTEXT,
        0.0,
        0.0,
        detail={"passages": [{"id": "x", "rank": 2}, {"id": "g", "rank": 1}]},
    )
    assert values(live(shown), stage="context", measures=["mrr"]) == {"mrr": 1}


@pytest.mark.parametrize("stage", [None, "retrieve"])
def test_a_failure_is_scored_by_what_it_had_retrieved(stage: str | None) -> None:
    refused = Failure(infrastructure=False, error_kind="refused", evidence=("x", "y", "z", "g"))
    found = values(live(FUNNEL[0], outcome=refused), stage=stage, measures=["mrr", "n_context"])
    assert found == {"mrr": 1 / 4, "n_context": 4}


def test_a_search_that_found_nothing_is_wrong_and_not_missing() -> None:
    for stage in ("retrieve", None):
        found = score(live(step(Stage.RETRIEVE)), stage=stage, measures=["mrr"])
        assert found["r.mrr"] == Scored(0.0, explanation="retrieved nothing, relevant is g")


@pytest.mark.parametrize("evidence", [None, ()])
def test_a_failure_that_retrieved_nothing_known_is_the_worst(
    evidence: tuple[str, ...] | None,
) -> None:
    routed = live(outcome=Failure(infrastructure=False, error_kind="refused", evidence=evidence))
    found = score(routed, measures=["mrr", "recall@k", "signal", "diffuseness", "n_context"])
    assert found["r.mrr"] == Scored(0.0, explanation="no answer (refused)")
    assert found["r.recall@5"] == found["r.signal"] == Scored(0.0)
    assert found["r.diffuseness"] == Scored(0.0, 0.0)
    assert isinstance(found["r.n_context"], Unscored)


def test_an_output_field_is_not_retrieved_by_a_failure() -> None:
    failed = Failure(infrastructure=False, error_kind="refused", evidence=("g",))
    record = live(step(Stage.RETRIEVE, "g"), outcome=failed)
    assert values(record, output_field="ranking", measures=["mrr"]) == {"mrr": 0}


@pytest.mark.parametrize(
    ("found", "gold", "by_id", "by_section", "by_document"),
    [
        (passage("d#a"), "d#a", 1, 1, 1),
        (passage("d#a~2"), "d#a", 0, 1, 1),
        (passage("d#a~2"), "d#a~2", 1, 1, 1),
        (passage("d#a~2"), "d#a~3", 0, 0, 1),
        (passage("d#b", "d#a", "d#b"), "d#a", 0, 1, 1),
        (passage("d@3", "d#a"), "d#a", 0, 1, 1),
        (passage("d@3"), "d#a", 0, 0, 1),
        (passage("d@3"), "d", 0, 1, 1),
        (passage("d~2"), "d", 0, 1, 1),
        (passage("d#a"), "d", 0, 1, 1),
        (passage("d"), "d", 1, 1, 1),
        (passage("d"), "d#a", 0, 0, 1),
        (passage("d#ab"), "d#a", 0, 0, 1),
        (passage("dd#a"), "d", 0, 0, 0),
        (passage("4711", document="d"), "d", 0, 1, 1),
        (passage("4711", "d#a"), "d", 0, 1, 1),
        (passage("me@home.org"), "me", 0, 0, 0),
    ],
)
def test_when_a_chunk_covers_a_gold_id(
    found: dict[str, Any], gold: str, by_id: int, by_section: int, by_document: int
) -> None:
    record = live(step(Stage.RETRIEVE, found), outcome=Answer("x", evidence=(found["id"],)))
    expected = {"id": by_id, "section": by_section, "document": by_document, None: by_section}
    for match, hit in expected.items():
        got = values(record, (gold,), match=match, k=[1], measures=["success@k", "recall@k"])
        assert got == {"success@1": hit, "recall@1": hit}, match


def test_the_default_for_recordings_is_the_id() -> None:
    record = Record("v", "e", 0, Answer("x", evidence=("d#a~2",)), AnswerPath.RECORDED)
    assert values(record, ("d#a",), measures=["mrr"]) == {"mrr": 0}
    assert values(record, ("d#a",), measures=["mrr"], match="section") == {"mrr": 1}


def test_pieces_of_one_section_are_hits_but_one_item() -> None:
    record = live(step(Stage.RETRIEVE, "x", "d#a~1", "d#a~2", "d#b"))
    found = values(
        record, ("d#a", "d#b", "d#c"), stage="retrieve", k=[3, 4], measures=list(ALL[:-3])
    )
    assert found["precision@3"] == 2 / 3
    assert found["precision@4"] == 3 / 4
    assert found["recall@3"] == 1 / 3
    assert found["recall@4"] == 2 / 3
    assert found["map"] == pytest.approx((1 / 2 + 3 / 4) / 3)
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert found["ndcg"] == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)
    assert found["r_precision"] == 2 / 3
    assert found["n_relevant_retrieved"] == 3


def test_a_chunk_that_covers_two_items_gains_both() -> None:
    record = live(step(Stage.RETRIEVE, passage("d@0", "d#a", "d#b")))
    found = values(record, ("d#a", "d#b"), stage="retrieve", k=[1], measures=list(ALL[:-3]))
    assert found["recall@1"] == found["map"] == found["ndcg"] == 1


def test_documents_take_the_highest_grade_of_their_ids() -> None:
    record = live(step(Stage.RETRIEVE, "e#x", "d#z"))
    scorer = Retrieval(
        id="r", stage="retrieve", match="document", measures=("ndcg",), target_field="grades"
    )
    example = Example("e", {}, {"grades": {"d#a": 1, "d#b": 3, "e": 1}})
    (found,) = scorer.score(example, record).values()
    assert isinstance(found, Scored)
    expected = (1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3))
    assert found.value == pytest.approx(expected)


CONTEXT: tuple[Measure, ...] = ("signal", "n_context", "diffuseness")


def test_thirty_stuffed_chunks_are_a_low_signal() -> None:
    stuffed = step(
        Stage.CONTEXT, *(passage(f"d{index}", tokens=100) for index in range(29)),
        passage("g#a", tokens=100),
    )  # fmt: skip
    lean = step(Stage.CONTEXT, passage("g#a", tokens=100), passage("d1", tokens=25))
    measured = {"n_context": 30, "signal": 1 / 30, "diffuseness": 1}
    assert values(live(stuffed), measures=CONTEXT) == pytest.approx(measured)
    measured = {"n_context": 2, "signal": 4 / 5, "diffuseness": 1}
    assert values(live(lean), measures=CONTEXT) == pytest.approx(measured)


def test_diffuseness_is_relevant_passages_over_the_items_they_cover() -> None:
    spread = step(Stage.CONTEXT, "a#s~1", "a#s~2", "x", "a#s~3", "b#t")
    found = score(live(spread), ("a#s", "b#t", "c"), measures=["diffuseness"])
    assert found == {"r.diffuseness": Scored(4 / 2, 2.0)}
    none = score(live(step(Stage.CONTEXT, "x")), ("a",), measures=["diffuseness"])
    assert none == {"r.diffuseness": Scored(0.0, 0.0)}


def test_the_context_is_measured_whatever_the_stage() -> None:
    for stage in (None, "retrieve", "rerank"):
        assert values(live(*FUNNEL), stage=stage, measures=["n_context"]) == {"n_context": 2}


def test_signal_needs_the_lengths_of_all_passages() -> None:
    for context in (
        step(Stage.CONTEXT, "g"),
        step(Stage.CONTEXT, passage("g", tokens=3), passage("x")),
        step(Stage.CONTEXT, passage("g", tokens=-3)),
        step(Stage.CONTEXT, passage("g", tokens=True)),
    ):
        (outcome,) = score(live(context), measures=["signal"]).values()
        assert isinstance(outcome, Unscored)
        assert outcome.applicable
    empty = step(Stage.CONTEXT)
    assert values(live(empty), measures=["signal", "n_context"]) == {"signal": 0, "n_context": 0}


def test_context_of_a_recording_is_its_evidence() -> None:
    record = Record("v", "e", 0, Answer("x", evidence=("x", "g")), AnswerPath.RECORDED)
    found = score(record, measures=CONTEXT)
    assert found["r.n_context"] == Scored(2.0)
    assert found["r.diffuseness"] == Scored(1.0)
    assert isinstance(found["r.signal"], Unscored)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
sections = st.sampled_from(["g", "g#a", "g#a~1", "h#b", "h@1", "x", "g#a#b", ""])
passages = st.lists(
    st.fixed_dictionaries(
        {"id": sections},
        optional={
            "rank": st.integers(-1, 5) | json_values,
            "tokens": st.integers(0, 9) | json_values,
            "sections": st.lists(sections, max_size=3) | json_values,
            "document": sections | json_values,
        },
    )
    | json_values,
    max_size=6,
)


@settings(max_examples=300, deadline=None)
@given(
    found=st.lists(st.tuples(st.sampled_from(list(Stage)), passages | json_values), max_size=3),
    gold=st.lists(sections, min_size=1, max_size=4, unique=True),
    match=st.sampled_from(["id", "section", "document", None]),
    stage=st.sampled_from(["retrieve", "rerank", "context", None]),
)
def test_every_figure_keeps_its_bounds_whatever_a_trace_holds(
    found: list[tuple[Stage, Any]], gold: list[str], match: Any, stage: Any
) -> None:
    steps = [Step(at, 0.0, 0.0, detail={"passages": items}) for at, items in found]
    scorer = Retrieval(id="r", stage=stage, match=match, k=(1, 3), measures=ALL)
    outcomes = scorer.score(Example("e", {}, evidence=tuple(gold)), live(*steps))
    for metric in scorer.metrics:
        outcome = outcomes[metric.id]
        if isinstance(outcome, Scored):
            assert 0 <= outcome.value <= (metric.upper or math.inf) + 1e-9, metric.id
            assert outcome.value in (0, 1) or not metric.binary


def test_a_stage_of_an_output_makes_no_sense() -> None:
    with pytest.raises(ValidationError, match="give stage or output_field, not both"):
        Retrieval(id="r", stage="rerank", output_field="ranking")


def test_options_not_given_leave_the_fingerprint_alone() -> None:
    assert "stage" not in Retrieval(id="r").model_dump()
    assert Retrieval(id="r", stage="rerank", match="id").model_dump()["stage"] == "rerank"
