"""`evalset.lock`: what an eval set was when it was frozen, and what has changed since."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.config.examples import as_json
from harness.config.paths import PathError, reason, require, shown
from harness.config.suggest import listed
from harness.core.example import EvalSet, Example, slice_members
from harness.core.values import JsonValue, fingerprint, parse_json
from harness.corpus import files as corpus
from harness.errors import InputError, Problem
from harness.files import sha256, write_atomically

LOCK_FILE = "evalset.lock"
FORMAT = "harness.evalset-lock/1"


@dataclass(frozen=True, slots=True)
class Changes:
    """Ids of examples that differ from what was kept of them."""

    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changed or self.added or self.removed)

    @classmethod
    def between(cls, then: Mapping[str, str], now: Mapping[str, str]) -> Changes:
        """What differs between two times' hashes by id."""
        return cls(
            changed=tuple(sorted(k for k in now.keys() & then.keys() if now[k] != then[k])),
            added=tuple(sorted(now.keys() - then.keys())),
            removed=tuple(sorted(then.keys() - now.keys())),
        )


@dataclass(frozen=True, slots=True)
class Lock:
    """A frozen set's hashes: `examples` by id, and over all; `corpus` and `reference` or None."""

    sha256: str
    examples: Mapping[str, str]
    slices: Mapping[str, int]
    corpus_sha256: str | None
    name: str = ""
    reference: JsonValue = None

    def changes_to(self, now: Mapping[str, str]) -> Changes:
        """What differs between the lock and the hashes that the examples have now."""
        return Changes.between(self.examples, now)


def example_hashes(examples: tuple[Example, ...]) -> dict[str, str]:
    """The sha256 of every example by id; it depends neither on file format nor on key order."""
    return {example.id: fingerprint(as_json(example)) for example in examples}


def set_hash(hashes: Mapping[str, str]) -> str:
    """The sha256 over all examples, independent of their order."""
    return fingerprint(dict(hashes))


def corpus_hash(folder: Path) -> str:
    """The sha256 over the names and contents of a corpus folder's files, hidden ones left out.

    Raises:
        PathError: if the folder or a file in it cannot be read.
    """
    require(folder, "folder")
    try:
        hashes = {
            path.relative_to(folder).as_posix(): _file_hash(path) for path in corpus_files(folder)
        }
    except OSError as error:
        name = Path(error.filename or folder).name
        raise PathError(f"holds '{name}', which {reason(error)}") from None
    if not hashes:
        raise PathError("is empty")
    return fingerprint(hashes)


def corpus_files(folder: Path) -> Iterator[Path]:
    """Every file below `folder` that is not hidden, nor in a hidden folder.

    Raises:
        PathError: if there is a link to a folder, or out of this one.
        OSError: if a folder cannot be read.
    """
    try:
        yield from corpus.corpus_files(folder)
    except corpus.CorpusError as error:
        raise PathError(error.what) from None


def write_lock(folder: Path, evalset: EvalSet, reference: JsonValue) -> Lock:
    """Write the lock of an eval set into its folder, whole or not at all.

    Raises:
        InputError: if the folder cannot be written.
    """
    hashes = example_hashes(evalset.examples)
    members = slice_members([example.slices for example in evalset.examples])
    counts = {name: len(indices) for name, indices in members.items()}
    lock = Lock(evalset.sha256, hashes, counts, evalset.corpus_sha256, evalset.name, reference)
    document = {
        "format": FORMAT,
        "name": lock.name,
        "sha256": lock.sha256,
        "n_examples": len(hashes),
        "slices": counts,
        "corpus_sha256": lock.corpus_sha256,
        "reference": reference,
        "examples": hashes,
    }
    write_whole(folder / LOCK_FILE, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return lock


def read_lock(folder: Path) -> Lock | None:
    """The lock in a folder, or None where there is none.

    Raises:
        InputError: if it cannot be read.
    """
    path = folder / LOCK_FILE
    if not os.path.lexists(path):
        return None
    problem = "it is not a lock that this version can read"
    try:
        require(path, "file")
        document = parse_json(path.read_text(encoding="utf-8"))
        if isinstance(document, dict) and document.get("format") == FORMAT:
            return _lock(document)
    except PathError as error:
        problem = f"the lock {error.what}"
    except OSError as error:
        problem = f"the lock {reason(error)}"
    except (ValueError, TypeError, KeyError):
        problem = "the lock is damaged"
    raise InputError(Problem(f"{shown(path)}:1:1", problem, freeze_hint(folder)))


def drift(
    lock: Lock, hashes: Mapping[str, str], evalset: EvalSet, folder: Path, *, complete: bool
) -> list[Problem]:
    """How an eval set differs from its lock, as problems that name the ids.

    Unless it is `complete`, the set has examples that cannot be read, and none counts as removed.
    """
    changes = lock.changes_to(hashes)
    hint = f"{freeze_hint(folder)} if that is meant, else restore the examples"
    where = f"{shown(folder / LOCK_FILE)}:1:1"
    problems = [
        Problem(
            where,
            f"{len(ids)} {_examples(len(ids))} {what} since the set was frozen: {listed(ids)}",
            hint,
        )
        for what, ids in (
            ("changed", changes.changed),
            ("added", changes.added),
            ("removed", changes.removed if complete else ()),
        )
        if ids
    ]
    return problems + _drift_of_the_whole(lock, evalset, where, folder, told=bool(changes))


def _drift_of_the_whole(
    lock: Lock, evalset: EvalSet, where: str, folder: Path, *, told: bool
) -> list[Problem]:
    problems = []
    if lock.corpus_sha256 != evalset.corpus_sha256:
        hint = f"{freeze_hint(folder)} if that is meant, else restore the corpus"
        problems.append(Problem(where, "the corpus changed since the set was frozen", hint))
    if not told and lock.sha256 != evalset.sha256:
        problems.append(Problem(where, "the lock was edited by hand", freeze_hint(folder)))
    return problems


def freeze_hint(folder: Path) -> str:
    """What to run to freeze the set anew."""
    return f"run `harness freeze {shown(folder)}`"


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader, or a crash, sees the old one or the new one.

    Raises:
        InputError: if the folder cannot be written.
    """
    try:
        write_atomically(path, text)
    except OSError as error:
        what = f"cannot be written: {error.strerror}"
        raise InputError(Problem(shown(path), what)) from None


def _lock(document: dict[str, JsonValue]) -> Lock:
    examples, slices, corpus = document["examples"], document["slices"], document["corpus_sha256"]
    texts = [document["sha256"], *examples.keys(), *examples.values()]
    if not all(isinstance(text, str) for text in texts) or not isinstance(slices, dict):
        raise TypeError
    return Lock(
        document["sha256"], examples, slices, corpus, document["name"], document["reference"]
    )


def _file_hash(path: Path) -> str:
    try:
        require(path, "file")
    except PathError as error:
        raise PathError(f"holds '{path.name}', which {error.what}") from None
    return sha256(path)


def _examples(count: int) -> str:
    return "example" if count == 1 else "examples"
