"""The same comparison as a careful person would write it with pandas and scipy, and no more.

    python benchmarks/plain.py FOLDER PERMUTATION_RESAMPLES

Reads the recordings with pandas, scores them with plain functions, and takes per slice the means,
and per pair, metric and slice the paired difference with its t interval and test. No run folder, no
report, no McNemar, no multiplicity, no win rates, no macro F1 (the share of right labels stands in
for it). The permutation test of scipy is run on a few
pairs only; `permutation_s_extrapolated` scales its time to every pair that harness permutes.
Prints one JSON object.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from workload import POLITE, SLICES

PERMUTED = ("overlap", "macro_f1", "grade")
"""The metrics that harness permutes; the other seven are 0/1 and have an exact test."""
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_ARTICLE = re.compile(r"\b(a|an|the)\b")


def main(folder: Path, resamples: int) -> dict[str, Any]:
    taken: dict[str, Any] = {}
    clock = _Clock(taken)
    examples = pd.read_json(folder / "evalset" / "examples.jsonl", lines=True, dtype=False)
    recordings = {
        path.stem: pd.read_json(path, lines=True, dtype=False).set_index("id")
        for path in sorted(folder.glob("variant_*.jsonl"))
    }
    clock.lap("reading")
    targets = examples.set_index("id")["target"]
    frames = {name: _scores(frame, targets) for name, frame in recordings.items()}
    clock.lap("scoring")
    slices = pd.DataFrame(examples["slices"].tolist(), index=examples["id"])
    members = {"all": slices.index} | {
        f"{name}={value}": slices.index[slices[name] == value]
        for name, values in SLICES.items()
        for value in values
    }
    rows = 0
    for ids in members.values():
        at = {name: frame.reindex(ids) for name, frame in frames.items()}
        for frame in at.values():
            frame.mean()
        for one, other in combinations(at, 2):
            a, b = at[one], at[other]
            for metric in a.columns:
                found = stats.ttest_rel(b[metric], a[metric], nan_policy="omit")
                found.confidence_interval(0.95)
                rows += 1
    clock.lap("statistics")
    taken["paired_differences"] = rows
    taken.update(_permutation(frames, members, resamples, clock))
    return taken


def _scores(frame: pd.DataFrame, targets: pd.Series) -> pd.DataFrame:
    """The ten metrics of one variant; NaN where the infrastructure failed."""
    rows = []
    for record in frame.join(targets).itertuples():
        if isinstance(getattr(record, "error", None), str):
            rows.append((np.nan,) * 10)
        elif not isinstance(record.output, dict):
            rows.append((0.0,) * 10)
        else:
            rows.append(_score(record.output, record.target, record))
    names = ("correct", "amount", "names_product", "polite", "overlap", "intent", "macro_f1",
             "grade", "few_steps", "closes")  # fmt: skip
    return pd.DataFrame(rows, columns=names, index=frame.index, dtype=float)


def _score(output: dict[str, Any], target: dict[str, Any], record: Any) -> tuple[float, ...]:
    text = output["text"]
    marked = re.search(r"Total:\s*\$?([\d,.]+)", text)
    words = _words(text)
    wanted = _words(target["reference"])
    shared = sum((Counter(wanted) & Counter(words)).values())
    intent = float(output["intent"].strip() == target["intent"])
    return (
        float(_plain(output["answer"]) == _plain(target["answer"])),
        float(
            marked is not None
            and abs(float(marked[1].replace(",", "")) - target["amount"]) <= 0.005
        ),
        float(target["product"] in text.lower()),
        float(any(word in text for word in POLITE)),
        2 * shared / (len(words) + len(wanted)),
        intent,
        intent,
        record.grade,
        float(record.steps <= 6),
        float(re.search(r"Total: \$[\d,]+", text) is not None),
    )


def _plain(text: str) -> str:
    return " ".join(_PUNCTUATION.sub("", text.lower()).split())


def _words(text: str) -> list[str]:
    return _ARTICLE.sub(" ", _PUNCTUATION.sub("", text.lower())).split()


def _permutation(
    frames: dict[str, pd.DataFrame], members: dict[str, Any], resamples: int, clock: _Clock
) -> dict[str, float]:
    """scipy's paired permutation test on one pair of one slice per slice name, then scaled."""
    one, other = list(frames)[:2]
    n_sampled = 0
    for name in [f"{name}={values[0]}" for name, values in SLICES.items()]:
        a = frames[one].loc[members[name], "overlap"]
        b = frames[other].loc[members[name], "overlap"]
        known = a.notna() & b.notna()
        stats.permutation_test(
            (a[known].to_numpy(), b[known].to_numpy()),
            lambda x, y, axis: np.mean(x - y, axis=axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=resamples,
            batch=256,
            rng=0,
        )
        n_sampled += int(known.sum())
    clock.lap("permutation_sample")
    n_pairs = len(frames) * (len(frames) - 1) // 2
    n_all = sum(len(ids) for ids in members.values()) * n_pairs * len(PERMUTED)
    sample = clock.taken["permutation_sample"]["cpu_s"]
    return {"permutation_s_extrapolated": sample * n_all / n_sampled}


class _Clock:
    def __init__(self, taken: dict[str, Any]) -> None:
        self.taken = taken
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def lap(self, stage: str) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        self.taken[stage] = {"wall_s": wall - self._wall, "cpu_s": cpu - self._cpu}
        self._wall, self._cpu = wall, cpu


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
