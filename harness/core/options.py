"""Numbers as people write them in configuration files: no text, no true or false, finite."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

Number: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""A finite number; a whole number is one too."""

Whole: TypeAlias = Annotated[int, Field(strict=True)]
"""A whole number, written as one."""
