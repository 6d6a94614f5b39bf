"""What the plugins that use litellm share: how it is set up, and what its errors mean.

litellm is not imported here: whoever imports it hands it over.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Mapping
from typing import Any

from harness.core.chat import ServiceError
from harness.plugins.wire.http_client import error_message, retry_after_s
from harness.plugins.wire.service_errors import error_kind, readable, service_error

_SETTINGS = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else the import fetches a file
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "true",  # else the first call to Anthropic does
    "LITELLM_MODE": "PRODUCTION",  # else the import reads a .env of the working folder
}
_NOISE = r"\s*Item '\w+' on TypedDict class '\w+' is using the `ReadOnly` qualifier"
"""Of the models that it builds at the first stream."""
_ROUTE = re.compile(r"^(?:(?:litellm\.)?\w+: )*(?:\w+(?:Exception|Error) )+- |^(?:litellm\.\w+: )+")
_ADVICE = re.compile(
    r"[.:,]? *(?:Handle with|To drop (?:these|unsupported)|Original exception:) .*"
)
_NO_CONNECTION = re.compile(
    r"connection (?:error|reset|refused)|disconnected|cannot connect|not completed", re.IGNORECASE
)


def before_import() -> None:
    """Set what litellm reads while it is imported: it is to be quiet, and to fetch nothing."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"litellm(\.|$)")  # its own affairs
    warnings.filterwarnings("ignore", message=_NOISE, category=UserWarning)


def after_import(litellm: Any) -> Any:
    """The module, told to do no more than it is asked for: no retries, no dropping, no talk."""
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.drop_params = False
    litellm.num_retries = None
    return litellm


def explained(
    litellm: Any, error: Exception, key: str | None, *, has_headers: bool
) -> ServiceError:
    """What litellm raised; its class says less than its status and its text do.

    Args:
        litellm: the module.
        error: what it raised.
        key: what no text may hold.
        has_headers: whether it hands on the headers of every error answer, as for completions; an
            error of the 5xx without any is then of litellm's own making.
    """
    kinds = litellm.exceptions
    headers = getattr(error, "litellm_response_headers", None)
    text = first_line(error, key)
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
        or (has_headers and status >= 500 and headers is None)
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


def first_line(error: Exception, key: str | None = None) -> str:
    """What went wrong, without the names of litellm's classes and without its advice."""
    text = _ROUTE.sub("", str(error).strip().partition("\n")[0])
    text = _ADVICE.sub("", text)
    return readable(error_message(text) or type(error).__name__, key)
