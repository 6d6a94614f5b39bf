"""Tokens per trial, and the prompt tokens that one variant saves against another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np

from harness.comparison.operations import ANSWERED, cost_estimate, flat
from harness.comparison.subject import Subject, local_clusters
from harness.core.example import ALL
from harness.core.operations import TokenEstimate, TokenQuantity, TokenSaving
from harness.core.score import BoolArray, FloatArray, OperationsTable

_QUANTITIES: tuple[TokenQuantity, ...] = get_args(TokenQuantity)


def token_estimates(subject: Subject) -> list[TokenEstimate]:
    """Mean tokens and model calls of an answered trial, wherever they are known."""
    table = subject.trials.operations
    if table is None:
        return []
    return [
        estimate
        for variant in range(len(subject.variants))
        for estimate in _tokens(subject, table, variant)
    ]


def token_savings(subject: Subject) -> list[TokenSaving]:
    """Prompt tokens saved for every pair, on the examples for which both sides' are known.

    Per trial, and per call of a model: a loop with tools sends its prompt several times. Repeats
    are averaged inside an example first. The interval is that of a mean, as for costs: a saving far
    from 0 with a small spread has no use for one that is built around wins and losses.
    """
    table = subject.trials.operations
    if table is None:
        return []
    calls = np.where(table.model_calls > 0, table.model_calls, np.nan)
    quantities: tuple[
        tuple[Literal["prompt_tokens_per_trial", "prompt_tokens_per_call"], FloatArray], ...
    ]
    quantities = (
        ("prompt_tokens_per_trial", table.prompt_tokens),
        ("prompt_tokens_per_call", table.prompt_tokens / calls),
    )
    return [
        saving
        for candidate, baseline in subject.pairs()
        for quantity, tokens in quantities
        for saving in _saving(subject, (candidate, baseline), quantity, tokens)
    ]


def _tokens(subject: Subject, table: OperationsTable, variant: int) -> Iterator[TokenEstimate]:
    answered = _answered(subject)
    for quantity in _QUANTITIES:
        amounts: FloatArray = getattr(table, quantity)
        known = answered & np.isfinite(amounts)
        values, clusters = flat(subject, amounts, known, variant, subject.slices[ALL])
        if len(values):
            mean, low, high = cost_estimate(values, clusters, subject.analysis)
            yield TokenEstimate(
                variant=subject.variants[variant].id,
                quantity=quantity,
                n=len(values),
                mean=mean,
                ci_low=low,
                ci_high=high,
            )


def _saving(
    subject: Subject,
    pair: tuple[int, int],
    quantity: Literal["prompt_tokens_per_trial", "prompt_tokens_per_call"],
    tokens: FloatArray,
) -> Iterator[TokenSaving]:
    rows = subject.slices[ALL]
    means = _example_means(np.where(_answered(subject), tokens, np.nan)[list(pair)])
    shared = rows[np.isfinite(means).all(axis=0)]
    if not len(shared):
        return
    diffs: FloatArray = means[1, shared] - means[0, shared]
    clusters = local_clusters(subject.clusters, shared)
    saved, low, high = cost_estimate(diffs, clusters, subject.analysis)
    yield TokenSaving(
        candidate=subject.variants[pair[0]].id,
        baseline=subject.variants[pair[1]].id,
        quantity=quantity,
        n=len(shared),
        n_missing=len(rows) - len(shared),
        saved=saved,
        ci_low=low,
        ci_high=high,
    )


def _example_means(table: FloatArray) -> FloatArray:
    """(variants, examples, repeats) to (variants, examples); NaN where no repeat is known."""
    known = np.isfinite(table)
    counts = known.sum(axis=2)
    totals = np.where(known, table, 0.0).sum(axis=2)
    means: FloatArray = np.divide(
        totals, counts, out=np.full(totals.shape, np.nan), where=counts > 0
    )
    return means


def _answered(subject: Subject) -> BoolArray:
    result: BoolArray = np.isin(subject.trials.status, ANSWERED)
    return result
