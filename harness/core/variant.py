"""A live variant, resolved: everything that defines one system under test, as values.

Files are read and paths resolved: templates, examples, schemas and other variants are here whole.
What differs between two systems is a question about `definition`, which the harness answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from harness.core.values import JsonValue, fingerprint


@dataclass(frozen=True, slots=True)
class Template:
    """A Jinja template, or (a `condition`, a rule) a Jinja expression; `name` is its file's."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Component:
    """A plugin that a variant uses: its kind's name in the registry and its options.

    Paths among the options start from `folder`. `at` is the dotted place in the variant's file:
    `retrieval`, `tools.use.0`. `places` are for messages: the `file:line:column` of the component
    (under "") and of its options, by dotted path.
    """

    use: str
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    folder: str = "."
    at: str = ""
    places: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def where(self, option: str = "") -> str:
        """`file:line:column` of an option by its dotted path, or of the nearest place around it."""
        while option and option not in self.places:
            option = option.rpartition(".")[0]
        return self.places.get(option, self.at)

    @property
    def key(self) -> str:
        """The same for components that one instance can serve."""
        return fingerprint([self.use, dict(self.options), self.folder])


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model, the provider that it is asked through, and its parameters (`core.chat.PARAMS`).

    `provider.use` is the provider's name; `name` the model's, without the provider.
    """

    provider: Component
    name: str
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    stream: bool = False
    timeout_s: float = 120.0

    @property
    def id(self) -> str:
        """`provider/model`, as configs and price tables name it."""
        return f"{self.provider.use}/{self.name}"


@dataclass(frozen=True, slots=True)
class Prompt:
    """The templates of one call. Their variables: docs/reference/variants.md."""

    system: Template | None
    user: Template


@dataclass(frozen=True, slots=True)
class Subtask:
    """A call of a model with a prompt of its own: rewriting, compression, routing, a draft."""

    model: ModelChoice
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Shot:
    """An example for the prompt: input fields as an example has them, and the wanted output."""

    input: Mapping[str, JsonValue]
    output: JsonValue


@dataclass(frozen=True, slots=True)
class FewShot:
    """Examples in the prompt: the first `count` of `shots`, or those nearest by BM25."""

    shots: tuple[Shot, ...]
    count: int
    select: Literal["fixed", "nearest"] = "fixed"


@dataclass(frozen=True, slots=True)
class Corpus:
    """A folder of documents, its content's hash, and how documents are cut into chunks."""

    folder: str
    sha256: str
    chunk: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Where passages come from. `query` and the texts in `where` are templates."""

    retriever: Component
    corpus: Corpus | None
    top_k: int
    query: Template | None = None
    rewrite: Subtask | None = None
    where: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The same for retrievals that one index can serve."""
        corpus = self.corpus and [self.corpus.sha256, dict(self.corpus.chunk)]
        return fingerprint([self.retriever.key, corpus])


@dataclass(frozen=True, slots=True)
class Rerank:
    """A reranker, and how many passages it keeps."""

    reranker: Component
    top_k: int


@dataclass(frozen=True, slots=True)
class Context:
    """How passages become the prompt's `passages`.

    `order` is by rank, by rank from the last to the first, or as in the documents. `dedupe` drops
    a passage whose text is (nearly) that of a better one. `compress` is a call per passage whose
    answer stands for it; an empty answer drops it.
    """

    max_tokens: int | None = None
    order: Literal["rank", "reverse", "document"] = "rank"
    dedupe: bool = True
    compress: Subtask | None = None


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A source of tools; eligible where `when` (an expression over the input) holds."""

    component: Component
    when: Template | None = None


@dataclass(frozen=True, slots=True)
class ToolCheck:
    """A tool called before the model is asked, if `when` holds; its result is `checks.NAME`.

    The texts among the arguments are templates. `where` is its `file:line:column`, for messages.
    """

    name: str
    arguments: Mapping[str, JsonValue]
    when: Template | None = None
    where: str = field(default="", compare=False, repr=False)


ToolPolicy: TypeAlias = Literal["auto", "required", "none"]


@dataclass(frozen=True, slots=True)
class Tools:
    """Which tools there are and who decides about them.

    `policy` holds where `when` is None or true; else `otherwise` does. `required`: the first answer
    must call a tool. `max_calls` bounds the calls of one trial.
    """

    use: tuple[ToolUse, ...]
    policy: ToolPolicy = "auto"
    when: Template | None = None
    otherwise: ToolPolicy = "none"
    max_calls: int = 8
    before: tuple[ToolCheck, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A business rule of the output: an expression that must hold, or a Python function.

    `where` is the function's `file:line:column`, for messages.
    """

    name: str
    expression: Template | None = None
    function: str | None = None
    message: str = ""
    where: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Citations:
    """Citations must exist: `field` of the output names ids among the passages shown.

    `pattern`, in place of a field, finds ids in the output's text (its first group).
    """

    field: str | None = None
    pattern: str | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """What an output must be. `structured` asks the provider to constrain it to the schema.

    `parse` says what the text is read as. A rejected output is sent back with the reasons up to
    `repair` times.
    """

    parse: Literal["text", "json"] = "text"
    schema: Mapping[str, JsonValue] | None = None
    structured: bool = False
    rules: tuple[Rule, ...] = ()
    citations: Citations | None = None
    repair: int = 0


@dataclass(frozen=True, slots=True)
class Fallback:
    """What answers instead if the output is rejected, or accepted and `when` holds for it.

    Either another variant or a fixed `answer` (a hand-over to a human). A model that refuses, stops
    at the limit or answers nothing is a rejected output too.
    """

    variant: LiveVariant | None
    answer: JsonValue = None
    when: Template | None = None


@dataclass(frozen=True, slots=True)
class RouteRule:
    """If `when` holds, or the router's label is `label`, `variant` or the fixed `answer` answers.

    With neither, the trial stays with the variant itself.
    """

    name: str
    when: Template | None = None
    label: str | None = None
    variant: LiveVariant | None = None
    answer: JsonValue = None


@dataclass(frozen=True, slots=True)
class Route:
    """A thin router: the first rule that applies decides; none: the variant itself answers.

    `router` is asked for a label first, where there is one.
    """

    rules: tuple[RouteRule, ...]
    router: Subtask | None = None


@dataclass(frozen=True, slots=True)
class LiveVariant:
    """One system under test.

    `draft` writes the output from the first model's text, which its templates see as `summary`.
    `definition` is the whole as flat, printable factors: dotted name to value, long values as
    short names with their hash. `operations` are figures of owning the system, shown and never
    compared. `fingerprint` is a hash of the definition.
    """

    id: str
    model: ModelChoice
    prompt: Prompt
    definition: Mapping[str, JsonValue]
    fingerprint: str
    label: str = ""
    normalise: tuple[str, ...] = ()
    few_shot: FewShot | None = None
    retrieval: Retrieval | None = None
    rerank: Rerank | None = None
    context: Context = Context()
    tools: Tools | None = None
    output: Output = Output()
    fallback: Fallback | None = None
    route: Route | None = None
    draft: Subtask | None = None
    training: Mapping[str, JsonValue] | None = None
    operations: Mapping[str, JsonValue] = field(default_factory=dict)

    def variants(self) -> Iterator[LiveVariant]:
        """This variant and all that its route and its fallback lead to."""
        yield self
        others = [rule.variant for rule in self.route.rules] if self.route else []
        if self.fallback:
            others.append(self.fallback.variant)
        for other in others:
            if other is not None:
                yield from other.variants()

    def subtasks(self) -> Iterator[tuple[str, Subtask]]:
        """The model calls of this variant alone, by name: `generate` first."""
        yield "generate", Subtask(self.model, self.prompt)
        if self.retrieval and self.retrieval.rewrite:
            yield "rewrite", self.retrieval.rewrite
        if self.context.compress:
            yield "compress", self.context.compress
        if self.route and self.route.router:
            yield "route", self.route.router
        if self.draft:
            yield "draft", self.draft
