"""What a trial took: latency, waiting, cost, tokens, attempts."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from system_fakes import (
    RERANK,
    SHELF,
    Rig,
    VirtualTimer,
    passage,
    rule,
    says,
    step,
    steps,
    subtask,
    tools,
    variant,
)

from harness.core.chat import ServiceError
from harness.core.record import Stage, Step, Usage
from harness.core.tools import ToolResult
from harness.core.values import canonical_json
from harness.core.variant import (
    Component,
    Context,
    Fallback,
    Output,
    Route,
    RouteRule,
    ToolCheck,
    Tools,
)
from harness.system.calls import service
from harness.system.log import Ended, TrialLog

DOCS = (passage("a", "alpha one"), passage("b", "beta two"), passage("c", "gamma three"))


def test_latency_is_the_wall_time_of_all_stages():
    rig = Rig(says("", ("t", "{}")), "x", functions={"t": lambda a: "r"}, found=DOCS)
    record = rig.answer(variant(retrieval=SHELF, rerank=RERANK, tools=tools()))
    taken = [(one.stage.value, one.start_s, one.latency_s) for one in record.trace.steps]
    assert taken == [
        ("retrieve", 0.0, 0.5),
        ("rerank", 0.5, 0.25),
        ("context", 0.75, 0.0),
        ("generate", 0.75, 1.0),
        ("tool", 1.75, 0.125),
        ("generate", 1.875, 1.0),
    ]
    assert record.latency_s == 2.875
    assert (record.trace.queue_s, record.trace.retry_wait_s) == (0.0, 0.0)


def test_waiting_for_a_place_and_for_retries_is_no_latency():
    rig = Rig(
        ServiceError("rate_limited", "slow down"),
        "x",
        found=DOCS,
        pacer={"retries": 3, "pause_s": 4.0, "queue_s": 2.0},
    )
    record = rig.answer(variant(retrieval=SHELF))
    generate = step(record, "generate")
    assert (generate.latency_s, generate.attempts) == (1.0, 2)
    assert (generate.queue_s, generate.retry_wait_s) == (2.0, 5.0)
    assert (record.trace.queue_s, record.trace.retry_wait_s) == (4.0, 5.0)
    assert (record.trace.calls, record.trace.attempts) == (2, 3)
    assert record.latency_s == 1.5
    assert rig.pacer.routes == ["shelf", "scripted/model-1"]


def test_waiting_for_a_tools_process_is_no_latency():
    waited = ToolResult("r", queue_s=0.0625)
    rig = Rig(says("", ("t", "{}"), ("t", "{}")), "x", functions={"t": lambda a: waited})
    record = rig.answer(variant(tools=tools()))
    taken = [(one.start_s, one.latency_s, one.queue_s) for one in steps(record, "tool")]
    assert taken == [(1.0, 0.0625, 0.0625), (1.125, 0.0625, 0.0625)]
    assert (record.latency_s, record.trace.queue_s) == (2.125, 0.125)
    before = Tools(tools().use, before=(ToolCheck("t", {}),))
    record = Rig("x", functions={"t": lambda a: waited}).answer(variant(tools=before))
    assert (record.latency_s, record.trace.queue_s) == (1.0625, 0.0625)


def test_a_tool_cannot_have_waited_longer_than_its_call_took():
    for queue_s, kept in ((9.0, 0.125), (-1.0, 0.0)):
        told = ToolResult("r", queue_s=queue_s)
        rig = Rig(says("", ("t", "{}")), "x", functions={"t": lambda a, told=told: told})
        record = rig.answer(variant(tools=tools()))
        assert step(record, "tool").queue_s == record.trace.queue_s == kept
        assert record.latency_s == 2.125 - kept


def test_repairs_and_fallbacks_are_the_systems_own_time():
    output = Output("json", repair=1)
    rig = Rig("no", "no", small=["{}"])
    record = rig.answer(variant(output=output, draft=None, fallback=Fallback(None, "human")))
    assert record.latency_s == 2.0
    assert record.cost_usd == 2.0


def compressed(rig):
    return rig.answer(variant(retrieval=SHELF, context=Context(compress=subtask("c"))))


def test_calls_at_once_take_as_long_as_the_longest():
    record = compressed(Rig("x", small=["c"], found=DOCS))
    assert [one.latency_s for one in steps(record, "compress")] == [1.0, 1.0, 1.0]
    assert record.latency_s == 0.5 + 1.0 + 1.0
    assert step(record, "context").latency_s == 0.0


def test_what_calls_at_once_waited_for_is_counted_once():
    record = compressed(Rig("x", small=["c"], found=DOCS, pacer={"queue_s": 2.0}))
    assert record.trace.queue_s == 2.0 + 2.0 + 2.0
    assert record.latency_s == 2.5
    busy = ServiceError("overloaded", "busy")
    rig = Rig("x", small=[busy, "c"], found=DOCS, pacer={"retries": 1, "pause_s": 4.0})
    record = compressed(rig)
    assert (record.trace.queue_s, record.trace.retry_wait_s) == (0.0, 5.0)
    assert record.latency_s == 2.5
    assert (record.trace.calls, record.trace.attempts) == (5, 6)


def test_a_queue_before_one_of_several_calls_counts_as_queue():
    log = TrialLog(VirtualTimer(), 0)
    short, long = Step(Stage.COMPRESS, 0.0, 5.0), Step(Stage.COMPRESS, 0.0, 1.0, queue_s=5.0)
    assert log.take_together([Ended((short,), "a"), Ended((long,), "b")], 6.0) == ["a", "b"]
    assert (log.trace(None, None).queue_s, log.trace(None, None).retry_wait_s) == (1.0, 0.0)


def test_a_failure_that_the_system_made_takes_its_time_but_was_not_billed():
    error = ServiceError("context_too_long", "too long", latency_s=1.0)
    record = Rig(error).answer(variant())
    assert record.latency_s == 1.0
    assert step(record, "generate").latency_s == 1.0
    assert record.cost_usd == 0.0
    assert Rig(ServiceError("refused", "no")).answer(variant()).cost_usd is None


def test_costs_add_up_and_an_unknown_one_makes_the_sum_unknown():
    def answered(**more):
        rig = Rig("x", found=DOCS, **more)
        rig.shelf.cost_usd = 0.5
        return rig, variant(retrieval=SHELF, rerank=RERANK)

    rig, system = answered()
    assert rig.answer(system).cost_usd == 1.75
    rig, system = answered(cost_usd=lambda choice, usage: None)
    assert rig.answer(system).cost_usd is None
    rig, system = answered()
    rig.backwards.cost_usd = None
    record = rig.answer(system)
    assert record.cost_usd is None
    assert step(record, "generate").cost_usd == 1.0


def test_prices_are_asked_with_the_model_and_its_usage():
    asked = []
    usage = Usage(7, 3, 2, 0, 1)
    rig = Rig(
        says("x", usage=usage), cost_usd=lambda choice, usage: asked.append((choice.id, usage))
    )
    rig.answer(variant())
    assert asked == [("scripted/model-1", usage)]


def test_tokens_add_up_field_by_field():
    rig = Rig(
        says("sum", usage=Usage(10, 4, 5, 0, 2)),
        small=[says("x", usage=Usage(3, None, 1, 0, None))],
    )
    record = rig.answer(variant(draft=subtask("{{ summary }}")))
    assert record.usage == Usage(13, None, 6, 0, None)


def test_the_time_to_the_first_token_is_that_of_who_wrote_the_output():
    rig = Rig(says("sum", ttft_s=0.5), small=[says("x", ttft_s=0.25)])
    assert rig.answer(variant(draft=subtask("{{ summary }}"))).trace.ttft_s == 0.25


def test_many_trials_at_once_do_not_mix():
    rig = Rig(lambda request: request.messages[0].content, found=DOCS)
    system = rig.system(variant(retrieval=SHELF))

    async def all_of_them():
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(system.answer(f"e{n}", {"question": f"q{n}"}, 0))
                for n in range(20)
            ]
        return [task.result() for task in tasks]

    records = asyncio.run(all_of_them())
    assert [record.outcome.output for record in records] == [f"q{n}" for n in range(20)]
    assert {record.latency_s for record in records} == {1.5}
    assert all(len(record.trace.steps) == 3 for record in records)


ADDRESSES = [
    ({}, "http/llama"),
    ({"base_url": "http://127.0.0.1:8000/v1"}, "http/llama @ 127.0.0.1:8000"),
    ({"base_url": "https://me:secret@host/v1?key=secret"}, "http/llama @ host"),
    ({"host": "db:5432"}, "http/llama @ db:5432"),
    ({"url": "http://[bad"}, "http/llama"),
    ({"url": 3}, "http/llama"),
]


@pytest.mark.parametrize(("options", "name"), ADDRESSES)
def test_services_have_names_without_secrets(options, name):
    assert service(Component("http", options), "llama") == name


ANSWERS = st.sampled_from(
    [
        "text",
        "{}",
        "",
        says("", ("t", "{}")),
        says("x", ("t", "nonsense"), ("u", "[]")),
        says("cut", finish_reason="length"),
        says("no", finish_reason="refusal"),
        says("unsure", confidence=0.25),
        ServiceError("context_too_long", "long"),
        ServiceError("overloaded", "busy"),
    ]
)
COSTS = st.lists(st.one_of(st.none(), st.integers(0, 8).map(lambda n: n / 8)), min_size=1)
SETUPS = st.fixed_dictionaries(
    {
        "retrieval": st.sampled_from([None, SHELF]),
        "rerank": st.sampled_from([None, RERANK]),
        "context": st.sampled_from([Context(), Context(compress=subtask("c")), Context(2)]),
        "tools": st.sampled_from([None, tools(max_calls=2), tools(policy="required")]),
        "output": st.sampled_from(
            [Output(), Output("json", repair=2), Output(rules=(rule("output == 'text'"),))]
        ),
        "draft": st.sampled_from([None, subtask("{{ summary }}")]),
        "fallback": st.sampled_from([None, Fallback(None, "human"), Fallback(variant("other"))]),
        "route": st.sampled_from(
            [None, Route((RouteRule("r", label="text", variant=variant("w")),), subtask("l"))]
        ),
    }
)


@given(SETUPS, st.lists(ANSWERS, min_size=1, max_size=6), st.lists(ANSWERS, min_size=1), COSTS)
def test_any_walk_ends_in_a_record_that_adds_up(setup, lines, small, costs):
    prices = iter(costs * 200)
    rig = Rig(
        *lines,
        small=small,
        found=DOCS,
        functions={"t": lambda a: ToolResult("r", queue_s=0.0625)},
        cost_usd=lambda choice, usage: next(prices),
        pacer={"retries": 1, "pause_s": 0.5, "queue_s": 0.25},
    )
    record = rig.answer(variant(**setup))
    trace = record.trace
    known = [one.cost_usd for one in trace.steps]
    assert record.cost_usd == (None if None in known else sum(known))
    wall_s = rig.timer.now_s() - 100.0
    assert record.latency_s + trace.queue_s + trace.retry_wait_s == pytest.approx(wall_s)
    assert set(record.evidence) <= {one.id for one in DOCS}
    assert trace.attempts >= trace.calls
    assert trace.fallback_used in (None, "human", "other")
    for one in trace.steps:
        canonical_json(dict(one.detail))
        assert 0 <= one.start_s <= wall_s
