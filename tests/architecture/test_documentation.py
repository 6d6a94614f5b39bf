"""What the documentation names is there: commands, options, links, schemas."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.yml")]
)
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
CODE = re.compile(r"^ *```[^\n]*\n(.*?)^ *```|`([^`\n]+)`", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|[/ ])harness +([a-z]+(?:-[a-z]+)*)\b([^\n|#]*)", re.MULTILINE)
OPTION = re.compile(r"(?<!\S)(--[a-z-]+)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SCHEMA = re.compile(r"# yaml-language-server: \$schema=(\S+)")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def code_in(page: Path) -> str:
    """The commands of a workflow; a page's code, in blocks and in lines."""
    if page.suffix == ".yml":
        jobs = YAML(typ="safe").load(page)["jobs"].values()
        lines = [step.get("run", "") for job in jobs for step in job["steps"]]
    else:
        text = page.read_text(encoding="utf-8")
        lines = [block or line for block, line in CODE.findall(text)]
    return "\n".join(lines).replace("\\\n", " ")


@cache
def help_of(*command: str) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "harness", *command, "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"},
    )
    return result.stdout if result.returncode == 0 else ""


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_commands_and_options_exist(page: Path) -> None:
    wrong = []
    for command, rest in COMMAND.findall(code_in(page)):
        name = (command, "save") if command == "baseline" else (command,)
        known = help_of(*name)
        if not known:
            wrong.append(f"harness {command}")
        wrong += [f"harness {command} {o}" for o in OPTION.findall(rest) if o not in known]
    assert not wrong


@pytest.mark.parametrize("page", [page for page in PAGES if page.suffix == ".md"], ids=relative)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [link.partition("#")[0] for link in LINK.findall(page.read_text(encoding="utf-8"))]
    local = [target for target in targets if target and "://" not in target]
    assert not [target for target in local if not (page.parent / target).exists()]


@pytest.mark.parametrize("config", CONFIGS, ids=relative)
def test_config_names_its_schema(config: Path) -> None:
    first_line = config.read_text(encoding="utf-8").partition("\n")[0]
    named = SCHEMA.fullmatch(first_line)
    assert named
    assert (config.parent / named.group(1)).is_file()
