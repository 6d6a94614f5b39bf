"""`junit.xml`: the gate's rules as test cases; before a gate, the primary figures."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from harness.core.run import RunData
from harness.reporting.parts import Gate, PairRow, RuleRow, View
from harness.reporting.text import xml_text
from harness.reporting.view import build_view


def render(run: RunData) -> str:
    """The file's text.

    Before a gate, a primary figure fails where the candidate is certainly worse, and is skipped
    where nothing can be said. Once a gate has run, its rules alone decide: a loss within the margin
    is no failure. A rule fails where it is broken; an inconclusive rule is an error where
    the policy blocks on it, else it is skipped.
    """
    view = build_view(run)
    root = ET.Element("testsuites", name="harness")
    if view.gate and run.verdict:
        _add_gate(root, view.gate, blocks=run.verdict.on_inconclusive == "block")
    else:
        _add_comparison(root, view)
    for suite in root:
        _count(suite)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _add_comparison(root: ET.Element, view: View) -> None:
    suite = ET.SubElement(root, "testsuite", name=f"comparison of {xml_text(view.run_id)}")
    for pair in view.pairs:
        if pair.is_primary:
            _add_pair(suite, pair)
    if view.headline.tone == "unsure" and view.headline.badge == "No verdict":
        case = ET.SubElement(suite, "testcase", classname="comparison", name="verdict")
        _add(case, "error", view.headline.sentence, view.headline.text)


def _add_pair(suite: ET.Element, pair: PairRow) -> None:
    name = f"{pair.metric} in {pair.slice}: {pair.candidate} against {pair.baseline}"
    case = ET.SubElement(
        suite, "testcase", classname=xml_text(f"comparison.{pair.metric}"), name=xml_text(name)
    )
    if pair.finding == "worse":
        _add(case, "failure", pair.sentence, f"{pair.p}, {pair.n} examples")
    elif pair.finding in ("too_few", "not_comparable"):
        _add(case, "skipped", pair.sentence)
    else:
        ET.SubElement(case, "system-out").text = xml_text(pair.sentence)


def _add_gate(root: ET.Element, gate: Gate, *, blocks: bool) -> None:
    suite = ET.SubElement(root, "testsuite", name="gate")
    for row in gate.rules:
        case = ET.SubElement(suite, "testcase", classname="gate", name=xml_text(row.rule))
        if row.result.outcome == "fail":
            _add(case, "failure", row.reason, _evidence(row))
        elif row.result.outcome == "inconclusive":
            _add(case, "error" if blocks else "skipped", row.reason, _evidence(row))
        else:
            ET.SubElement(case, "system-out").text = xml_text(row.reason)


def _evidence(row: RuleRow) -> str:
    interval = f" ({row.interval})" if row.interval else ""
    needed = f"; {row.needed}" if row.needed else ""
    figure = f"{row.where}: {row.estimate}{interval}"
    return f"{figure}; {row.kind} {row.limit}; {row.n} examples{needed}"


def _add(case: ET.Element, kind: str, message: str, text: str = "") -> None:
    ET.SubElement(case, kind, message=xml_text(message)).text = xml_text(text) or None


def _count(suite: ET.Element) -> None:
    suite.set("tests", str(len(suite)))
    for kind, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(kind) is not None for case in suite)))
