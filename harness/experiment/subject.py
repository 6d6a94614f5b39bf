"""What is compared: the one way from a manifest and its tables to a comparison's subject."""

from __future__ import annotations

from collections.abc import Mapping

from harness.comparison.subject import Subject, confounded_pairs
from harness.core.example import Example
from harness.core.experiment import Analysis, PrimaryFigure, VariantFacts, factor_table
from harness.core.judged import JudgedComparison
from harness.core.score import ScoreTable, TrialTable
from harness.core.values import JsonValue

_NOT_JUDGED = JudgedComparison()


def subject_of(
    manifest: Mapping[str, JsonValue],
    examples: tuple[Example, ...],
    trials: TrialTable,
    scores: ScoreTable,
    warnings: tuple[str, ...] = (),
    judged: JudgedComparison = _NOT_JUDGED,
) -> Subject:
    """The subject whose run, set, variants, baseline and analysis are those of `manifest`.

    The manifest's variants are those of `scores`, in the same order.
    """
    evalset = manifest["evalset"]
    variants = variant_facts(manifest)
    return Subject(
        run_id=manifest["run_id"],
        evalset_name=evalset["name"],
        evalset_sha256=evalset["sha256"],
        examples=examples,
        baseline=manifest["baseline"],
        variants=variants,
        analysis=analysis_of(manifest),
        scores=scores,
        trials=trials,
        slice_meanings=dict(evalset["slice_meanings"]),
        factors=factor_table(variants),
        warnings=warnings,
        confounded=confounded_pairs(manifest.get("confounded", ())),
        judged=judged,
    )


def analysis_of(manifest: Mapping[str, JsonValue]) -> Analysis:
    """How a run's figures are computed."""
    facts = manifest["analysis"]
    primary = tuple(PrimaryFigure(**figure) for figure in facts["primary"])
    return Analysis(**{**facts, "primary": primary})


def variant_facts(manifest: Mapping[str, JsonValue]) -> tuple[VariantFacts, ...]:
    """What a manifest knows of its variants."""
    return tuple(
        VariantFacts(facts["id"], facts["fingerprint"], facts["facts"], facts["label"])
        for facts in manifest["variants"]
    )
