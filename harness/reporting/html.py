"""`report.html`: one file that asks nothing of anybody, from the view and the examples.

The page is built by a Jinja template with autoescape; its one script and one style sheet stand
in it, named by their hashes in a content security policy that allows nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TextIO

from harness.core.run import RunData
from harness.reporting import payload, svg
from harness.reporting.formats import count
from harness.reporting.glossary import TERMS
from harness.reporting.judged_view import JudgedView, judged_view
from harness.reporting.parts import Matrix, Quantity, View
from harness.reporting.text import visible
from harness.reporting.view import build_view

if TYPE_CHECKING:
    from jinja2 import Template

_SCRIPTS = (
    "store.js",
    "diff.js",
    "filters.js",
    "list.js",
    "steps.js",
    "detail.js",
    "tables.js",
    "main.js",
)
_BLOCK = '<script type="application/octet-stream" id="{}">{}</script>\n'


def render(run: RunData) -> str:
    """The page as one text. For large runs `write` needs less memory."""
    page = io.StringIO()
    write(run, page)
    return page.getvalue()


def write(run: RunData, handle: TextIO) -> None:
    """Write the page piece by piece to a handle that takes UTF-8."""
    from markupsafe import Markup

    view, judged = build_view(run), judged_view(run.comparison)
    style, script = _asset("report.css"), _script()
    for piece in template().generate(
        view=view,
        judged=judged,
        plots=_plots(view, judged),
        style=Markup(style),  # noqa: S704 (our own files)
        script=Markup(script),  # noqa: S704
        policy=_policy(style, script),
        blocks=_blocks(run, view),
        terms=TERMS,
    ):
        handle.write(piece)


def _blocks(run: RunData, view: View) -> Iterator[Any]:
    """The data blocks, made one at a time while the page is being written."""
    from markupsafe import Markup

    carried = payload.Carried()
    for number, text in enumerate(payload.chunks(run, carried)):
        yield Markup(_BLOCK.format(f"chunk-{number}", payload.pack(text)))  # noqa: S704
    index = payload.index(run, carried)
    yield Markup(_BLOCK.format("index", payload.pack(payload.dump(index))))  # noqa: S704
    tables = {"slices": _tables(view.slices), "wins": _tables(view.win_rates)}
    yield Markup(_BLOCK.format("tables", payload.pack(payload.dump(tables))))  # noqa: S704


def _tables(matrices: tuple[Matrix, ...]) -> list[dict[str, Any]]:
    return [asdict(matrix) for matrix in matrices]


def _plots(view: View, judged: JudgedView | None) -> dict[str, Any]:
    """The axes that rows share, and the two scatters where there is something to draw."""
    rows = view.variants
    differences = [row.difference.difference for row in rows if row.difference]
    rates = [row.rate for row in judged.win_rates] if judged else []
    abilities = [row.ability for row in judged.rankings] if judged else []
    return {
        "judged": svg.axis(rates, 116, include=(0.0, 1.0)),
        "ability": svg.axis(abilities, 116, include=(0.0,)),
        "quality": svg.axis([row.quality for row in rows], 116),
        "difference": svg.axis(differences, 116, include=(0.0,)),
        "latency": svg.axis([q for row in rows for q in (row.p50, row.p95)], 116, include=(0.0,)),
        "cost": _scatter(view, "cost", "Quality against cost per request"),
        "p95": _scatter(view, "p95", "Quality against p95"),
        "drift": [
            (row, svg.timeline(row.points, f"{row.route}: {row.least} to {row.most}"))
            for row in view.drift
        ],
        "pairs": {
            unit: svg.axis([p.difference for p in view.pairs if p.unit == unit], 150, include=(0,))
            for unit in {pair.unit for pair in view.pairs}
        },
    }


def _scatter(view: View, field: str, title: str) -> Any:
    points = [(row.index, row.id, getattr(row, field), row.quality) for row in view.variants]
    drawn = [p for p in points if p[2].value is not None and p[3].value is not None]
    return svg.scatter(drawn, title) if len(drawn) > 1 else ""


@cache
def template() -> Template:
    """The page's template, compiled when it is first asked for."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("harness.reporting", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_writable,
    )
    environment.globals.update(
        draw_interval=svg.interval, draw_latency=svg.latency, draw_bars=svg.bars, count=count
    )
    environment.filters["raw"] = _raw
    return environment.get_template("report.html.j2")


def _writable(value: Any) -> Any:
    """What UTF-8 cannot hold never reaches the file; markup of ours is left alone."""
    return visible(value) if type(value) is str else value


def _raw(quantity: Quantity) -> str:
    """The unrounded value, for `<data value>`; empty where it is unknown."""
    return "" if quantity.value is None else repr(quantity.value)


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; script-src '{_sha256(script)}'; style-src '{_sha256(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _script() -> str:
    parts = "".join(_asset(f"js/{name}") for name in _SCRIPTS)
    return f'"use strict";\n{{\n{parts}}}\n'


def _asset(name: str) -> str:
    return files("harness.reporting").joinpath("assets", name).read_text(encoding="utf-8")
