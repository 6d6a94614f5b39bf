"""Variants known by recorded outputs, from `variant.yaml` or from the experiment itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from harness.config.models import Recording, VariantFile
from harness.config.paths import PathError, require, resolve
from harness.config.source import Location, Source, read_yaml
from harness.config.validate import validated
from harness.core.values import JsonValue
from harness.errors import Problem

VARIANT_FILE = "variant.yaml"


@dataclass(frozen=True, slots=True)
class RecordedVariant:
    """A system and the file of its recorded outputs.

    `fields` maps our names of fields to the recording's; `facts` are what the author declares
    about the system (the factors).
    """

    id: str
    file: Path
    fields: Mapping[str, str]
    facts: Mapping[str, JsonValue]
    label: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of `variants:` and its place, whether or not it is a usable variant.

    `id` is what the entry calls itself, None where that cannot be told. `recording` is what can
    be read of it even if `variant` is None: its file and the names of fields there.
    """

    source: Source
    at: Location
    id: str | None
    variant: RecordedVariant | None
    recording: RecordedVariant | None = None

    def where(self, *keys: str) -> str:
        """`file:line:column` of the entry, or of the value under `keys` inside it."""
        return self.source.where((*self.at, *keys))


def read_entries(source: Source, problems: list[Problem]) -> list[Entry]:
    """All entries of an experiment's `variants:`.

    Adds the problems of variant folders and of recordings. The shape of variants written inside
    the experiment is checked with the experiment.
    """
    listed = source.data.get("variants")
    entries = []
    for index, item in enumerate(listed if isinstance(listed, list) else []):
        at: Location = ("variants", index)
        if isinstance(item, str):
            entries.append(_from_folder(source, at, item, problems))
        else:
            entries.append(_entry(source, at, item, problems))
    return entries


def _from_folder(source: Source, at: Location, text: str, problems: list[Problem]) -> Entry:
    own: Source | None = None
    try:
        folder = resolve(text, source.folder)
        require(folder, "folder")
        own = read_yaml(folder / VARIANT_FILE, problems)
    except PathError as error:
        what = f"the variant folder {text} {error.what}"
        problems.append(Problem(source.where(at), what, error.hint))
    if own is None:
        return Entry(source, at, None, None)
    validated(VariantFile, own, problems)
    return _entry(own, (), own.data, problems)


def _entry(source: Source, at: Location, item: JsonValue, problems: list[Problem]) -> Entry:
    given = item if isinstance(item, dict) else {}
    named, recorded = given.get("id"), given.get("recorded")
    at_file: Location = (*at, "recorded")
    if isinstance(recorded, dict):
        recorded, at_file = recorded.get("file"), (*at_file, "file")
    file = _recording(source, at_file, recorded, problems)
    name = named if isinstance(named, str) else None
    recording = None if file is None else _located(name or "", file, given.get("recorded"))
    try:
        model = VariantFile.model_validate(item)
    except ValidationError:  # reported with the file as a whole
        return Entry(source, at, name, None, recording)
    fields = recording.fields if recording else {}
    variant = RecordedVariant(model.id, file or source.folder, fields, model.facts, model.label)
    return Entry(source, at, model.id, variant, recording)


def _located(name: str, file: Path, given: JsonValue) -> RecordedVariant | None:
    try:
        fields = Recording.model_validate(given).fields if isinstance(given, dict) else {}
    except ValidationError:
        return None
    return RecordedVariant(name, file, fields, {})


def _recording(
    source: Source, at: Location, text: JsonValue, problems: list[Problem]
) -> Path | None:
    """The file of a recording; if it is not there, that is added to `problems`."""
    if not isinstance(text, str) or not text:
        return None
    try:
        file = resolve(text, source.folder)
        require(file, "file")
    except PathError as error:
        what = f"the recording {text} {error.what}"
        problems.append(Problem(source.where(at), what, error.hint))
        return None
    return file
