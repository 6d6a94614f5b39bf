"""Any other vendor's models through litellm, which is imported only when it is used.

litellm makes a request of its own out of ours, by the route that the model's name begins with
(`anthropic/claude-...`): the same model through another provider is another request. What it would
drop or change by itself is switched off; see docs/reference/providers.md for what is left.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from importlib import import_module
from time import perf_counter
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from harness.core.chat import Completion, ModelRequest, ServiceError
from harness.core.record import Usage
from harness.core.values import JsonValue
from harness.plugins.wire.endpoint import BaseUrl, EnvName, address_of
from harness.plugins.wire.http_client import key_from
from harness.plugins.wire.litellm_library import after_import, before_import, explained, first_line
from harness.plugins.wire.model_params import extra_problems
from harness.plugins.wire.openai_chat import ChunkJoiner, chat_body, malformed, read_answer
from harness.plugins.wire.sdk import attempt, sdk_version

_LIMIT = "max_tokens"
_FINISHED = ("received_finish_reason", "intermittent_finish_reason")
_STEERING = {
    "api_base", "api_key", "api_version", "base_url", "custom_llm_provider", "deployment_id",
    "extra_body", "extra_headers", "extra_query", "model_list", "shared_session", "timeout",
}  # fmt: skip
"""Arguments of litellm's own, beside those that it lists itself."""


class LiteLLM(BaseModel):
    """A model by litellm's name for it: `vendor/model`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key_hints: ClassVar[Mapping[str, str]] = {
        "api_key": "keys come from the environment only: name the variable in api_key_env"
    }

    base_url: BaseUrl | None = Field(
        default=None, description="The API's address; default: the vendor's."
    )
    api_key_env: EnvName | None = Field(
        default=None,
        description="The environment variable that holds the key; default: the one that litellm "
        "reads for the vendor.",
    )
    api_version: str | None = Field(
        default=None, description="The API's version, for vendors that have one (Azure)."
    )

    _used: bool = PrivateAttr(default=False)

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """Litellm's version, and the address where one is given; the name holds the route."""
        return {
            "sdk": sdk_version("litellm"),
            "api_version": self.api_version,
            "base_url": address_of(self.base_url) if self.base_url else None,
        }

    def problems(self, request: ModelRequest) -> Sequence[str]:
        """What litellm says that the model does not take, and missing keys. Imports litellm."""
        litellm = _imported()
        told = self._missing_keys(litellm, request.model)
        try:
            model, vendor, _, _ = litellm.get_llm_provider(request.model)
        except litellm.exceptions.BadRequestError as error:
            return [*told, f"litellm does not know {request.model}: {first_line(error)}"]
        told += extra_problems(request, (*_owned(request), *chat_body(request, _LIMIT)))
        if request.params.get("top_k") is not None:
            told.append("litellm has no top_k: set extra: {top_k: ...} where the vendor takes it")
        return told + _untaken(litellm, request, model, vendor)

    async def open(self) -> None:
        """Import litellm, which takes seconds, and have it answer itself: that imports the rest."""
        litellm = await asyncio.to_thread(_imported)
        await asyncio.to_thread(import_module, "openai.resources.chat.completions")
        messages = [{"role": "user", "content": "ready?"}]
        stream = await litellm.acompletion(
            model="openai/none", messages=messages, mock_response="ready", stream=True
        )
        async with aclosing(stream):
            async for _ in stream:
                pass
        self._used = True

    async def complete(self, request: ModelRequest) -> Completion:
        """One attempt, whole or streamed (see `harness.ports.Provider`)."""
        key = key_from(self.api_key_env) if self.api_key_env else None
        if not self._used:
            await self.open()
        litellm = _imported()
        for owned in _owned(request):
            raise ServiceError("bad_request", f"extra: '{owned}' would steer litellm itself")
        arguments = {
            **dict(request.params.get("extra") or {}),
            **chat_body(request, _LIMIT),
            "api_base": self.base_url,
            "api_key": key,
            "api_version": self.api_version,
            "timeout": float(request.timeout_s),
            "max_retries": 0,
            "num_retries": 0,
            "drop_params": False,
        }

        async def ask(started: float) -> Completion:
            return await _ask(litellm, arguments, started)

        def explain(error: Exception) -> ServiceError:
            return explained(litellm, error, key, has_headers=True)

        return await attempt(request.timeout_s, ask, (Exception,), explain, key)

    async def close(self) -> None:
        """Close the connections; litellm keeps them for the whole process."""
        if self._used:
            await _imported().close_litellm_async_clients()
            self._used = False

    def _missing_keys(self, litellm: Any, model: str) -> list[str]:
        if self.api_key_env:
            names = [] if os.environ.get(self.api_key_env, "").strip() else [self.api_key_env]
        else:
            names = litellm.validate_environment(
                model, api_base=self.base_url, api_version=self.api_version
            )["missing_keys"]
        if not names:
            return []
        return [f"the environment variable {' or '.join(names)} is not set"]


async def _ask(litellm: Any, arguments: dict[str, Any], started: float) -> Completion:
    answer = await litellm.acompletion(**arguments)
    if arguments.get("stream"):
        return await _joined(answer, started)
    latency_s = perf_counter() - started
    return _told_usage(read_answer(answer.model_dump(warnings="none"), latency_s))


async def _joined(stream: Any, started: float) -> Completion:
    joiner, latency_s, ttft_s = ChunkJoiner(), 0.0, None
    async with aclosing(stream):
        async for chunk in stream:
            latency_s = perf_counter() - started
            if joiner.add(chunk.model_dump(warnings="none")) and ttft_s is None:
                ttft_s = latency_s
    if not any(getattr(stream, name, "unknown") for name in _FINISHED):
        raise malformed("the stream ended before the answer did")  # litellm makes it a "stop"
    return _told_usage(joiner.completion(latency_s, ttft_s))


def _told_usage(completion: Completion) -> Completion:
    """Without usage where the server told none: litellm writes 0, which no prompt has."""
    if completion.usage.prompt_tokens:
        return completion
    return replace(completion, usage=Usage())


def _untaken(litellm: Any, request: ModelRequest, model: str, vendor: str) -> list[str]:
    """What the model does not take: by litellm's list of names, and by its reading of values."""
    body = chat_body(request, _LIMIT)
    body = {k: v for k, v in body.items() if k not in {"model", "messages", "stream_options"}}
    known = litellm.get_supported_openai_params(model=model, custom_llm_provider=vendor)
    names = {
        name: _NAMES.get(name, name) for name in body if name not in {"stream", *(known or [])}
    }
    if known is not None and names:
        return [f"{request.model} takes no {name}" for name in names.values()]
    try:
        extra = {k: v for k, v in (request.params.get("extra") or {}).items() if k not in body}
        litellm.utils.get_optional_params(model=model, custom_llm_provider=vendor, **body, **extra)
    except (litellm.exceptions.BadRequestError, ValueError) as error:
        return [f"{request.model}: {first_line(error)}"]
    return []


_NAMES = {"max_tokens": "max_output_tokens", "response_format": "schema (structured output)"}


def _owned(request: ModelRequest) -> list[str]:
    """Keys of `extra` that would not go into the body but steer litellm: a made-up answer, say."""
    from litellm.types.utils import all_litellm_params

    owned = _STEERING | set(all_litellm_params)
    return [key for key in request.params.get("extra") or {} if key in owned]


def _imported() -> Any:
    before_import()
    import litellm

    return after_import(litellm)
