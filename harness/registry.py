"""Plugins by name: the built-in ones, and those that installed packages bring.

A built-in is one line here and is imported only when it is used. A package brings scorers with
the entry-point group `harness.scorers`; a scorer is a pydantic model whose fields are its options
and `id`, and that has the shape of `harness.ports.Scorer`.
"""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from harness.config.experiment import ScorerSpec
from harness.config.paths import require, resolve
from harness.config.suggest import did_you_mean
from harness.config.validate import in_order, problems_of
from harness.core.values import fingerprint
from harness.errors import InputError, Problem
from harness.ports import Scorer

GROUP = "harness.scorers"

_PACKAGE = "harness.plugins.scorers"

SCORERS: dict[str, str] = {
    "exact_match": f"{_PACKAGE}.exact_match:ExactMatch",
    "numeric_match": f"{_PACKAGE}.numeric_match:NumericMatch",
    "contains": f"{_PACKAGE}.contains:Contains",
    "regex": f"{_PACKAGE}.regex:Regex",
    "label": f"{_PACKAGE}.label:Label",
    "json_valid": f"{_PACKAGE}.json_valid:JsonValid",
    "json_schema": f"{_PACKAGE}.json_schema:JsonSchema",
    "json_fields": f"{_PACKAGE}.json_fields:JsonFields",
    "abstention": f"{_PACKAGE}.abstention:Abstention",
    "token_f1": f"{_PACKAGE}.token_f1:TokenF1",
    "citation": f"{_PACKAGE}.citation:Citation",
    "retrieval": f"{_PACKAGE}.retrieval:Retrieval",
    "tool_calls": f"{_PACKAGE}.tool_calls:ToolCalls",
    "field": f"{_PACKAGE}.field:Field",
    "python": f"{_PACKAGE}.python:Python",
}
"""The built-in scorers: name (`use:`) to `module:Class`."""


def find_scorer(use: str) -> type[BaseModel]:
    """The class of a scorer. A built-in is found before an installed one of the same name.

    Raises:
        InputError: if no scorer has that name, or if its package cannot be imported.
    """
    if use in SCORERS:
        module, _, name = SCORERS[use].partition(":")
        return cast("type[BaseModel]", getattr(importlib.import_module(module), name))
    installed = _installed()
    if use not in installed:
        hint = did_you_mean(use, [*SCORERS, *installed])
        raise InputError(Problem("", f"no scorer is called '{use}'", hint))
    return _load(installed[use])


def build_scorers(specs: Sequence[ScorerSpec]) -> list[Scorer]:
    """The scorers that an experiment asks for, in its order.

    A scorer's options are validated with the context `{"folder": Path, "find_file": function}`:
    the folder that paths among them start from, and what turns such a path (with its
    `${HARNESS_...}`) into one of a regular file, or raises a ValueError.

    Raises:
        InputError: listing every unknown scorer and every wrong option with its place.
    """
    scorers, problems = usable_scorers(specs)
    if problems:
        raise InputError(in_order(problems))
    return scorers


def scorer_problems(specs: Sequence[ScorerSpec]) -> list[Problem]:
    """Everything that `build_scorers` would raise (for `load_experiment`)."""
    return usable_scorers(specs)[1]


def usable_scorers(specs: Iterable[ScorerSpec]) -> tuple[list[Scorer], list[Problem]]:
    """The scorers whose options are right, and what is wrong with the others."""
    scorers: list[Scorer] = []
    problems: list[Problem] = []
    metrics: Counter[str] = Counter()
    for spec in specs:
        try:
            model = find_scorer(spec.use)
            scorer = model.model_validate(
                {**spec.options, "id": spec.id}, context=_context(spec.source.folder)
            )
        except InputError as error:
            problems += [Problem(spec.where("use"), p.what, p.hint) for p in error.problems]
        except ValidationError as error:
            problems += problems_of(error, spec.source, find_scorer(spec.use), spec.at)
        else:
            scorers.append(cast("Scorer", scorer))
            metrics.update(metric.id for metric in scorers[-1].metrics)
            double = [m.id for m in scorers[-1].metrics if metrics[m.id] > 1]
            problems += [
                Problem(spec.where("id"), f"two metrics are called '{metric}'") for metric in double
            ]
    return scorers, problems


def scorer_fingerprint(scorer: Scorer) -> str:
    """A hash of all that a scorer's figures depend on but the records and harness itself.

    That is its class, its options with the content of files they name, and for a `python` scorer
    the source of the function's module.
    """
    from harness.plugins.scorers.python import Python

    model = cast("BaseModel", scorer)
    options = json.loads(model.model_dump_json(by_alias=True, fallback=str))
    sources = scorer.sources if isinstance(scorer, Python) else {}
    name = f"{type(model).__module__}:{type(model).__qualname__}"
    return fingerprint({"class": name, "options": options, "sources": sources})


def _context(folder: Path) -> dict[str, Any]:
    """What a scorer can ask for while its options are validated."""

    def find_file(text: str) -> Path:
        path = resolve(text, folder)
        require(path, "file")
        return path

    return {"folder": folder, "find_file": find_file}


def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _load(entry: EntryPoint) -> type[BaseModel]:
    try:
        found: Any = entry.load()
    except (Exception, SystemExit) as error:  # a plugin's import runs foreign code
        what = f"the scorer '{entry.name}' ({entry.value}) cannot be loaded: {error}"
        raise InputError(Problem("", what)) from error
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        what = f"the scorer '{entry.name}' ({entry.value}) is not a pydantic model"
        raise InputError(Problem("", what))
    return found
