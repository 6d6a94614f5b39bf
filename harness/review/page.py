"""The page: one document whose script and style stand in it, named by their hashes.

It holds nothing of a run. What is shown comes over the API and is put in as text, never as markup.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from importlib.resources import files
from string import Template
from typing import NamedTuple

_SCRIPTS = ("api.js", "show.js", "main.js")


class Page(NamedTuple):
    """The document, and the policy that it is sent with."""

    html: str
    policy: str


def page(token: str, reviewer: str | None) -> Page:
    """The page of one server: `token` opens its API; None asks for the reviewer's name."""
    style = _asset("review.css")
    script = '"use strict";\n{\n' + "".join(_asset(name) for name in _SCRIPTS) + "}\n"
    html = Template(_asset("review.html")).substitute(
        style=style, script=script, token=escape(token), reviewer=escape(reviewer or "")
    )
    policy = (
        f"default-src 'none'; script-src '{_sha256(script)}'; style-src '{_sha256(style)}'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return Page(html, policy)


def _sha256(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _asset(name: str) -> str:
    return files("harness.review").joinpath("assets", name).read_text(encoding="utf-8")
