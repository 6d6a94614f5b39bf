"""Gate policies: from a file of their own, or written inside an experiment."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from harness.config.paths import PathError, require, resolve
from harness.config.source import Location, Source, read_yaml
from harness.config.suggest import did_you_mean
from harness.config.validate import in_order, validated
from harness.core.example import ALL
from harness.core.policy import GatePolicy, LatencyRule, QualityRule, Rule, WinRateRule
from harness.core.values import JsonValue
from harness.errors import InputError, Problem

_NONE: Any = object()


class Bounds(Protocol):
    """The least and the greatest value of a metric, where known."""

    @property
    def lower(self) -> float | None: ...  # noqa: D102
    @property
    def upper(self) -> float | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A policy, and where it is written, so that its problems can be located.

    `source` is None for a policy that no file at hand holds, such as a finished run's own.
    """

    policy: GatePolicy
    source: Source | None = None
    at: Location = ()

    def where(self, *keys: str | int) -> str:
        """`file:line:column` of the value under `keys` inside the policy; empty without a file."""
        return self.source.where((*self.at, *keys)) if self.source else ""


def read_policy(
    path: Path, check: Callable[[PolicyDocument], Iterable[Problem]] | None = None
) -> PolicyDocument:
    """The policy in a YAML file, with places.

    Args:
        path: the file.
        check: tells what else is wrong with the policy (`check_policy`, `check_sides`), so that
            it is listed with what is wrong in the file itself.

    Raises:
        InputError: listing everything that is wrong with it.
    """
    problems: list[Problem] = []
    document = _from_file(path, problems)
    problems += check(document) if check and document else ()
    if document is None or problems:
        raise InputError(in_order(problems))
    return document


def policy_of_experiment(source: Source, problems: list[Problem]) -> PolicyDocument | None:
    """The policy under an experiment's `gate:`, written there or named by its path.

    The shape of a policy written there is checked with the experiment. Of one that is wrong, what
    can be read is returned, so that the names in it are checked in the same go.
    """
    given = source.data.get("gate")
    if isinstance(given, dict):
        try:
            return PolicyDocument(GatePolicy.model_validate(given), source, ("gate",))
        except ValidationError:
            return PolicyDocument(_readable(given), source, ("gate",))
    if not isinstance(given, str) or not given:
        return None
    try:
        path = resolve(given, source.folder)
        require(path, "file")
    except PathError as error:
        what = f"the gate policy {given} {error.what}"
        problems.append(Problem(source.where(("gate",)), what, error.hint))
        return None
    return _from_file(path, problems)


def check_policy(
    document: PolicyDocument,
    metrics: Mapping[str, Bounds | None] | None,
    slice_ids: Iterable[str] | None,
    judges: Iterable[str] | None = None,
) -> list[Problem]:
    """What the policy names that does not exist, and limits that nothing could exceed or meet.

    Args:
        document: the policy.
        metrics: every metric's bounds by its id (`core.score.Metric`, or a `MetricSummary`); None
            for a scorer's id where its metrics cannot be told, or where none can.
        slice_ids: `all` and every `name=value` of the eval set; None where they cannot be told.
        judges: those that win rates are told of; None where they cannot be told.
    """
    slices = None if slice_ids is None else list(slice_ids)
    known = None if judges is None else list(judges)
    if slices is not None:
        slices += dict.fromkeys(f"{s.partition('=')[0]}=*" for s in slices if "=" in s)
    problems = []
    for index, rule in enumerate(document.policy.rules):
        if isinstance(rule, QualityRule) and metrics is not None:
            problems += _metric_problems(document, index, rule, metrics)
        if isinstance(rule, WinRateRule) and known is not None and rule.win_rate not in known:
            place = document.where("rules", index, "win_rate")
            problems.append(unknown("judge", rule.win_rate, known, place))
        if slices is not None and rule.slice not in slices:
            place = document.where("rules", index, "slice")
            problems.append(unknown("slice", rule.slice, slices, place))
    return problems


def check_sides(
    document: PolicyDocument,
    *,
    candidates: Iterable[str] | None = None,
    baselines: Iterable[str] | None = None,
) -> list[Problem]:
    """The policy's `candidate:` and `baseline:` where they are no variant.

    Args:
        document: the policy.
        candidates: the variants that one may be chosen from; None where they are not known.
        baselines: the same for the baseline, which may come from another run.
    """
    sides = (
        ("candidate", document.policy.candidate, candidates),
        ("baseline", document.policy.baseline, baselines),
    )
    problems = []
    for role, name, variants in sides:
        known = None if variants is None else list(variants)
        if name is not None and known is not None and name not in known:
            problems.append(unknown("variant", name, known, document.where(role)))
    return problems


def is_metric(name: str, metrics: Mapping[str, Bounds | None]) -> bool:
    """Whether there is such a metric, or may be: `id.part` of a scorer that is itself wrong."""
    return name in metrics or metrics.get(name.partition(".")[0], _NONE) is None


def unknown(kind: str, name: str, known: Iterable[str], where: str) -> Problem:
    """The problem that there is no such `kind` as `name`."""
    return Problem(where, f"there is no {kind} '{name}'", did_you_mean(name, known))


def _metric_problems(
    document: PolicyDocument, index: int, rule: QualityRule, metrics: Mapping[str, Bounds | None]
) -> list[Problem]:
    if not is_metric(rule.metric, metrics):
        place = document.where("rules", index, "metric")
        return [unknown("metric", rule.metric, metrics, place)]
    bounds = metrics.get(rule.metric)
    if bounds is None:
        return []
    lower = -math.inf if bounds.lower is None else bounds.lower
    upper = math.inf if bounds.upper is None else bounds.upper
    margin, floor, ceiling = rule.margin, rule.floor, rule.ceiling
    wrong = (
        ("margin", margin, margin is not None and margin >= upper - lower, "allows any loss"),
        ("floor", floor, floor is not None and floor <= lower, "is always met"),
        ("floor", floor, floor is not None and floor > upper, "is never met"),
        ("ceiling", ceiling, ceiling is not None and ceiling >= upper, "is always met"),
        ("ceiling", ceiling, ceiling is not None and ceiling < lower, "is never met"),
    )
    hint = f"{rule.metric} lies between {lower:g} and {upper:g}"
    if (lower, upper) == (0.0, 1.0):
        hint += ": 0.02 is two points"
    return [
        Problem(document.where("rules", index, key), f"a {key} of {limit:g} {why}", hint)
        for key, limit, applies, why in wrong
        if applies
    ]


def _from_file(path: Path, problems: list[Problem]) -> PolicyDocument | None:
    source = read_yaml(path, problems)
    if source is None:
        return None
    policy = validated(GatePolicy, source, problems)
    return PolicyDocument(policy or _readable(source.data), source)


def _readable(data: dict[str, JsonValue]) -> GatePolicy:
    """The names in a policy that is not valid; its limits are left out."""
    rules = data.get("rules")
    sides = {
        side: data[side] for side in ("candidate", "baseline") if isinstance(data.get(side), str)
    }
    listed = [_readable_rule(rule) for rule in (rules if isinstance(rules, list) else ())]
    return GatePolicy.model_construct(**sides, rules=tuple(listed))


def _readable_rule(given: JsonValue) -> Rule:
    try:
        return GatePolicy(rules=(given,)).rules[0]
    except ValidationError:
        named = given if isinstance(given, dict) else {}
    texts = {key: named[key] for key in ("metric", "slice") if isinstance(named.get(key), str)}
    if "metric" in texts:
        return QualityRule.model_construct(**texts)
    return LatencyRule.model_construct(latency="p50", max_ratio=1.0, slice=texts.get("slice", ALL))
