"""Costs of live trials, from prices beside the config to the table of trials."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import live_desk as desk
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_server import Asked, Fail, ModelServer, Say

from harness.core.prices import Price, PriceBook
from harness.core.record import Answer, AnswerPath, Record, Stage, Step, Trace
from harness.experiment.hours import hourly_costs_usd, priced
from harness.experiment.pricing import price_of

HOURLY = PriceBook(own={"http/m": Price(usd_per_hour=3600.0)})  # a dollar a second


def prices(text: str) -> None:
    Path("configs/prices").mkdir(parents=True, exist_ok=True)
    Path("configs/prices/own.yaml").write_text(
        f"date: 2026-11-01\nsource: our contract\nmodels:\n  {text}\n"
    )


def step(start_s: float, latency_s: float, *, error: bool = False, model: str = "http/m") -> Step:
    detail = {"model": model} | ({"error": {"kind": "timeout", "message": ""}} if error else {})
    return Step(Stage.GENERATE, start_s, latency_s, None, queue_s=0.5, detail=detail)


def clocked(began_s: float, *steps: Step) -> Record:
    trace = Trace(steps=(Step(Stage.RETRIEVE, 0.0, 0.1, 0.25), *steps), began_s=began_s)
    return Record("v", "e", 0, Answer("x"), AnswerPath.WARM, 1.0, None, trace=trace)


def with_hours(records: list[Record], prices: PriceBook) -> list[Record]:
    costs = hourly_costs_usd(records, prices)
    return [priced(record, which, costs) for which, record in enumerate(records)]


def test_calls_at_once_share_the_machine() -> None:
    # on the run's clock: 10.5 to 12.5, and 11.5 to 13.5
    one, other = with_hours([clocked(10, step(0, 2)), clocked(11, step(0, 2))], HOURLY)
    assert one.cost_usd == pytest.approx(0.25 + 1 + 0.5)
    assert other.cost_usd == pytest.approx(0.25 + 0.5 + 1)
    assert one.trace
    assert one.trace.steps[1].cost_usd == pytest.approx(1.5)


def test_a_failed_call_and_a_model_without_a_price_stay_unknown() -> None:
    lost, other, own = with_hours(
        [
            clocked(0, step(0, 0, error=True)),
            clocked(0, step(0, 1, model="http/other")),
            clocked(0, step(0, 1)),
        ],
        HOURLY,
    )
    assert (lost.cost_usd, other.cost_usd) == (None, None)
    assert own.cost_usd == pytest.approx(1.25)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 20)), min_size=1, max_size=20))
def test_costs_sum_to_the_busy_time(calls: list[tuple[float, float]]) -> None:
    records = with_hours([clocked(began, step(0, took)) for began, took in calls], HOURLY)
    busy_s, until_s = 0.0, -1.0
    for began, took in sorted(calls):
        start_s, end_s = max(began + 0.5, until_s), began + 0.5 + took
        if end_s > start_s:
            busy_s, until_s = busy_s + end_s - start_s, end_s
    assert sum(record.cost_usd or 0 for record in records) - 0.25 * len(calls) == pytest.approx(
        busy_s, abs=1e-6
    )


def test_a_machine_paid_by_the_hour_from_yaml_to_the_table(here: Path, server: ModelServer) -> None:
    prices("http/m: {usd_per_hour: 36}")
    desk.config("id: a", more="factors: []\n", url=server.openai_url)
    run = desk.run(concurrency=1)
    rows = desk.trials(run)
    calls = desk.steps(rows, "generate")
    busy_s = sum(call["latency_s"] for call in calls)  # one at a time: no two overlap
    assert sum(row["cost_usd"] for row in rows) == pytest.approx(busy_s * 36 / 3600)
    (cost,) = [cost for cost in run.comparison.cost if cost.slice == "all"]
    assert cost.total_usd == pytest.approx(busy_s * 36 / 3600)
    used = json.loads((run.path / "manifest.json").read_text())["prices"]
    assert used["used"]["http/m"]["usd_per_hour"] == 36
    assert used["used"]["http/m"]["origin"] == "prices/own.yaml, 2026-11-01"
    assert used["own"][0]["source"] == "our contract"
    assert used["date"] == used["map"]["date"]


def test_tokens_are_billed_at_ones_own_price(here: Path, server: ModelServer) -> None:
    prices("http/m: {input_usd_per_million: 2, output_usd_per_million: 10}")
    desk.config("id: a", more="factors: []\n", url=server.openai_url)
    rows = desk.trials(desk.run(limit=3))
    assert [row["cost_usd"] for row in rows] == pytest.approx([12 * 2e-6 + 5 * 10e-6] * 3)


@pytest.mark.parametrize(
    ("say", "price"),
    [
        (lambda asked: Say("1", without_usage=True), "{input_usd_per_million: 2}"),
        (desk.echo, "{input_usd_per_million: 2}"),  # of the answer there is none
        (lambda asked: Fail(500), "{input_usd_per_million: 2, output_usd_per_million: 3}"),
    ],
)
def test_what_is_not_known_is_not_free(
    here: Path, say: Callable[[Asked], Say | Fail], price: str
) -> None:
    with ModelServer(respond=say) as server:
        prices(f"http/m: {price}")
        more = "factors: []\nexecution: {attempts: 1}\n"
        desk.config("id: a", more=more, url=server.openai_url)
        run = desk.run(limit=2)
    assert [row["cost_usd"] for row in desk.trials(run)] == [None, None]
    assert [cost.mean_usd for cost in run.comparison.cost if cost.mean_usd is not None] == []


def test_a_vendors_list_price_is_not_another_servers(here: Path) -> None:
    desk.config(
        "id: a\nmodel: openai/gpt-5",
        "id: b\nmodel: openai/gpt-5\nbase_url: http://127.0.0.1:9/v1",
        "id: c\nmodel: litellm/openai/gpt-5\nbase_url: http://127.0.0.1:9/v1",
        "id: d\nmodel: litellm/openai/gpt-5",
        more="factors: [model, base_url, sdk]\n",
    )
    from harness.config.experiment import draft_experiment
    from harness.config.prices import load_prices
    from harness.core.variant import LiveVariant

    book = load_prices(Path("configs"), [])
    a, b, c, d = (
        entry.variant.model
        for entry in draft_experiment(desk.CONFIG).entries
        if isinstance(entry.variant, LiveVariant)
    )
    own = price_of(book, a)
    assert own is not None
    assert own.input_usd is not None
    assert price_of(book, b) is None
    assert price_of(book, c) is None
    assert price_of(book, d) == own
    prices("openai/gpt-5: {input_usd_per_million: 1, output_usd_per_million: 1}")
    found = price_of(load_prices(Path("configs"), []), b)
    assert found is not None
    assert found.input_usd == pytest.approx(1e-6)


def test_one_model_at_two_addresses_is_two_machines() -> None:
    def at(host: str) -> Step:
        detail = {"model": "http/m", "route": f"http/m @ {host}"}
        return Step(Stage.GENERATE, 0.0, 2.0, None, detail=detail)

    records = with_hours([clocked(0, at("10.0.0.1")), clocked(0, at("10.0.0.2"))], HOURLY)
    assert [record.cost_usd for record in records] == [pytest.approx(2.25)] * 2
