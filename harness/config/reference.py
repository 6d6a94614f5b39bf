"""A Hugging Face `datasets` reference, resolved once into a local file."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from harness.config.findings import Findings
from harness.config.lock import write_whole
from harness.config.models import DatasetReference
from harness.config.paths import PathError, require, resolve, shown
from harness.config.readers import plain, read_rows
from harness.config.suggest import listed
from harness.core.values import JsonValue
from harness.errors import InputError, Problem

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_FILE_SUFFIXES = frozenset({".jsonl", ".ndjson", ".csv", ".parquet", ".json"})
_REACH_TIMEOUT_S = 5.0

Places: TypeAlias = Callable[..., str]
"""Gives `file:line:column` of the value under keys of `evalset.yaml`."""


def resolve_reference(
    reference: DatasetReference, folder: Path, places: Places, *, replace: bool
) -> Path:
    """Write the referenced rows to `examples.jsonl` in `folder`, as they are.

    A local file is read by our own readers, everything else by `datasets`, which runs no code
    that comes with the data.

    Args:
        reference: what to take.
        folder: the eval set's folder; a local path starts from it.
        places: the places of the reference and its keys, for problems.
        replace: whether an `examples.jsonl` that is there came from freezing.

    Raises:
        InputError: if the data cannot be had, or would replace another file of examples.
    """
    where = places("examples")
    try:
        local = resolve(reference.dataset, folder)
    except PathError as error:
        raise InputError(Problem(where, f"the dataset {error.what}", error.hint)) from None
    _require_local(reference, local, places)
    ignored = reference.model_fields_set & _ignored(local)
    if ignored:
        what = f"is not used for {'a file' if local.is_file() else 'a local folder'}"
        raise InputError(
            Problem(places("examples", key), f"{key} {what}", "leave it out")
            for key in DatasetReference.model_fields
            if key in ignored
        )
    if local.is_file():
        findings = Findings(local)
        rows = [row.values for row in read_rows(local, findings)]
        findings.raise_if_any()
    else:
        rows = list(_load(reference, local, places))
    text = "".join(f"{json.dumps(row, ensure_ascii=False, allow_nan=False)}\n" for row in rows)
    target = folder / "examples.jsonl"
    if not replace and os.path.lexists(target) and not _holds(target, text):
        what = f"{target.name} was not written by freezing, and the dataset would replace it"
        raise InputError(Problem(shown(target), what, "move it away, or take it: no `dataset`"))
    write_whole(target, text)
    return target


def _require_local(reference: DatasetReference, local: Path, places: Places) -> None:
    """Refuse what is neither there nor `org/name`: a path with a mistake is not looked for afar."""
    if local.exists():
        return
    name = reference.dataset
    is_name = _HUB_NAME.fullmatch(name) and Path(name).suffix.lower() not in _FILE_SUFFIXES
    if is_name:
        return
    try:
        require(local, "file")
    except PathError as error:
        what = f"the dataset {name} {error.what} ({shown(local)})"
        hint = error.hint or "a path starts from the eval set's folder; a name is org/name"
        raise InputError(Problem(places("examples", "dataset"), what, hint)) from None


def _ignored(local: Path) -> set[str]:
    """The keys of a reference that mean nothing for what stands at a local path."""
    if local.is_file():
        return {"config", "split", "revision"}
    if _is_saved(local):
        return {"config", "revision"}
    return {"revision"} if local.is_dir() else set()


def _is_saved(local: Path) -> bool:
    """Whether a folder was written by `save_to_disk`."""
    return any((local / name).is_file() for name in ("state.json", "dataset_dict.json"))


def _holds(target: Path, text: str) -> bool:
    try:
        require(target, "file")
        return target.read_text(encoding="utf-8") == text
    except (PathError, OSError, ValueError):
        return False


def _load(reference: DatasetReference, local: Path, places: Places) -> Iterator[JsonValue]:
    where = places("examples")
    try:
        import datasets
    except ImportError:
        hint = "pip install datasets"
        raise InputError(Problem(where, "`datasets` is not installed", hint)) from None

    _require_hub(local, reference.dataset, where)
    try:
        with tempfile.TemporaryDirectory() as cache:
            table = _table(datasets, reference, local, cache, places)
            for row in table.with_format(None):
                yield json.loads(json.dumps(plain(row), allow_nan=False))
    except (OSError, ValueError, KeyError, datasets.exceptions.DatasetsError) as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        what = f"the dataset '{reference.dataset}' could not be resolved: {first_line}"
        hint = "check its name, config, split and revision, and that it can be reached"
        raise InputError(Problem(where, what, hint)) from None


def _require_hub(local: Path, name: str, where: str) -> None:
    """Ask once whether the hub can be reached, which `datasets` tries for half a minute."""
    if local.exists():
        return
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=_REACH_TIMEOUT_S)
    except Exception as error:  # noqa: BLE001 - of whatever client it uses; all mean the same
        what = f"the dataset '{name}' could not be resolved: {constants.ENDPOINT} is not reached"
        hint = f"{type(error).__name__}; {shown(local)} does not exist either"
        raise InputError(Problem(where, what, hint)) from None


def _table(
    datasets: Any, reference: DatasetReference, local: Path, cache: str, places: Places
) -> Any:
    if _is_saved(local):
        saved = datasets.load_from_disk(str(local))
        if not isinstance(saved, dict):
            return saved
        if reference.split not in saved:
            what = f"the dataset '{reference.dataset}' has no split '{reference.split}'"
            known = f"known: {listed(saved)}"
            raise InputError(Problem(places("examples", "split"), what, known))
        return saved[reference.split]
    return datasets.load_dataset(
        str(local) if local.is_dir() else reference.dataset,
        name=reference.config,
        split=reference.split,
        revision=reference.revision,
        cache_dir=cache,
    )
