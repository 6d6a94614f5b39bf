"""Any other vendor's reranker through litellm, which is imported only when it is used."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from harness.core.chat import ServiceError
from harness.core.options import Number
from harness.core.passage import Passage, Ranking
from harness.core.values import JsonValue
from harness.plugins.search.reranking import best, index_scores
from harness.plugins.wire.endpoint import BaseUrl, EnvName, address_of
from harness.plugins.wire.http_client import key_from
from harness.plugins.wire.litellm_library import after_import, before_import, explained
from harness.plugins.wire.sdk import sdk_version


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
        """Litellm's version, the model, and the address where one is given."""
        return {
            "sdk": sdk_version("litellm"),
            "model": self.model,
            "base_url": address_of(self.base_url) if self.base_url else None,
        }

    async def open(self) -> None:
        """Import litellm, which takes seconds; others go on meanwhile."""
        await asyncio.to_thread(_imported)
        self._used = True

    async def rerank(self, query: str, passages: Sequence[Passage], limit: int) -> Ranking:
        """The passages of the highest scores.

        Raises:
            ServiceError: if the vendor fails, or its answer is not of that form.
        """
        if not passages:
            return Ranking(())
        key = key_from(self.api_key_env) if self.api_key_env else None
        if not self._used:
            await self.open()
        litellm = _imported()
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
            raise explained(litellm, error, key, has_headers=False) from None
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
    before_import()
    import litellm

    return after_import(litellm)
