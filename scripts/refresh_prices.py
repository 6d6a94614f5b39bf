"""Write the snapshot of list prices in `harness/config/data/prices.json` from litellm's map.

    python scripts/refresh_prices.py 2026-11-20

The date is the day on which the map is taken. litellm is not imported: its map is a file in its
package. Facts only; what cannot be billed with tokens alone (by the hour of the day, by the
second, by the image, with a fee for searching) or has no price is left out, and so is unknown.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "harness" / "config" / "data" / "prices.json"
MAP = "model_prices_and_context_window_backup.json"
MODES = frozenset({"chat", "responses", "completion", "embedding", "rerank"})
TIERS = {"": "standard", "_flex": "flex", "_priority": "priority", "_batches": "batch"}
COLUMNS = {
    "input": "input_cost_per_token",
    "cached_input": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "output": "output_cost_per_token",
}
NOT_BY_TOKENS = ("off_peak_pricing", "tiered_pricing", "citation_cost_per_token")
NO_PRICE: list[float | None] = [None] * len(COLUMNS)
ABOVE = re.compile(r"input_cost_per_token_above_(\d+)k_tokens$")

Facts = Mapping[str, Any]


def main() -> int:
    """Write the snapshot; the exit status."""
    if len(sys.argv) != 2:
        print("usage: refresh_prices.py YYYY-MM-DD", file=sys.stderr)
        return 2
    day = date.fromisoformat(sys.argv[1]).isoformat()
    spec = find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        print("litellm is not installed", file=sys.stderr)
        return 2
    source = (Path(spec.submodule_search_locations[0]) / MAP).read_bytes()
    models = {name: kept for name, facts in json.loads(source).items() if (kept := entry(facts))}
    head = {
        "format": "harness.prices/1",
        "date": day,
        "source": "litellm",
        "version": version("litellm"),
        "source_sha256": hashlib.sha256(source).hexdigest(),
        "columns": list(COLUMNS),
    }
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(as_lines(head, models), encoding="utf-8")
    print(f"{len(models)} models, {TARGET.stat().st_size / 1000:.0f} kB")
    return 0


def entry(facts: Facts) -> dict[str, Any] | None:
    """What is kept of a model; None if its calls cannot be billed."""
    if facts.get("mode") not in MODES or any(name in facts for name in NOT_BY_TOKENS):
        return None
    if facts.get("litellm_provider") == "perplexity" and "search_context_cost_per_query" in facts:
        return None  # every request searches, for a fee
    reasoning = facts.get("output_cost_per_reasoning_token")
    if reasoning not in {None, facts.get("output_cost_per_token")}:
        return None
    usd = dict(rows(facts))
    per_call = facts.get("input_cost_per_query") or facts.get("input_cost_per_request")
    if per_call and not usd:
        usd = {"standard": NO_PRICE}
    if not usd:
        return None
    kept: dict[str, Any] = {"provider": facts["litellm_provider"], "mode": facts["mode"]}
    for name in ("max_input_tokens", "max_output_tokens"):
        if isinstance(facts.get(name), int):
            kept[name] = facts[name]
    return kept | {"usd": usd} | ({"usd_per_call": per_call} if per_call else {})


def rows(facts: Facts) -> Iterator[tuple[str, list[float | None]]]:
    """The prices by tier, and by tier and length of the prompt."""
    lengths = sorted(int(match[1]) for key in facts if (match := ABOVE.match(key)))
    for suffix, tier in TIERS.items():
        found = row(facts, suffix)
        if found is None:
            continue
        yield tier, found
        for thousands in lengths:  # nulls where the tier has no price for such prompts
            longer = row(facts, f"_above_{thousands}k_tokens{suffix}")
            yield f"{tier}>{thousands * 1000}", longer or NO_PRICE


def row(facts: Facts, suffix: str) -> list[float | None] | None:
    """The prices in the order of the columns; None without a price for input and for output.

    The map also writes 0 for what it does not know, and for cache writes that are billed as input.
    """
    found = {name: facts.get(key + suffix) for name, key in COLUMNS.items()}
    if facts["mode"] in {"embedding", "rerank"}:
        found["output"] = found["output"] or 0.0
    elif not found["output"]:
        return None
    found["cache_write"] = found["cache_write"] or None
    return list(found.values()) if found["input"] else None


def as_lines(head: Mapping[str, Any], models: Mapping[str, Any]) -> str:
    """JSON with one model a line, so that a change of prices reads well as a diff."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    listed = [
        f"{json.dumps(name)}: {json.dumps(models[name], separators=(',', ':'))}"
        for name in sorted(models)
    ]
    return "{\n" + "\n".join(lines) + '\n"models": {\n' + ",\n".join(listed) + "\n}\n}\n"


if __name__ == "__main__":
    sys.exit(main())
