"""Verdicts merged: both orders to one verdict, repeats and judges to one preference an example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.comparison.subject import local_clusters
from harness.core.judging import UNKNOWN_ORDER, Judged, JudgmentTable, Panel
from harness.core.score import BoolArray, FloatArray, IntArray

BOTH_ORDERS = 2


@dataclass(frozen=True, slots=True)
class Units:
    """One row per judge, example, pair, repeat and turn, its orders merged.

    A pair is turned so that `low` is the variant listed first and `high` the later one; `p_high` is
    the preference for the later, NaN where there is none. Two orders that disagree are a tie:
    0.5 for plain verdicts, the mean for probabilities; `flipped` marks those that changed sides.
    `n_orders` counts the orders that were asked for, `n_unparsed` verdicts that could not be read.
    `one_order` marks units without a preference because one of the two orders is missing.
    `turned` marks those whose verdict lists the later variant first.
    """

    judge: IntArray
    example: IntArray
    low: IntArray
    high: IntArray
    p_high: FloatArray
    flipped: BoolArray
    n_orders: IntArray
    n_unparsed: IntArray
    one_order: BoolArray
    turned: BoolArray
    turn: IntArray
    low_chars: FloatArray
    high_chars: FloatArray

    def of(self, chosen: BoolArray) -> Units:
        """Those that are chosen."""
        return Units(*(getattr(self, name)[chosen] for name in self.__slots__))

    def pairs(self) -> list[tuple[int, int]]:
        """The pairs that were judged, in order."""
        found = np.unique(np.stack([self.low, self.high], axis=1), axis=0)
        return [(int(low), int(high)) for low, high in found]

    def between(self, low: int, high: int) -> Units:
        """Those on one pair."""
        return self.of((self.low == low) & (self.high == high))


def merged(table: JudgmentTable) -> Units:
    """The verdicts of a table, with the orders of each merged."""
    turned = table.first > table.second
    low, high = np.minimum(table.first, table.second), np.maximum(table.first, table.second)
    p_high = np.where(turned, 1 - table.p_second, table.p_second)
    keys = np.stack([table.judge, table.example, low, high, table.repeat, table.turn], axis=1)
    _, start, places = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    unit: IntArray = places.reshape(-1).astype(np.int32)
    n = len(start)
    read = np.isfinite(p_high)
    n_read = np.bincount(unit[read], minlength=n)
    total = np.bincount(unit[read], weights=p_high[read], minlength=n)
    least, most = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(least, unit[read], p_high[read])
    np.maximum.at(most, unit[read], p_high[read])
    plain = np.isin(p_high, (0.0, 0.5, 1.0)) | ~read
    all_plain = np.bincount(unit[~plain], minlength=n) == 0
    mean = np.divide(total, n_read, out=np.full(n, np.nan), where=n_read > 0)
    differ = (n_read > 1) & (least != most)
    merged_p = np.where(differ & all_plain, 0.5, mean)
    flipped = (least < 0.5) & (most > 0.5)
    flipped |= np.bincount(unit[table.flipped], minlength=n) > 0
    n_orders = _n_orders(unit, table.swapped, n)
    expected = _orders_of_judges(table.judge[start], n_orders, len(table.judges))
    one_order = (n_read > 0) & (_n_orders(unit[read], table.swapped[read], n) < expected)
    return Units(
        judge=table.judge[start],
        example=table.example[start],
        low=low[start],
        high=high[start],
        p_high=np.where(one_order, np.nan, merged_p),
        flipped=flipped & ~one_order,
        n_orders=n_orders,
        n_unparsed=np.bincount(unit[~read], minlength=n).astype(np.int32),
        one_order=one_order,
        turned=turned[start],
        turn=table.turn[start],
        low_chars=np.where(turned, table.second_chars, table.first_chars)[start],
        high_chars=np.where(turned, table.first_chars, table.second_chars)[start],
    )


def _n_orders(unit: IntArray, swapped: np.ndarray, n: int) -> IntArray:
    """How many different orders each unit has; 1 where nobody says which."""
    orders = [np.bincount(unit[swapped == order], minlength=n) > 0 for order in (0, 1)]
    unknown = np.bincount(unit[swapped == UNKNOWN_ORDER], minlength=n) > 0
    both: IntArray = (orders[0].astype(np.int32) + orders[1]).astype(np.int32)
    return np.where((both == 0) & unknown, 1, both).astype(np.int32)


def _orders_of_judges(judge: IntArray, n_orders: IntArray, n_judges: int) -> IntArray:
    """How many orders each unit should have: those that its judge gave anywhere."""
    most = np.zeros(n_judges, dtype=np.int32)
    np.maximum.at(most, judge, n_orders)
    expected: IntArray = most[judge]
    return expected


def members_of(judges: Sequence[str], panel: Panel) -> list[int]:
    """The places of a panel's judges, in order."""
    return [place for place, name in enumerate(judges) if name in panel.judges]


def panel_units(units: Units, judges: Sequence[str], panel: Panel) -> Units:
    """The units of a panel's judges."""
    return units.of(np.isin(units.judge, members_of(judges, panel)))


def clusters_of_votes(judged: Judged, examples: IntArray) -> IntArray | None:
    """Clusters of verdicts: those on one example hang together, and examples of one cluster."""
    codes = judged.clusters
    if codes is None:
        codes = np.arange(len(judged.table.example_ids), dtype=np.int32)
    return local_clusters(codes, examples)


def preferences(units: Units, n_examples: int) -> tuple[FloatArray, IntArray]:
    """Of one pair: the preference for the later variant by example, NaN without any, and counts.

    A judge's repeats are averaged first, then the judges. The counts are of units, by example.
    """
    read = np.isfinite(units.p_high)
    keys = np.stack([units.example[read], units.judge[read]], axis=1)
    found, member = np.unique(keys, axis=0, return_inverse=True)
    member = member.reshape(-1)
    sums = np.bincount(member, weights=units.p_high[read], minlength=len(found))
    by_judge = sums / np.bincount(member, minlength=len(found))
    example = found[:, 0]
    n_judges = np.bincount(example, minlength=n_examples)
    totals = np.bincount(example, weights=by_judge, minlength=n_examples)
    mean = np.divide(totals, n_judges, out=np.full(n_examples, np.nan), where=n_judges > 0)
    asked: IntArray = np.bincount(units.example, minlength=n_examples).astype(np.int32)
    return mean, asked
