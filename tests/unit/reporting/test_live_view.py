"""What the renderings say of live variants: operation, stages, tokens, confounded pairs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from live_runs import AGAINST_BASELINE, CONFOUNDED, REASON, VARIANTS, live_run
from reporting_fixtures import Shape, golden_run, make_run, verdict

from harness.core.comparison import (
    ConfoundedPair,
    LatencyEstimate,
    OperationEstimate,
    StageEstimate,
    TokenEstimate,
    TokenSaving,
)
from harness.core.record import Stage
from harness.core.run import RunData
from harness.reporting import html, junit, markdown, terminal
from harness.reporting.formats import MINUS
from harness.reporting.live_view import stage_table
from harness.reporting.view import build_view

RUN = live_run()
CLEAN = live_run(confounded=())
SAID = f"confounded: model, user — {REASON}"


def operation(quantity: str, **figures: Any) -> OperationEstimate:
    given = {"variant": "a", "slice": "all", "n": 300, "n_affected": 6, "rate": 0.02}
    given |= {"ci_low": 0.01, "ci_high": 0.04, "quantity": quantity}
    return OperationEstimate(**{**given, **figures})  # type: ignore[arg-type]


def with_parts(**parts: Any) -> RunData:
    run = golden_run()
    parts = {"operations": (operation("retry_rate"),), **parts}
    return replace(run, comparison=run.comparison.model_copy(update=parts))


def cell(entry: OperationEstimate) -> Any:
    (row,) = build_view(with_parts(operations=(entry,))).operations
    (found,) = [cell for cell in row.cells if cell]
    return found


def test_a_rate_is_written_with_its_interval_and_its_count() -> None:
    found = cell(operation("rejection_rate"))
    assert (found.name, found.n) == ("rejected", "6 of 300")
    assert found.rate.spoken == "2.0%, 1.0 to 4.0"
    assert found.added == ""


def test_what_a_repair_added_in_time_and_money() -> None:
    added = {"latency_s": 0.12, "cost_usd": 0.0001}
    added |= {"latency_per_affected_s": 1.2, "cost_per_affected_usd": 0.005}
    said = "adds 120 ms and $0.0001 per request, 1.20 s and $0.005 where it happened"
    assert cell(operation("repair_rate", **added)).added == said
    unknown = {**added, "cost_usd": None, "cost_per_affected_usd": None}
    said = (
        "adds 120 ms and an unknown cost per request, 1.20 s and an unknown cost where it happened"
    )
    assert cell(operation("fallback_rate", **unknown)).added == said
    assert cell(operation("repair_rate", **{**added, "n_affected": 0})).added == ""


def test_retries_stand_beside_the_latency() -> None:
    found = cell(operation("retry_rate", latency_s=0.05, latency_per_affected_s=2.5))
    assert found.added == "beside the latency 50 ms per request, 2.50 s where it happened"


def test_a_variant_without_checks_says_so_and_a_recorded_one_has_no_row() -> None:
    view = build_view(with_parts(operations=(operation("repair_rate"),)))
    assert [row.variant for row in view.operations] == ["a"]
    assert [c and c.name for c in view.operations[0].cells] == [None, None, "repaired", None, None]
    text = terminal.render(with_parts(operations=(operation("repair_rate"),)))
    assert "not checked" in text


def stage(variant: str, name: Stage, share: float | None) -> StageEstimate:
    return StageEstimate(
        variant=variant,
        stage=name,
        path="warm",
        n=300,
        p50_s=0.12,
        p50_ci_low_s=0.1,
        p50_ci_high_s=0.14,
        p95_s=0.48,
        p95_ci_low_s=None,
        p95_ci_high_s=None,
        time_share=share,
        mean_usd=None,
    )


def test_stages_stand_in_the_order_of_a_trial_whoever_has_them() -> None:
    stages = (
        stage("a", Stage.GENERATE, 1.0),
        stage("b", Stage.RETRIEVE, 0.0001),
        stage("b", Stage.GENERATE, 0.62),
    )
    view = build_view(with_parts(stages=stages))
    first = view.stages[1]
    assert (first.p50.spoken, first.p95.spoken) == ("120 ms, 100 ms to 140 ms", "480 ms")
    assert (first.cost, first.share.text, first.n) == ("unknown", "under 0.1%", "300")
    assert stage_table(view.stages, [0, 1]) == [
        ("retrieve", "-", "120 ms / 480 ms (under 0.1%)"),
        ("generate", "120 ms / 480 ms (100.0%)", "120 ms / 480 ms (62.0%)"),
    ]


def test_tokens_saved_have_a_sign_and_the_pair_its_reason() -> None:
    tokens = (
        TokenEstimate(
            variant="b", quantity="prompt_tokens", n=9, mean=812, ci_low=800, ci_high=824
        ),
    )
    saved = TokenSaving(
        candidate="b",
        baseline="a",
        quantity="prompt_tokens_per_call",
        n=9,
        n_missing=0,
        saved=-40.0,
        ci_low=-41.0,
        ci_high=-39.0,
    )
    listed = ConfoundedPair(candidate="b", baseline="a", fields=("model",), reason="why")
    first = LatencyEstimate(
        variant="b",
        path="cold",
        slice="all",
        n=1,
        p50_s=1.0,
        p50_ci_low_s=None,
        p50_ci_high_s=None,
        p95_s=1.0,
        p95_ci_low_s=None,
        p95_ci_high_s=None,
    )
    run = with_parts(
        tokens=tokens, token_savings=(saved,), confounded=(listed,), first_token=(first,)
    )
    (row,) = build_view(run).tokens
    assert row.prompt.spoken == "812, 800 to 824"
    assert row.saved_per_call.spoken.replace(MINUS, "-") == "-40.0, -41.0 to -39.0"
    assert row.saved.text == row.cached.text == "unknown"
    assert row.confounded == "confounded: model — why"
    assert row.first_token is None  # its latency is not that of the cold path


def test_many_fields_are_counted_and_strange_ones_shown() -> None:
    fields = (*(f"field_{i}" for i in range(8)), "\x1b[2J")
    listed = ConfoundedPair(candidate="b", baseline="a", fields=fields, reason="a\nb " * 200)
    view = build_view(with_parts(confounded=(listed,)))
    (row,) = view.confounded
    assert row.reason.startswith("confounded: field_0, field_1")
    assert "field_5, 3 more — a b a b" in row.reason
    assert len(row.reason) < 400


def test_factors_that_are_held_are_told_from_those_that_vary() -> None:
    view = build_view(RUN)
    varied = {row.name: row.values for row in view.factors if not row.is_held}
    assert set(varied) == {"model", "prompt.user", "retrieval.use", "tools"}
    assert varied["tools"] == ("none", "none", "none", "use look_up, refund")
    assert len([row for row in view.factors if row.is_held]) == 3


RENDERINGS = {
    "terminal": terminal.render,
    "markdown": markdown.render,
    "junit": junit.render,
    "html": html.render,
}


@pytest.mark.parametrize("name", RENDERINGS)
def test_a_clean_run_has_no_mark(name: str) -> None:
    text = RENDERINGS[name](CLEAN).partition('<section id="glossary">')[0]
    assert "◊" not in text
    assert "confounded:" not in text


@pytest.mark.parametrize("name", RENDERINGS)
def test_the_reason_stands_in_every_rendering(name: str) -> None:
    text = re.sub(r"\s+", " ", RENDERINGS[name](RUN))
    assert "◊ confounded: model, user — the tuned" in re.sub(r"<[^>]*>|&#39;", "", text)


def test_every_figure_of_a_confounded_pair_is_marked_and_no_other() -> None:
    view = build_view(RUN)
    for row in view.pairs + view.slice_losses:
        listed = {row.candidate, row.baseline} in [set(p["pair"]) for p in AGAINST_BASELINE]
        assert row.confounded == (SAID if listed else "")
        assert (SAID in row.sentence) == listed
    for matrix in view.win_rates:
        for line in matrix.rows:
            for name, found in zip(VARIANTS, line.cells, strict=True):
                listed = {line.name, name} in [set(p["pair"]) for p in AGAINST_BASELINE]
                assert ("◊" in found.delta) == (SAID in found.sentence) == listed
    tuned = VARIANTS.index("tuned_rag")
    for matrix in view.slices:
        for line in matrix.rows:
            assert ["◊" in c.delta for c in line.cells] == [i == tuned for i in range(4)]
    assert SAID in view.headline.sentence
    assert [SAID in reason for reason in view.headline.reasons] == [True, False, False]


def test_a_pair_without_the_baseline_is_marked_where_it_is_shown() -> None:
    view = build_view(live_run(confounded=CONFOUNDED))
    marked = [(p.candidate, p.baseline) for p in view.pairs if p.confounded]
    assert marked == [("tuned_rag", "prompt_rag")]
    assert "◊" not in view.headline.text


@pytest.mark.parametrize("same", [True, False])
def test_the_gates_rules_are_marked_if_both_sides_are_of_this_run(same: bool) -> None:
    listed = ConfoundedPair(candidate="b", baseline="a", fields=("model",), reason="why")
    run = with_parts(confounded=(listed,))
    found = verdict(run).model_copy(
        update={"baseline_run_id": run.run_id if same else "another run"}
    )
    gated = replace(run, verdict=found)
    for text in (terminal.render_gate(gated), markdown.render(gated)):
        rules = [line for line in text.splitlines() if "floor on steps" in line]
        assert all(("◊" in line) == same for line in rules)
        assert rules
    assert ("◊ confounded: model — why" in terminal.render_gate(gated)) == same


def test_a_recorded_run_shows_nothing_of_it() -> None:
    run = make_run(Shape(n=40))
    page = html.render(run)
    assert 'id="operation"' not in page
    assert page.index('id="variants"') < page.index('id="factors"')
    assert "held constant" not in terminal.render(run) + markdown.render(run)


def test_what_differs_stands_right_under_the_verdict_of_a_live_run() -> None:
    page = html.render(RUN)
    ids = re.findall(r'<section id="([a-z]+)"', page)
    assert ids[:3] == ["verdict", "factors", "variants"]
    assert "operation" in ids
    assert ids.count("factors") == 1


def test_the_comment_keeps_its_length_and_the_factors_their_place() -> None:
    run = live_run(n=40)
    full = markdown.render(run).splitlines()
    assert len(full) < 60
    assert any(line.startswith("#### Stages") for line in full)
    found = verdict(run)
    crowded = replace(run, verdict=found.model_copy(update={"rules": found.rules * 12}))
    lines = markdown.render(crowded).splitlines()
    assert len(lines) < 60
    assert any(
        "What differs" in line and "model" in "".join(lines[i : i + 5])
        for i, line in enumerate(lines)
    )
    assert not any(line.startswith("#### Stages") for line in lines)


def test_long_factors_keep_the_end_that_tells_them_apart() -> None:
    text = terminal.render(RUN)
    line = next(line for line in text.splitlines() if line.startswith("model "))
    assert line.split()[1:] == [
        "http/llama-3.1-8b",
        "http/llama-3.1-8b",
        "http/lla…3.1-8b-ft",
        "http/llama-3.1-8b",
    ]


def test_an_unknown_cost_of_live_variants_is_no_fault_of_a_recording() -> None:
    text = terminal.render(with_parts(cost=()))
    assert "Cost is unknown for every variant: a price or a usage is missing." in text
