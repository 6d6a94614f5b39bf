"""`harness`: the list of commands, and what every way to end means for the exit code.

Nothing heavy is imported before a command runs; `harness --help` must be instant.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from harness.cli import (
    baseline,
    check,
    compare,
    export,
    freeze,
    gate,
    init,
    judgments,
    report,
    review,
    run,
    serve_local,
    show,
)
from harness.cli.output import note, say
from harness.errors import ExitCode, HarnessError, InputError

# Typer's own base of "the command line is wrong"; older versions share it with click.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="harness",
    help="Controlled comparison of LLM systems: paired, with intervals, "
    "and a verdict that CI can block on.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init.init)
app.command("freeze")(freeze.freeze)
app.command("check")(check.check)
app.command("run")(run.run)
app.command("compare")(compare.compare)
app.command("gate")(gate.gate)
app.add_typer(baseline.app, name="baseline")
app.command("judgments")(judgments.judgments)
app.command("report")(report.report)
app.command("review")(review.review)
app.command("show")(show.show)
app.command("export")(export.export)
app.command("serve-local")(serve_local.serve_local)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its code (docs/cli.md)."""
    # BLAS threads would only wait for one another: statistics take a third of the CPU time so.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # gives back what it has freed
    # Last, so that a scorer's module in the working folder is found and hides nothing installed.
    sys.path.append("")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    _end_well_when_interrupted()
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        result = app(
            args=None if arguments is None else list(arguments),
            prog_name="harness",
            standalone_mode=False,
        )
    except InputError as error:
        return _bad_input(error)
    except _UsageError as error:
        return _bad_usage(error)
    except OSError as error:
        note(f"harness: {_where(error)}{error.strerror or error}")
        return ExitCode.BAD_INPUT
    except Exception as error:  # noqa: BLE001  the last line of defence, by design
        return _interrupted() if _is_interrupt(error) else _bug(error)
    code = result if isinstance(result, int) else ExitCode.OK
    if code == ExitCode.INTERRUPTED:  # typer's word for Ctrl-C
        return _interrupted()
    return code


def _interrupted() -> int:
    note("harness: interrupted; nothing was kept. Run the same command again.")
    return ExitCode.INCOMPLETE


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether an error came of Ctrl-C: a module that it strikes at its import may raise another."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _end_well_when_interrupted() -> None:
    """The first Ctrl-C lets a command clean up; the next one does not wait for that.

    So does SIGTERM, which CI sends when a job is cancelled, and of which some send several.
    """

    def first(*_: object) -> NoReturn:
        signal.signal(signal.SIGINT, lambda *_: os._exit(ExitCode.INTERRUPTED))
        signal.signal(signal.SIGTERM, lambda *_: None)
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, first)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, first)


def _bad_input(error: InputError) -> int:
    for problem in error.problems:
        note(str(problem))
    if len(error.problems) > 1:
        note(f"harness: {len(error.problems)} problems; nothing was done")
    return error.exit_code


def _bad_usage(error: Exception) -> int:
    context = getattr(error, "ctx", None)
    possible = getattr(error, "possibilities", None)
    text = getattr(error, "message", "") if possible else error.format_message()  # type: ignore[attr-defined]
    if type(error).__name__ == "NoArgsIsHelpError":
        say(context.get_help() if context else text)
        return ExitCode.BAD_INPUT
    note(f"harness: {text}")
    if possible:
        note(f"  hint: did you mean {' or '.join(sorted(possible))}?")
    path = context.command_path if context else "harness"
    note(f"  hint: {path} --help")
    return ExitCode.BAD_INPUT


def _bug(error: Exception) -> int:
    note("".join(traceback.format_exception(error)))
    note(f"harness: this is a bug in harness, not in your input ({type(error).__name__}).")
    note("Please report it with the lines above and the output of: harness --version")
    code = error.exit_code if isinstance(error, HarnessError) else ExitCode.BUG
    return int(code)


def _where(error: OSError) -> str:
    return f"{error.filename}: " if error.filename else ""


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(f"harness {version('harness')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Hold the options that stand before a command."""
