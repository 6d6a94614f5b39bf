"""The stages of a live variant, from the YAML's shape to values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.config.live_components import component, model_choice
from harness.config.live_files import quoted, read_schema
from harness.config.live_models import (
    CitationsFile,
    ConditionalPolicy,
    ContextFile,
    OutputFile,
    RerankFile,
    RetrievalFile,
    RuleEntry,
    SubtaskFile,
    ToolsFile,
)
from harness.config.live_texts import CONDITION, Texts
from harness.config.lock import corpus_hash
from harness.config.paths import PathError
from harness.config.spot import Spot
from harness.core.values import JsonValue
from harness.core.variant import (
    Citations,
    Context,
    Corpus,
    Output,
    Rerank,
    Retrieval,
    Rule,
    Subtask,
    ToolCheck,
    Tools,
    ToolUse,
)
from harness.corpus.chunks import chunk_problems


class Corpora:
    """The hashes of folders of documents, each computed once."""

    def __init__(self) -> None:
        self._hashes: dict[Path, str] = {}

    def corpus(self, spot: Spot, text: str, chunk: Mapping[str, JsonValue]) -> Corpus | None:
        """The corpus that `text` names at `spot`; None, with a problem, if it cannot be had."""
        path = spot.path(text, "folder", "the corpus")
        if path is None:
            return None
        key = path.resolve()
        try:
            if key not in self._hashes:
                self._hashes[key] = corpus_hash(path)
        except PathError as error:
            spot.tell(f"the corpus {text} {error.what}", error.hint)
            return None
        for what in chunk_problems(chunk):
            Spot(spot.source, (*spot.at[:-1], "chunk"), spot.problems).tell(what)
        return Corpus(str(path), self._hashes[key], chunk)


def subtask_of(file: SubtaskFile, spot: Spot, texts: Texts, scope: str) -> Subtask:
    """A model call with a prompt of its own."""
    return Subtask(model_choice(file, spot), texts.prompt(file, spot, scope))


def retrieval_of(file: RetrievalFile, spot: Spot, texts: Texts, corpora: Corpora) -> Retrieval:
    """Where passages come from."""
    corpus = None
    if file.corpus is not None:
        corpus = corpora.corpus(spot.inside("corpus"), file.corpus, file.chunk.model_dump())
        corpus = corpus or Corpus(file.corpus, "")  # one is named, and what is wrong is told
    elif "chunk" in file.model_fields_set:
        spot.inside("chunk").tell("chunk is given, but no corpus", "corpus: FOLDER")
    texts.inline(spot.inside("where"), file.where, CONDITION)
    query = texts.file(spot.inside("query"), file.query, "query") if file.query else None
    inside = spot.inside("rewrite")
    rewrite = subtask_of(file.rewrite, inside, texts, "rewrite") if file.rewrite else None
    return Retrieval(
        retriever=component(file.kind, spot, "kind", file.model_extra or {}),
        corpus=corpus,
        top_k=file.top_k,
        query=query,
        rewrite=rewrite,
        where=file.where,
    )


def rerank_of(file: RerankFile, spot: Spot) -> Rerank:
    """The reranker."""
    return Rerank(component(file.kind, spot, "kind", file.model_extra or {}), file.top_k)


def context_of(file: ContextFile, spot: Spot, texts: Texts) -> Context:
    """How passages become context."""
    inside = spot.inside("compress")
    compress = subtask_of(file.compress, inside, texts, "compress") if file.compress else None
    return Context(
        max_tokens=file.max_tokens,
        order=file.order,
        dedupe=file.dedupe,
        compress=compress,
    )


def tools_of(file: ToolsFile, spot: Spot, texts: Texts) -> Tools:
    """The tools and who decides about them."""
    use = []
    for index, entry in enumerate(file.use):
        place = spot.inside("use", index)
        when = texts.expression(place.inside("when"), entry.when, "prompt")
        use.append(ToolUse(component(entry.kind, place, "kind", entry.model_extra or {}), when))
    before = []
    for index, check in enumerate(file.before):
        place = spot.inside("before", index)
        texts.inline(place.inside("arguments"), check.arguments, "input")
        when = texts.expression(place.inside("when"), check.when, "input")
        where = place.inside("tool").where()
        before.append(ToolCheck(check.tool, check.arguments, when, where))
    given = file.policy
    tools = Tools(tuple(use), max_calls=file.max_calls, before=tuple(before))
    if not isinstance(given, ConditionalPolicy):
        return replace(tools, policy=given)
    when = texts.expression(spot.inside("policy", "when"), given.when, "prompt")
    return replace(tools, policy=given.then, when=when, otherwise=given.otherwise)


def output_of(file: OutputFile, spot: Spot, texts: Texts) -> tuple[Output, str]:
    """What an output must be, and the name of the schema's file, else empty."""
    schema, name = None, ""
    if file.schema_ is not None:
        found = read_schema(spot.inside("schema"), file.schema_)
        name, schema = found or ("", None)
        if file.parse == "text":
            spot.inside("parse").tell("a schema needs parse: json")
    elif file.structured:
        spot.inside("structured").tell("structured needs a schema", "schema: FILE.json")
    parse = file.parse or ("json" if file.schema_ is not None else "text")
    citations = _citations(file.citations, spot.inside("citations")) if file.citations else None
    if citations and citations.field is not None and parse == "text":
        spot.inside("citations", "field").tell("citations.field needs parse: json")
    output = Output(
        parse=parse,
        schema=schema,
        structured=file.structured,
        rules=tuple(
            _rule(rule, spot.inside("rules", index), texts) for index, rule in enumerate(file.rules)
        ),
        citations=citations,
        repair=file.repair,
    )
    return output, name


def _rule(file: RuleEntry, spot: Spot, texts: Texts) -> Rule:
    that = texts.expression(spot.inside("that"), file.that, "output")
    return Rule(file.name, that, file.python, file.message, spot.inside("python").where())


def _citations(file: CitationsFile, spot: Spot) -> Citations:
    if file.pattern is not None:
        import regex

        try:
            regex.compile(file.pattern)
        except regex.error as error:
            pattern = quoted(file.pattern)
            spot.inside("pattern").tell(f"citations.pattern: {pattern} is no pattern ({error})")
    return Citations(file.field, file.pattern, file.required)
