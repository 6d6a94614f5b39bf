"""A finished run for notebooks: its folder, its result, and its tables as pandas frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.comparison import Comparison
from harness.core.run import RunData
from harness.core.verdict import Verdict
from harness.storage import find, run_folder, tables

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Run:
    """One finished run: `path` is its folder, `data` everything in it.

    The frames are read from the folder's Parquet files when they are first asked for; their
    columns are those of docs/reference/files.md. Numbers that are unknown are missing.
    """

    path: Path
    data: RunData

    @property
    def comparison(self) -> Comparison:
        """All figures."""
        return self.data.comparison

    @property
    def verdict(self) -> Verdict | None:
        """The gate's verdict; None before a gate has run."""
        return self.data.verdict

    @cached_property
    def trials(self) -> pd.DataFrame:
        """A row per trial."""
        return _frame(self.path / tables.TRIALS)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """A row per trial and metric."""
        return _frame(self.path / run_folder.SCORES)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """A row per candidate, baseline, metric and slice: the paired differences."""
        import pandas as pd

        from harness.core.comparison import PairEstimate

        rows = [pair.model_dump() for pair in self.comparison.pairs]
        return pd.DataFrame(rows, columns=list(PairEstimate.model_fields))

    def __repr__(self) -> str:
        return f"<harness run {self.data.run_id}: {self.comparison.conclusion.kind}>"


def load_run(run: str | Path) -> Run:
    """A finished run, by its folder or as the command line names it (`support-copilot`).

    Raises:
        InputError: if there is no such run, it is not finished, or its files were changed.
    """
    folder = find.find_run(str(run))
    return Run(folder, run_folder.load_run(folder))


def _frame(path: Path) -> pd.DataFrame:
    import pyarrow.parquet as pq

    frame: pd.DataFrame = pq.read_table(path).to_pandas()
    return frame
