"""The view's parts: finished texts, and beside them the raw numbers that a drawing needs."""

from __future__ import annotations

from dataclasses import dataclass

from harness.core.comparison import Finding
from harness.core.verdict import RuleResult
from harness.reporting.formats import UNKNOWN
from harness.reporting.sentences import Headline, Mark


@dataclass(frozen=True, slots=True)
class Quantity:
    """A figure: written (`text`, `interval`), and as numbers to draw and to read back."""

    text: str = UNKNOWN
    interval: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def spoken(self) -> str:
        """Figure and interval in one phrase."""
        return f"{self.text}, {self.interval}" if self.interval else self.text


@dataclass(frozen=True, slots=True)
class PairRow:
    """One pair on one metric and slice."""

    candidate: str
    baseline: str
    metric: str
    slice: str
    is_primary: bool
    against_baseline: bool
    difference: Quantity
    signed_interval: str
    finding: Finding
    unit: str
    mark: Mark
    p: str
    n: str
    missing: str
    wins: int
    ties: int
    losses: int
    win_rate: Quantity
    smallest: str
    needed: str
    sentence: str
    confounded: str
    links: dict[str, str]


@dataclass(frozen=True, slots=True)
class VariantRow:
    """One variant on the scoreboard. `difference` is None for the baseline."""

    index: int
    id: str
    label: str
    is_baseline: bool
    quality: Quantity
    difference: PairRow | None
    p50: Quantity
    p95: Quantity
    path: str
    cost: Quantity
    per_correct: Quantity
    total_cost: str
    system_failures: str
    infrastructure_failures: str
    failures: str


@dataclass(frozen=True, slots=True)
class MetricRow:
    """Every variant's figure for one metric on all examples."""

    metric: str
    description: str
    direction: str
    is_primary: bool
    values: tuple[Quantity, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a matrix: figure, what it differs by, and the whole story as a sentence."""

    text: str
    delta: str = ""
    symbol: str = ""
    tone: str = "plain"
    strength: int = 0
    sentence: str = ""
    link: str = ""
    value: float | None = None


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A row of a matrix with its heading."""

    name: str
    note: str
    n: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A table for one metric: slices x variants, or variants x variants."""

    metric: str
    note: str
    rows: tuple[MatrixRow, ...]


@dataclass(frozen=True, slots=True)
class LossRow:
    """How much of a candidate's losses a slice holds, against its share of the examples."""

    candidate: str
    metric: str
    slice: str
    n_losses: str
    of_losses: Quantity
    of_examples: Quantity
    link: str
    confounded: str


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """A variant's latency for one path of its answers."""

    index: int
    variant: str
    path: str
    n: str
    p50: Quantity
    p95: Quantity


@dataclass(frozen=True, slots=True)
class DriftRow:
    """What a fixed request to a service took over a run: `points` are (seconds, seconds)."""

    route: str
    n: str
    least: str
    most: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class: how often expected and predicted, with precision, recall and F1."""

    label: str
    n_expected: str
    n_predicted: str
    precision: str
    recall: str
    f1: str


@dataclass(frozen=True, slots=True)
class Classes:
    """One variant's classes on one metric: the worst first, and what is mixed up most."""

    variant: str
    metric: str
    labels: tuple[str, ...]
    table: tuple[tuple[str, ...], ...]
    confusions: tuple[tuple[str, str, str], ...]
    rows: tuple[ClassRow, ...]


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule of the gate."""

    result: RuleResult
    rule: str
    kind: str
    where: str
    estimate: str
    interval: str
    limit: str
    n: str
    mark: Mark
    reason: str
    needed: str


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate's verdict with its rules, those that stop the release first."""

    headline: Headline
    rules: tuple[RuleRow, ...]
    note: str
    confounded: str = ""


@dataclass(frozen=True, slots=True)
class FactorRow:
    """One declared property of every variant; `differs` tells which are not as the baseline's."""

    name: str
    values: tuple[str, ...]
    differs: tuple[bool, ...]

    @property
    def is_held(self) -> bool:
        """Whether all variants have it alike."""
        return not any(self.differs)


@dataclass(frozen=True, slots=True)
class ConfoundedRow:
    """A pair that differs in more than what is under test, and why that was accepted."""

    candidate: str
    baseline: str
    reason: str


@dataclass(frozen=True, slots=True)
class Operation:
    """How often something happened to a variant's trials; `added` says what that took.

    Where it cannot happen or is not known, the rate's text says so and `n` is empty.
    """

    quantity: str
    name: str
    rate: Quantity
    n: str
    added: str


@dataclass(frozen=True, slots=True)
class OperationRow:
    """What became of a live variant's outputs on the way, in the order of the table's heads."""

    index: int
    variant: str
    cells: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class ToolRow:
    """One tool that a variant's trials called; `kinds` says what failed calls failed of."""

    index: int
    variant: str
    tool: str
    calls: str
    errors: Quantity
    n_errors: str
    kinds: str
    p50: Quantity
    p95: Quantity


@dataclass(frozen=True, slots=True)
class RouteRow:
    """One target that a variant's router sent trials to."""

    index: int
    variant: str
    to: str
    rule: str
    n: str
    share: Quantity
    p50: Quantity
    cost: Quantity


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage of a live variant."""

    index: int
    variant: str
    stage: str
    path: str
    n: str
    p50: Quantity
    p95: Quantity
    share: Quantity
    cost: str


@dataclass(frozen=True, slots=True)
class TokenRow:
    """What a trial of a variant reads and writes; what it saves against the baseline."""

    index: int
    variant: str
    is_baseline: bool
    prompt: Quantity
    cached: Quantity
    completion: Quantity
    reasoning: Quantity
    calls: Quantity
    saved: Quantity
    saved_per_call: Quantity
    confounded: str
    first_token: tuple[Quantity, Quantity] | None


@dataclass(frozen=True, slots=True)
class View:
    """Everything that the renderings show, in words."""

    title: str
    run_id: str
    facts: tuple[str, ...]
    headline: Headline
    gate: Gate | None
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    spent: str
    """What was spent, and what answers from the cache avoided; empty where there were none."""
    confidence: str
    baseline: str
    metric: str
    variants: tuple[VariantRow, ...]
    metrics: tuple[MetricRow, ...]
    pairs: tuple[PairRow, ...]
    slice_losses: tuple[PairRow, ...]
    win_rates: tuple[Matrix, ...]
    slices: tuple[Matrix, ...]
    losses: tuple[LossRow, ...]
    latency: tuple[LatencyRow, ...]
    drift: tuple[DriftRow, ...]
    classes: tuple[Classes, ...]
    is_live: bool
    factors: tuple[FactorRow, ...]
    differing: str
    owning: tuple[FactorRow, ...]
    confounded: tuple[ConfoundedRow, ...]
    operation_heads: tuple[str, ...]
    operations: tuple[OperationRow, ...]
    tools: tuple[ToolRow, ...]
    routes: tuple[RouteRow, ...]
    stages: tuple[StageRow, ...]
    tokens: tuple[TokenRow, ...]
    commands: tuple[str, ...]
    settings: tuple[tuple[str, str], ...]
    manifest: tuple[tuple[str, str], ...]
