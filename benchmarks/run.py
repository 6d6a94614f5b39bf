"""All benchmarks, one after another (`make bench`): docs/benchmarks.md says what they measure.

    python benchmarks/run.py [OUT.json]

Takes some minutes. With OUT.json, all figures are also written there.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import recorded_run
import report_page
import start_up
from workload import Size


def main() -> dict[str, Any]:
    results: dict[str, Any] = {"start_up": start_up.main(repeats=15)}
    with tempfile.TemporaryDirectory() as scratch:
        kept = Path(scratch) / "kept"
        results["recorded_run"] = recorded_run.main(Size(), repeats=3, keep=kept)
        chromium = os.environ.get("HARNESS_CHROMIUM") or shutil.which("chromium")
        if chromium is None:
            print("\nreport.html: not measured, no chromium on the path")
        else:
            run = kept / "reports" / "made_up" / "latest"
            results["report_page"] = report_page.main(run, 5, chromium)
    return results


if __name__ == "__main__":
    found = main()
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(found, indent=1) + "\n")
