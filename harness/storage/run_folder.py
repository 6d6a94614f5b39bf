"""The run folder, `reports/<name>/<run-id>/`: written once, finished by its manifest.

`manifest.json` comes last and holds the sha256 of every data file and of itself. A folder without
it is not a finished run; a folder that differs from it has been changed. Both are refused.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, TypeVar

from harness.core.comparison import Comparison
from harness.core.run import RunData
from harness.core.values import JsonValue, fingerprint
from harness.core.verdict import Verdict
from harness.errors import InputError, Problem
from harness.files import sha256, sync, write_atomically
from harness.storage import scores, tables
from harness.storage.files import write_json
from harness.storage.journal import JOURNAL
from harness.storage.judgments import JUDGMENTS, read_judgments, write_judgments
from harness.storage.text import json_text

FORMAT = "harness.run/1"
MANIFEST = "manifest.json"
COMPARISON = "comparison.json"
VERDICT = "verdict.json"
SCORES = "scores.parquet"
EXAMPLES = "examples.parquet"
DATA_FILES = (tables.TRIALS, SCORES, EXAMPLES, COMPARISON)
"""What every run has. One with judges has their verdicts too."""
LATEST = "latest"

_SEAL = "manifest_sha256"
_CHANGED = "changed since the run was finished"
_CHANGED_HINT = "run the experiment again, or restore the file"
_T = TypeVar("_T")


@contextmanager
def new_run_folder(root: Path, started: str) -> Iterator[Path]:
    """A new folder in `root` for a run that began at `started` (ISO 8601, UTC); its name is the id.

    Ids sort by time and no two runs share one. On an exception the folder is removed again, unless
    it holds a journal by which the run could be resumed.
    """
    stamp = "".join(char for char in started[:19] if char not in "-:") + "Z"
    root.mkdir(parents=True, exist_ok=True)
    while True:
        folder = root / f"{stamp}-{secrets.token_hex(3)}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        break
    try:
        yield folder
    except BaseException:
        if not (folder / JOURNAL).exists():
            shutil.rmtree(folder, ignore_errors=True)
        raise


def write_run(
    folder: Path, run: RunData, renderings: Mapping[str, str | Callable[[TextIO], None]]
) -> dict[str, JsonValue]:
    """Write a whole run into `folder`, the manifest last; returns the finished manifest.

    `renderings` are further texts by file name (see `write_atomically`). They can be made anew at
    any time, so their hashes are not kept. `latest` moves to a whole run of one experiment, not to
    a partial one or to a comparison of runs.
    """
    for stale in (MANIFEST, VERDICT):  # of a run that has been resumed
        (folder / stale).unlink(missing_ok=True)
    tables.write_trials(folder / tables.TRIALS, run.run_id, run.records)
    scores.write_scores(folder / SCORES, run.scores)
    tables.write_examples(folder / EXAMPLES, run.examples)
    (folder / JUDGMENTS).unlink(missing_ok=True)
    if run.judgments:
        write_judgments(folder / JUDGMENTS, run.judgments)
    write_json(folder / COMPARISON, run.comparison.model_dump(mode="json"))
    for name, text in renderings.items():
        write_atomically(folder / name, text)
    manifest = finish(folder, run.manifest)
    if not manifest.get("partial") and "compared_runs" not in manifest:
        _point_latest_at(folder)
    return manifest


def finish(folder: Path, manifest: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Seal `folder`: hash its data files and write the manifest, atomically and last."""
    names = [*DATA_FILES, *([JUDGMENTS] if (folder / JUDGMENTS).exists() else [])]
    for name in names:
        sync(folder / name)
    finished = {
        "format": FORMAT,
        **manifest,
        "files": {name: sha256(folder / name) for name in names},
    }
    sealed = {**finished, _SEAL: _seal(json.loads(json_text(finished)))}
    write_json(folder / MANIFEST, sealed)
    return sealed


def write_verdict(folder: Path, verdict: Verdict) -> None:
    """Write `verdict.json`; a later gate replaces it."""
    write_json(folder / VERDICT, verdict.model_dump(mode="json"))


def load_manifest(folder: Path) -> dict[str, JsonValue]:
    """The manifest of a finished run.

    Raises:
        InputError: if `folder` is not a finished run, or its manifest or data files are not
            those it had when it was finished.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(not_finished(folder))
    manifest, is_sealed = _read(path, _manifest)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        hint = "it was written by another version of harness"
        raise InputError(Problem(str(path), f"its format is {found!r}, not {FORMAT!r}", hint))
    if not is_sealed:
        raise InputError(Problem(str(path), _CHANGED, _CHANGED_HINT))
    _check_files(folder, manifest)
    return manifest


def not_finished(folder: Path) -> Problem:
    """What is said of a folder without a manifest."""
    hint = "its run was stopped before the end; run it again, and delete this folder"
    if (folder / JOURNAL).is_file():
        hint = "its run was stopped before the end; go on with: harness run CONFIG --resume"
        hint += f" {folder}"
    return Problem(str(folder), f"not a finished run: it has no {MANIFEST}", hint)


def load_run(folder: Path) -> RunData:
    """Everything in a finished run's folder.

    Raises:
        InputError: as `load_manifest`, or if a file cannot be read.
    """
    manifest = load_manifest(folder)
    verdict = folder / VERDICT
    table = _read(folder / SCORES, scores.read_scores)
    axes = table.variants, table.example_ids
    return RunData(
        manifest=manifest,
        examples=_read(folder / EXAMPLES, tables.read_examples),
        records=_read(folder / tables.TRIALS, tables.read_trials),
        scores=table,
        comparison=_read(folder / COMPARISON, _comparison),
        verdict=_read(verdict, _verdict) if verdict.exists() else None,
        judgments=_read(folder / JUDGMENTS, lambda path: read_judgments(path, *axes))
        if JUDGMENTS in manifest["files"]
        else {},
    )


def load_comparison(folder: Path) -> Comparison:
    """A finished run's comparison alone.

    Raises:
        InputError: as `load_run`.
    """
    load_manifest(folder)
    return _read(folder / COMPARISON, _comparison)


def _seal(manifest: Mapping[str, JsonValue]) -> str:
    """The sha256 of a manifest's content, whatever the order and spacing of its file."""
    return fingerprint({key: value for key, value in manifest.items() if key != _SEAL})


def _check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    expected = manifest.get("files")
    expected = expected if isinstance(expected, dict) else {}
    problems = []
    for name in (*DATA_FILES, *([JUDGMENTS] if JUDGMENTS in expected else [])):
        path = folder / name
        if not path.is_file():
            problems.append(Problem(str(path), "missing from a finished run"))
        elif sha256(path) != expected.get(name):
            problems.append(Problem(str(path), _CHANGED, _CHANGED_HINT))
    if problems:
        raise InputError(problems)


def _read(path: Path, reader: Callable[[Path], _T]) -> _T:
    """`reader(path)`, with whatever a damaged file can raise as an `InputError`.

    A data file can only get here unharmed or forged: its hash is that of the manifest. So the
    reasons are many and one sentence is enough.
    """
    import pyarrow as pa

    try:
        return reader(path)
    except (ValueError, KeyError, TypeError, RecursionError, pa.ArrowException) as error:
        first_line, *_ = (*str(error).splitlines(), "")
        what = f"cannot be read: {type(error).__name__}: {first_line[:200]}".removesuffix(": ")
        raise InputError(Problem(str(path), what)) from error


def _manifest(path: Path) -> tuple[Any, bool]:
    """What the file holds, and whether its seal is that of its content."""
    document = json.loads(path.read_bytes())
    return document, isinstance(document, dict) and document.get(_SEAL) == _seal(document)


def _comparison(path: Path) -> Comparison:
    return Comparison.model_validate_json(path.read_bytes())


def _verdict(path: Path) -> Verdict:
    return Verdict.model_validate_json(path.read_bytes())


def _point_latest_at(folder: Path) -> None:
    """Make `latest` beside `folder` point at it, atomically.

    A relative symbolic link; a text file with the id where the system makes no links.
    """
    latest = folder.parent / LATEST
    if latest.is_dir() and not latest.is_symlink():
        return  # somebody's own folder
    temporary = folder.parent / f".{LATEST}.{secrets.token_hex(4)}"
    try:
        temporary.symlink_to(folder.name, target_is_directory=True)
    except (OSError, NotImplementedError):
        write_atomically(latest, folder.name + "\n")
        return
    temporary.replace(latest)
