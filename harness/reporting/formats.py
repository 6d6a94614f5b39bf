"""How numbers are written, once for every rendering. Unknown is "unknown", never 0."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from harness.core.comparison import MetricSummary

UNKNOWN = "unknown"
NO_INTERVAL = "no interval"
MINUS = "\u2212"


def count(n: int) -> str:
    """A whole number: `1,319`."""
    return f"{n:,}".replace("-", MINUS)


def plural(n: int, noun: str) -> str:
    """`1 example`, `1,319 examples`."""
    return f"{count(n)} {noun}" if n == 1 else f"{count(n)} {noun}s"


def number(value: float | None) -> str:
    """A plain number with three significant digits: `0.0412`, `12.3`, `1,234`."""
    if value is None:
        return UNKNOWN
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e9 or size < 1e-6:
        return f"{value:.2e}".replace("-", MINUS)
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else _decimals(size, 3)
    return f"{value:,.{decimals}f}".replace("-", MINUS)


def share(value: float | None) -> str:
    """A share as a percentage: `39.0%`; tiny ones keep two digits: `0.042%`."""
    return UNKNOWN if value is None else f"{_hundredths(value)}%"


def seconds(value: float | None) -> str:
    """A time: `480 µs`, `412 ms`, `1.35 s`, `135 s`."""
    if value is None:
        return UNKNOWN
    if value >= 1:
        return f"{value:.0f} s" if value >= 100 else f"{value:.2f} s"
    if 0 < value < 0.001:
        return f"{number(value * 1e6)} µs"
    return f"{value * 1000:.0f} ms" if value >= 0.01 else f"{number(value * 1000)} ms"


def dollars(value: float | None) -> str:
    """US dollars: `$12.30`, `$0.00031`; what is known to be free is `$0`."""
    if value is None:
        return UNKNOWN
    sign, size = (MINUS if value < 0 else ""), abs(value)
    if size == 0:
        return "$0"
    if size < 1e-9:
        return f"under {sign}$0.000000001"
    if size >= 1:
        return f"{sign}${size:,.2f}"
    rounded = Decimal(repr(size)).quantize(Decimal(1).scaleb(-_decimals(size, 3)))
    text = f"{rounded:f}".rstrip("0")
    return f"{sign}${text}" if len(text.partition(".")[2]) >= 2 else f"{sign}${rounded:.2f}"


def p_value(value: float | None) -> str:
    """A p-value with its sign of equality: `p = 0.032`, `p < 0.0001`."""
    if value is None:
        return "p unknown"
    if value < 0.0001:
        return "p < 0.0001"
    return f"p = {value:.4f}" if value < 0.01 else f"p = {min(value, 1.0):.3f}"


def rough(n: float) -> str:
    """A rough count with two significant digits: `1,900`."""
    step = int(10 ** max(len(str(int(n))) - 2, 0))
    return count(max(int(round(n / step) * step), 1))


@dataclass(frozen=True, slots=True)
class Scale:
    """How one metric's values are written: shares in percent and points, others as numbers."""

    is_share: bool

    @classmethod
    def of(cls, metric: MetricSummary | None) -> Scale:
        """A metric bounded by 0 and 1 is a share."""
        return cls(metric is not None and metric.lower == 0 and metric.upper == 1)

    def value(self, value: float | None) -> str:
        """A figure: `39.0%` or `12.3`."""
        return share(value) if self.is_share else number(value)

    def bare(self, value: float | None) -> str:
        """A figure without its unit, as it stands inside an interval: `39.0`."""
        if value is None:
            return UNKNOWN
        return _hundredths(value) if self.is_share else number(value)

    def amount(self, value: float) -> str:
        """The size of a difference: `17.4 points` or `0.412`."""
        return f"{self.bare(abs(value))} points" if self.is_share else number(abs(value))

    def difference(self, value: float | None) -> str:
        """A difference with its sign: `+17.4 points`, `−0.412`, `0.0 points`."""
        if value is None:
            return UNKNOWN
        return f"{self.signed(value)} points" if self.is_share else self.signed(value)

    def signed(self, value: float | None) -> str:
        """A difference with its sign and without its unit: `+17.4`."""
        if value is None:
            return UNKNOWN
        text = self.bare(value)
        return f"+{text}" if value > 0 and text.strip("0.") else text

    def between(self, low: float | None, high: float | None) -> str:
        """An interval in words: `between 14.7 and 20.0`; empty where it is unknown."""
        if low is None or high is None:
            return ""
        return f"between {self.bare(low)} and {self.bare(high)}"

    def interval(self, low: float | None, high: float | None, *, signed: bool = False) -> str:
        """An interval in short: `36.4 to 41.7`; empty where it is unknown."""
        if low is None or high is None:
            return ""
        write = self.signed if signed else self.bare
        return f"{write(low)} to {write(high)}"


def _hundredths(value: float) -> str:
    scaled = value * 100
    size = abs(scaled)
    tiny = 0.001 <= size < 0.05
    text = f"{scaled:.{_decimals(size, 2)}f}" if tiny else f"{scaled:.1f}"
    return "0.0" if text == "-0.0" else text.replace("-", MINUS)


def _decimals(size: float, significant: int) -> int:
    """How many decimals show `significant` digits of a size below 1."""
    leading = f"{size:.{significant - 1}e}"
    return min(significant - 1 - int(leading.partition("e")[2]), 15)
