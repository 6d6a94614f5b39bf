"""What is compared with what: an experiment's resolved description."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from harness.core.example import ALL
from harness.core.values import JsonValue


@dataclass(frozen=True, slots=True)
class PrimaryFigure:
    """A figure of the confirmatory family: a metric on a slice, candidates against baseline."""

    metric: str
    slice: str = ALL


@dataclass(frozen=True, slots=True)
class VariantFacts:
    """What is known of a variant beside its outputs.

    `fingerprint` is a hash of all that defines it. `facts` are the factors it declares (model,
    prompt, retrieval ...); `label` tells a reader what it is.
    """

    id: str
    fingerprint: str
    facts: Mapping[str, JsonValue] = field(default_factory=dict)
    label: str = ""


def factor_table(variants: Iterable[VariantFacts]) -> dict[str, dict[str, JsonValue]]:
    """Every declared fact by variant; a variant that does not state a fact is left out of it."""
    table: dict[str, dict[str, JsonValue]] = {}
    for variant in variants:
        for fact, value in variant.facts.items():
            table.setdefault(fact, {})[variant.id] = value
    return table


@dataclass(frozen=True, slots=True)
class Excuse:
    """Two variants that may differ in more than the declared factors, and why."""

    pair: tuple[str, str]
    reason: str


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """What a service may be asked for; None: no limit beside the trials at once.

    Tokens are counted as providers count them: those of the prompt, estimated by its length, and
    `max_output_tokens`.
    """

    in_flight: int | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """How live variants are run: trials at once, and attempts of a call before it is given up.

    `limits` are by `provider/model` or by provider; the former goes before the latter.
    """

    concurrency: int = 8
    attempts: int = 4
    limits: Mapping[str, ServiceLimits] = field(default_factory=dict)

    def limits_of(self, route: str) -> ServiceLimits:
        """Those of a route, such as `http/llama @ 127.0.0.1:8000`."""
        model = route.partition(" @ ")[0]
        found = self.limits.get(model) or self.limits.get(model.partition("/")[0])
        return found or ServiceLimits()


@dataclass(frozen=True, slots=True)
class Analysis:
    """How figures are computed. `confidence` is two-sided; `coverage` a share of examples.

    Fewer than `min_examples` independent examples on a pair make its finding `too_few`.
    """

    primary: tuple[PrimaryFigure, ...]
    confidence: float = 0.95
    resamples: int = 10_000
    seed: int = 0
    min_examples: int = 10
    coverage: float = 0.98
