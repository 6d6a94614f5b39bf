"""What became of live variants' outputs: rejections, repairs, fallbacks, retries, failed tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.core.example import ALL
from harness.core.operations import OperationEstimate, OperationQuantity
from harness.core.values import JsonValue
from harness.reporting import formats
from harness.reporting.figures import Figures
from harness.reporting.live_view import share_quantity
from harness.reporting.parts import Operation, OperationRow, Quantity
from harness.reporting.text import one_line

OPERATIONS: dict[OperationQuantity, str] = {
    "rejection_rate": "rejected",
    "schema_failure_rate": "schema failure",
    "invalid_rate": "no valid output",
    "repair_rate": "repaired",
    "fallback_rate": "fell back",
    "retry_rate": "retried",
    "tool_error_rate": "tool error",
}
"""The heads of the table, by quantity."""
_ADDS = ("repair_rate", "fallback_rate", "retry_rate")
_OF_CHECKS = ("rejection_rate", "schema_failure_rate", "invalid_rate")


def operation_rows(figures: Figures) -> tuple[tuple[str, ...], tuple[OperationRow, ...]]:
    """The heads, and a row per live variant over all examples; tools only where one was called."""
    found: dict[tuple[str, str], OperationEstimate] = {
        (entry.variant, entry.quantity): entry
        for entry in figures.comparison.operations
        if entry.slice == ALL
    }
    called = any(quantity == "tool_error_rate" for _, quantity in found)
    shown = [q for q in OPERATIONS if called or q != "tool_error_rate"]
    live = {variant for variant, _ in found}
    rows = tuple(
        OperationRow(index, one_line(variant), tuple(_cells(figures, variant, shown, found)))
        for index, variant in enumerate(figures.variants)
        if variant in live
    )
    return tuple(OPERATIONS[quantity] for quantity in shown), rows


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a variant's factors tell of its parts.

    `stated` is False where they do not define it; `leads_on` is True where a route or a fallback
    leads to other variants, whose factors are not here. Without `told`, steps were left out.
    """

    factors: Mapping[str, JsonValue]
    told: bool

    @property
    def stated(self) -> bool:
        return "output.parse" in self.factors

    @property
    def leads_on(self) -> bool:
        routes = (
            value
            for name, value in self.factors.items()
            if name.startswith("route.") and name.endswith(".to")
        )
        return self.has("fallback.to") or any(value != "self" for value in routes)

    def has(self, part: str) -> bool:
        return any(f"{name}.".startswith(f"{part}.") for name in self.factors)

    @property
    def has_schema(self) -> bool:
        return self.factors.get("output.parse") == "json" or self.has("output.schema")

    @property
    def checks(self) -> bool:
        return self.has_schema or self.has("output.rules") or self.has("output.citations")


def _cells(
    figures: Figures,
    variant: str,
    shown: Sequence[OperationQuantity],
    found: Mapping[tuple[str, str], OperationEstimate],
) -> Iterator[Operation]:
    factors = figures.comparison.factors.items()
    own = {name: by_variant[variant] for name, by_variant in factors if variant in by_variant}
    told = any(entry.variant == variant for entry in figures.comparison.stages)
    parts = _Parts(own, told)
    for quantity in shown:
        entry = found.get((variant, quantity))
        word = _why_none(quantity, parts) if entry is None else _cannot(entry, parts)
        if word or entry is None:
            yield Operation(quantity, OPERATIONS[quantity], Quantity(word), "", "")
            continue
        rate = share_quantity(entry.rate, entry.ci_low, entry.ci_high)
        n = f"{formats.count(entry.n_affected)} of {formats.count(entry.n)}"
        yield Operation(quantity, OPERATIONS[quantity], rate, n, _added(entry))


def _why_none(quantity: OperationQuantity, parts: _Parts) -> str:
    """Why there is no rate."""
    if quantity in _OF_CHECKS:
        return formats.UNKNOWN if parts.checks and not parts.told else "not checked"
    if quantity == "tool_error_rate":
        if parts.stated and not parts.has("tools") and not parts.leads_on:
            return "no tools"
        return "none called" if parts.told else formats.UNKNOWN
    return formats.UNKNOWN


def _cannot(entry: OperationEstimate, parts: _Parts) -> str:
    """What the variant lacks for this to happen to it; "" if it can happen, or did."""
    if entry.n_affected or not parts.stated or parts.leads_on:
        return ""
    lacks = {
        "schema_failure_rate": "" if parts.has_schema else "no schema",
        "repair_rate": "" if parts.has("output.repair") else "no repair",
        "fallback_rate": "" if parts.has("fallback") else "no fallback",
    }
    return lacks.get(entry.quantity, "")


def _added(entry: OperationEstimate) -> str:
    """What it added: `adds 120 ms and $0.0001 per request, 1.2 s and $0.001 where it happened`.

    What is not known is said once, at the end.
    """
    if not entry.n_affected or entry.quantity not in _ADDS:
        return ""
    has_cost = entry.quantity != "retry_rate"  # what a failed attempt was billed nobody knows
    known = [
        (formats.seconds(entry.latency_s), formats.seconds(entry.latency_per_affected_s))
        if entry.latency_s is not None
        else None,
        (formats.dollars(entry.cost_usd), formats.dollars(entry.cost_per_affected_usd))
        if entry.cost_usd is not None
        else None,
    ][: 1 + has_cost]
    unknown = [name for name, pair in zip(("time", "cost"), known, strict=False) if pair is None]
    given = [pair for pair in known if pair is not None]
    if not given:
        return "what it adds is unknown"
    said = f"{'adds' if has_cost else 'beside the latency'} {_and(mean for mean, _ in given)}"
    said += " per request"
    each = [amount for _, amount in given if amount != formats.UNKNOWN]
    said += f", {_and(each)} where it happened" if each else ""
    return said + (f"; {_and(unknown)} unknown" if unknown else "")


def _and(words: Iterator[str] | Sequence[str]) -> str:
    return " and ".join(words)
