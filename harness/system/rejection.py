"""Why an output was rejected, or why a system has none: its own failures, not the services'."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from harness.core.chat import SYSTEM_ERRORS, GaveUpError
from harness.templating.template import TemplateError


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that is wrong.

    `kind` is one of `parse`, `schema`, `rule`, `citation` (of an output), `truncated`, `refused`,
    `no_answer`, `tool_loop`, `tool_required`, `template`, `context_too_long`, `input`.
    """

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


class RejectedError(Exception):
    """The system has no output, or one that was rejected; the fallback may answer instead."""

    def __init__(self, reasons: Iterable[Reason] | Reason) -> None:
        self.reasons = (reasons,) if isinstance(reasons, Reason) else tuple(reasons)
        super().__init__("; ".join(str(reason) for reason in self.reasons))

    @property
    def kind(self) -> str:
        """The failure's kind: the first reason's."""
        return self.reasons[0].kind


@contextmanager
def own_failures() -> Iterator[None]:
    """Errors that are the system's own become rejections.

    These are templates that do not fit the input, and requests that no retry can save:
    `context_too_long` and `refused`.

    Raises:
        RejectedError: for those.
        GaveUpError: for any other, which is the infrastructure's.
    """
    try:
        yield
    except TemplateError as error:
        raise RejectedError(Reason("template", str(error))) from error
    except GaveUpError as error:
        if error.kind not in SYSTEM_ERRORS:
            raise
        raise RejectedError(Reason(error.kind, error.message)) from error
