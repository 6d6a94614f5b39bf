"""Every error that harness raises on purpose, and the exit code each one ends in.

    HarnessError
    ├── InputError              2   the command line, a config, a set or a recording is wrong
    │   └── NotComparableError  2   two runs differ in what must be equal to compare them
    ├── BudgetReachedError      3   the next call could exceed the budget of a run
    ├── ServiceDownError        3   a service has answered none of a run's first calls
    └── StoppedRunError         3   a run was stopped before its end, and can be resumed

An `InputError` carries every problem that was found, not only the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit status means (docs/cli.md)."""

    OK = 0
    REGRESSION = 1
    BAD_INPUT = 2
    INCOMPLETE = 3
    INCONCLUSIVE = 4
    BUG = 70
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (`file:line:column`), what, and what to do about it."""

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  hint: {self.hint}" if self.hint else text


class HarnessError(Exception):
    """Base of every error in this module."""

    exit_code = ExitCode.BUG


class InputError(HarnessError):
    """The input is wrong and nothing was run. `problems` lists all that was found."""

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, problems: Iterable[Problem] | Problem) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class NotComparableError(InputError):
    """Two runs differ in their eval set, its scorers or their versions."""


class BudgetReachedError(HarnessError):
    """A run has spent `spent_usd`, and a call that may cost `call_usd` could exceed its limit.

    Of that, `uncosted_usd` is counted for calls of the process before whose cost is not known.
    """

    exit_code = ExitCode.INCOMPLETE

    def __init__(
        self, limit_usd: float, spent_usd: float, call_usd: float, uncosted_usd: float = 0.0
    ) -> None:
        uncosted = ""
        if uncosted_usd:
            uncosted = (
                f" (${uncosted_usd:.4f} of it counted for calls of unknown cost, such as were "
                "under way when the run was stopped)"
            )
        super().__init__(
            f"${spent_usd:.4f} of the budget of ${limit_usd:.4f} is spent{uncosted}, "
            f"and the next call can cost up to ${call_usd:.4f}"
        )


class StoppedRunError(HarnessError):
    """A run was stopped before its end; what it finished is kept.

    `folder` is the run's, of `n_trials` live trials `n_kept` need not be run again. Why it was
    stopped is the cause: KeyboardInterrupt, BudgetReachedError, ServiceDownError or OSError.
    """

    exit_code = ExitCode.INCOMPLETE

    def __init__(self, folder: str, n_kept: int, n_trials: int) -> None:
        self.folder = folder
        self.n_kept = n_kept
        self.n_trials = n_trials
        super().__init__(
            f"stopped after {n_kept} of {n_trials} trials; go on with resume={folder!r}"
        )


class ServiceDownError(HarnessError):
    """A service has answered none of its first calls, so a run was given up.

    `route` names the service, `why` is what its last call ended in.
    """

    exit_code = ExitCode.INCOMPLETE

    def __init__(self, route: str, n_calls: int, why: str) -> None:
        self.route = route
        self.why = why
        super().__init__(f"{route} has answered none of its first {n_calls} calls: {why}")


def first_of(group: BaseExceptionGroup[Exception]) -> BaseException:
    """The first of the errors in a group, however deep it lies."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
