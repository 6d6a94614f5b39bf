"""What the adapters to search engines share: their options, and reading what an engine found."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.core.chat import ServiceError
from harness.core.options import Number
from harness.core.passage import Passage
from harness.core.values import ABSENT, JsonValue, encodable, look_up
from harness.plugins.texts.json_text import is_number

MAX_CHARACTERS = 20_000_000
"""Of the texts of one ranking together."""


class EngineModel(BaseModel):
    """Base of the adapters to engines that a team runs; its fields are options."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    timeout_s: Annotated[Number, Field(gt=0, le=3600)] = Field(
        default=30.0, description="Of one query, from the first byte sent to the last one received."
    )

    @property
    def needs_corpus(self) -> bool:
        """The engine has its own documents."""
        return False


class Places(BaseModel):
    """Where the parts of a passage stand in what an engine gives for it, as dotted paths."""

    model_config = ConfigDict(frozen=True)

    id: str
    text: str
    score: str | None = None
    document: str | None = None
    sections: str | None = None
    metadata: str | None = None
    """None: no metadata; empty: all that is there but the text."""

    def passage(self, item: JsonValue) -> Passage:
        """The passage that an engine's item is.

        Raises:
            ServiceError: `malformed`, if it lacks an id or a text, or its score is no number.
        """
        if not isinstance(item, Mapping):
            raise malformed("a result is no object")
        identifier, text = look_up(item, self.id), look_up(item, self.text)
        if (
            isinstance(identifier, bool)
            or not isinstance(identifier, str | int)
            or identifier == ""
        ):
            raise malformed(f"a result has no id at '{self.id}'")
        if not isinstance(text, str):
            raise malformed(f"the result {str(identifier)[:80]!r} has no text at '{self.text}'")
        score = _or_none(item, self.score)
        if score is not None and not (is_number(score) and math.isfinite(score)):
            raise malformed(f"the score of {str(identifier)[:80]!r} is no number")
        sections = _or_none(item, self.sections)
        return Passage(
            id=encodable(str(identifier)),
            text=encodable(text),
            score=None if score is None else float(score),
            document=encodable(str(_or_none(item, self.document) or "")),
            sections=_texts(sections),
            metadata=self._metadata(item),
        )

    def _metadata(self, item: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
        found = _or_none(item, self.metadata)
        if not isinstance(found, Mapping):
            return {}
        return {key: value for key, value in found.items() if key != self.text.rpartition(".")[2]}


def ranked(passages: Iterable[Passage], limit: int) -> tuple[Passage, ...]:
    """The first `limit` passages in the engine's order, equal scores in the order of ids.

    Raises:
        ServiceError: `malformed`, if an id comes twice or the texts are too long together.
    """
    found = list(passages)
    ids = {passage.id for passage in found}
    if len(ids) < len(found):
        raise malformed("an id comes twice among the results")
    if sum(len(passage.text) for passage in found) > MAX_CHARACTERS:
        raise malformed(f"the results hold more than {MAX_CHARACTERS} characters")
    ordered: list[Passage] = []
    for score, group in groupby(found, key=lambda passage: passage.score):
        tied = list(group)
        ordered += tied if score is None else sorted(tied, key=lambda passage: passage.id)
    return tuple(ordered[:limit])


def items_at(body: JsonValue, path: str) -> Sequence[JsonValue]:
    """The list at a dotted path of an engine's answer.

    Raises:
        ServiceError: `malformed`, if there is none.
    """
    found = look_up(body, path)
    if not isinstance(found, list | tuple):
        raise malformed(f"the answer has no list at '{path}'")
    return found


def malformed(what: str) -> ServiceError:
    """An answer that is not what it should be."""
    return ServiceError("malformed", what)


def _or_none(item: Mapping[str, JsonValue], path: str | None) -> JsonValue:
    if path is None:
        return None
    found = look_up(item, path)
    return None if found is ABSENT else found


def _texts(value: JsonValue) -> tuple[str, ...]:
    if isinstance(value, str):
        return (encodable(value),)
    if not isinstance(value, list | tuple):
        return ()
    return tuple(encodable(one) for one in value if isinstance(one, str))
