"""Small drawings: an interval, a latency range, a share, a scatter of variants.

Colours come from the page's style sheet through classes; nothing here is text from outside
except labels, which are escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.reporting.parts import Quantity

if TYPE_CHECKING:
    from markupsafe import Markup

_HEIGHT = 20
_PLOT = (520, 220)
_LEFT, _BOTTOM = 56, 30
_LINE, _CHARACTER = 14, 7
"""Room for a label's line and for one of its characters, in pixels."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear scale from `low` to `high` onto `width` pixels with a small inset."""

    low: float
    high: float
    width: int

    def at(self, value: float) -> float:
        """The pixel of a value."""
        span = (self.high - self.low) or 1.0
        return round(6 + (self.width - 12) * (value - self.low) / span, 1)


def axis(quantities: Iterable[Quantity], width: int, *, include: Sequence[float] = ()) -> Axis:
    """An axis that holds every known value and bound, and the values of `include`."""
    known = [*include]
    for quantity in quantities:
        known += [v for v in (quantity.value, quantity.low, quantity.high) if v is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return Axis(low, high, width)


def interval(
    quantity: Quantity, scale: Axis, label: str, *, css: str = "", zero: bool = False
) -> Markup:
    """A dot with its interval; a dashed line at zero. `css` colours it."""
    parts = []
    if zero:
        x = scale.at(0.0)
        parts.append(f'<line class="zero" x1="{x}" x2="{x}" y1="0" y2="{_HEIGHT}"/>')
    y = _HEIGHT / 2
    if quantity.low is not None and quantity.high is not None:
        low, high = scale.at(quantity.low), scale.at(quantity.high)
        parts.append(f'<line class="range" x1="{low}" x2="{high}" y1="{y}" y2="{y}"/>')
        parts += [
            f'<line class="cap" x1="{x}" x2="{x}" y1="{y - 4}" y2="{y + 4}"/>' for x in (low, high)
        ]
    if quantity.value is not None:
        parts.append(f'<circle cx="{scale.at(quantity.value)}" cy="{y}" r="4"/>')
    return _drawing(parts, scale.width, label, css)


def latency(p50: Quantity, p95: Quantity, scale: Axis, label: str, css: str) -> Markup:
    """p50 as a bar, p95 as a line, each on its interval."""
    parts = []
    y = _HEIGHT / 2
    for quantity, half in ((p50, 6), (p95, 4)):
        if quantity.low is not None and quantity.high is not None:
            low, high = scale.at(quantity.low), scale.at(quantity.high)
            parts.append(f'<line class="range" x1="{low}" x2="{high}" y1="{y}" y2="{y}"/>')
        if quantity.value is not None:
            x = scale.at(quantity.value)
            parts.append(
                f'<rect x="{x - 1.5}" y="{y - half}" width="3" height="{2 * half}" rx="1"/>'
            )
    if p50.value is not None and p95.value is not None:
        x1, x2 = scale.at(p50.value), scale.at(p95.value)
        parts.insert(0, f'<line class="thin" x1="{x1}" x2="{x2}" y1="{y}" y2="{y}"/>')
    return _drawing(parts, scale.width, label, css)


def bars(shares: Sequence[tuple[float, str]], width: int, label: str) -> Markup:
    """Shares that sum to 1 at most, end to end, each with its class."""
    parts, x = [], 0.0
    for share, css in shares:
        length = round(width * share, 1)
        parts.append(f'<rect class="{css}" x="{round(x, 1)}" y="4" width="{length}" height="12"/>')
        x += length
    return _drawing(parts, width, label, "bars")


def timeline(points: Sequence[tuple[float, float]], label: str) -> Markup:
    """A value, from 0 up, over time."""
    width, height = 520, 80
    right = Axis(0.0, max(x for x, _ in points), width)
    up = Axis(0.0, max(y for _, y in points), height)
    places = [(right.at(x), round(height - up.at(y), 1)) for x, y in points]
    path = " ".join(f"{x},{y}" for x, y in places)
    parts = [f'<line class="grid" x1="6" x2="{width - 6}" y1="{height - 6}" y2="{height - 6}"/>']
    parts.append(f'<polyline class="trace" points="{path}"/>')
    parts += [f'<circle cx="{x}" cy="{y}" r="2.5"/>' for x, y in places]
    return _svg(parts, width, height, label, "plot")


def scatter(points: Sequence[tuple[int, str, Quantity, Quantity]], title: str) -> Markup:
    """Quality (up) against cost or time (right) per variant: (index, name, x, y)."""
    width, height = _PLOT
    right, left = axis([x for _, _, x, _ in points], width - _LEFT, include=(0.0,)), _LEFT
    up = axis([y for *_, y in points], height - _BOTTOM - 8)
    base = height - _BOTTOM
    parts = [f'<line class="grid" x1="{left}" x2="{width}" y1="{base}" y2="{base}"/>']
    texts: list[str] = []
    taken = [
        (left + right.at(x.value) - 6, left + right.at(x.value) + 6, base - up.at(y.value) + 4)
        for _, _, x, y in points
        if x.value is not None and y.value is not None
    ]
    ticks_x: list[float] = []
    ticks_y: list[float] = []
    for index, name, x, y in points:
        if x.value is None or y.value is None:
            continue
        cx, cy = left + right.at(x.value), base - up.at(y.value)
        parts += _point(
            f"v{index % 8}", cx, [base - up.at(b) for b in (y.low, y.high) if b is not None], cy
        )
        away = -9 if cx > width * 0.7 else 9
        y_name = _free(
            taken, cx + away, len(name) * (_CHARACTER if away > 0 else -_CHARACTER), cy + 4
        )
        texts.append(_label(cx + away, y_name, name, "end" if away < 0 else "start"))
        if all(abs(cx - other) > 58 for other in ticks_x):
            texts.append(_label(cx, height - 10, x.text, "middle", "tick"))
            ticks_x.append(cx)
        if all(abs(cy - other) > 13 for other in ticks_y):
            texts.append(_label(left - 6, cy + 4, y.text, "end", "tick"))
            ticks_y.append(cy)
    return _svg([*parts, *texts], width, height, title, "plot")


def _free(taken: list[tuple[float, float, float]], x: float, length: float, y: float) -> float:
    """The height nearest to `y` at which a label hides nothing; `taken` are (left, right, y)."""
    left, right = min(x, x + length), max(x, x + length)
    beside = [other for start, end, other in taken if start < right and left < end]
    top, bottom = _LINE, _PLOT[1] - _BOTTOM
    steps = sorted(range(-len(beside) - 1, len(beside) + 2), key=lambda step: (abs(step), -step))
    heights = [y + step * _LINE for step in steps if top <= y + step * _LINE <= bottom] or [y]
    free = (h for h in heights if all(abs(h - other) >= _LINE for other in beside))
    chosen = next(free, heights[0])
    taken.append((left, right, chosen))
    return chosen


def _point(css: str, cx: float, ends: Sequence[float], cy: float) -> Iterable[str]:
    if len(ends) == 2:
        yield (
            f'<line class="range {css}" x1="{cx:.1f}" x2="{cx:.1f}" '
            f'y1="{ends[0]:.1f}" y2="{ends[1]:.1f}"/>'
        )
    yield f'<circle class="{css}" cx="{cx:.1f}" cy="{cy:.1f}" r="5"/>'


def _label(x: float, y: float, text: str, anchor: str, css: str = "name") -> str:
    from markupsafe import escape

    return (
        f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _drawing(parts: Sequence[str], width: int, label: str, css: str) -> Markup:
    return _svg(parts, width, _HEIGHT, label, f"draw {css}".strip())


def _svg(parts: Sequence[str], width: int, height: int, label: str, css: str) -> Markup:
    from markupsafe import Markup, escape

    return Markup(  # noqa: S704 (built of numbers, our own class names and escaped labels)
        f'<svg class="{escape(css)}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )
