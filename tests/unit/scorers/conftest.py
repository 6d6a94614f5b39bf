from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from harness.core.example import Example
from harness.core.record import Answer, AnswerPath, Failure, Outcome, Record
from harness.core.score import Scored, ScoreOutcome
from harness.ports import Scorer

Ask: TypeAlias = Callable[..., ScoreOutcome]


def _ask(
    scorer: Scorer,
    output: Any = None,
    part: str = "",
    *,
    target: Any = None,
    evidence: tuple[str, ...] | None = None,
    calls: Any = None,
    metadata: dict[str, Any] | None = None,
    **example: Any,
) -> ScoreOutcome:
    """One outcome; an output of None is a failure of the system."""
    outcome: Outcome = Answer(output, tool_calls=calls, evidence=evidence)
    if output is None:
        outcome = Failure(infrastructure=False, error_kind="no_answer")
    record = Record("v", "e", 0, outcome, AnswerPath.RECORDED, metadata=metadata or {})
    outcomes = scorer.score(Example("e", {}, target, **example), record)
    name = scorer.metrics[0].id if not part else f"{scorer.metrics[0].id.split('.')[0]}.{part}"
    return outcomes[name]


@pytest.fixture
def ask() -> Ask:
    return _ask


@pytest.fixture
def value() -> Callable[..., float]:
    def scored(*args: Any, **kwargs: Any) -> float:
        outcome = _ask(*args, **kwargs)
        assert isinstance(outcome, Scored), outcome
        return outcome.value

    return scored
