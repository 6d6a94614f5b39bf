"""A live variant as factors: dotted names and printable values, in the order of its stages.

Files and long texts enter by a name and the hash of their content, other variants by the hash of
their own factors. What makes no difference to answers is not among them: time limits, names of
environment variables, labels, figures of owning the system.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from harness.config.live_components import printable
from harness.core.factors import content_of, named_hash
from harness.core.values import JsonValue, fingerprint
from harness.core.variant import (
    Component,
    Context,
    Fallback,
    FewShot,
    LiveVariant,
    ModelChoice,
    Output,
    Prompt,
    Rerank,
    Retrieval,
    Route,
    Subtask,
    Template,
    Tools,
)

_MAX_TEXT = 200
_NEWLINE = re.compile(r"\r\n|\r")

TOP_LEVEL = (
    "model", "base_url", "provider", "params", "stream", "system_template", "user_template",
    "normalise", "few_shot", "retrieval", "rerank", "context", "tools", "output", "draft",
    "fallback", "route", "training", "sdk",
)  # fmt: skip
"""The factors of live variants; `sdk` is the route to the model: the provider's own identity."""

_KEYS = {"system_template": "system", "user_template": "user"}


def define(variant: LiveVariant, names: Mapping[str, str]) -> LiveVariant:
    """The variant with its definition and fingerprint.

    Args:
        variant: all of it but these two.
        names: the names of the files of `few_shot` and `schema`, where there are any, and as
            `training` the training set by name and hash.
    """
    parts: dict[str, JsonValue] = {
        **_call(variant.model, variant.prompt),
        "normalise": list(variant.normalise) or None,
        "few_shot": variant.few_shot and _few_shot(variant.few_shot, names.get("few_shot", "")),
        "retrieval": variant.retrieval and _retrieval(variant.retrieval),
        "rerank": variant.rerank and _rerank(variant.rerank),
        "context": _context(variant.context) if variant.retrieval else None,
        "tools": variant.tools and _tools(variant.tools),
        "output": _output(variant.output, names.get("schema", "")),
        "draft": variant.draft and _subtask(variant.draft),
        "fallback": variant.fallback and _fallback(variant.fallback),
        "route": variant.route and _route(variant.route),
        "training": variant.training and _training(variant.training, names.get("training")),
    }
    flat = flattened(parts)
    hashed = fingerprint({name: content_of(value) for name, value in flat.items()})
    return replace(variant, definition=flat, fingerprint=hashed)


def flattened(value: JsonValue, prefix: str = "") -> dict[str, JsonValue]:
    """Dotted names and plain values; what is None is left out, long texts become hashes."""
    if isinstance(value, Mapping):
        flat: dict[str, JsonValue] = {}
        for key, item in value.items():
            flat |= flattened(item, f"{prefix}.{key}" if prefix else key)
        return flat
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return flattened({str(index): item for index, item in enumerate(value)}, prefix)
    if value is None:
        return {}
    if isinstance(value, str) and (len(value) > _MAX_TEXT or "\n" in value):
        value = named_hash(f"{' '.join(value.split())[:40]}...", _hash(value))
    return {prefix: value}


def key_of(factor: str) -> tuple[str | int, ...]:
    """Where in a variant's file a factor is written: `draft.user_template` is at `draft.user`."""
    parts = [_KEYS.get(part, part) for part in factor.split(".")]
    return tuple(int(part) if part.isdecimal() and len(part) < 9 else part for part in parts)


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _template(template: Template | None) -> str | None:
    """By the text that is rendered: Jinja drops the newline at the end, and knows one kind."""
    if template is None:
        return None
    return named_hash(template.name, _hash(_NEWLINE.sub("\n", template.text).removesuffix("\n")))


def _when(template: Template | None) -> str | None:
    return template.text if template else None


def _call(model: ModelChoice, prompt: Prompt) -> dict[str, JsonValue]:
    """A model call's factors, by the same names for the variant itself and for its subtasks."""
    options = _options(model.provider)
    return {
        "model": model.id,
        "base_url": options.pop("base_url", None),
        "provider": options,
        "params": dict(model.params),
        "stream": model.stream,
        "system_template": _template(prompt.system),
        "user_template": _template(prompt.user),
    }


def _subtask(task: Subtask) -> dict[str, JsonValue]:
    return _call(task.model, task.prompt)


def _options(component: Component) -> dict[str, JsonValue]:
    folder = Path(component.folder)
    return {
        name: printable(value, folder)
        for name, value in component.options.items()
        if not name.endswith("_env")
    }


def _few_shot(few_shot: FewShot, name: str) -> dict[str, JsonValue]:
    content = fingerprint([[dict(shot.input), shot.output] for shot in few_shot.shots])
    return {
        "from": named_hash(name, content),
        "count": few_shot.count,
        "select": few_shot.select,
    }


def _retrieval(retrieval: Retrieval) -> dict[str, JsonValue]:
    corpus = retrieval.corpus
    return {
        "kind": retrieval.retriever.use,
        "top_k": retrieval.top_k,
        "corpus": corpus and named_hash(Path(corpus.folder).resolve().name, corpus.sha256),
        "chunk": corpus and dict(corpus.chunk),
        "query": _template(retrieval.query),
        "rewrite": retrieval.rewrite and _subtask(retrieval.rewrite),
        "where": dict(retrieval.where),
        **_options(retrieval.retriever),
    }


def _rerank(rerank: Rerank) -> dict[str, JsonValue]:
    return {
        "kind": rerank.reranker.use,
        "top_k": rerank.top_k,
        **_options(rerank.reranker),
    }


def _context(context: Context) -> dict[str, JsonValue]:
    return {
        "max_tokens": context.max_tokens,
        "order": context.order,
        "dedupe": context.dedupe,
        "compress": context.compress and _subtask(context.compress),
    }


def _tools(tools: Tools) -> dict[str, JsonValue]:
    policy: JsonValue = tools.policy
    if tools.when is not None:
        policy = {"when": tools.when.text, "then": tools.policy, "else": tools.otherwise}
    return {
        "policy": policy,
        "max_calls": tools.max_calls,
        "use": [
            {"kind": use.component.use, "when": _when(use.when), **_options(use.component)}
            for use in tools.use
        ],
        "before": [
            {"tool": check.name, "arguments": dict(check.arguments), "when": _when(check.when)}
            for check in tools.before
        ]
        or None,
    }


def _output(output: Output, schema_name: str) -> dict[str, JsonValue]:
    citations = output.citations
    return {
        "parse": output.parse,
        "schema": None
        if output.schema is None
        else named_hash(schema_name or "schema", fingerprint(output.schema)),
        "structured": output.structured or None,
        "rules": [
            {
                "name": rule.name,
                "that": _when(rule.expression),
                "python": rule.function,
                "message": rule.message or None,
            }
            for rule in output.rules
        ]
        or None,
        "citations": citations
        and {
            "field": citations.field,
            "pattern": citations.pattern,
            "required": citations.required,
        },
        "repair": output.repair or None,
    }


def _fallback(fallback: Fallback) -> dict[str, JsonValue]:
    return {
        "to": _variant(fallback.variant),
        "answer": fallback.answer,
        "when": _when(fallback.when),
    }


def _route(route: Route) -> dict[str, JsonValue]:
    return {
        "rules": [
            {
                "when": _when(rule.when),
                "label": rule.label,
                "to": _variant(rule.variant) or ("self" if rule.answer is None else None),
                "answer": rule.answer,
            }
            for rule in route.rules
        ],
        "router": route.router and _subtask(route.router),
    }


def _variant(variant: LiveVariant | None) -> str | None:
    return named_hash(variant.id, variant.fingerprint) if variant else None


def _training(card: Mapping[str, JsonValue], data: str | None) -> dict[str, JsonValue]:
    """The card; its training set by name and hash, or by the hash that is stated."""
    rest = {key: value for key, value in card.items() if key not in {"data", "data_sha256"}}
    stated = card.get("data_sha256")
    return {**rest, "data": data or (stated and named_hash("data", stated))}
