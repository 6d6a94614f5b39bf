"""What all parts of the result object have in common."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]


class Value(BaseModel):
    """Base of the result's parts: immutable, closed, free of NaN."""

    model_config = ConfigDict(
        frozen=True, defer_build=True, extra="forbid", ser_json_inf_nan="null"
    )
