"""The configuration files' own shape: what the YAML of experiments, variants and sets may say.

Attribute docstrings become the descriptions in `docs/schema/*.json`, which editors show.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, Tag, field_validator

from harness.config.file_model import (
    ExampleField,
    FileModel,
    HostPattern,
    Name,
    NameOrMapping,
    PathOrMapping,
    RecordField,
    ScorerId,
    Text,
    VariantId,
)
from harness.config.judging_models import PairwiseFile
from harness.core.example import ALL
from harness.core.options import Number, Whole
from harness.core.policy import GatePolicy
from harness.core.values import JsonValue

_FACT = "a variant with `recorded` is not run; what it is stands under facts:"


class Recording(FileModel):
    """A file of recorded outputs whose fields have other names."""

    file: Text
    """Path of the recording (.jsonl, .csv or .parquet), relative to this file."""
    fields: dict[RecordField, Text] = {}
    """Our name of a field: its name in the recording, e.g. `repeat: trial`. Dots lead inside."""


class VariantFile(FileModel):
    """One system that takes part, known by the outputs it left behind."""

    key_hints: ClassVar[dict[str, str]] = {
        "recorded": "recorded: FILE.jsonl for what a system answered elsewhere; or model: and "
        "user: for a system that harness runs",
        **dict.fromkeys(
            (
                "model", "base_url", "provider", "params", "stream", "system", "user", "few_shot",
                "retrieval", "rerank", "context", "tools", "output", "fallback", "route", "draft",
                "training",
            ),
            _FACT,
        ),
    }  # fmt: skip

    id: VariantId
    """The variant's name in every table."""
    recorded: Annotated[
        Annotated[Text, Tag("<text>")] | Annotated[Recording, Tag("<mapping>")], PathOrMapping
    ]
    """Path of the recorded outputs, relative to this file; or {file, fields}."""
    extends: Text | None = None
    """Another variant's folder: given keys replace its own, maps merge, null takes away."""
    label: str = ""
    """What the system is, in words for a reader of the report."""
    facts: dict[str, JsonValue] = {}
    """What is known of the recorded system: model, prompt, retrieval ... The factor table."""


class ScorerEntry(FileModel):
    """A scorer and its options; further keys are the scorer's own."""

    model_config = ConfigDict(extra="allow")

    id: ScorerId
    """The metric's name; a scorer with several metrics names them `id.part`."""
    use: Text
    """Which scorer: exact_match, label, retrieval ... or one that a plugin brings."""


class PrimaryEntry(FileModel):
    """A figure of the confirmatory family on one slice."""

    metric: Text
    """A metric: a scorer's id, or `id.part`."""
    slice: Text = ALL
    """`all` or `name=value`."""


class Statistics(FileModel):
    """How the figures are computed."""

    confidence: Annotated[Number, Field(gt=0.5, lt=1)] = 0.95
    """Of the two-sided intervals."""
    resamples: Annotated[Whole, Field(ge=100, le=1_000_000)] = 10_000
    """Sign flips of the permutation test."""
    min_examples: Annotated[Whole, Field(ge=2)] = 10
    """Fewer independent examples than this make a pair's finding `too_few`."""
    coverage: Annotated[Number, Field(ge=0, le=1)] = 0.98
    """The least share of examples that must have a score for any conclusion."""


class ExcusedPair(FileModel):
    """Two variants that differ in more than the factors, and why that is accepted."""

    pair: list[str]
    """The ids of the two."""
    reason: Text
    """Why; printed beside every figure of the pair."""

    @field_validator("pair")
    @classmethod
    def _two(cls, pair: list[str]) -> list[str]:
        if len(pair) != 2:
            raise ValueError(f"a pair is of two variants, not {len(pair)}")
        return pair


class LimitsFile(FileModel):
    """What a service may be asked for."""

    in_flight: Annotated[Whole, Field(ge=1, le=1000)] | None = None
    """Calls at once; default: as many as trials."""
    requests_per_minute: Annotated[float, Field(gt=0, le=1e9)] | None = None
    """Calls in a minute."""
    tokens_per_minute: Annotated[float, Field(gt=0, le=1e12)] | None = None
    """Tokens in a minute: those of prompts, and max_output_tokens of each call."""


class ExecutionFile(FileModel):
    """How live variants are run."""

    concurrency: Annotated[Whole, Field(ge=1, le=1000)] = 8
    """How many trials run at once."""
    attempts: Annotated[Whole, Field(ge=1, le=10)] = 4
    """How often a call is made before a failing service is given up."""
    limits: dict[str, LimitsFile] = {}
    """By `provider/model`, or by provider: what your account, or your own server, takes."""


class ExperimentFile(FileModel):
    """What is compared with what: `configs/<name>.yaml`. Paths are relative to this file."""

    key_hints: ClassVar[dict[str, str]] = {
        "primary": "name the metrics that decide, e.g. primary: [correct]",
    }

    name: Name
    """The experiment's name; its runs go to reports/<name>."""
    evalset: Text
    """Path of the eval set's folder."""
    baseline: str
    """The id of the variant that the others are compared with."""
    variants: Annotated[
        list[
            Annotated[
                Annotated[Text, Tag("<text>")] | Annotated[dict[str, JsonValue], Tag("<mapping>")],
                PathOrMapping,
            ]
        ],
        Field(min_length=1),
    ]
    """Folders with a variant.yaml, or variants written here."""
    factors: list[Text] | None = None
    """What may differ between variants; any other difference is an error. Recorded variants alone
    need none."""
    confounded_ok: list[ExcusedPair] = []
    """Pairs that differ in more, with the reason why that is accepted."""
    repeats: Annotated[Whole, Field(ge=1, le=10_000)] = 1
    """How many times every variant answers every example."""
    seed: Annotated[Whole, Field(ge=0, le=2**63 - 1)] = 0
    """Seed of everything random."""
    scorers: Annotated[list[ScorerEntry], Field(min_length=1)]
    """How answers are scored."""
    primary: Annotated[
        list[
            Annotated[
                Annotated[Text, Tag("<text>")] | Annotated[PrimaryEntry, Tag("<mapping>")],
                NameOrMapping,
            ]
        ],
        Field(min_length=1),
    ]
    """The confirmatory family: metrics, or {metric, slice}. The rest is exploratory."""
    pairwise: list[PairwiseFile] = []
    """Judged comparisons: which of two answers is better."""
    statistics: Statistics = Statistics()
    """Confidence, resamples, and when there is too little data for a finding."""
    gate: (
        Annotated[
            Annotated[Text, Tag("<text>")] | Annotated[GatePolicy, Tag("<mapping>")],
            PathOrMapping,
        ]
        | None
    ) = None
    """The release policy, or the path of its file."""
    execution: ExecutionFile = ExecutionFile()
    """How many trials of live variants run at once, and how often a call is tried."""
    allowed_hosts: list[HostPattern] | None = None
    """The only hosts that data may be sent to, as patterns: 127.0.0.1, *.internal ..."""

    @field_validator("primary", "factors")
    @classmethod
    def _once(cls, named: list[Any] | None) -> list[Any] | None:
        for index, item in enumerate(named or ()):
            if item in (named or ())[:index]:
                text = item if isinstance(item, str) else f"{item.metric} on {item.slice}"
                raise ValueError(f"'{text}' is named twice")
        return named


class DatasetReference(FileModel):
    """A Hugging Face `datasets` reference; `harness freeze` turns it into a local file once."""

    dataset: Text
    """A dataset's name, or the path of a local file, folder or `save_to_disk` folder."""
    config: Text | None = None
    """The dataset's configuration, where it has several."""
    split: Text = "test"
    """The split to take."""
    revision: Text | None = None
    """The revision to take: a commit or a tag."""
    fields: dict[ExampleField, Text] = {}
    """Our name of a field: its column, e.g. `input.question: question`."""


class ContractFile(FileModel):
    """The task contract: what the task is, agreed before anything runs."""

    inputs: str = ""
    """What the system is given."""
    outputs: str = ""
    """What a correct output looks like."""
    evidence_sources: list[Text] = []
    """The sources that an answer may rest on."""
    abstention: str = ""
    """When the system should abstain or escalate."""
    disallowed: list[Text] = []
    """What the system must never do."""
    metrics: list[Text] = []
    """What success is measured by."""


class EvalSetFile(FileModel):
    """An eval set's description: `evalsets/<name>/evalset.yaml`."""

    name: Name
    """The set's name."""
    description: str = ""
    """What the set is for."""
    license: str = ""
    """The licence of its examples."""
    origin: str = ""
    """How it was made."""
    examples: (
        Annotated[
            Annotated[Text, Tag("<text>")] | Annotated[DatasetReference, Tag("<mapping>")],
            PathOrMapping,
        ]
        | None
    ) = None
    """Path of the examples (default: examples.jsonl, .csv or .parquet), or a reference."""
    fields: dict[ExampleField, Text] = {}
    """Our name of a field: its column, e.g. `id: qid` or `input.question: question`."""
    input_fields: list[Text] = []
    """The fields that every example's input has."""
    slices: dict[str, str] = {}
    """What each slice means: `steps: lines of the solution`, or `steps=2: ...` for one value."""
    contract: ContractFile | None = None
    """The task contract."""
    corpus: Text | None = None
    """Folder of the documents that answers may rest on."""


FileKind: TypeAlias = Literal["experiment", "variant", "evalset", "gate", "prices"]

MODELS: dict[FileKind, type[BaseModel]] = {
    "experiment": ExperimentFile,
    "variant": VariantFile,
    "evalset": EvalSetFile,
    "gate": GatePolicy,
}
"""The model of every kind of file but `prices`, which stands in `config.prices`."""
