"""The shape of a live variant in YAML: a system that harness itself runs."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, Tag, model_validator

from harness.config.file_model import (
    FileModel,
    FunctionName,
    ModelId,
    NameOrMapping,
    PathOrMapping,
    Sha256,
    Text,
    ToolName,
    VariantId,
)
from harness.core.options import Number, Whole
from harness.core.values import JsonValue

TopK: TypeAlias = Annotated[Whole, Field(ge=1, le=1000)]
Policy: TypeAlias = Literal["auto", "required", "none"]


class Params(FileModel):
    """What a model is asked with. A parameter that it does not take is an error."""

    temperature: Annotated[Number, Field(ge=0, le=5)] | None = None
    """Randomness; 0 is the likeliest token each time."""
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    """Only the likeliest tokens that make up this probability."""
    top_k: Annotated[Whole, Field(ge=1)] | None = None
    """Only so many of the likeliest tokens."""
    max_output_tokens: Annotated[Whole, Field(ge=1)] | None = None
    """The answer is cut there, which counts as a failure of the system."""
    seed: Whole | None = None
    """Seed of the sampling, where the model takes one; each repeat adds its number."""
    stop: list[Text] | None = None
    """Texts at which the answer ends."""
    presence_penalty: Number | None = None
    """As the provider defines it."""
    frequency_penalty: Number | None = None
    """As the provider defines it."""
    logprobs: bool | None = None
    """Ask for log-probabilities: gives an answer a `confidence`."""
    top_logprobs: Annotated[Whole, Field(ge=0, le=20)] | None = None
    """As the provider defines it."""
    reasoning_effort: Text | None = None
    """As the provider defines it."""
    service_tier: Text | None = None
    """As the provider defines it; prices follow it where they are known."""
    extra: dict[str, JsonValue] | None = None
    """Further keys of the request's body, sent as they are."""


_PROMPT_HINT = "user: FILE.j2, the template of the prompt; system: FILE.j2 for the system prompt"
_CALL_HINTS = {
    "prompt": _PROMPT_HINT,
    "template": _PROMPT_HINT,
    "user_template": "user: FILE.j2, the template of the prompt",
    "system_template": "system: FILE.j2, the template of the system prompt",
    "max_tokens": "params: {max_output_tokens: ...}",
    **{name: f"params: {{{name}: ...}}" for name in Params.model_fields},
    "api_key": "keys come from the environment only: provider: {api_key_env: NAME}",
    "api_key_env": "provider: {api_key_env: NAME}",
}


class ModelKeys(FileModel):
    """A model and how it is asked."""

    key_hints: ClassVar[dict[str, str]] = _CALL_HINTS

    model: ModelId
    """provider/model: openai/..., anthropic/..., litellm/..., http/..., scripted/..."""
    base_url: Text | None = None
    """The endpoint, where the provider takes one."""
    provider: dict[str, JsonValue] = {}
    """Further options of the provider: api_key_env, api_version, rules ..."""
    params: Params = Params()
    """Temperature, max_output_tokens, seed ..."""
    stream: bool = False
    """Take the answer in pieces, which gives the time to the first token."""
    timeout_s: Annotated[Number, Field(gt=0, le=86_400)] = 120.0
    """Of one attempt, from the first byte sent to the last one received."""


class SubtaskFile(ModelKeys):
    """A model call with a prompt of its own."""

    system: Text | None = None
    """Path of the system template."""
    user: Text
    """Path of the user template."""


class FewShotFile(FileModel):
    """Examples in the prompt, as `shots`."""

    source: Annotated[Text, Field(alias="from")]
    """Path of the examples: a JSON line each, {input: {...}, output: ...}."""
    count: Annotated[Whole, Field(ge=1, le=200)]
    """How many."""
    select: Literal["fixed", "nearest"] = "fixed"
    """The first ones, or those whose input is nearest by BM25."""


class ChunkFile(FileModel):
    """How documents are cut."""

    by: Literal["section", "fixed"] = "section"
    """By headings, each piece with its path of headings; or every so many tokens."""
    max_tokens: Annotated[Whole, Field(ge=16, le=100_000)] = 512
    """The most that a piece holds; a longer section is cut at paragraphs."""
    overlap_tokens: Annotated[Whole, Field(ge=0)] = 0
    """Of fixed pieces: how much each repeats of the one before."""

    @model_validator(mode="after")
    def _overlaps_less(self) -> ChunkFile:
        if self.overlap_tokens and self.by != "fixed":
            raise ValueError("overlap_tokens is for pieces by: fixed")
        if self.overlap_tokens >= self.max_tokens:
            raise ValueError("overlap_tokens must be less than max_tokens")
        return self


class RetrievalFile(FileModel):
    """Where passages come from. Further keys are the retriever's own."""

    model_config = FileModel.model_config | {"extra": "allow"}

    kind: Text = "bm25"
    """bm25, dense, hybrid, qdrant, pgvector, opensearch, http, or one that a plugin brings."""
    corpus: Text | None = None
    """Path of the folder of documents."""
    chunk: ChunkFile = ChunkFile()
    """How documents are cut."""
    top_k: TopK = 20
    """How many passages are taken."""
    query: Text | None = None
    """Path of the query's template; default: all input fields."""
    rewrite: SubtaskFile | None = None
    """A model call whose answer is the query."""
    where: dict[str, JsonValue] = {}
    """Conditions on the documents' metadata, permissions among them; texts are templates."""


class RerankFile(FileModel):
    """Orders passages anew. Further keys are the reranker's own."""

    model_config = FileModel.model_config | {"extra": "allow"}

    kind: Text
    """cross_encoder, http, litellm, sequential_dependence, or one that a plugin brings."""
    top_k: TopK = 5
    """How many passages are kept."""


class ContextFile(FileModel):
    """How passages become the prompt's `passages`."""

    max_tokens: Annotated[Whole, Field(ge=1)] | None = None
    """Whole passages are taken in order of rank while they fit."""
    order: Literal["rank", "reverse", "document"] = "rank"
    """Best first, best last, or as they stand in the documents."""
    dedupe: bool = True
    """Leave out passages that repeat a better one."""
    compress: SubtaskFile | None = None
    """A model call per passage whose answer stands for it; an empty one drops it."""


class ToolEntry(FileModel):
    """A source of tools: `python`, `http` or `mcp`. Further keys are its own."""

    model_config = FileModel.model_config | {"extra": "allow"}

    kind: Text
    """python, http, mcp, or one that a plugin brings."""
    when: Text | None = None
    """The tools are eligible where this expression over the input holds."""


class ConditionalPolicy(FileModel):
    """A policy where a condition holds, another where it does not."""

    when: Text
    """An expression over the input, the passages and the checks."""
    then: Policy = "required"
    """The policy where it holds."""
    otherwise: Annotated[Policy, Field(alias="else")] = "none"
    """The policy where it does not."""


class CheckEntry(FileModel):
    """A tool that is called before the model is asked; templates see `checks.NAME`."""

    tool: ToolName
    """The tool's name."""
    arguments: dict[str, JsonValue] = {}
    """Its arguments; texts are templates."""
    when: Text | None = None
    """Only where this expression over the input holds."""


class ToolsFile(FileModel):
    """The tools that the model may call."""

    use: Annotated[list[ToolEntry], Field(min_length=1)]
    """Where the tools come from."""
    policy: Annotated[
        Annotated[Policy, Tag("<text>")] | Annotated[ConditionalPolicy, Tag("<mapping>")],
        NameOrMapping,
    ] = "auto"
    """auto: the model decides; required: it must call one; none; or {when, then, else}."""
    max_calls: Annotated[Whole, Field(ge=1, le=1000)] = 8
    """Of one trial; a model that wants more is a failure of the system."""
    before: list[CheckEntry] = []
    """Calls that are made before the model is asked."""


class RuleEntry(FileModel):
    """A business rule that the output must keep."""

    name: Text
    """The rule's name."""
    that: Text | None = None
    """An expression over `output` and the input that must hold."""
    python: FunctionName | None = None
    """module:function(output, input) that returns None, or what is wrong."""
    message: str = ""
    """What the model is told when it broke the rule."""

    @model_validator(mode="after")
    def _one(self) -> RuleEntry:
        if (self.that is None) == (self.python is None):
            raise ValueError("a rule needs one of `that` and `python`")
        return self


class CitationsFile(FileModel):
    """Citations that must be among the passages shown."""

    field: Text | None = None
    """Where in the output they stand, as a dotted path: a text or a list of texts."""
    pattern: Text | None = None
    """Or what finds them in the output's text; the first group is the id."""
    required: bool = False
    """An output without any is rejected."""

    @model_validator(mode="after")
    def _one(self) -> CitationsFile:
        if (self.field is None) == (self.pattern is None):
            raise ValueError("citations need one of `field` and `pattern`")
        return self


class OutputFile(FileModel):
    """What an output must be; a rejected one is repaired, then the fallback answers."""

    parse: Literal["text", "json"] | None = None
    """What the text is read as; json where there is a schema."""
    schema_: Annotated[
        Annotated[Text, Tag("<text>")] | Annotated[dict[str, JsonValue], Tag("<mapping>")] | None,
        Field(alias="schema"),
    ] = None
    """Path of a JSON Schema, or the schema itself."""
    structured: bool = False
    """Ask the provider to constrain the output to the schema."""
    rules: list[RuleEntry] = []
    """Business rules."""
    citations: CitationsFile | None = None
    """Citations must exist."""
    repair: Annotated[Whole, Field(ge=0, le=10)] = 0
    """How often a rejected output is sent back with what is wrong."""


class FallbackFile(FileModel):
    """What answers instead."""

    to: Text | None = None
    """A variant's folder."""
    answer: JsonValue = None
    """Or a fixed output: a hand-over to a human."""
    when: Text | None = None
    """Also where this expression over `output`, `confidence` and the input holds."""

    @model_validator(mode="after")
    def _one(self) -> FallbackFile:
        if (self.to is None) == (self.answer is None):
            raise ValueError("a fallback needs one of `to` and `answer`")
        return self


class RouteEntry(FileModel):
    """A rule of the router: first one that applies decides."""

    name: str = ""
    """What the record calls the rule; default: its condition or label."""
    when: Text | None = None
    """An expression over the input."""
    label: Text | None = None
    """What the router's model answered."""
    to: Text | None = None
    """The folder of the variant that answers; `self` is this one."""
    answer: JsonValue = None
    """A fixed output instead of a variant: a policy decision, a hand-over to a human."""

    @model_validator(mode="after")
    def _complete(self) -> RouteEntry:
        if (self.when is None) == (self.label is None):
            raise ValueError("a route needs one of `when` and `label`")
        if (self.to is None) == (self.answer is None):
            raise ValueError("a route needs one of `to` and `answer`")
        return self


class RouteFile(FileModel):
    """Sends some examples elsewhere."""

    rules: Annotated[list[RouteEntry], Field(min_length=1)]
    """The first rule that applies decides; without one, this variant answers."""
    router: SubtaskFile | None = None
    """A model call whose answer is the label."""


class TrainingCard(FileModel):
    """What a fine-tuned model was made from. Describes the model; compared with it."""

    base_model: Text
    """The model before training."""
    method: Text
    """full, lora, qlora, distillation ..."""
    data: Text | None = None
    """Path of the training set, to check its hash and that no eval example is in it."""
    data_sha256: Sha256 | None = None
    """The training set's sha256."""
    recipe: Text | None = None
    """The recipe: a path, a link or a sentence."""
    date: date
    """When it was trained."""
    adapter: Text | None = None
    """The merged or attached adapter, where there is one."""
    n_examples: Annotated[Whole, Field(ge=1)] | None = None
    """How many examples it was trained on."""


class LiveVariantFile(ModelKeys):
    """A system that harness runs: `variants/<name>/variant.yaml`. Paths start from that folder."""

    key_hints: ClassVar[dict[str, str]] = _CALL_HINTS | {
        "model": "model: provider/model, such as http/NAME; for outputs of a system that ran "
        "elsewhere, recorded: FILE.jsonl",
        "user": "user: FILE.j2, the template of the prompt",
        "id": "every variant has an id of its own; it is not inherited",
        "facts": "facts are for recorded variants; what a live one is, harness reads off it",
    }

    id: VariantId
    """The variant's name in every table."""
    extends: Text | None = None
    """Another variant's folder: given keys replace its own, maps merge, null takes away."""
    label: str = ""
    """What the system is, in words for a reader of the report."""
    normalise: list[Literal["nfkc", "whitespace", "lower", "strip"]] = []
    """What is done to every text of the input first, in this order."""
    system: Text | None = None
    """Path of the system template."""
    user: Text
    """Path of the user template."""
    few_shot: FewShotFile | None = None
    """Examples in the prompt."""
    retrieval: RetrievalFile | None = None
    """Passages from documents."""
    rerank: RerankFile | None = None
    """A better order of the passages, and fewer."""
    context: ContextFile = ContextFile()
    """How passages become context."""
    tools: ToolsFile | None = None
    """What the model may call."""
    output: OutputFile = OutputFile()
    """What an output must be."""
    fallback: (
        Annotated[
            Annotated[Text, Tag("<text>")] | Annotated[FallbackFile, Tag("<mapping>")],
            PathOrMapping,
        ]
        | None
    ) = None
    """The folder of the variant that answers instead, or {to, answer, when}."""
    route: RouteFile | None = None
    """Where examples are sent elsewhere."""
    draft: SubtaskFile | None = None
    """A second model that writes the output from this one's `summary`."""
    training: TrainingCard | None = None
    """What a fine-tuned model was made from."""
    operations: dict[str, JsonValue] = {}
    """Figures of owning the system, such as hours to change it; shown, never compared."""
