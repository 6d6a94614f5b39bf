"""Put into README what the quickstart prints, and a picture of its report into docs/images/.

    python scripts/update_quickstart.py

Runs `configs/quickstart.yaml` and takes the verdict and the tables under it, up to the first
remark. The picture is taken by Chromium (`HARNESS_CHROMIUM`, or `chromium` on the path).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
REPORT = ROOT / "reports" / "quickstart" / "latest" / "report.html"
PICTURE = ROOT / "docs" / "images" / "quickstart.png"
EXCERPT = re.compile(r"(?<=^<!-- what the quickstart prints -->\n```\n).*?(?=^```)", re.M | re.S)
VERDICT = re.compile(r"^(?:Ship |Keep |A trade-off|No verdict)", re.M)
REMARK = re.compile(r"^(?:[!-] |report: )", re.M)
WINDOW = "1280,1000"


def main() -> int:
    """Run, write the excerpt, take the picture; 1 if something of that could not be done."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", "configs/quickstart.yaml"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    verdict = VERDICT.search(done.stdout)
    if done.returncode or verdict is None:
        print(f"the run ended with {done.returncode}; README is as it was")
        return 1
    printed = done.stdout[verdict.start() :]
    remark = REMARK.search(printed)
    excerpt = printed[: remark.start() if remark else None].rstrip() + "\n"
    readme, n = EXCERPT.subn(lambda _: excerpt, README.read_text(encoding="utf-8"))
    if n != 1:
        print(f"{README} has {n} places for the excerpt, not one")
        return 1
    README.write_text(readme, encoding="utf-8")
    return take_picture()


def take_picture() -> int:
    """Of the beginning of the report's page."""
    chromium = os.environ.get("HARNESS_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        print("no chromium: the picture is as it was")
        return 1
    PICTURE.parent.mkdir(exist_ok=True)
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
    where = (f"--window-size={WINDOW}", f"--screenshot={PICTURE}", REPORT.resolve().as_uri())
    done = subprocess.run(  # noqa: S603
        [chromium, *flags, *where], capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        print(done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
