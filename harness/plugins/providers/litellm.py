"""Any other vendor's models through litellm, which is imported only when it is used.

litellm makes a request of its own out of ours, by the route that the model's name begins with
(`anthropic/claude-...`): the same model through another provider is another request. What it would
drop or change by itself is switched off; see docs/reference/providers.md for what is left.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from time import perf_counter
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from harness.core.chat import Completion, ModelRequest, ServiceError
from harness.core.record import Usage
from harness.core.values import JsonValue
from harness.plugins.endpoint import BaseUrl, EnvName
from harness.plugins.http_client import error_message, key_from, retry_after_s
from harness.plugins.model_params import extra_problems
from harness.plugins.openai_chat import ChunkJoiner, chat_body, malformed, read_answer
from harness.plugins.sdk import attempt, host_of, sdk_version
from harness.plugins.service_errors import error_kind, readable, service_error

_SETTINGS = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else the import fetches a file
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "true",  # else the first call to Anthropic does
    "LITELLM_MODE": "PRODUCTION",  # else the import reads a .env of the working folder
}
_LIMIT = "max_tokens"
_ROUTE = re.compile(r"^(?:(?:litellm\.)?\w+: )*(?:\w+(?:Exception|Error) )+- |^(?:litellm\.\w+: )+")
_ADVICE = re.compile(
    r"[.:,]? *(?:Handle with|To drop (?:these|unsupported)|Original exception:) .*"
)
_NOISE = r"\s*Item '\w+' on TypedDict class '\w+' is using the `ReadOnly` qualifier"
"""Of the models that it builds at the first stream."""
_FINISHED = ("received_finish_reason", "intermittent_finish_reason")
_STEERING = {
    "api_base", "api_key", "api_version", "base_url", "custom_llm_provider", "deployment_id",
    "extra_body", "extra_headers", "extra_query", "model_list", "shared_session", "timeout",
}  # fmt: skip
"""Arguments of litellm's own, beside those that it lists itself."""
_NO_CONNECTION = re.compile(
    r"connection (?:error|reset|refused)|disconnected|cannot connect|not completed", re.IGNORECASE
)


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
        """Litellm's version and the host; the route stands in the model's name."""
        return {
            "sdk": sdk_version("litellm"),
            "api_version": self.api_version,
            "base_url": host_of(self.base_url),
        }

    def problems(self, request: ModelRequest) -> Sequence[str]:
        """What litellm says that the model does not take, and missing keys. Imports litellm."""
        litellm = _imported()
        told = self._missing_keys(litellm, request.model)
        try:
            model, vendor, _, _ = litellm.get_llm_provider(request.model)
        except litellm.exceptions.BadRequestError as error:
            return [*told, f"litellm does not know {request.model}: {_first_line(error)}"]
        told += extra_problems(request, (*_owned(request), *chat_body(request, _LIMIT)))
        if request.params.get("top_k") is not None:
            told.append("litellm has no top_k: set extra: {top_k: ...} where the vendor takes it")
        return told + _untaken(litellm, request, model, vendor)

    async def complete(self, request: ModelRequest) -> Completion:
        """One attempt, whole or streamed (see `harness.ports.Provider`)."""
        key = key_from(self.api_key_env) if self.api_key_env else None
        litellm = _imported() if self._used else await asyncio.to_thread(_imported)
        for owned in _owned(request):
            raise ServiceError("bad_request", f"extra: '{owned}' would steer litellm itself")
        self._used = True
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
            return _explained(litellm, error, key)

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
        return [f"{request.model}: {_first_line(error)}"]
    return []


_NAMES = {"max_tokens": "max_output_tokens", "response_format": "schema (structured output)"}


def _owned(request: ModelRequest) -> list[str]:
    """Keys of `extra` that would not go into the body but steer litellm: a made-up answer, say."""
    from litellm.types.utils import all_litellm_params

    owned = _STEERING | set(all_litellm_params)
    return [key for key in request.params.get("extra") or {} if key in owned]


def _imported() -> Any:
    """litellm, quiet, without network at import and without retries or dropping of its own."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"litellm(\.|$)")  # its own affairs
    warnings.filterwarnings("ignore", message=_NOISE, category=UserWarning)
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.drop_params = False
    litellm.num_retries = None
    return litellm


def _explained(litellm: Any, error: Exception, key: str | None) -> ServiceError:
    """What litellm raised; its class says less than its status and its text do."""
    kinds = litellm.exceptions
    headers = getattr(error, "litellm_response_headers", None)
    text = _first_line(error, key)
    status = getattr(error, "status_code", None)
    if isinstance(error, kinds.Timeout):
        return ServiceError("timeout", "the connection timed out")
    if isinstance(error, kinds.ContextWindowExceededError):
        return service_error("context_too_long", text, key=key)
    if isinstance(error, kinds.ContentPolicyViolationError):
        return service_error("refused", text, key=key)
    if (
        not isinstance(status, int)
        or isinstance(error, kinds.APIConnectionError)
        or (status >= 500 and headers is None)
    ):
        broken = _NO_CONNECTION.search(text)
        return service_error("connection" if broken else "malformed", text, key=key)
    body = getattr(error, "body", None)
    code = body.get("code") if isinstance(body, Mapping) else None
    return service_error(
        error_kind(status, code=code, message=text),
        f"the server answers {status}: {text}",
        key=key,
        retry_after_s=retry_after_s(headers or {}),
    )


def _first_line(error: Exception, key: str | None = None) -> str:
    """What went wrong, without the names of litellm's classes and without its advice."""
    text = _ROUTE.sub("", str(error).strip().partition("\n")[0])
    text = _ADVICE.sub("", text)
    return readable(error_message(text) or type(error).__name__, key)
