"""The clock of an answer is the socket's, not that of a busy event loop."""

from __future__ import annotations

import asyncio
import time
from contextvars import copy_context

from model_server import ModelServer, Say

from harness.plugins.wire.arrivals import Turns, under_way
from harness.plugins.wire.http_client import JsonClient

BODY = {"model": "m", "messages": [{"role": "user", "content": "?"}]}


def test_what_a_task_waits_for_after_the_answer_came_is_not_in_its_latency() -> None:
    async def held_up() -> None:
        client = JsonClient(server.openai_url)
        context, held_until_s = copy_context(), 0.0
        asking = asyncio.create_task(
            client.post("/chat/completions", BODY, timeout_s=30), context=context
        )

        def hold() -> None:
            """Once the answer has been taken from the socket, keep the loop from its task."""
            nonlocal held_until_s
            times = context.get(under_way)
            if times is None or times.received_s is None:
                asyncio.get_running_loop().call_soon(hold)
                return
            assert not asking.done()
            time.sleep(0.2)
            held_until_s = time.perf_counter()

        hold()
        reply = await asking
        times = context[under_way]
        assert times is not None
        assert times.sent_s is not None
        assert times.received_s is not None
        assert reply.latency_s == times.received_s - times.sent_s
        assert reply.connect_s == times.sent_s - times.began_s > 0
        assert held_until_s - times.received_s >= 0.2
        await client.close()

    with ModelServer(respond=lambda _: Say("yes")) as server:
        asyncio.run(held_up())


def test_tasks_go_on_in_order_one_for_each_pass_of_the_loop() -> None:
    async def passes() -> list[tuple[int, int]]:
        turns, found, n_passes = Turns(), [], 0

        def count() -> None:
            nonlocal n_passes
            n_passes += 1
            asyncio.get_running_loop().call_soon(count)

        async def task(i: int) -> None:
            await turns.turn()
            found.append((i, n_passes))

        count()
        async with asyncio.TaskGroup() as group:
            for i in range(20):
                group.create_task(task(i))
        return found

    found = asyncio.run(passes())
    assert [i for i, _ in found] == list(range(20))
    assert len({n_passes for _, n_passes in found}) == 20


def test_a_task_that_was_cancelled_holds_nobody_up() -> None:
    async def tell() -> int:
        turns = Turns()
        tasks = [asyncio.create_task(turns.turn()) for _ in range(6)]
        await asyncio.sleep(0)
        for task in tasks[1:4]:
            task.cancel()
        async with asyncio.timeout(10):
            await asyncio.gather(*tasks, return_exceptions=True)
        return sum(not task.cancelled() for task in tasks)

    assert asyncio.run(tell()) == 3
