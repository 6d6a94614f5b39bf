"""What the renderings say of live variants: operation, stages, tokens, confounded pairs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from live_runs import AGAINST_BASELINE, CONFOUNDED, REASON, VARIANTS, live_run
from reporting_fixtures import Shape, golden_run, make_run, verdict

from harness.core.comparison import ConfoundedPair, LatencyEstimate
from harness.core.operations import (
    OperationEstimate,
    RouteEstimate,
    StageEstimate,
    TokenEstimate,
    TokenSaving,
    ToolEstimate,
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
    (found,) = [cell for cell in row.cells if cell.quantity == entry.quantity]
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
    said = "adds 120 ms per request, 1.20 s where it happened; cost unknown"
    assert cell(operation("fallback_rate", **unknown)).added == said
    untimed = {**added, "latency_s": None, "latency_per_affected_s": None}
    said = "adds $0.0001 per request, $0.005 where it happened; time unknown"
    assert cell(operation("fallback_rate", **untimed)).added == said
    assert cell(operation("fallback_rate")).added == "what it adds is unknown"
    cached = {**added, "latency_per_affected_s": None, "cost_per_affected_usd": None}
    assert cell(operation("repair_rate", **cached)).added == "adds 120 ms and $0.0001 per request"
    assert cell(operation("repair_rate", **{**added, "n_affected": 0})).added == ""


def test_retries_stand_beside_the_latency() -> None:
    found = cell(operation("retry_rate", latency_s=0.05, latency_per_affected_s=2.5))
    assert found.added == "beside the latency 50 ms per request, 2.50 s where it happened"


def test_a_variant_without_checks_says_so_and_a_recorded_one_has_no_row() -> None:
    view = build_view(with_parts(operations=(operation("repair_rate"),)))
    assert [row.variant for row in view.operations] == ["a"]
    assert view.operation_heads == (
        "rejected",
        "schema failure",
        "no valid output",
        "repaired",
        "fell back",
        "retried",
    )
    assert [c.rate.text for c in view.operations[0].cells] == [
        *["not checked"] * 3,
        "2.0%",
        *["unknown"] * 2,
    ]
    run = with_parts(operations=(operation("repair_rate"),))
    assert "not checked" in terminal.render(run)
    assert '<span class="soft">not checked</span>' in html.render(run)


NEVER = {"rate": 0.0, "n_affected": 0}
BARE = {"output.parse": "text", "output.citations.field": "source"}


def words(factors: dict[str, Any], quantities: Any, stages: Any = (), **figures: Any) -> list[str]:
    """What stands in the cells of variant a, whose factors these are."""
    entries = tuple(operation(quantity, **{**NEVER, **figures}) for quantity in quantities)
    told = {name: {"a": value} for name, value in factors.items()}
    view = build_view(with_parts(operations=entries, factors=told, stages=stages))
    return [found.rate.text for found in view.operations[0].cells]


RATES = (
    "rejection_rate",
    "schema_failure_rate",
    "invalid_rate",
    "repair_rate",
    "fallback_rate",
    "retry_rate",
)


def test_what_a_variant_lacks_is_named_in_place_of_a_rate() -> None:
    lacks = ["0.0%", "no schema", "0.0%", "no repair", "no fallback", "0.0%"]
    assert words(BARE, RATES) == lacks
    whole = {"output.parse": "json", "output.repair": 1, "fallback.answer": "a human"}
    assert words(whole, RATES) == ["0.0%"] * 6


def test_what_variants_that_a_trial_is_handed_to_have_is_not_denied() -> None:
    for leads in ({"fallback.to": "big"}, {"route.rules.0.to": "big"}):
        assert words(BARE | leads, RATES) == ["0.0%"] * 6
    stays = {"route.rules.0.to": "self", "route.rules.1.answer": "no"}
    assert "no repair" in words(BARE | stays, RATES)


def test_what_happened_is_never_denied_and_unstated_factors_deny_nothing() -> None:
    assert "no repair" not in words(BARE, RATES, rate=0.02, n_affected=6)
    assert "no repair" not in words({"model": "m"}, RATES)


def test_a_baselines_outputs_were_checked_nobody_knows_how() -> None:
    told = (stage("a", Stage.GENERATE, 1.0),)
    assert words(BARE, ["retry_rate"])[:3] == ["unknown"] * 3
    assert words({"output.parse": "text"}, ["retry_rate"], told)[:3] == ["not checked"] * 3


def test_tool_errors_are_a_column_only_where_a_tool_was_called() -> None:
    def last(factors: dict[str, Any], stages: Any = ()) -> list[str]:
        entries = (operation("tool_error_rate", variant="b"), operation("retry_rate"))
        told = {name: {"a": value} for name, value in factors.items()}
        view = build_view(with_parts(operations=entries, factors=told, stages=stages))
        assert view.operation_heads[-1] == "tool error"
        return [row.cells[-1].rate.text for row in view.operations]

    told = (stage("a", Stage.GENERATE, 1.0),)
    assert last(BARE, told) == ["no tools", "2.0%"]
    assert last(BARE | {"tools.policy": "auto"}, told) == ["none called", "2.0%"]
    assert last(BARE | {"tools.policy": "auto"}) == ["unknown", "2.0%"]


def called(**figures: Any) -> ToolEstimate:
    given = {"variant": "b", "tool": "hang", "n_calls": 24, "n_errors": 24, "p50_s": 2.0}
    given |= {"p95_s": 2.5, "error_kinds": {"raised": 4, "timeout": 20}}
    return ToolEstimate.model_validate({**given, **figures})


def sent(**figures: Any) -> RouteEstimate:
    given = {"variant": "b", "to": "self", "rule": None, "n": 30, "share": 0.75, "ci_low": 0.6}
    given |= {"ci_high": 0.86, "path": "warm", "p50_s": 0.4, "mean_usd": 0.0002}
    return RouteEstimate.model_validate({**given, **figures})


def test_calls_of_tools_and_routes_stand_in_every_report() -> None:
    large = sent(to="large", rule="hard", n=10, share=0.25, ci_low=0.1, ci_high=0.4, mean_usd=None)
    run = with_parts(tools=(called(),), routes=(sent(), large))
    text = re.sub(r" +", " ", terminal.render(run))
    assert "b hang 24 24 (timeout 20, raised 4) 2.00 s 2.50 s" in text
    assert "b itself - 75.0% [60.0 to 86.0] 30 of 40 400 ms $0.0002" in text
    assert "b large hard 25.0% [10.0 to 40.0] 10 of 40 400 ms unknown" in text
    comment = markdown.render(run)
    assert "| b | hang | 24 | 24 (timeout 20, raised 4) | 2.00 s / 2.50 s |" in comment
    assert "| b | large | hard | 25.0% (10.0 to 40.0) | 400 ms | unknown |" in comment
    page = html.render(run)
    assert '<table class="cards tools">' in page
    assert "timeout 20, raised 4" in page
    assert '<table class="cards routes">' in page
    assert '<data value="0.25">25.0%</data>' in page


def test_a_tools_name_is_a_models_text() -> None:
    run = with_parts(tools=(called(tool="<img src=x>\x1b[2J| a"),))
    assert "<img" not in html.render(run)
    assert "\x1b" not in terminal.render(run)
    assert "\\| a" in markdown.render(run)


def test_time_to_the_first_token_and_reasoning_stand_in_the_terminal_where_known() -> None:
    def tokens(quantity: str, mean: float) -> TokenEstimate:
        return TokenEstimate.model_validate(
            {
                "variant": "b",
                "quantity": quantity,
                "n": 9,
                "mean": mean,
                "ci_low": mean,
                "ci_high": mean,
            }
        )

    plain = with_parts(tokens=(tokens("prompt_tokens", 812), tokens("reasoning_tokens", 0)))
    assert "reasoning" not in terminal.render(plain)
    assert "first token" not in terminal.render(plain)
    assert "of it reasoning" not in html.render(plain)
    unknown = dict.fromkeys(("p50_ci_low_s", "p50_ci_high_s", "p95_ci_low_s", "p95_ci_high_s"))
    first = LatencyEstimate.model_validate(
        {"variant": "b", "path": "warm", "slice": "all", "n": 9, "p50_s": 0.2, "p95_s": 0.9}
        | unknown
    )
    known = (tokens("reasoning_tokens", 64),)
    run = with_parts(tokens=known, first_token=(first,), latency=(first,))
    text = re.sub(r" +", " ", terminal.render(run))
    assert "completion reasoning saved per call first token p50 / p95" in text
    assert "b unknown unknown unknown 64.0 unknown 200 ms / 900 ms" in text
    assert "of it reasoning" in html.render(run)


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


def test_long_factors_go_on_in_the_next_line() -> None:
    lines = terminal.render(RUN).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("model "))
    model = "http/llama-3.1-8b"
    assert lines[at].split()[1:] == [model, model, "http/", model]
    assert lines[at + 1].split() == ["llama-3.1-8b-ft"]


def factors_of(*values: str, name: str = "model") -> RunData:
    names = tuple(f"variant_{i}" for i in range(len(values)))
    run = make_run(Shape(n=20, variants=names, rates=(0.5,) * len(values)))
    entry = operation("retry_rate", variant=names[0])
    factors = {name: dict(zip(names, values, strict=True))}
    update = {"operations": (entry,), "factors": factors}
    return replace(run, comparison=run.comparison.model_copy(update=update))


def test_what_is_left_out_of_a_factor_ends_with_an_ellipsis_after_a_word() -> None:
    value = ", ".join(f"rule number {i}" for i in range(10))
    text = terminal.render(factors_of(value, *["none"] * 4))
    assert "rule number…" in text or re.search(r"rule number \d…", text)
    assert max(map(len, text.splitlines())) <= 100


def test_long_values_that_differ_at_their_end_only_stand_whole() -> None:
    same = "the same words for a while " * 6
    text = terminal.render(factors_of(f"{same}one", f"{same}two"))
    assert "one" in text.split("held constant")[0].split()
    assert "two" in text.split("held constant")[0].split()


def test_many_variants_stand_in_groups_below_one_another() -> None:
    text = terminal.render(factors_of(*(f"http/model-{i}" for i in range(12))))
    table = text.partition("what differs")[2].partition("held constant")[0]
    assert table.count("what differs") == 2
    assert all(f"http/model-{i}" in table for i in range(12))
    assert max(map(len, table.splitlines())) <= 100


def test_stages_of_many_variants_do_too() -> None:
    names = tuple(f"variant_{i}" for i in range(12))
    run = make_run(Shape(n=20, variants=names, rates=(0.5,) * 12))
    stages = tuple(stage(name, Stage.GENERATE, 1.0) for name in names)
    update = {"operations": (operation("retry_rate", variant=names[0]),), "stages": stages}
    run = replace(run, comparison=run.comparison.model_copy(update=update))
    lines = terminal.render(run).splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("p50 / p95 (share)"))
    table = lines[first : lines.index("", first + 20) if "" in lines[first + 20 :] else None]
    assert max(map(len, table)) <= 100
    assert sum(line.count("120 ms / 480 ms (100.0%)") for line in lines) == 12


def test_the_page_folds_what_differs_under_one_line() -> None:
    page = html.render(RUN)
    said = "4 factors differ: model, prompt.user, retrieval.use, tools"
    assert f'<details class="fold" open><summary>{said}</summary>' in page
    assert "output.rules.<wbr>" not in page
    assert "prompt.<wbr>user" in page
    one = build_view(factors_of("x", "y"))
    assert one.differing == "1 factor differs: model"
    many = {f"factor_{i}": {"a": i} for i in range(9)}
    view = build_view(with_parts(factors=many))
    assert view.differing == "9 factors differ: factor_0, factor_1, factor_2, factor_3, ..."


def owned() -> RunData:
    stated = [
        {"id": "prompt_only", "operations": {"hours_to_change": 0.5}},
        {"id": "tuned_rag", "operations": {"hours_to_change": 52, "owner": "<b>ml</b>"}},
        {"id": "tools"},
    ]
    return replace(RUN, manifest={**RUN.manifest, "variants": stated})


def test_what_owning_a_variant_takes_is_shown_and_not_compared() -> None:
    view = build_view(owned())
    assert [(row.name, row.values) for row in view.owning] == [
        ("hours_to_change", ("0.5", "not stated", "52", "not stated")),
        ("owner", ("not stated", "not stated", "<b>ml</b>", "not stated")),
    ]
    assert all(row.is_held for row in view.owning)
    page = html.render(owned())
    part = page.partition('<tbody class="owning">')[2].partition("</tbody>")[0]
    assert "hours_to_change" in part
    assert "<b>" not in part
    assert "held constant: 3 factors" in terminal.render(owned())
    assert "hours_to_change" in terminal.render(owned()).partition("owning it")[2]
    assert "owning it: hours\\_to\\_change | 0.5 |" in markdown.render(owned())
    assert build_view(RUN).owning == ()


def test_an_unknown_cost_of_live_variants_is_no_fault_of_a_recording() -> None:
    text = terminal.render(with_parts(cost=()))
    assert "Cost is unknown for every variant: a price or a usage is missing." in text
    text = terminal.render(with_parts(latency=()))
    assert "Latency is unknown for every variant: no call of a live variant was answered." in text


def test_what_was_spent_and_what_the_cache_avoided_are_told_apart() -> None:
    run = live_run()
    cost = {"spent_usd": 0.0, "avoided_usd": 0.00216, "n_cached": 40, "n_unknown": 0}
    run = replace(run, manifest={**run.manifest, "execution": {"cost": cost}})
    said = "Spent in this run: $0; avoided by 40 answers from the cache: $0.00216. Costs per"
    assert said in " ".join(terminal.render(run).split())
    assert said in html.render(run)
    assert said.replace("$", "USD ") in markdown.render(run)
    live = {**run.manifest, "execution": {"cost": {**cost, "n_cached": 0}}}
    assert build_view(replace(run, manifest=live)).spent == ""
