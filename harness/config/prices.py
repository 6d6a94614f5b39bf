"""Prices: the dated map that comes with harness, and the user's own in `prices/*.yaml`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from harness.config.file_model import FileModel, ModelId, Text
from harness.config.paths import PathError, require, shown
from harness.config.source import Source, read_yaml
from harness.config.validate import validated
from harness.core.options import Number
from harness.core.prices import Listing, Price, PriceBook
from harness.core.values import JsonValue
from harness.errors import InputError, Problem
from harness.files import read_pinned

FOLDER = "prices"
"""The folder beside an experiment's config that holds the user's own prices."""

Usd = Annotated[Number, Field(ge=0)]


class ModelPrice(FileModel):
    """What a model costs, in US dollars. What is not given is unknown."""

    input_usd_per_million: Usd | None = None
    """For a million tokens of the prompt."""
    cached_input_usd_per_million: Usd | None = None
    """For a million of those that were read from the provider's cache; default: as the others."""
    cache_write_usd_per_million: Usd | None = None
    """For a million of those that were written to the cache; default: as the others."""
    output_usd_per_million: Usd | None = None
    """For a million tokens of the answer, reasoning included."""
    usd_per_call: Usd | None = None
    """For each call, beside its tokens."""
    usd_per_hour: Usd | None = None
    """For an hour of the machine; the calls in flight share it."""

    @model_validator(mode="after")
    def _some(self) -> ModelPrice:
        given = {name for name, value in self if value is not None}
        if not given:
            raise ValueError("needs a price, such as input_usd_per_million or usd_per_hour")
        if "usd_per_hour" in given and len(given) > 1:
            raise ValueError("is paid by the hour or by tokens and calls, not both")
        return self

    def price(self, origin: str) -> Price:
        """The price per token."""
        return Price(
            input_usd=_per_token(self.input_usd_per_million),
            cached_input_usd=_per_token(self.cached_input_usd_per_million),
            cache_write_usd=_per_token(self.cache_write_usd_per_million),
            output_usd=_per_token(self.output_usd_per_million),
            usd_per_call=self.usd_per_call,
            usd_per_hour=self.usd_per_hour,
            origin=origin,
        )


class PriceFile(FileModel):
    """Prices of one's own: `configs/prices/<name>.yaml`. They go before the dated map."""

    date: date
    """The day from which they hold."""
    source: Text
    """Where they are from: a contract, a price list, a bill."""
    models: Annotated[dict[ModelId, ModelPrice], Field(min_length=1)]
    """Prices by provider/model."""


def load_prices(config_folder: Path, problems: list[Problem]) -> PriceBook:
    """The dated map, and the prices in every `prices/*.yaml` of `config_folder`.

    Adds what is wrong with those files to `problems`.
    """
    listed = _listed()
    own: dict[str, Price] = {}
    facts: list[JsonValue] = []
    for path in _files(config_folder, problems):
        source, sha256 = _read(path, problems)
        found = validated(PriceFile, source, problems) if source else None
        if source is None or found is None:
            continue
        name = f"{FOLDER}/{path.name}"
        _add(own, found, source, name, problems)
        facts.append(
            {"file": name, "sha256": sha256, "date": str(found.date), "source": found.source}
        )
    return PriceBook(
        listed=listed.models,
        own=own,
        date=listed.date,
        origin=f"{listed.source} {listed.version}, {listed.date}",
        facts={
            "map": {
                "source": listed.source,
                "version": listed.version,
                "date": listed.date,
                "sha256": listed.sha256,
            },
            "own": facts,
        },
    )


@dataclass(frozen=True, slots=True)
class _Listed:
    """The dated map (scripts/refresh_prices.py)."""

    models: Mapping[str, Listing]
    source: str
    version: str
    date: str
    sha256: str


@cache
def _listed() -> _Listed:
    raw = files("harness.config").joinpath("data/prices.json").read_bytes()
    found = json.loads(raw)
    models = {
        name: Listing(entry["provider"], entry["usd"], entry.get("usd_per_call"))
        for name, entry in found["models"].items()
    }
    sha256 = hashlib.sha256(raw).hexdigest()
    return _Listed(models, found["source"], found["version"], found["date"], sha256)


def _files(config_folder: Path, problems: list[Problem]) -> Iterator[Path]:
    folder = config_folder / FOLDER
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.suffix == ".yaml":
            yield path
        elif path.suffix == ".yml":
            what = "is not read: the name of a file with prices ends in .yaml"
            problems.append(Problem(shown(path), what, f"rename it to {path.stem}.yaml"))


def _read(path: Path, problems: list[Problem]) -> tuple[Source | None, str]:
    """The document and its file's sha256."""
    try:
        require(path, "file")
        return read_pinned(path, lambda: read_yaml(path, problems))
    except PathError as error:
        problems.append(Problem(shown(path), error.what, error.hint))
    except InputError as error:
        problems += error.problems
    return None, ""


def _add(
    own: dict[str, Price], found: PriceFile, source: Source, name: str, problems: list[Problem]
) -> None:
    for model, given in found.models.items():
        if model in own:
            where = source.where(("models", model), key=True)
            first = own[model].origin
            problems.append(Problem(where, f"the price of {model} is also in {first}"))
            continue
        own[model] = given.price(f"{name}, {found.date}")


def _per_token(usd_per_million: float | None) -> float | None:
    return None if usd_per_million is None else usd_per_million / 1_000_000
