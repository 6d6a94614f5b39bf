"""What a vendor's error means in our words, and its text: short, on one line, without keys."""

from __future__ import annotations

import os
import re

from harness.core.chat import ErrorKind, ServiceError
from harness.core.values import JsonValue, encodable

MAX_TEXT = 300

_BY_STATUS: dict[int, ErrorKind] = {
    401: "authentication", 402: "authentication", 403: "authentication", 404: "not_found",
    408: "timeout", 409: "server_error", 413: "context_too_long", 429: "rate_limited",
    503: "overloaded", 504: "timeout", 529: "overloaded",
}  # fmt: skip
_BY_WORD: dict[str, ErrorKind] = {
    "context_length_exceeded": "context_too_long", "string_above_max_length": "context_too_long",
    "request_too_large": "context_too_long", "exceed_context_size_error": "context_too_long",
    "content_filter": "refused", "content_policy_violation": "refused",
    "responsibleaipolicyviolation": "refused",
    "insufficient_quota": "authentication", "billing_error": "authentication",
    "overloaded_error": "overloaded", "rate_limit_error": "rate_limited",
    "rate_limit_exceeded": "rate_limited", "timeout_error": "timeout",
    "authentication_error": "authentication", "permission_error": "authentication",
    "not_found_error": "not_found", "invalid_request_error": "bad_request",
}  # fmt: skip
"""Error codes and types of OpenAI, Azure, Anthropic and llama.cpp, in small letters."""

_GENERAL = {"invalid_request_error", "rate_limit_error", "rate_limit_exceeded"}
"""Words that tell less than the status does."""

_TOO_LONG = re.compile(
    r"maximum context length|context window|context limit|prompt is too long|input is too long"
    r"|too many (input )?tokens|available context size|context.?length.?exceeded",
    re.IGNORECASE,
)
_FILTERED = re.compile(
    r"content management policy|content (policy|filter)|usage polic|safety system", re.IGNORECASE
)
SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_KEY_LIKE = re.compile(r"\b(?:sk|pk|rk|gsk|xai|hf)[-_][A-Za-z0-9_-]{12,}|\bBearer\s+\S+")
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def error_kind(
    status: int | None, *, code: JsonValue = None, type_: JsonValue = None, message: str = ""
) -> ErrorKind:
    """The kind of an error answer, or of an error inside a stream (which has no status)."""
    if status is None and isinstance(code, int) and 400 <= code < 600:
        status = code  # a gateway's way to tell it under the status 200
    words = [str(word).lower() for word in (code, type_) if word]
    for word in words:
        if word in _BY_WORD and not (status and word in _GENERAL):
            return _BY_WORD[word]
    if status in {400, 422}:
        if _TOO_LONG.search(message):
            return "context_too_long"
        if _FILTERED.search(message):
            return "refused"
    if status is None or status >= 500:
        return _BY_STATUS.get(status or 500, "server_error")
    return _BY_STATUS.get(status, "bad_request")


def service_error(
    kind: ErrorKind, text: str, *, key: str | None = None, retry_after_s: float | None = None
) -> ServiceError:
    """An error whose text anybody may read."""
    return ServiceError(kind, readable(text, key), retry_after_s=retry_after_s)


def without_key(error: ServiceError, key: str | None) -> ServiceError:
    """The error with a text that anybody may read."""
    error.message = readable(error.message, key)
    error.args = (error.message,)
    return error


def readable(text: str, key: str | None = None) -> str:
    """`text` on one line, at most `MAX_TEXT` characters, without keys.

    `key`, the values of environment variables whose names tell of secrets, and what looks like a
    key are blotted out.
    """
    text = _UNPRINTABLE.sub(" ", encodable(text)).strip()
    for secret in _secrets(key):
        text = text.replace(secret, "***")
    text = _KEY_LIKE.sub("***", text)
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 3]}..."


def _secrets(key: str | None) -> list[str]:
    """Longest first: one may be a part of another."""
    found = {value for name, value in os.environ.items() if SECRET_NAME.search(name)}
    found = {value for value in found if len(value) >= 8} | ({key} if key else set())
    return sorted(found, key=len, reverse=True)
