"""Variants, live ones and recorded ones, from `variant.yaml` or from the experiment itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from harness.config.definition import key_of
from harness.config.extends import VariantFiles
from harness.config.live import Live, LiveReader
from harness.config.live_models import LiveVariantFile
from harness.config.models import Recording, VariantFile
from harness.config.source import Location, Source
from harness.config.spot import Spot
from harness.config.validate import validated
from harness.core.values import JsonValue
from harness.core.variant import LiveVariant
from harness.errors import Problem

_BOTH = frozenset({"id", "extends", "label"})
_LIVE_KEYS = (
    frozenset(field.alias or name for name, field in LiveVariantFile.model_fields.items()) - _BOTH
)


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

    `source` holds the entry at `at`, with what it extends merged in. `id` is what the entry calls
    itself, None where that cannot be told. `recording` is what can be read of a recorded one even
    if `variant` is None: its file and the names of fields there; `live` that of a live one.
    """

    source: Source
    at: Location
    id: str | None
    variant: RecordedVariant | LiveVariant | None
    recording: RecordedVariant | None = None
    live: Live | None = None

    def where(self, *keys: str | int) -> str:
        """`file:line:column` of the entry, or of the value under `keys` inside it."""
        return self.source.where((*self.at, *keys))

    def where_factor(self, factor: str) -> str:
        """`file:line:column` of a factor by its dotted name: a fact of a recorded variant."""
        if self.live is None:
            return self.where("facts", factor)
        return self.where(*key_of(factor))


def read_entries(source: Source, problems: list[Problem]) -> list[Entry]:
    """All entries of an experiment's `variants:`. Adds everything wrong with them to `problems`."""
    listed = source.data.get("variants")
    reader = _Reader(problems)
    entries = []
    for index, item in enumerate(listed if isinstance(listed, list) else []):
        at: Location = ("variants", index)
        if isinstance(item, str):
            entries.append(reader.folder(source, at, item))
        else:
            entries.append(reader.inline(source, at))
    return entries


class _Reader:
    """Reads entries. Files that several of them name are read once."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._files = VariantFiles(problems)
        self._live = LiveReader(self._files, problems)

    def folder(self, source: Source, at: Location, text: str) -> Entry:
        """The variant in a folder."""
        whole = self._files.named(source, at, text)
        if whole is None:
            return Entry(source, at, None, None)
        if _is_live(whole.data):
            return _live_entry(whole, (), self._live.of_folder(whole))
        return self._recorded(whole, ())

    def inline(self, source: Source, at: Location) -> Entry:
        """The variant that is written in the experiment itself."""
        item = source.value(at)
        whole = self._files.whole(source, at) if isinstance(item, dict) else None
        if whole is None:  # no mapping, which is told with the experiment, or nothing to extend
            named = item.get("id") if isinstance(item, dict) else None
            return Entry(source, at, named if isinstance(named, str) else None, None)
        if _is_live(whole[0].value(whole[1])):
            return _live_entry(*whole, self._live.read(*whole))
        return self._recorded(*whole)

    def _recorded(self, source: Source, at: Location) -> Entry:
        model = validated(VariantFile, source, self._problems, at)
        given = source.value(at)
        named, recorded = given.get("id"), given.get("recorded")
        spot = Spot(source, (*at, "recorded"), self._problems)
        if isinstance(recorded, dict):
            recorded, spot = recorded.get("file"), spot.inside("file")
        file = None
        if isinstance(recorded, str) and recorded:
            file = spot.path(recorded, "file", "the recording")
        name = named if isinstance(named, str) else None
        recording = None if file is None else _located(name or "", file, given.get("recorded"))
        if model is None:
            return Entry(source, at, name, None, recording)
        fields = recording.fields if recording else {}
        variant = RecordedVariant(model.id, file or source.folder, fields, model.facts, model.label)
        return Entry(source, at, model.id, variant, recording)


def _is_live(item: Mapping[str, JsonValue]) -> bool:
    """Whether a variant is one to run. One that is neither gets the recorded ones' messages."""
    return "recorded" not in item and bool(_LIVE_KEYS & item.keys())


def _live_entry(source: Source, at: Location, live: Live | None) -> Entry:
    named = source.value(at).get("id")
    name = named if isinstance(named, str) else None
    return Entry(source, at, name, live.variant if live else None, live=live)


def _located(name: str, file: Path, given: JsonValue) -> RecordedVariant | None:
    try:
        fields = Recording.model_validate(given).fields if isinstance(given, dict) else {}
    except ValidationError:
        return None
    return RecordedVariant(name, file, fields, {})
