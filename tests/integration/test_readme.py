"""The README shows what the programme really does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
VARIANTS = ("prompt_only", "prompt_rag", "prompt_tools", "tuned_minimal", "tuned_rag")


def harness(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with the whole quickstart's run in its reports/, and what was printed."""
    folder = tmp_path_factory.mktemp("quickstart")
    out = folder / "reports" / "quickstart"
    done = harness(ROOT, "run", "configs/quickstart.yaml", "--out", str(out))
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def without_times(text: str) -> str:
    """A printed text without what a slower machine changes, and the widths of its tables."""
    text = re.sub(r"\b\d[\d.,]* (?:µs|ms|s|min|h)\b", "TIME", text)
    return re.sub(r"-{2,}", "--", re.sub(r"[ ]+", " ", text)).replace(" \n", "\n")


def test_the_excerpt_is_what_the_quickstart_prints(quickstart: tuple[Path, str]) -> None:
    _, _, after = README.partition("<!-- what the quickstart prints -->\n```\n")
    excerpt = after.partition("```")[0].rstrip("\n")

    same = without_times(excerpt) in without_times(quickstart[1])

    assert same, f"run scripts/update_quickstart.py: now it prints\n{quickstart[1]}"
    assert all(name in excerpt for name in VARIANTS)


def test_the_five_minutes_work(tmp_path: Path) -> None:
    block = README[README.index("   harness freeze") :].partition("```")[0]
    commands = [line.split("#")[0].split()[1:] for line in block.splitlines() if line.strip()]
    own = re.findall(r"^   ```yaml\n(.*?)^   ```", README, flags=re.MULTILINE | re.DOTALL)

    assert harness(tmp_path, "init", "my-eval").returncode == 0
    folder = tmp_path / "my-eval"
    (folder / "configs" / "tickets.yaml").write_text(own[0], encoding="utf-8")
    codes = {command[0]: harness(folder, *command).returncode for command in commands}

    assert list(codes) == ["freeze", "check", "run", "gate"]
    assert codes["freeze"] == codes["check"] == codes["run"] == 0
    assert codes["gate"] == 0


def test_the_notebook_lines_work(quickstart: tuple[Path, str]) -> None:
    lines = re.search(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    assert lines
    text = lines.group(1) + "\nprint(len(run.pairs), len(run.scores), len(run.trials))"

    done = subprocess.run(
        [sys.executable, "-c", text], cwd=quickstart[0], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert all(int(rows) > 0 for rows in done.stdout.split()[-3:])
