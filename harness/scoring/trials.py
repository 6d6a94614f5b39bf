"""What every trial took, in columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from harness.core.record import AnswerPath, Failure, Record, Status
from harness.core.score import TrialTable
from harness.scoring.operations import Operations

_STATUS = {Status.OK: 0, Status.SYSTEM_FAILURE: 1, Status.INFRASTRUCTURE_FAILURE: 2}
_PATH = {
    AnswerPath.COLD: 1,
    AnswerPath.WARM: 2,
    AnswerPath.CACHED: 3,
    AnswerPath.RECORDED: 4,
}


def trial_table(
    variants: Sequence[str],
    example_ids: Sequence[str],
    n_repeats: int,
    records: Collection[Record],
) -> TrialTable:
    """What all records took, of shape (variants, examples, repeats).

    Raises:
        KeyError: if a record is of an unknown variant or example.
        IndexError: if a record's repeat is not below `n_repeats`.
    """
    shape = (len(variants), len(example_ids), n_repeats)
    status = np.full(shape, -1, np.int8)
    path = np.zeros(shape, np.int8)
    latency_s = np.full(shape, np.nan)
    cost_usd = np.full(shape, np.nan)
    variant_index = {variant: index for index, variant in enumerate(variants)}
    example_index = {example_id: index for index, example_id in enumerate(example_ids)}
    error_kinds: dict[str, Counter[str]] = {}
    live = any(record.trace is not None for record in records)
    operations = Operations(shape, variant_index) if live else None
    for record in records:
        slot = variant_index[record.variant], example_index[record.example_id], record.repeat
        status[slot] = _STATUS[record.status]
        path[slot] = _PATH[record.path]
        if record.latency_s is not None:
            latency_s[slot] = record.latency_s
        if record.cost_usd is not None:
            cost_usd[slot] = record.cost_usd
        if isinstance(record.outcome, Failure) and record.outcome.error_kind:
            error_kinds.setdefault(record.variant, Counter())[record.outcome.error_kind] += 1
        if operations is not None:
            operations.add(slot, record)
    return TrialTable(
        tuple(variants),
        tuple(example_ids),
        status,
        path,
        latency_s,
        cost_usd,
        error_kinds,
        operations.table() if operations else None,
    )
