"""No secret is in what a trial leaves, wherever it stood and however it was written."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.core.record import (
    Answer,
    AnswerPath,
    Failure,
    Record,
    Stage,
    Step,
    Trace,
    Usage,
)
from harness.core.values import ToolCall
from harness.system.redaction import REDACTED, SHORTEST, Redactor

SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=SHORTEST)
AROUND = st.text(max_size=5)


def every_text(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for item in pair for text in every_text(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in every_text(item)]
    return []


@given(st.lists(SECRETS, min_size=1, max_size=3), AROUND, AROUND, st.booleans())
def test_no_record_holds_a_secret(
    secrets: list[str], before: str, after: str, failed: bool
) -> None:
    told = f"{before}{' '.join(secrets)}{after}"
    nested = {told: [told, {"deep": told}], "json": json.dumps({"key": told})}
    calls = (ToolCall(told, nested),)
    outcome: Answer | Failure = Answer(nested, calls, (told,))
    if failed:
        outcome = Failure(True, told, told, calls, (told,))
    step = Step(Stage.GENERATE, 0, 0, detail={"messages": [nested], "text": told})
    trace = Trace((step,), rejections=(told,), served_model=told)
    record = Record("v", "e", 0, outcome, AnswerPath.WARM, trace=trace)
    kinds = (Record, Trace, Step, Usage, Answer, Failure, ToolCall)
    ours = {field.name for kind in kinds for field in fields(kind)}  # which may hold a short secret
    for text in every_text(asdict(Redactor(secrets).record(record))):
        without = "" if text in ours else text.replace(REDACTED, "")
        assert not any(secret in without for secret in secrets), text
        assert not any(json.dumps(secret)[1:-1] in without for secret in secrets), text


def test_a_secret_within_another_is_taken_out_with_it() -> None:
    assert Redactor(["abcdefgh", "abcdefgh-ijkl"]).text("<abcdefgh-ijkl>") == f"<{REDACTED}>"


def test_a_short_word_is_no_secret() -> None:
    assert Redactor(["test"]).text("a test") == "a test"


def test_without_secrets_a_record_is_the_same_object() -> None:
    record = Record("v", "e", 0, Answer("x"), AnswerPath.WARM)
    assert Redactor(()).record(record) is record
