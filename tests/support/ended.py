"""Whether processes have ended."""

from __future__ import annotations

import os
import select

PATIENCE_S = 30.0


def have_ended(process_ids: list[int]) -> bool:
    """Whether all have ended by now, or do within a while (a kill takes a moment to arrive)."""
    for process_id in process_ids:
        try:
            handle = os.pidfd_open(process_id)
        except ProcessLookupError:
            continue
        try:
            if not select.select([handle], [], [], PATIENCE_S)[0]:
                return False
        finally:
            os.close(handle)
    return True
