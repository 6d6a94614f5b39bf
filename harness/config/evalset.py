"""Eval sets: a folder of examples, their description, and the lock that freezes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from harness.config.examples import read_examples
from harness.config.findings import Findings
from harness.config.lock import (
    LOCK_FILE,
    Changes,
    corpus_files,
    corpus_hash,
    drift,
    example_hashes,
    freeze_hint,
    read_lock,
    set_hash,
    write_lock,
)
from harness.config.models import ContractFile, DatasetReference, EvalSetFile
from harness.config.paths import PathError, require, resolve, shown
from harness.config.reference import resolve_reference
from harness.config.source import Source, read_yaml
from harness.config.suggest import listed
from harness.config.validate import in_order, validated
from harness.core.example import EvalSet, TaskContract
from harness.core.values import JsonValue
from harness.errors import InputError, Problem

DESCRIPTION_FILE = "evalset.yaml"
EXAMPLE_FILES = ("examples.jsonl", "examples.csv", "examples.parquet")


@dataclass(frozen=True, slots=True)
class FreezeResult:
    """A set that was just frozen, what the lock had before, and what a person should look at."""

    evalset: EvalSet
    lock_path: Path
    changes: Changes
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Examined:
    """An eval set as far as it can be read, and everything that is wrong with it.

    `evalset` holds the examples that are right, and is None where none can be read; `complete`
    tells whether these are all. `frozen_ids` and `frozen_slices` are those in the lock, None
    without one. `warnings` are of the corpus.
    """

    evalset: EvalSet | None
    problems: tuple[Problem, ...]
    complete: bool
    frozen_ids: frozenset[str] | None = None
    frozen_slices: tuple[str, ...] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def slices(self) -> list[str] | None:
        """`all` and every `name=value` there is or was; None where that cannot be told."""
        now = list(self.evalset.slice_members()) if self.evalset else []
        if self.complete:
            return now
        return None if self.frozen_slices is None else [*dict.fromkeys((*now, *self.frozen_slices))]


def load_evalset(folder: Path) -> EvalSet:
    """The frozen eval set in `folder`, its examples in the order of their ids.

    Raises:
        InputError: if anything in it is wrong, if it has no lock, or if it differs from its lock;
            the changed, added and removed ids are named.
    """
    found = examine_evalset(folder)
    if found.problems or found.evalset is None:
        raise InputError(found.problems)
    return found.evalset


def examine_evalset(folder: Path) -> Examined:
    """What `load_evalset` gives, with its problems beside it instead of raised."""
    problems: list[Problem] = []
    described = _describe(folder, problems)
    lock = None
    try:
        lock = read_lock(folder) if described else None
        if lock is None and described is not None:
            what = (
                f"the eval set '{described.file.name}' has not been frozen: it has no {LOCK_FILE}"
            )
            problems.append(Problem(shown(folder), what, freeze_hint(folder)))
    except InputError as error:
        problems += error.problems
    if described is None:
        return Examined(None, tuple(problems), complete=False)
    frozen_ids = frozenset(lock.examples) if lock else None
    frozen_slices = tuple(lock.slices) if lock else None
    try:
        path = _examples_path(described, lock.reference if lock else described.reference)
    except InputError as error:
        problems += error.problems
        return Examined(
            None,
            tuple(problems),
            complete=False,
            frozen_ids=frozen_ids,
            frozen_slices=frozen_slices,
        )
    now = _read(described, path)
    problems += now.problems
    if lock is not None:
        if now.evalset.corpus_sha256 is None and described.file.corpus is not None:
            lock = replace(lock, corpus_sha256=None)  # a corpus that cannot be read is told
        problems += drift(lock, now.evalset.hashes, now.evalset, folder, complete=now.complete)
    warnings = corpus_warnings(now.evalset, described.corpus)
    return Examined(now.evalset, tuple(problems), now.complete, frozen_ids, frozen_slices, warnings)


def freeze_evalset(folder: Path) -> FreezeResult:
    """Check the eval set in `folder` and write its lock.

    A `datasets` reference is resolved into `examples.jsonl`, unless that was done before for the
    same reference. An `examples.jsonl` that no freezing wrote is never replaced.

    Raises:
        InputError: listing everything that is wrong with the set.
    """
    problems: list[Problem] = []
    described = _describe(folder, problems)
    if described is None:
        raise InputError(problems)
    try:
        before = read_lock(folder)
    except InputError:  # a damaged lock is what freezing repairs
        before = None
    try:
        path = _frozen_path(described, before.reference if before else None)
    except InputError as error:
        raise InputError([*problems, *error.problems]) from None
    now = _read(described, path)
    if problems or now.problems:
        raise InputError([*problems, *now.problems])
    changes = (
        before.changes_to(now.evalset.hashes)
        if before
        else Changes(added=tuple(sorted(now.evalset.hashes)))
    )
    write_lock(folder, now.evalset, described.reference)
    warnings = (*evalset_warnings(now.evalset), *corpus_warnings(now.evalset, described.corpus))
    return FreezeResult(now.evalset, folder / LOCK_FILE, changes, warnings)


def evalset_warnings(evalset: EvalSet) -> tuple[str, ...]:
    """Slices that are described but absent, or present but undescribed where any is described."""
    present = {name for example in evalset.examples for name in example.slices}
    values = {f"{k}={v}" for example in evalset.examples for k, v in example.slices.items()}
    described = evalset.slice_meanings
    absent = [name for name in described if name not in present | values]
    told = {name.partition("=")[0] for name in described}
    silent = sorted(present - told) if described else []
    return (
        *(f"the slice '{name}' is described in {DESCRIPTION_FILE} but absent" for name in absent),
        *(f"the slice '{name}' is present but not described" for name in silent),
    )


def corpus_warnings(evalset: EvalSet, corpus: Path | None) -> tuple[str, ...]:
    """Evidence of examples that is no document of the corpus folder.

    An id names a document, before any `#`, by its file's stem or by its path in the folder with
    or without suffix. Of a corpus with documents in JSON Lines, which have ids of their own,
    nothing is said here.
    """
    if corpus is None or evalset.corpus_sha256 is None:
        return ()
    documents: set[str] = set()
    for file in corpus_files(corpus):
        path = file.relative_to(corpus)
        if path.suffix.lower() == ".jsonl":
            return ()
        documents |= {path.stem, path.as_posix(), path.with_suffix("").as_posix()}
    cited = dict.fromkeys(key for example in evalset.examples for key in example.evidence or ())
    foreign = [key for key in cited if key.partition("#")[0] not in documents]
    if not foreign:
        return ()
    ids = "evidence id names" if len(foreign) == 1 else "evidence ids name"
    return (f"{len(foreign)} {ids} no document of the corpus {shown(corpus)}: {listed(foreign)}",)


@dataclass(frozen=True, slots=True)
class _Described:
    """An eval set's folder and description; `source` is None where no file describes it."""

    folder: Path
    file: EvalSetFile
    source: Source | None

    @property
    def reference(self) -> JsonValue:
        """The `datasets` reference as JSON, or None."""
        examples = self.file.examples
        if not isinstance(examples, DatasetReference):
            return None
        return examples.model_dump(mode="json", exclude={"fields"})

    @property
    def fields(self) -> dict[str, str]:
        examples = self.file.examples
        inner = examples.fields if isinstance(examples, DatasetReference) else {}
        return self.file.fields | inner

    @property
    def corpus(self) -> Path | None:
        """The corpus folder, if one is named."""
        try:
            return resolve(self.file.corpus, self.folder) if self.file.corpus else None
        except PathError:  # told where it is hashed
            return None

    def where(self, *keys: str) -> str:
        return self.source.where(keys) if self.source else shown(self.folder)


def _describe(folder: Path, problems: list[Problem]) -> _Described | None:
    """The set's description without what is wrong in it; None if it cannot be told at all."""
    try:
        require(folder, "folder")
    except PathError as error:
        problems.append(Problem(shown(folder), f"the eval set {error.what}", error.hint))
        return None
    path = folder / DESCRIPTION_FILE
    bare = EvalSetFile.model_construct(name=folder.resolve().name)
    if not path.exists() and not path.is_symlink():
        return _Described(folder, bare, None)
    found: list[Problem] = []
    source = read_yaml(path, found)
    file = validated(EvalSetFile, source, found) if source else None
    problems += in_order(found)
    if source is not None and file is None:
        file = _usable_part(source, bare.name)
    return _Described(folder, file, source) if source and file else None


def _usable_part(source: Source, name: str) -> EvalSetFile | None:
    """A description without the keys that are wrong; None if examples cannot be read without."""
    try:
        EvalSetFile.model_validate(source.data)
    except ValidationError as error:
        wrong = {part["loc"][0] for part in error.errors() if part["loc"]}
    else:
        return None
    if wrong & {"examples", "fields", "input_fields"}:
        return None
    rest = {key: value for key, value in source.data.items() if key not in wrong}
    return EvalSetFile.model_validate({"name": name, **rest})


def _examples_path(described: _Described, frozen_reference: JsonValue) -> Path:
    """The file of examples, which for a reference is the one that freezing wrote.

    Raises:
        InputError: if there is none, or if the reference is not the one that was frozen.
    """
    given = described.file.examples
    if isinstance(given, DatasetReference) and described.reference != frozen_reference:
        what = "the dataset reference is not the one that was frozen"
        raise InputError(Problem(described.where("examples"), what, freeze_hint(described.folder)))
    if isinstance(given, str):
        try:
            path = resolve(given, described.folder)
            require(path, "file")
        except PathError as error:
            what = f"the file of examples {given} {error.what}"
            raise InputError(Problem(described.where("examples"), what, error.hint)) from None
        return path
    for name in EXAMPLE_FILES:
        if (described.folder / name).is_file():
            return described.folder / name
    what = f"there is none of {', '.join(EXAMPLE_FILES)}"
    raise InputError(Problem(shown(described.folder), what, "or name the file: `examples: PATH`"))


def _frozen_path(described: _Described, frozen_reference: JsonValue) -> Path:
    given = described.file.examples
    if not isinstance(given, DatasetReference):
        return _examples_path(described, None)
    resolved = described.folder / EXAMPLE_FILES[0]
    if described.reference == frozen_reference and resolved.is_file():
        return resolved
    by_freezing = frozen_reference is not None
    return resolve_reference(given, described.folder, described.where, replace=by_freezing)


@dataclass(frozen=True, slots=True)
class _Now:
    """The examples that can be read, and what is wrong with the rest."""

    evalset: EvalSet
    problems: list[Problem]
    complete: bool


def _read(described: _Described, path: Path) -> _Now:
    """The set as it is now."""
    file = described.file
    findings = Findings(path)
    examples = read_examples(path, described.fields, file.input_fields, findings)
    problems = findings.problems()
    corpus_sha256 = None
    if file.corpus is not None:
        try:
            corpus_sha256 = corpus_hash(resolve(file.corpus, described.folder))
        except PathError as error:
            what = f"the corpus {file.corpus} {error.what}"
            problems.append(Problem(described.where("corpus"), what, error.hint))
    hashes = example_hashes(examples)
    evalset = EvalSet(
        name=file.name,
        sha256=set_hash(hashes),
        examples=examples,
        description=file.description,
        license=file.license,
        origin=file.origin,
        slice_meanings=file.slices,
        contract=_contract(file.contract),
        corpus_sha256=corpus_sha256,
        hashes=hashes,
    )
    return _Now(evalset, problems, complete=not findings.count)


def _contract(file: ContractFile | None) -> TaskContract | None:
    if file is None:
        return None
    return TaskContract(
        inputs=file.inputs,
        outputs=file.outputs,
        evidence_sources=tuple(file.evidence_sources),
        abstention=file.abstention,
        disallowed=tuple(file.disallowed),
        metrics=tuple(file.metrics),
    )
