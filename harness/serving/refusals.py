"""What a client is told when it gets no answer: a status, and an error in OpenAI's shape."""

from __future__ import annotations

import math
from collections.abc import Mapping

from harness.core.chat import ErrorKind, ServiceError
from harness.core.values import JsonValue

_BY_KIND: dict[ErrorKind, tuple[int, str, str | None]] = {
    "bad_request": (400, "invalid_request_error", None),
    "context_too_long": (400, "invalid_request_error", "context_length_exceeded"),
    "refused": (400, "invalid_request_error", "content_filter"),
    "authentication": (401, "authentication_error", None),
    "not_found": (404, "invalid_request_error", "model_not_found"),
    "rate_limited": (429, "rate_limit_error", "rate_limit_exceeded"),
    "server_error": (500, "server_error", None),
    "connection": (502, "server_error", None),
    "malformed": (502, "server_error", None),
    "overloaded": (503, "server_error", None),
    "timeout": (504, "server_error", None),
}
"""Statuses by which the providers `http`, `openai` and `litellm` tell the kinds apart."""


class RefusedError(Exception):
    """A request that gets no answer. `param` is the place in its body: `messages[0].content`."""

    def __init__(
        self,
        status: int,
        message: str,
        type_: str = "invalid_request_error",
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type_
        self.param = param
        self.code = code
        self.headers = dict(headers or {})

    @property
    def body(self) -> JsonValue:
        """The error as a client reads it."""
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }


def of_service(error: ServiceError) -> RefusedError:
    """A provider's failure."""
    status, type_, code = _BY_KIND[error.kind]
    wait_s = error.retry_after_s
    headers = {} if wait_s is None else {"Retry-After": str(math.ceil(wait_s))}
    return RefusedError(status, error.message, type_, code=code, headers=headers)


def ending() -> RefusedError:
    """The server ends."""
    what = "the server is ending"
    return RefusedError(503, what, "server_error", code="shutting_down")


def too_many(n_most: int) -> RefusedError:
    """More requests at once than are taken."""
    what = f"{n_most} requests are being answered already; send this one again in a second"
    headers = {"Retry-After": "1"}
    code = "rate_limit_exceeded"
    return RefusedError(429, what, "rate_limit_error", code=code, headers=headers)
