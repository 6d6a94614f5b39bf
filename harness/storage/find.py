"""From what a user typed to a run folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.errors import InputError, Problem
from harness.storage.run_folder import LATEST, MANIFEST

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
    """As `find_run`, but a bare name is a baseline's before it is anything else's.

    Raises:
        InputError: as `find_run`.
    """
    blessed = f"{BASELINES}/{argument}"
    is_name = argument not in {"", ".", ".."} and Path(argument).name == argument
    return find_run(blessed if is_name and (reports / blessed).is_dir() else argument, reports)


def known_runs(reports: Path = REPORTS) -> list[str]:
    """What `find_run` understands here: names, baselines and run ids, newest first."""
    names = [path.name for path in _folders(reports) if path.name != BASELINES]
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
        hint = "its run was stopped before the end; run it again, and delete this folder"
        raise InputError(Problem(str(path), f"not a finished run: it has no {MANIFEST}", hint))
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


def _not_found(argument: str, reports: Path) -> InputError:
    from rapidfuzz import process

    known = known_runs(reports)
    if not known:
        hint = f"there is no run in {reports}/ yet; make one with: harness run CONFIG"
    else:
        near = [name for name, _, _ in process.extract(argument, known, limit=3, score_cutoff=60)]
        some = near or known[:3]
        hint = f"{'did you mean' if near else 'there are'} {', '.join(map(repr, some))}"
        hint += "?" if near else ""
    return InputError(Problem("", f"no run {argument[:200]!r}", hint))
