"""A made-up experiment of a stated size: an eval set, recordings and a config, drawn from a seed.

The texts are nonsense in sentences, the sizes and shares are those of real support answers. Every
output ends in facts that cheap scorers can read, and variant k is right a little more often than
variant k - 1.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SLICES = {
    "topic": ("orders", "returns", "billing", "account", "repairs"),
    "language": ("en", "de", "fr", "es", "it"),
    "length": ("1-10", "11-20", "21-40", "41-80", "81+"),
    "customer": ("new", "returning", "business", "partner", "staff"),
}
INTENTS = ("ask", "complain", "cancel", "change", "praise", "report")
PRODUCTS = ("kettle", "grinder", "scale", "dripper", "filter", "carafe", "roaster", "tamper")
POLITE = ("thank you", "please", "glad to help")
_SYLLABLES = ("ba", "co", "di", "fer", "gan", "hel", "in", "jo", "ka", "lum", "mar", "nor", "ol")
_SYSTEM_FAILURES = 0.004
_INFRASTRUCTURE_FAILURES = 0.002


@dataclass(frozen=True)
class Size:
    """How much there is; characters are those of an output's text, drawn uniformly."""

    n_examples: int = 10_000
    n_variants: int = 5
    resamples: int = 10_000
    characters: tuple[int, int] = (400, 1500)

    def __str__(self) -> str:
        return f"{self.n_examples} examples x {self.n_variants} variants x 10 metrics x 20 slices"


@dataclass(frozen=True)
class Workload:
    """Where a workload's files are."""

    config: Path
    evalset: Path
    recordings: tuple[Path, ...]


def write_workload(folder: Path, size: Size, seed: int = 7) -> Workload:
    """Write everything that `harness freeze` and `harness run` need into `folder`."""
    rng = np.random.default_rng(seed)
    prose = _Prose(rng)
    evalset = folder / "evalset"
    evalset.mkdir(parents=True)
    (evalset / "evalset.yaml").write_text("name: made_up\ndescription: Drawn from a seed.\n")
    examples = [_example(i, prose, rng) for i in range(size.n_examples)]
    _write_lines(evalset / "examples.jsonl", examples)
    difficulty = rng.normal(size=size.n_examples)
    recordings = []
    for k in range(size.n_variants):
        right = rng.normal(size=size.n_examples) * 0.7 + 0.2 + 0.06 * k > difficulty
        path = folder / f"variant_{k}.jsonl"
        pairs = zip(examples, right, strict=True)
        _write_lines(path, [_record(e, size, prose, rng, right=bool(ok)) for e, ok in pairs])
        recordings.append(path)
    config = folder / "experiment.yaml"
    config.write_text(json.dumps(_experiment(recordings, size), indent=1))  # JSON is YAML
    return Workload(config, evalset, tuple(recordings))


class _Prose:
    """Sentences cut from one long made-up text, so that drawing one is cheap."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        words = ["".join(rng.choice(_SYLLABLES, size=rng.integers(1, 5))) for _ in range(4000)]
        rank = 1 / np.arange(1, len(words) + 1)  # Zipf's law: what compression meets in real text
        drawn = rng.choice(words, size=300_000, p=rank / rank.sum())
        self._text = " ".join(
            f"{word}." if i % 13 == 12 else word for i, word in enumerate(drawn.tolist())
        )

    def draw(self, characters: int) -> str:
        start = int(self._rng.integers(0, len(self._text) - characters))
        return self._text[start : start + characters].strip()


def _example(number: int, prose: _Prose, rng: np.random.Generator) -> dict[str, Any]:
    target = {
        "answer": prose.draw(20),
        "amount": round(float(rng.uniform(1, 2000)), 2),
        "product": str(rng.choice(PRODUCTS)),
        "intent": str(rng.choice(INTENTS)),
        "reference": prose.draw(200),
    }
    return {
        "id": f"case-{number:05d}",
        "input": {"question": prose.draw(int(rng.integers(60, 400)))},
        "target": target,
        "slices": {name: str(rng.choice(values)) for name, values in SLICES.items()},
    }


def _record(
    example: dict[str, Any], size: Size, prose: _Prose, rng: np.random.Generator, *, right: bool
) -> dict[str, Any]:
    record = {
        "id": example["id"],
        "latency_s": round(float(rng.lognormal(0.2, 0.5)), 4),
        "cost_usd": round(float(rng.lognormal(-6, 0.4)), 7),
        "usage": {"prompt_tokens": int(rng.integers(300, 4000)), "completion_tokens": 200},
        "grade": round(float(rng.beta(5, 2)), 3),
        "steps": int(rng.integers(1, 9)),
    }
    fate = rng.random()
    if fate < _INFRASTRUCTURE_FAILURES:
        return {**record, "error": "timeout"}
    if fate < _INFRASTRUCTURE_FAILURES + _SYSTEM_FAILURES:
        return {**record, "output": None}
    target = example["target"]
    amount = target["amount"] if right or rng.random() < 0.5 else target["amount"] + 1
    product = target["product"] if right or rng.random() < 0.3 else "machine"
    body = prose.draw(int(rng.integers(*size.characters)))
    manners = str(rng.choice((*POLITE, "", "")))
    text = f"{body} {target['reference'][:120] if right else ''}\n{product} {manners}"
    output = {
        "answer": target["answer"].title() if right else prose.draw(20),
        "intent": target["intent"] if right or rng.random() < 0.4 else str(rng.choice(INTENTS)),
        "text": f"{text}\nTotal: ${amount:,.2f}",
    }
    return {**record, "output": output}


def _experiment(recordings: list[Path], size: Size) -> dict[str, Any]:
    return {
        "name": "made_up",
        "evalset": "evalset",
        "baseline": recordings[0].stem,
        "variants": [{"id": path.stem, "recorded": path.name} for path in recordings],
        "scorers": [
            {"id": "correct", "use": "exact_match", "output_field": "answer",
             "target_field": "answer", "normalise": ["lower", "punctuation", "whitespace"]},
            {"id": "amount", "use": "numeric_match", "output_field": "text",
             "target_field": "amount", "marker": "Total:", "abs_tolerance": 0.005},
            {"id": "names_product", "use": "contains", "output_field": "text",
             "target_field": "product", "normalise": ["lower"]},
            {"id": "polite", "use": "contains", "output_field": "text", "any_of": list(POLITE)},
            {"id": "overlap", "use": "token_f1", "output_field": "text",
             "target_field": "reference"},
            {"id": "intent", "use": "label", "output_field": "intent", "target_field": "intent"},
            {"id": "grade", "use": "field", "path": "grade", "lower": 0, "upper": 1},
            {"id": "few_steps", "use": "field", "path": "steps", "at_most": 6},
            {"id": "closes", "use": "regex", "output_field": "text",
             "pattern": "Total: \\$[\\d,]+"},
        ],
        "primary": ["correct", {"metric": "correct", "slice": "topic=billing"}, "overlap"],
        "statistics": {"resamples": size.resamples},
    }  # fmt: skip


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
