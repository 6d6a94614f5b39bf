"""Any other vendor's reranker through litellm, which is imported only when it is used."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from harness.core.chat import ServiceError
from harness.core.options import Number
from harness.core.passage import Passage, Ranking
from harness.core.values import JsonValue
from harness.plugins.endpoint import BaseUrl, EnvName
from harness.plugins.http_client import error_message, key_from, retry_after_s
from harness.plugins.reranking import best, index_scores
from harness.plugins.sdk import host_of, sdk_version
from harness.plugins.service_errors import error_kind, service_error

_SETTINGS = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else the import fetches a file
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "true",
    "LITELLM_MODE": "PRODUCTION",  # else the import reads a .env of the working folder
}
_ROUTE = re.compile(r"^(?:litellm\.\w+: )*(?:\w+Exception - )*")
_NO_CONNECTION = re.compile(
    r"connection (?:error|reset|refused)|disconnected|cannot connect|not completed", re.IGNORECASE
)


class LiteLLM(BaseModel):
    """A reranker by litellm's name for it: `cohere/rerank-v3.5`, `voyage/rerank-2`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: Annotated[str, Field(pattern=r"^[^/\s]+/\S+$", max_length=300)] = Field(
        description="The model, as litellm names it: vendor/model."
    )
    base_url: BaseUrl | None = Field(
        default=None, description="The API's address; default: the vendor's."
    )
    api_key_env: EnvName | None = Field(
        default=None,
        description="The environment variable of the key; default: the one that litellm reads for "
        "the vendor.",
    )
    timeout_s: Annotated[Number, Field(gt=0, le=3600)] = Field(
        default=30.0, description="Of one call, from the first byte sent to the last one received."
    )
    usd_per_call: Annotated[Number, Field(ge=0)] | None = Field(
        default=None, description="What a call costs; unknown if not given."
    )

    _used: bool = PrivateAttr(default=False)

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """Litellm's version, the model, and the host; `default` for the vendor's own."""
        return {
            "sdk": sdk_version("litellm"),
            "model": self.model,
            "base_url": host_of(self.base_url),
        }

    async def rerank(self, query: str, passages: Sequence[Passage], limit: int) -> Ranking:
        """The passages of the highest scores.

        Raises:
            ServiceError: if the vendor fails, or its answer is not of that form.
        """
        if not passages:
            return Ranking(())
        key = key_from(self.api_key_env) if self.api_key_env else None
        litellm = await asyncio.to_thread(_imported)  # seconds, once, of a trial that is cold
        self._used = True
        try:
            async with asyncio.timeout(self.timeout_s):
                answer = await litellm.arerank(
                    model=self.model,
                    query=query,
                    documents=[passage.text for passage in passages],
                    top_n=min(limit, len(passages)),
                    return_documents=False,
                    api_base=self.base_url,
                    api_key=key,
                    timeout=float(self.timeout_s),
                    max_retries=0,
                    num_retries=0,
                )
        except TimeoutError:
            raise ServiceError("timeout", f"no whole answer within {self.timeout_s:g} s") from None
        except Exception as error:  # noqa: BLE001 - litellm's errors share no base, and hold keys
            raise _explained(litellm, error, key) from None
        scores = index_scores(_results(answer), len(passages))
        return Ranking(best(passages, scores, limit), cost_usd=self.usd_per_call)

    async def close(self) -> None:
        """Close the connections; litellm keeps them for the whole process."""
        if self._used:
            await _imported().close_litellm_async_clients()
            self._used = False


def _results(answer: Any) -> JsonValue:
    """The list of results; litellm's own class for it changes from vendor to vendor."""
    found = getattr(answer, "results", None)
    if not isinstance(found, list):
        return None
    return [one if isinstance(one, Mapping) else getattr(one, "__dict__", None) for one in found]


def _imported() -> Any:
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.num_retries = None
    return litellm


def _explained(litellm: Any, error: Exception, key: str | None) -> ServiceError:
    """What litellm raised, by its status; without one, no whole answer came."""
    text = _ROUTE.sub("", str(error).strip().partition("\n")[0])
    text = error_message(text) or type(error).__name__
    headers = getattr(error, "litellm_response_headers", None) or {}
    status = getattr(error, "status_code", None)
    if isinstance(error, litellm.exceptions.Timeout):
        return ServiceError("timeout", "the connection timed out")
    if isinstance(error, litellm.exceptions.APIConnectionError) or not isinstance(status, int):
        broken = _NO_CONNECTION.search(text)
        return service_error("connection" if broken else "malformed", text, key=key)
    return service_error(
        error_kind(status, message=text),
        f"the server answers {status}: {text}",
        key=key,
        retry_after_s=retry_after_s(headers),
    )
