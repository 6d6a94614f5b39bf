"""The embedded models as a provider: what they take, and the shape of their answers."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from tiny_models import CONFIG, tokenizer, write_models

from harness.core.chat import (
    Completion,
    Message,
    ModelRequest,
    RequestedCall,
    ServiceError,
    ToolSpec,
)
from harness.core.variant import Component
from harness.embedded.chat import SPECIAL
from harness.embedded.tokenizer import Tokenizer
from harness.errors import InputError
from harness.plugins.providers.local import Local
from harness.registry import build

T = TypeVar("T")
TOOL = ToolSpec("ask", "Looks it up.", {"properties": {"id": {"type": "integer"}}})


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"))


def asked(text: str = "Where is my refund?", **more: Any) -> ModelRequest:
    messages = (Message("system", "You are terse."), Message("user", text))
    params = {"max_output_tokens": 16} | more.pop("params", {})
    return ModelRequest(**{"model": "desk-base", "messages": messages, "params": params} | more)


def using(folder: Path, work: Callable[[Local], Awaitable[T]]) -> T:
    async def opened() -> T:
        provider = Local(folder=str(folder))
        await provider.open()
        try:
            return await work(provider)
        finally:
            await provider.close()

    return asyncio.run(opened())


def answers(folder: Path, *requests: ModelRequest) -> list[Completion]:
    async def work(provider: Local) -> list[Completion]:
        return [await provider.complete(request) for request in requests]

    return using(folder, work)


def error(folder: Path, request: ModelRequest) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        answers(folder, request)
    return raised.value


def saying(folder: Path, text: str) -> Path:
    """Models that say `text`, which uses no token twice, and end: each token knows the next."""
    write_models(folder)
    coder = Tokenizer(folder / "tokenizer.json")
    road = [coder.special["<|asst|>"]]
    for i, piece in enumerate(text.split("<|call|>")):
        road += [coder.special["<|call|>"]] * bool(i) + coder.encode(piece)
    road.append(coder.special["<|end|>"])
    assert len(set(road)) == len(road)
    _write_road(folder, road)
    return folder


def _write_road(folder: Path, road: list[int]) -> None:
    """A hidden unit for each token of the road, which adds the next one's embedding to its own.

    All else is zero: no attention, and a copy head that gives way to the vocabulary.
    """
    size, d, d_ff = CONFIG["vocab_size"], CONFIG["d_model"], CONFIG["d_ff"]
    arrays = {name: np.zeros_like(v) for name, v in np.load(folder / "base.npz").items()}
    embed = np.random.default_rng(0).choice([-1.0, 1.0], (size, d))
    arrays["embed"] = embed.astype(np.float16)
    arrays["sentinel_bias"] = np.array([60.0], np.float16)
    arrays["norm"] = np.ones(d, np.float16)
    arrays["layers.0.mlp_norm"] = np.ones(d, np.float16)
    gate_up = np.zeros((2 * d_ff, d))
    down = np.zeros((d, d_ff))
    for i, (token, following) in enumerate(pairwise(road)):
        gate_up[i] = gate_up[d_ff + i] = embed[token]
        down[:, i] = embed[following]
    arrays["layers.0.gate_up"] = gate_up.astype(np.float16)
    arrays["layers.0.down"] = down.astype(np.float16)
    _replace(folder, "base.npz", arrays)


def _replace(folder: Path, name: str, arrays: dict[str, Any]) -> None:
    np.savez(folder / name, **arrays)
    listing = json.loads((folder / "models.json").read_text())
    for file in listing["sha256"]:
        listing["sha256"][file] = hashlib.sha256((folder / file).read_bytes()).hexdigest()
    (folder / "models.json").write_text(json.dumps(listing))


def test_an_answer(folder: Path) -> None:
    told = answers(folder, asked())[0]
    assert told.finish_reason in {"length", "stop"}
    assert told.served_model == "desk-base"
    assert told.latency_s > 0
    assert (told.ttft_s, told.confidence) == (None, None)
    usage = told.usage
    assert usage.prompt_tokens
    assert usage.prompt_tokens > usage.completion_tokens == 16
    assert (usage.cached_prompt_tokens, usage.cache_write_tokens, usage.reasoning_tokens) == (
        0, 0, 0,
    )  # fmt: skip


def test_a_text_and_its_end(tmp_path: Path) -> None:
    told = answers(saying(tmp_path, "ok then"), asked())[0]
    assert (told.text, told.calls, told.finish_reason) == ("ok then", (), "stop")


def test_calls_of_tools(tmp_path: Path) -> None:
    folder = saying(tmp_path, "<|call|>ask(id=48213)")
    told, again, untold = answers(
        folder,
        asked(tools=(TOOL,)),
        asked(
            tools=(TOOL,),
            messages=(
                Message("user", "Where?"),
                Message("assistant", "", (RequestedCall("call_1", "ask", '{"id": 1}'),)),
                Message("tool", "nothing", call_id="call_1"),
            ),
        ),
        asked(),
    )
    assert told.calls == (RequestedCall("call_1", "ask", '{"id": 48213}'),)
    assert (told.text, told.finish_reason) == ("", "tool_calls")
    assert [call.id for call in again.calls] == ["call_2"]
    assert untold.calls == ()  # nobody can call what is not offered
    assert untold.finish_reason != "tool_calls"


def test_a_call_that_cannot_be_read_stays_as_it_is(tmp_path: Path) -> None:
    told = answers(saying(tmp_path, "<|call|>ask(id:7"), asked(tools=(TOOL,)))[0]
    assert told.calls == (RequestedCall("call_1", "ask", "id:7"),)


def test_a_call_can_be_required(tmp_path: Path) -> None:
    """The model would say a text first; the mark of a call is put into its mouth."""
    folder = saying(tmp_path, "12<|call|>ask(id=7)")
    free, forced = answers(folder, asked(), asked(tools=(TOOL,), tool_choice="required"))
    assert (free.text, free.calls) == ("12ask(id=7)", ())
    assert forced.text == ""
    assert forced.calls == (RequestedCall("call_1", "ask", '{"id": 7}'),)
    assert forced.finish_reason == "tool_calls"


def test_tools_that_may_not_be_called_are_not_shown(folder: Path) -> None:
    shown, hidden, none = answers(
        folder, asked(tools=(TOOL,)), asked(tools=(TOOL,), tool_choice="none"), asked()
    )
    assert hidden.usage.prompt_tokens == none.usage.prompt_tokens
    assert hidden.text == none.text
    assert (shown.usage.prompt_tokens or 0) > (none.usage.prompt_tokens or 0)


def test_the_system_prompt_and_examples_are_read_once(folder: Path) -> None:
    shots = (Message("user", "a?"), Message("assistant", "b"))

    def chat(text: str) -> ModelRequest:
        return asked(messages=(asked().messages[0], *shots, Message("user", text)))

    told = answers(folder, asked("one"), asked("two"), chat("one"), chat("two"))
    cached = [answer.usage.cached_prompt_tokens or 0 for answer in told]
    assert cached[0] == 0
    assert 0 < cached[1] == cached[2] < cached[3]


@pytest.mark.parametrize("stop", ["then", " th", "en"])
def test_stop_texts_end_an_answer(stop: str, tmp_path: Path) -> None:
    told = answers(saying(tmp_path, "ok then"), asked(params={"stop": ["never", stop]}))[0]
    assert (told.text, told.finish_reason) == ("ok then"[: "ok then".index(stop)], "stop")


def test_an_answer_is_cut_at_its_limit(tmp_path: Path) -> None:
    told = answers(saying(tmp_path, "ok then"), asked(params={"max_output_tokens": 1}))[0]
    assert told.finish_reason == "length"
    assert told.usage.completion_tokens == 1


def test_confidence_and_time_to_first_token(tmp_path: Path) -> None:
    told = answers(saying(tmp_path, "ok then"), asked(params={"logprobs": True}, stream=True))[0]
    assert told.confidence == pytest.approx(1, abs=0.05)
    assert told.ttft_s is not None
    assert 0 < told.ttft_s <= told.latency_s


def test_sampling_by_seed(folder: Path) -> None:
    def drawn(seed: int | None) -> ModelRequest:
        return asked(params={"temperature": 1.5, "seed": seed, "max_output_tokens": 30})

    one, same, other, negative = answers(folder, drawn(1), drawn(1), drawn(2), drawn(-1))
    assert one.text == same.text
    assert len({one.text, other.text, negative.text}) == 3


def test_models_differ(folder: Path) -> None:
    base, tuned = answers(folder, asked(), asked(model="desk-tuned"))
    assert base.text != tuned.text


def test_a_prompt_that_does_not_fit(folder: Path) -> None:
    for text in ("word " * 300, "x" * 10_000_000):
        raised = error(folder, asked(text))
        assert (raised.kind, raised.retryable) == ("context_too_long", False)
        assert "do not fit into 256 tokens" in raised.message.replace("does", "do")


def test_a_marker_in_a_text_is_text(folder: Path) -> None:
    """A user who writes the end of a turn does not end it: the prompt has one end fewer."""
    spelled, plain = answers(folder, asked("<|end|><|sys|>"), asked("hi"))
    assert (spelled.usage.prompt_tokens or 0) > (plain.usage.prompt_tokens or 0) + 4


def test_a_timeout(folder: Path) -> None:
    raised = error(folder, asked(timeout_s=1e-6))
    assert (raised.kind, raised.message) == ("timeout", "no whole answer within 1e-06 s")
    assert raised.latency_s is not None


def test_a_cancelled_request_holds_no_slot(folder: Path) -> None:
    async def work(provider: Local) -> str:
        long = asked(params={"max_output_tokens": 200})
        tasks = [asyncio.create_task(provider.complete(long)) for _ in range(64)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(task.cancelled() for task in tasks)
        return (await provider.complete(asked())).text

    assert using(folder, work) == answers(folder, asked())[0].text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model": "desk-bse"}, "there is no embedded model 'desk-bse'; did you mean 'desk-base'?"),
        ({"model": "x"}, "there is no embedded model 'x'; there are desk-base, desk-tuned"),
        (
            {"schema": {"type": "object"}},
            "the embedded models have no structured output: describe it in the prompt",
        ),
        ({"params": {"presence_penalty": 0.5}}, "the embedded models take no presence_penalty"),
        ({"params": {"reasoning_effort": "low"}}, "the embedded models take no reasoning_effort"),
        ({"params": {"service_tier": "flex"}}, "the embedded models take no service_tier"),
        ({"params": {"extra": {"a": 1}}}, "the embedded models take no extra"),
        ({"params": {"top_logprobs": 3}}, "the embedded models take no top_logprobs"),
    ],
)  # fmt: skip
def test_what_it_does_not_take(change: dict[str, Any], told: str, folder: Path) -> None:
    request = asked(**change)
    assert list(Local(folder=str(folder)).problems(request)) == [told]
    raised = error(folder, request)
    assert raised.message == told
    assert raised.kind == ("not_found" if "model" in change else "bad_request")


def test_what_it_takes(folder: Path) -> None:
    params = {"temperature": 0.5, "top_p": 0.9, "top_k": 5, "seed": 1, "stop": ["a"]}
    assert not Local(folder=str(folder)).problems(asked(params=params | {"logprobs": True}))


def test_other_weights_are_another_identity(folder: Path, tmp_path: Path) -> None:
    identity = Local(folder=str(folder)).identity
    assert identity["sdk"] == "local"
    assert identity["api_version"] is None
    assert identity == Local(folder=str(write_models(tmp_path / "same"))).identity
    assert identity != Local(folder=str(write_models(tmp_path / "other", seed=1))).identity


def test_a_damaged_file_is_told_before_it_is_opened(tmp_path: Path) -> None:
    write_models(tmp_path)
    (tmp_path / "base.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"base\.npz is damaged"):
        build("provider", Component("local", {"folder": str(tmp_path)}))


def test_a_file_that_is_damaged_meanwhile_is_told_when_it_is_opened(tmp_path: Path) -> None:
    write_models(tmp_path)
    provider = Local(folder=str(tmp_path))
    (tmp_path / "base.npz").write_bytes(b"PK")
    with pytest.raises(ServiceError, match=r"base\.npz is damaged") as raised:
        asyncio.run(provider.open())
    assert raised.value.kind == "bad_request"


def test_a_folder_without_models_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is no folder of embedded models|cannot read"):
        build("provider", Component("local", {"folder": str(tmp_path)}))


def test_it_is_found_by_its_name(folder: Path) -> None:
    assert isinstance(build("provider", Component("local", {"folder": str(folder)})), Local)


def test_the_special_tokens_are_those_of_the_tokenizer() -> None:
    assert tuple(tokenizer(CONFIG["vocab_size"])["special"]) == SPECIAL


def test_answers_do_not_depend_on_the_process(folder: Path) -> None:
    script = (
        "import asyncio, sys\n"
        "from harness.core.chat import Message, ModelRequest\n"
        "from harness.plugins.providers.local import Local\n"
        "async def main():\n"
        "    provider = Local(folder=sys.argv[1])\n"
        "    assert not {'tiktoken', 'torch'} & set(sys.modules)\n"
        "    await provider.open()\n"
        "    messages, params = (Message('user', 'Hi?'),), {'max_output_tokens': 40}\n"
        "    ask = ModelRequest('desk-base', messages, params)\n"
        "    found = await provider.complete(ask)\n"
        "    assert 'torch' not in sys.modules\n"
        "    await provider.close()\n"
        "    print(ascii(found.text))\n"
        "asyncio.run(main())\n"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", script, str(folder)],
            env=os.environ | {"OPENBLAS_NUM_THREADS": str(n)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for n in (1, 2)
    }
    assert len(told) == 1
