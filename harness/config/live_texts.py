"""Templates and expressions of a live variant: read, checked for syntax, and where they stand."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from harness.config.live_files import quoted, read_template
from harness.config.live_models import LiveVariantFile, SubtaskFile
from harness.config.paths import shown
from harness.config.source import children
from harness.config.spot import Spot
from harness.core.values import JsonValue
from harness.core.variant import Prompt, Template

_PASSWORD = re.compile(r"://[^/@\s:]*:[^/@\s]+@")
_PROMPT = ("passages", "shots", "checks")

CONDITION = "condition"
"""The scope of the texts in `retrieval.where`."""

SCOPES: dict[str, tuple[str, ...]] = {
    "input": (),
    "query": ("checks",),
    CONDITION: ("checks",),
    "rewrite": ("checks", "query"),
    "compress": ("checks", "query", "passage"),
    "prompt": _PROMPT,
    "draft": (*_PROMPT, "summary"),
    "output": (*_PROMPT, "output", "confidence"),
}
"""What texts see beside the input, by when they are used (docs/reference/variants.md)."""


@dataclass(frozen=True, slots=True)
class PlacedText:
    """A template or an expression; `scope` is a key of `SCOPES`.

    `path` is the template's file, None for a text in the YAML itself; `where` the place of either
    in the YAML.
    """

    text: str
    scope: str
    where: str
    path: Path | None = None
    expression: bool = False

    def place(self, index: int) -> str:
        """`file:line:column` of a character of the text; in the YAML, of the whole text."""
        if self.path is None:
            return self.where
        start = self.text.rfind("\n", 0, index) + 1
        return f"{shown(self.path)}:{self.text.count(chr(10), 0, index) + 1}:{index - start + 1}"


@dataclass(slots=True)
class Texts:
    """The texts of one variant. What is wrong with one is told at its spot."""

    placed: list[PlacedText] = field(default_factory=list)

    def prompt(self, file: LiveVariantFile | SubtaskFile, spot: Spot, scope: str) -> Prompt:
        """The templates of one call."""
        system = file.system and self.file(spot.inside("system"), file.system, scope)
        return Prompt(system or None, self.file(spot.inside("user"), file.user, scope))

    def file(self, spot: Spot, text: str, scope: str) -> Template:
        """The template in the file that `text` names; an empty one if that is wrong."""
        found = read_template(spot, text)
        if found is None:
            return Template(text, "")
        path, template = found
        self.placed.append(PlacedText(template.text, scope, spot.where(), path))
        return template

    def expression(self, spot: Spot, text: str | None, scope: str) -> Template | None:
        """An expression of the YAML; None where there is none."""
        from harness.templating.template import check_expression

        if text is None:
            return None
        for wrong in check_expression(text):
            spot.tell(f"{spot.name}: {wrong}, in {quoted(text)}")
        self.placed.append(PlacedText(text, scope, spot.where(), expression=True))
        return Template(spot.name, text)

    def inline(self, spot: Spot, value: JsonValue, scope: str) -> None:
        """Check the texts in a value of the YAML, each of which is a template."""
        from harness.templating.template import check_template

        if isinstance(value, str):
            for _, wrong in check_template(value):
                spot.tell(f"{spot.name}: {wrong}, in {quoted(value)}")
            self.placed.append(PlacedText(value, scope, spot.where()))
        elif isinstance(value, dict):
            for key, item in value.items():
                self.inline(spot.inside(key), item, scope)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self.inline(spot.inside(index), item, scope)


def check_secrets(spot: Spot, value: JsonValue) -> None:
    """Tell of addresses that hold a password, which would stand in every record of the run."""
    if isinstance(value, str) and _PASSWORD.search(value):
        spot.tell(f"{spot.name} holds a password", "keys and passwords come from the environment")
    for key, item in children(value):
        check_secrets(spot.inside(key), item)
