"""Plugins by name: the built-in ones, and those that installed packages bring.

A built-in is one line here and is imported only when it is used. A package brings plugins with an
entry-point group per kind: `harness.scorers`, `harness.providers`, `harness.retrievers`,
`harness.rerankers`, `harness.tools`. A plugin is a pydantic model whose fields are its options (and
a scorer's `id`), and that has the shape of its port in `harness.ports`.
"""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from pydantic import BaseModel, ValidationError

from harness.config.experiment import ScorerSpec
from harness.config.live_models import RerankFile, RetrievalFile, ToolEntry
from harness.config.paths import require, resolve
from harness.config.suggest import did_you_mean
from harness.config.validate import in_order, option_problems, problems_of
from harness.core.values import fingerprint
from harness.core.variant import Component
from harness.errors import InputError, Problem
from harness.ports import JudgedScorer, Scorer

Kind: TypeAlias = Literal["scorer", "provider", "retriever", "reranker", "tool"]

_PACKAGE = "harness.plugins.scorers"

PROVIDERS: dict[str, str] = {
    "openai": "harness.plugins.providers.openai:OpenAI",
    "anthropic": "harness.plugins.providers.anthropic:Anthropic",
    "litellm": "harness.plugins.providers.litellm:LiteLLM",
    "http": "harness.plugins.providers.http:Http",
    "scripted": "harness.plugins.providers.scripted:Scripted",
    "local": "harness.plugins.providers.local:Local",
}
"""The built-in providers: name (`model: NAME/...`) to `module:Class`."""

RETRIEVERS: dict[str, str] = {
    "bm25": "harness.plugins.retrievers.bm25:Bm25",
    "dense": "harness.plugins.retrievers.dense:Dense",
    "hybrid": "harness.plugins.retrievers.hybrid:Hybrid",
    "qdrant": "harness.plugins.retrievers.qdrant:Qdrant",
    "pgvector": "harness.plugins.retrievers.pgvector:Pgvector",
    "opensearch": "harness.plugins.retrievers.opensearch:OpenSearch",
    "http": "harness.plugins.retrievers.http:Http",
}
"""The built-in retrievers: name (`retrieval: {kind: NAME}`) to `module:Class`."""

RERANKERS: dict[str, str] = {
    "cross_encoder": "harness.plugins.rerankers.cross_encoder:CrossEncoder",
    "http": "harness.plugins.rerankers.http:Http",
    "litellm": "harness.plugins.rerankers.litellm:LiteLLM",
    "sequential_dependence": (
        "harness.plugins.rerankers.sequential_dependence:SequentialDependence"
    ),
}
"""The built-in rerankers: name (`rerank: {kind: NAME}`) to `module:Class`."""

TOOLS: dict[str, str] = {
    "python": "harness.plugins.tools.python:Python",
    "http": "harness.plugins.tools.http:Http",
    "mcp": "harness.plugins.tools.mcp:Mcp",
}
"""The built-in sources of tools: name (`tools: {use: [{kind: NAME}]}`) to `module:Class`."""

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
    "rubric": f"{_PACKAGE}.rubric:Rubric",
    "python": f"{_PACKAGE}.python:Python",
}
"""The built-in scorers: name (`use:`) to `module:Class`."""


BUILT_INS: dict[Kind, dict[str, str]] = {
    "scorer": SCORERS,
    "provider": PROVIDERS,
    "retriever": RETRIEVERS,
    "reranker": RERANKERS,
    "tool": TOOLS,
}


_BESIDE: dict[Kind, tuple[str, ...]] = {
    "retriever": tuple(RetrievalFile.model_fields),
    "reranker": tuple(RerankFile.model_fields),
    "tool": tuple(ToolEntry.model_fields),
}
"""The variant's own keys among which a plugin's options stand."""


def find(kind: Kind, use: str) -> type[BaseModel]:
    """The class of a plugin. A built-in is found before an installed one of the same name.

    Raises:
        InputError: if no plugin of that kind has that name, or if it cannot be imported.
    """
    table = BUILT_INS[kind]
    if use in table:
        module, _, name = table[use].partition(":")
        return cast("type[BaseModel]", getattr(importlib.import_module(module), name))
    installed = {entry.name: entry for entry in entry_points(group=f"harness.{kind}s")}
    if use not in installed:
        hint = did_you_mean(use, [*table, *installed])
        raise InputError(Problem("", f"no {kind} is called '{use}'", hint))
    return _load(kind, installed[use])


def build(kind: Kind, component: Component) -> Any:
    """The plugin that a variant asks for, with its options.

    Raises:
        InputError: if there is none of that name, or naming every wrong option.
    """
    try:
        model = find(kind, component.use)
        return model.model_validate(
            dict(component.options), context=_context(Path(component.folder))
        )
    except InputError as error:
        raise InputError(
            replace(problem, where=component.where("")) for problem in error.problems
        ) from None
    except ValidationError as error:
        model = find(kind, component.use)
        beside = _BESIDE.get(kind, ())
        raise InputError(option_problems(error, model, component.where, beside)) from None


def load_function(name: str) -> Callable[..., Any]:
    """The function called `package.module:function`, on the path or in the working folder.

    Raises:
        ValueError: saying why it cannot be had.
    """
    module, _, attribute = name.partition(":")
    try:
        found: Any = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - importing runs foreign code
        raise ValueError(f"cannot import {name} ({type(error).__name__}: {error})") from None
    if not callable(found):
        raise ValueError(f"{name} is not a function")
    function: Callable[..., Any] = found
    return function


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
            model = find("scorer", spec.use)
            scorer = model.model_validate(
                {**spec.options, "id": spec.id}, context=_context(spec.source.folder)
            )
        except InputError as error:
            problems += [Problem(spec.where("use"), p.what, p.hint) for p in error.problems]
        except ValidationError as error:
            problems += problems_of(error, spec.source, find("scorer", spec.use), spec.at)
        else:
            scorers.append(cast("Scorer", scorer))
            metrics.update(metric.id for metric in scorers[-1].metrics)
            double = [m.id for m in scorers[-1].metrics if metrics[m.id] > 1]
            problems += [
                Problem(spec.where("id"), f"two metrics are called '{metric}'") for metric in double
            ]
    return scorers, problems


def asks_judge(use: str) -> bool:
    """Whether the scorer of that name has its verdicts from a model (`ports.JudgedScorer`)."""
    try:
        return bool(getattr(find("scorer", use), "asks_judge", False))
    except InputError:
        return False


def judged_scorers(scorers: Iterable[Scorer]) -> list[JudgedScorer]:
    """Those that have their verdicts from a model."""
    return [
        cast("JudgedScorer", scorer) for scorer in scorers if getattr(scorer, "asks_judge", False)
    ]


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


def _load(kind: Kind, entry: EntryPoint) -> type[BaseModel]:
    try:
        found: Any = entry.load()
    except (Exception, SystemExit) as error:  # a plugin's import runs foreign code
        what = f"the {kind} '{entry.name}' ({entry.value}) cannot be loaded: {error}"
        raise InputError(Problem("", what)) from error
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        what = f"the {kind} '{entry.name}' ({entry.value}) is not a pydantic model"
        raise InputError(Problem("", what))
    return found
