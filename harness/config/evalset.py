"""Eval sets: a folder of examples, their description, and the lock that freezes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.config.examples import read_examples
from harness.config.findings import Findings
from harness.config.lock import (
    LOCK_FILE,
    Changes,
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


def load_evalset(folder: Path) -> EvalSet:
    """The frozen eval set in `folder`, its examples in the order of their ids.

    Raises:
        InputError: if anything in it is wrong, if it has no lock, or if it differs from its lock;
            the changed, added and removed ids are named.
    """
    described = _describe(folder)
    lock = read_lock(folder)
    if lock is None:
        what = f"the eval set '{described.file.name}' has not been frozen: it has no {LOCK_FILE}"
        raise InputError(Problem(shown(folder), what, freeze_hint(folder)))
    evalset, hashes = _read(described, _examples_path(described, lock.reference))
    problems = drift(lock, hashes, evalset, folder)
    if problems:
        raise InputError(problems)
    return evalset


def freeze_evalset(folder: Path) -> FreezeResult:
    """Check the eval set in `folder` and write its lock.

    A `datasets` reference is resolved into `examples.jsonl`, unless that was done before for the
    same reference. An `examples.jsonl` that no freezing wrote is never replaced.

    Raises:
        InputError: listing everything that is wrong with the set.
    """
    described = _describe(folder)
    try:
        before = read_lock(folder)
    except InputError:  # a damaged lock is what freezing repairs
        before = None
    path = _frozen_path(described, before.reference if before else None)
    evalset, hashes = _read(described, path)
    changes = before.changes_to(hashes) if before else Changes(added=tuple(sorted(hashes)))
    write_lock(folder, evalset, described.reference)
    return FreezeResult(evalset, folder / LOCK_FILE, changes, evalset_warnings(evalset))


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

    def where(self, *keys: str) -> str:
        return self.source.where(keys) if self.source else shown(self.folder)


def _describe(folder: Path) -> _Described:
    try:
        require(folder, "folder")
    except PathError as error:
        what = f"the eval set {error.what}"
        raise InputError(Problem(shown(folder), what, error.hint)) from None
    path = folder / DESCRIPTION_FILE
    if not path.exists() and not path.is_symlink():
        return _Described(folder, EvalSetFile.model_construct(name=folder.resolve().name), None)
    problems: list[Problem] = []
    source = read_yaml(path, problems)
    file = validated(EvalSetFile, source, problems) if source else None
    if problems or source is None or file is None:
        raise InputError(in_order(problems))
    return _Described(folder, file, source)


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


def _read(described: _Described, path: Path) -> tuple[EvalSet, dict[str, str]]:
    """The set as it is now, and the hashes of its examples."""
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
    if problems:
        raise InputError(problems)
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
    )
    return evalset, hashes


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
