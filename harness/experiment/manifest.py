"""What ran, pinned: the facts that make a run repeatable and two runs comparable."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness.config.variant import RecordedVariant
from harness.core.values import JsonValue, fingerprint
from harness.core.variant import LiveVariant
from harness.experiment.components import model_choices
from harness.experiment.live_setup import confounded_facts
from harness.experiment.prepare import Options, Prepared
from harness.experiment.pricing import price_of
from harness.registry import scorer_fingerprint

_PACKAGES = ("harness", "numpy", "scipy", "pyarrow", "pydantic")


def manifest_of(
    ready: Prepared,
    options: Options,
    run_id: str,
    started: str,
    how: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, JsonValue]:
    """The manifest of a run; its end and its files' hashes follow.

    `how` says how live trials went: what befell them (`events`), and facts of the `execution`.
    Its keys are described in docs/reference/files.md.
    """
    experiment = ready.experiment
    gate = experiment.gate
    scorers = _scorers(ready)
    return {
        "run_id": run_id,
        "name": experiment.name,
        "started": started,
        "command": list(options.command),
        "config": {"path": _shown(experiment.path), "document": experiment.document},
        "evalset": _evalset(ready),
        "partial": ready.partial,
        "baseline": experiment.baseline,
        "variants": _variants(ready),
        "factors": list(experiment.factors),
        "confounded": confounded_facts(ready.setup),
        **(_live(ready, how) if experiment.live else {}),
        "repeats": experiment.repeats,
        "scorers": scorers,
        "scorers_sha256": fingerprint({facts["id"]: facts["sha256"] for facts in scorers}),
        "analysis": asdict(experiment.analysis),
        "gate": None if gate is None else gate.model_dump(mode="json"),
        "versions": versions(),
        "git": git_state(experiment.path.parent),
    }


def versions() -> dict[str, JsonValue]:
    """Of Python and of the packages whose arithmetic a result depends on."""
    found: dict[str, JsonValue] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def git_state(folder: Path) -> JsonValue:
    """The revision that `folder` is at and whether files differ from it; None outside of git."""
    revision = _git(folder, "rev-parse", "HEAD")
    if revision is None:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"revision": revision, "changed": bool(changed)}


def _scorers(ready: Prepared) -> list[dict[str, JsonValue]]:
    """Every scorer as the config names it, and the hash of all that its scores depend on."""
    return [
        {
            "id": spec.id,
            "use": spec.use,
            "options": dict(spec.options),
            "sha256": scorer_fingerprint(scorer),
        }
        for spec, scorer in zip(ready.experiment.scorers, ready.scorers, strict=True)
    ]


def _evalset(ready: Prepared) -> dict[str, JsonValue]:
    """The frozen set's identity and description."""
    evalset = ready.evalset
    return {
        "name": evalset.name,
        "sha256": evalset.sha256,
        "n_examples": ready.n_examples,
        "corpus_sha256": evalset.corpus_sha256,
        "description": evalset.description,
        "license": evalset.license,
        "origin": evalset.origin,
        "slice_meanings": dict(evalset.slice_meanings),
        "contract": None if evalset.contract is None else asdict(evalset.contract),
    }


def _live(ready: Prepared, how: Mapping[str, Any]) -> dict[str, JsonValue]:
    """What only live runs pin: the schedule, the limits, the prices and how tokens are counted."""
    from harness.corpus import tokens

    experiment, prices = ready.experiment, ready.setup.prices
    choices = model_choices(experiment.live)
    used = {model: price_of(prices, choice) for model, choice in choices.items()}
    return {
        "execution": {
            **asdict(experiment.execution),
            "schedule_seed": experiment.analysis.seed,
            **how.get("execution", {}),
        },
        "events": how.get("events", []),
        "prices": {
            "date": prices.date,
            "origin": prices.origin,
            **prices.facts,
            "used": {model: price and asdict(price) for model, price in used.items()},
        },
        "tokens_counted_by": tokens.identity(),
    }


def _variants(ready: Prepared) -> list[JsonValue]:
    """Every variant, with its recording or with what it is made of."""
    return [
        {
            "id": facts.id,
            "label": facts.label,
            "fingerprint": facts.fingerprint,
            "facts": dict(facts.facts),
            **(_recorded(ready, variant) if isinstance(variant, RecordedVariant) else {}),
            **(_parts(ready, variant) if isinstance(variant, LiveVariant) else {}),
        }
        for facts, variant in zip(ready.variants, ready.experiment.variants, strict=True)
    ]


def _recorded(ready: Prepared, variant: RecordedVariant) -> dict[str, JsonValue]:
    return {
        "recorded": _shown(variant.file),
        "recorded_sha256": ready.recordings[variant.id],
        "fields": dict(variant.fields),
    }


def _parts(ready: Prepared, variant: LiveVariant) -> dict[str, JsonValue]:
    """The identity of every plugin that a live variant uses, and figures of owning it."""
    return {
        "components": {
            inner.id: ready.setup.components.facts(inner) for inner in variant.variants()
        },
        "operations": dict(variant.operations),
    }


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  fixed arguments, no shell
            ["git", "-c", "core.fsmonitor=false", *arguments],  # noqa: S607
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _shown(path: Path) -> str:
    """`path` from the working folder, so that no machine's layout stands in a manifest."""
    try:
        return Path(os.path.relpath(path)).as_posix()
    except ValueError:  # another drive
        return path.name
