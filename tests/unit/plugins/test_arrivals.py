"""The clock of an answer is the socket's, not that of a busy event loop."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context

from harness.plugins.wire.arrivals import Turns, under_way
from harness.plugins.wire.http_client import JsonClient

BODY = {"model": "m", "messages": [{"role": "user", "content": "?"}]}


@contextmanager
def answering_in_one_piece() -> Iterator[str]:
    """A server whose one answer is one piece, so that it comes to the client at one moment."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2"
                connection.sendall(head + b"\r\n\r\n{}")
                connection.recv(1)  # until the client goes away

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


def test_what_a_task_waits_for_after_the_answer_came_is_not_in_its_latency() -> None:
    async def held_up() -> None:
        client = JsonClient(url)
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

    with answering_in_one_piece() as url:
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
