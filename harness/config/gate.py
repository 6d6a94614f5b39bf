"""Gate policies: from a file of their own, or written inside an experiment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from harness.config.paths import PathError, require, resolve
from harness.config.source import Location, Source, read_yaml
from harness.config.suggest import did_you_mean
from harness.config.validate import in_order, validated
from harness.core.policy import GatePolicy, QualityRule
from harness.errors import InputError, Problem


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A policy, and where it is written, so that its problems can be located."""

    policy: GatePolicy
    source: Source
    at: Location = ()

    def where(self, *keys: str | int) -> str:
        """`file:line:column` of the value under `keys` inside the policy."""
        return self.source.where((*self.at, *keys))


def load_gate_policy(path: Path) -> GatePolicy:
    """The policy in a YAML file.

    Raises:
        InputError: listing everything that is wrong with it.
    """
    return read_policy(path).policy


def read_policy(path: Path) -> PolicyDocument:
    """The policy in a YAML file, with places.

    Raises:
        InputError: listing everything that is wrong with it.
    """
    problems: list[Problem] = []
    document = _from_file(path, problems)
    if document is None or problems:
        raise InputError(in_order(problems))
    return document


def policy_of_experiment(source: Source, problems: list[Problem]) -> PolicyDocument | None:
    """The policy under an experiment's `gate:`, written there or named by its path.

    The shape of a policy written there is checked with the experiment.
    """
    given = source.data.get("gate")
    if isinstance(given, dict):
        try:
            return PolicyDocument(GatePolicy.model_validate(given), source, ("gate",))
        except ValidationError:
            return None
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
    document: PolicyDocument, metric_ids: Iterable[str], slice_ids: Iterable[str]
) -> list[Problem]:
    """What the policy names that does not exist.

    Args:
        document: the policy.
        metric_ids: every metric that the scorers give.
        slice_ids: `all` and every `name=value` of the eval set.
    """
    metrics, slices = list(metric_ids), list(slice_ids)
    slices += dict.fromkeys(f"{s.partition('=')[0]}=*" for s in slices if "=" in s)
    problems = []
    for index, rule in enumerate(document.policy.rules):
        if isinstance(rule, QualityRule) and rule.metric not in metrics:
            place = document.where("rules", index, "metric")
            problems.append(unknown("metric", rule.metric, metrics, place))
        if rule.slice not in slices:
            place = document.where("rules", index, "slice")
            problems.append(unknown("slice", rule.slice, slices, place))
    return problems


def unknown(kind: str, name: str, known: Iterable[str], where: str) -> Problem:
    """The problem that there is no such `kind` as `name`."""
    return Problem(where, f"there is no {kind} '{name}'", did_you_mean(name, known))


def _from_file(path: Path, problems: list[Problem]) -> PolicyDocument | None:
    source = read_yaml(path, problems)
    if source is None:
        return None
    policy = validated(GatePolicy, source, problems)
    return PolicyDocument(policy, source) if policy else None
