"""What goes wrong: the same kinds, whichever SDK, one attempt exactly, and no key in any text."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from asking import KEY, ask, failure, request
from model_server import (
    ANTHROPIC,
    CUT,
    HANG,
    OPENAI,
    Call,
    ModelServer,
    Reply,
    Say,
    Scripted,
    broken,
    error,
    partial,
)

from harness.core.chat import ModelRequest
from harness.plugins.providers.anthropic import Anthropic
from harness.plugins.providers.litellm import LiteLLM
from harness.plugins.providers.openai import OpenAI
from harness.plugins.wire import openai_chat, sdk
from harness.plugins.wire.service_errors import MAX_TEXT
from harness.ports import Provider


@dataclass(frozen=True)
class Vendor:
    """A provider, a model of its, and the wire format that it speaks."""

    make: Callable[[ModelServer], Provider]
    model: str
    wire: str

    def request(self, **changes: object) -> ModelRequest:
        return request(self.model, **({"params": {"max_output_tokens": 50}} | changes))


VENDORS = {
    "openai": Vendor(lambda server: OpenAI(base_url=server.openai_url), "gpt-4o", OPENAI),
    "anthropic": Vendor(lambda server: Anthropic(base_url=server.url), "claude-x", ANTHROPIC),
    "litellm to openai": Vendor(
        lambda server: LiteLLM(base_url=server.openai_url), "openai/gpt-4o", OPENAI
    ),
    "litellm to anthropic": Vendor(
        lambda server: LiteLLM(base_url=server.url), "anthropic/claude-sonnet-4-5", ANTHROPIC
    ),
}
SAY = Say("A somewhat longer answer.", [Call("look_up", '{"id": "A1"}')])


@pytest.fixture(params=VENDORS.values(), ids=list(VENDORS))
def vendor(request: pytest.FixtureRequest) -> Vendor:
    found: Vendor = request.param
    return found


@pytest.fixture(params=["openai", "anthropic"])
def direct(request: pytest.FixtureRequest) -> Vendor:
    """The vendors whose answers we read ourselves."""
    return VENDORS[request.param]


def kind(vendor: Vendor, reply: Scripted, **changes: object) -> str:
    """The kind of the failure that a reply is; it takes one request exactly."""
    with ModelServer(reply) as server:
        found = failure(vendor.make(server), vendor.request(**changes))
        assert len(server.requests) == 1
        assert found.latency_s is not None
        assert len(found.message) <= MAX_TEXT
        return found.kind


@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, "bad_request"), (401, "authentication"), (403, "authentication"), (404, "not_found"),
     (408, "timeout"), (409, "server_error"), (422, "bad_request"), (429, "rate_limited"),
     (500, "server_error"), (502, "server_error"), (503, "overloaded")],
)  # fmt: skip
def test_every_status_is_a_kind(vendor: Vendor, status: int, expected: str) -> None:
    assert kind(vendor, error(status, "no")) == expected


def test_overload_has_a_status_of_its_own(direct: Vendor) -> None:
    assert kind(direct, error(529, "too much", type="overloaded_error")) == "overloaded"


@pytest.mark.parametrize(
    "told",
    ["This model's maximum context length is 8192 tokens.",
     "prompt is too long: 210000 tokens > 200000 maximum"],
)  # fmt: skip
def test_a_prompt_that_is_too_long_is_told(vendor: Vendor, told: str) -> None:
    assert kind(vendor, error(400, told)) == "context_too_long"


def test_codes_say_more_than_the_status() -> None:
    openai = VENDORS["openai"]
    assert kind(openai, error(400, "x", code="context_length_exceeded")) == "context_too_long"
    assert kind(openai, error(400, "x", code="content_filter")) == "refused"
    assert kind(openai, error(429, "x", code="insufficient_quota")) == "authentication"
    filtered = error(400, "triggering Azure OpenAI's content management policy")
    assert kind(openai, filtered) == "refused"
    assert kind(VENDORS["litellm to openai"], error(400, "x", code="content_filter")) == "refused"


def test_an_error_page_is_cut_short(direct: Vendor) -> None:
    page = Reply([b"<html>" + b"x" * 5000], status=502, content_type="text/html")
    assert kind(direct, page) == "server_error"


@pytest.mark.parametrize("asked", ["7", "0.5"])
def test_retry_after_in_seconds(vendor: Vendor, asked: str) -> None:
    with ModelServer(error(429, "slow down", retry_after=asked)) as server:
        found = failure(vendor.make(server), vendor.request())
        assert found.retry_after_s == float(asked)


def test_retry_after_as_a_date(vendor: Vendor) -> None:
    headers = {
        "Date": "Fri, 20 Nov 2026 12:00:00 GMT",
        "Retry-After": "Fri, 20 Nov 2026 12:01:30 GMT",
    }
    reply = Reply([b'{"error": {"message": "slow down"}}'], status=429, headers=headers)
    with ModelServer(reply) as server:
        assert failure(vendor.make(server), vendor.request()).retry_after_s == 90


def test_a_server_that_never_answers(vendor: Vendor) -> None:
    assert kind(vendor, HANG, timeout_s=0.2) == "timeout"


def test_a_stream_that_stops_and_stays_open(vendor: Vendor) -> None:
    reply = partial(SAY, vendor.wire, 4, "hang")
    assert kind(vendor, reply, timeout_s=0.4, stream=True) == "timeout"


def test_the_deadline_holds_for_the_whole_answer_not_for_each_byte(direct: Vendor) -> None:
    endless = Reply([b": still here\n\n"], then="repeat", content_type="text/event-stream")
    assert kind(direct, endless, timeout_s=0.2, stream=True) in {"timeout", "malformed"}


def test_a_connection_that_breaks(vendor: Vendor) -> None:
    assert kind(vendor, CUT) == "connection"
    assert kind(vendor, partial(SAY, vendor.wire, 4, "cut"), stream=True) == "connection"


def test_nobody_listens(vendor: Vendor) -> None:
    with ModelServer() as server:
        provider = vendor.make(server)
    assert failure(provider, vendor.request()).kind == "connection"


def test_a_stream_that_ends_before_its_end(vendor: Vendor) -> None:
    assert kind(vendor, partial(SAY, vendor.wire, 4, "end"), stream=True) == "malformed"


@pytest.mark.parametrize(
    "body",
    [b"", b"{nope", b"{}", b"[]", b"null", b'"text"', b'{"choices": [], "content": null}',
     b'{"choices": [{"message": {"content": "\xff"}}]}', b"[" * 50_000],
    ids=["empty", "cut", "object", "list", "null", "text", "nothing in it", "not UTF-8", "deep"],
)  # fmt: skip
def test_an_answer_that_is_none(vendor: Vendor, body: bytes) -> None:
    assert kind(vendor, broken(body)) == "malformed"


def test_an_event_that_is_none(direct: Vendor) -> None:
    for data in (b"{nope", b"[]", b'{"\xff": 1}', b'{"choices": [{"delta": {"content": 3}}]}'):
        reply = broken(b"data: " + data + b"\n\n", content_type="text/event-stream")
        assert kind(direct, reply, stream=True) == "malformed"


def test_an_error_inside_a_stream(direct: Vendor) -> None:
    for told, expected in (
        ("overloaded_error", "overloaded"),
        ("rate_limit_error", "rate_limited"),
        ("api_error", "server_error"),
    ):
        event = {"type": "error", "error": {"type": told, "message": "stop"}}
        data = b"data: " + json.dumps(event).encode() + b"\n\n"
        assert kind(direct, broken(data, content_type="text/event-stream"), stream=True) == expected


def test_an_endless_answer_is_bounded(direct: Vendor) -> None:
    flood = Reply([b'{"x": "', b"x" * 65_536], then="repeat")
    assert kind(direct, flood) == "malformed"
    line = Reply([b"data: ", b"x" * 65_536], then="repeat", content_type="text/event-stream")
    assert kind(direct, line, stream=True) == "malformed"


def test_the_same_token_forever_is_bounded(vendor: Vendor) -> None:
    first = Say("x" * 60_000, finish="length")
    events = list(partial(first, vendor.wire, 4, "end").chunks)
    piece = {"choices": [{"index": 0, "delta": {"content": "x" * 60_000}, "finish_reason": None}]}
    if vendor.wire == ANTHROPIC:
        piece = {
            "type": "content_block_delta", "index": 0,
            "delta": {"type": "text_delta", "text": "x" * 60_000},
        }  # fmt: skip
    head = b"event: content_block_delta\n" if vendor.wire == ANTHROPIC else b""
    events.append(head + b"data: " + json.dumps(piece).encode() + b"\n\n")
    flood = Reply(events, then="repeat", content_type="text/event-stream")
    assert kind(vendor, flood, stream=True, timeout_s=60.0) == "malformed"
    assert sdk.MAX_BYTES == openai_chat.MAX_CHARS == 10_000_000


def test_no_key_in_any_text(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_VENDOR_TOKEN", "another-secret-value")
    leak = f"Incorrect API key provided: {KEY}; also another-secret-value, sk-proj-abcdefghijklm"
    event = {"type": "error", "error": {"type": "api_error", "message": leak}}
    stream = b"data: " + json.dumps(event).encode() + b"\n\n"
    for reply, changes in (
        (error(401, leak), {}),
        (error(500, leak), {}),
        (Reply([leak.encode()], status=403), {}),
        (broken(leak), {}),
        (broken(stream, content_type="text/event-stream"), {"stream": True}),
    ):
        with ModelServer(reply) as server:
            found = failure(vendor.make(server), vendor.request(**changes))
        shown = f"{found!r} {found} {found.__dict__}"
        for secret in (KEY, "another-secret-value", "sk-proj-abcdefghijklm"):
            assert secret not in shown
        assert found.__suppress_context__


def test_a_key_of_any_name_is_blotted_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIN_NAME", "plainvalue")
    body = b'{"error": {"message": "it was plainvalue"}, "plainvalue": 1, "plainvalue": 1}'
    stream = Reply([b"data: " + body + b"\n\n"], content_type="text/event-stream")
    for reply in (Reply([body], status=401), broken(body), stream):
        for plugin in (OpenAI, Anthropic):
            with ModelServer(reply, reply) as server:
                provider = plugin(base_url=server.openai_url, api_key_env="PLAIN_NAME")
                params = {"max_output_tokens": 5}
                for asked in (request(params=params), request(params=params, stream=True)):
                    assert "plainvalue" not in failure(provider, asked).message


def test_an_error_under_the_status_200(direct: Vendor) -> None:
    for told, expected in (
        ({"code": 429, "message": "slow down"}, "rate_limited"),
        ({"code": 502, "message": "upstream"}, "server_error"),
        ({"code": "context_length_exceeded"}, "context_too_long"),
        ("out of order", "server_error"),
    ):
        assert kind(direct, broken(json.dumps({"error": told}))) == expected


def test_a_missing_key_is_told_and_nothing_is_sent(
    direct: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{direct.wire.upper()}_API_KEY"
    monkeypatch.delenv(name)
    with ModelServer() as server:
        provider = direct.make(server)
        assert provider.problems(direct.request()) == [
            f"the environment variable {name} is not set"
        ]
        found = failure(provider, direct.request())
        assert (found.kind, server.requests) == ("authentication", [])
    assert name in found.message


def test_it_answers_after_a_failure_and_in_another_loop(vendor: Vendor) -> None:
    with ModelServer(error(500), CUT, Say("yes"), Say("again")) as server:
        provider = vendor.make(server)
        for expected in ("server_error", "connection"):
            assert failure(provider, vendor.request()).kind == expected
        assert ask(provider, vendor.request()).text == "yes"
        assert ask(provider, vendor.request()).text == "again"


def test_many_at_once(vendor: Vendor) -> None:
    async def all_of_them(provider: Provider) -> list[str]:
        try:
            jobs = (provider.complete(vendor.request(stream=n % 2 == 0)) for n in range(20))
            return [answer.text for answer in await asyncio.gather(*jobs)]
        finally:
            await provider.close()

    with ModelServer(respond=lambda _: Say("yes")) as server:
        assert asyncio.run(all_of_them(vendor.make(server))) == ["yes"] * 20
        assert len(server.requests) == 20


def test_no_sdk_is_imported_before_it_is_used() -> None:
    program = """
import sys
from harness.plugins.providers.openai import OpenAI
from harness.plugins.providers.anthropic import Anthropic
from harness.plugins.providers.litellm import LiteLLM
from harness.core.chat import ModelRequest
made = [OpenAI(), Anthropic(), LiteLLM()]
print([str(provider.identity["sdk"]).split()[0] for provider in made])
for provider in made[:2]:
    provider.problems(ModelRequest("m", ()))
print(sorted({"openai", "anthropic", "litellm", "httpx", "aiohttp"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["['openai', 'anthropic', 'litellm']", "[]"]
