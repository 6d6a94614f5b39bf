"""The tools of `tools.py` over the database of the development world."""

from __future__ import annotations

import sqlite3
from functools import cache
from pathlib import Path

from examples.support_desk.desk import account_of, open_desk, refund_of, status_of

DATABASE = Path(__file__).with_name("development") / "desk.sql"


def order_status(order_id: int) -> dict[str, object]:
    """The status of an order, and in how many days it arrives.

    Args:
        order_id: the order's number, five digits
    """
    return dict(status_of(_desk(), order_id))


def account_lookup(account_id: int) -> dict[str, object]:
    """An account's plan, its seats in use and its balance.

    Args:
        account_id: the account's number, five digits
    """
    return dict(account_of(_desk(), account_id))


def refund_calculation(order_id: int, days: int) -> dict[str, object]:
    """The amount that comes back when an order is returned after some days.

    Args:
        order_id: the order's number, five digits
        days: days between delivery and return
    """
    return dict(refund_of(_desk(), order_id, days))


@cache
def _desk() -> sqlite3.Connection:
    """The database, read once in each process; nothing is written to it."""
    return open_desk(DATABASE)
