"""What a tool gave back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool's answer as the text that the model is shown.

    `error` is a word for what went wrong (`raised`, `timeout`, `memory`, `arguments`, `unknown`,
    `connection`); then `text` says it. `cost_usd` is None where unknown. `queue_s` is the part of
    the call's time that the tool had nothing to do with: waiting for a process or a connection of
    harness's own, its start and its end.
    """

    text: str
    error: str | None = None
    cost_usd: float | None = 0.0
    queue_s: float = 0.0
