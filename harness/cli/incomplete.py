"""What is said of a run that services left incomplete: who lost how much, why, what to check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from harness.cli.output import note
from harness.errors import BudgetReachedError, ServiceDownError, StoppedRunError

if TYPE_CHECKING:
    from pathlib import Path

    from harness.core.record import Record
    from harness.experiment.frames import Run

_MAX_CHARACTERS = 300
_CHECK: Mapping[str, str] = MappingProxyType(
    {
        "connection": "check that the server runs, and that its address (base_url) is right",
        "timeout": "check that the server is not overloaded: lower --concurrency, raise timeout_s",
        "rate_limited": "lower --concurrency, or raise execution.attempts",
        "overloaded": "lower --concurrency, or raise execution.attempts",
        "server_error": "see the server's log",
        "malformed": "check that the address (base_url) is that of an API of the provider's kind",
        "authentication": "check the key in the environment variable that api_key_env names",
        "not_found": "check the model's name and the address (base_url)",
        "bad_request": "check the variant's params against what the server takes",
    }
)


def print_given_up(error: ServiceDownError) -> None:
    """Say that a run was given up, and what to check."""
    note(f"harness: given up: {_cut(str(error))}")
    kind, _, message = error.why.partition(": ")
    _hint(kind, message)


def print_stopped(error: StoppedRunError, config: Path) -> None:
    """Say why a run was stopped, what is kept, and how to go on."""
    match error.__cause__:
        case ServiceDownError() as down:
            print_given_up(down)
        case BudgetReachedError() as reached:
            note(f"harness: stopped: {reached}")
        case OSError() as failed:
            where = f"{failed.filename}: " if failed.filename else ""
            note(f"harness: stopped: {where}{failed.strerror or failed}")
        case _:
            note("harness: interrupted")
    note(f"harness: {error.n_kept} of {error.n_trials} trials have ended and are kept")
    if isinstance(error.__cause__, BudgetReachedError):
        note("  hint: it goes on with a higher budget only")
        _how_to_go_on(config, error.folder, " --budget-usd USD")
    else:
        _how_to_go_on(config, error.folder)


def _how_to_go_on(config: Path, folder: Path | str, more: str = "") -> None:
    """The command that goes on; a run has kept the options that it was begun with."""
    from shlex import join

    note("  go on with: " + join(["harness", "run", str(config), "--resume", str(folder)]) + more)


def print_losses(run: Run, config: Path) -> bool:
    """Whether a run lost too many live trials for a conclusion; if so, say which and why."""
    losses = _losses(run)
    comparison = run.comparison
    least = comparison.settings.coverage
    thin = any(
        len(losses.get(one.id, ())) > (1 - least) * one.n_trials for one in comparison.variants
    )
    if not losses or not (thin or comparison.conclusion.kind == "incomplete"):
        return False
    n_trials = {one.id: one.n_trials for one in comparison.variants}
    note("harness: incomplete: trials were lost to failures of the infrastructure")
    for variant, records in losses.items():
        note(f"  {variant}: {len(records)} of {n_trials[variant]}")
    every = [record for records in losses.values() for record in records]
    note("\n".join(_kinds(every)))
    kind, found = max(_by_kind(every).items(), key=lambda item: len(item[1]))
    _hint(kind, _message(found[0]))
    note("harness: only what was lost is asked for again when you")
    _how_to_go_on(config, run.path)
    return True


def _losses(run: Run) -> dict[str, list[Record]]:
    """The lost trials of every live variant that lost any."""
    found: dict[str, list[Record]] = {}
    for record in run.data.records:
        if record.trace is not None and _kind(record) is not None:
            found.setdefault(record.variant, []).append(record)
    return found


def _kind(record: Record) -> str | None:
    """The kind of a failure of the infrastructure; None for any other outcome."""
    from harness.core.record import Failure

    outcome = record.outcome
    return outcome.error_kind if isinstance(outcome, Failure) and outcome.infrastructure else None


def _by_kind(records: list[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(_kind(record) or "", []).append(record)
    return found


def _kinds(records: list[Record]) -> Iterator[str]:
    """How often each kind of failure, each with the words of its first trial."""
    for kind, found in _by_kind(records).items():
        first = found[0]
        where = f"{first.variant} on {first.example_id}"
        yield f"  {kind}: {len(found)}, such as {where}: {_cut(_message(first))}"


def _message(record: Record) -> str:
    return getattr(record.outcome, "message", "")


def _hint(kind: str, message: str) -> None:
    from harness.execution.pacing import ASKED_TO_WAIT

    what = _CHECK.get(kind, "see error_message in trials.parquet")
    if message.startswith(ASKED_TO_WAIT):
        what = "go on when that time has passed: fewer calls at once would not help now"
    note(f"  hint: {what}")


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_CHARACTERS else f"{line[:_MAX_CHARACTERS]}..."
