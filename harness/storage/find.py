"""From what a user typed to a run folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.errors import InputError, Problem
from harness.storage.journal import JOURNAL
from harness.storage.run_folder import LATEST, MANIFEST, not_finished

REPORTS = Path("reports")
BASELINES = "baselines"


def find_run(argument: str, reports: Path = REPORTS) -> Path:
    """The folder of a run, given as a user would.

    In this order: a run folder; a file in one; a folder of runs, or `latest` in it (the newest
    finished run); an experiment's name; a baseline's name; a run id.

    Raises:
        InputError: if there is no such run, naming the nearest ones; or if it is not finished.
    """
    for candidate in _candidates(argument, reports):
        try:
            folder = _run_folder(candidate)
        except (OSError, ValueError):  # too long a name, a forbidden one, a loop of links
            continue
        if folder is not None:
            return folder
    raise _not_found(argument, reports)


def find_baseline(argument: str, reports: Path = REPORTS) -> Path:
    """The folder of what a gate compares with: a saved baseline by its bare name, or any run.

    A bare name is never anything but a baseline's: with a run's name a gate would compare that
    run with itself. Another run is given by a path, as to `find_run`.

    Raises:
        InputError: if there is no such baseline, listing those that are saved; else as `find_run`.
    """
    if not argument or Path(argument).name != argument:
        return find_run(argument, reports)
    saved = sorted(path.name for path in _folders(reports / BASELINES) if path.name[0] != ".")
    if argument in saved:
        return find_run(str(reports / BASELINES / argument), reports)
    what = f"no baseline {argument[:200]!r} in {reports / BASELINES}/"
    hint = f"saved there: {', '.join(saved)}" if saved else "none is saved there"
    hint += "; save one with: harness baseline save RUN NAME; or give another run by its path"
    raise InputError(Problem("", what, hint))


def find_stopped(argument: str, reports: Path = REPORTS) -> Path:
    """The folder of a run that can be gone on with: given by its path or its id.

    Raises:
        InputError: if there is none, naming those that there are.
    """
    for candidate in _candidates(argument, reports):
        try:
            if (candidate / JOURNAL).is_file():
                return _from_here(candidate.resolve())
        except OSError:  # too long a name, a loop of links
            continue
    stopped = sorted((path.parent for path in reports.glob(f"*/*/{JOURNAL}")), reverse=True)
    what = f"no run {argument[:200]!r} that was stopped before its end"
    hint = f"there is none in {reports}/: a run that ended well has nothing to be resumed"
    if stopped:
        hint = f"there are {', '.join(str(folder) for folder in stopped[:3])}"
    raise InputError(Problem("--resume", what, hint))


def known_runs(reports: Path = REPORTS) -> list[str]:
    """What `find_run` understands here: names, baselines and run ids, newest first."""
    names = [path.name for path in _folders(reports) if (path / LATEST).exists()]
    ids = [path.parent.name for path in reports.glob(f"*/*/{MANIFEST}")]
    return [*sorted(names), *sorted(set(ids), reverse=True)]


def _candidates(argument: str, reports: Path) -> Iterator[Path]:
    yield Path(argument)
    if not argument or Path(argument).is_absolute() or ".." in Path(argument).parts:
        return
    yield reports / argument
    yield reports / BASELINES / argument
    if Path(argument).name == argument:
        yield from (folder / argument for folder in _folders(reports))


def _run_folder(path: Path) -> Path | None:
    """`path` as a run folder; None if it is none and holds none.

    Raises:
        InputError: if it is the folder of an unfinished run.
    """
    if path.is_file() and path.name != LATEST:
        path = path.parent
    elif path.is_dir() and not (path / MANIFEST).is_file() and (path / LATEST).exists():
        path = path / LATEST
    if path.is_file():  # the stand-in for a symbolic link
        path = path.parent / path.read_text(encoding="utf-8").strip()
    if not path.is_dir():
        return None
    if (path / MANIFEST).is_file():
        return _from_here(path.resolve())
    if any(path.glob("*.parquet")) or _looks_like_run_id(path.name):
        raise InputError(not_finished(path))
    return None


def _from_here(path: Path) -> Path:
    """`path` from the working folder where it lies in it, because people read it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _looks_like_run_id(name: str) -> bool:
    stamp, _, rest = name.partition("-")
    return len(stamp) == 16 and stamp[8] == "T" and stamp.endswith("Z") and len(rest) == 6


def _folders(path: Path) -> list[Path]:
    return [folder for folder in path.iterdir() if folder.is_dir()] if path.is_dir() else []


def _runs_of(name: str, reports: Path) -> list[str]:
    """The ids of an experiment's finished runs, newest first."""
    return sorted(
        (
            manifest.parent.name
            for folder in _folders(reports)
            if folder.name == name != BASELINES
            for manifest in folder.glob(f"*/{MANIFEST}")
        ),
        reverse=True,
    )


def _not_found(argument: str, reports: Path) -> InputError:
    from rapidfuzz import process

    known = known_runs(reports)
    not_whole = _runs_of(argument, reports)
    if not_whole:
        hint = f"it has no latest whole run; name a run by its id, such as {not_whole[0]}"
    elif not known:
        hint = f"there is no run in {reports}/ yet; make one with: harness run CONFIG"
    else:
        near = [name for name, _, _ in process.extract(argument, known, limit=3, score_cutoff=60)]
        some = near or known[:3]
        hint = f"{'did you mean' if near else 'there are'} {', '.join(map(repr, some))}"
        hint += "?" if near else ""
    return InputError(Problem("", f"no run {argument[:200]!r}", hint))
