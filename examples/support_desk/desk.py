"""The desk's database: orders, accounts and refund rules, and what is looked up there."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

SCHEMA = """\
CREATE TABLE orders (
  order_id INTEGER PRIMARY KEY,
  product TEXT NOT NULL,
  price_usd INTEGER NOT NULL,
  status TEXT NOT NULL,
  days_to_arrival INTEGER
);
CREATE TABLE accounts (
  account_id INTEGER PRIMARY KEY,
  plan TEXT NOT NULL,
  seats_in_use INTEGER NOT NULL,
  balance_usd INTEGER NOT NULL
);
CREATE TABLE refund_rules (
  product TEXT PRIMARY KEY,
  window_days INTEGER NOT NULL,
  restocking_pct INTEGER NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class Order:
    """An order; `days_to_arrival` is None where nothing is on its way."""

    order_id: int
    product: str
    price_usd: int
    status: str
    days_to_arrival: int | None


@dataclass(frozen=True, slots=True)
class Account:
    """A customer's account."""

    account_id: int
    plan: str
    seats_in_use: int
    balance_usd: int


@dataclass(frozen=True, slots=True)
class Rule:
    """Within so many days all but a percentage of the price comes back, later nothing."""

    product: str
    window_days: int
    restocking_pct: int


def open_desk(path: Path) -> sqlite3.Connection:
    """The database that the SQL text at `path` describes, in memory."""
    desk = sqlite3.connect(":memory:", check_same_thread=False)
    desk.executescript(path.read_text(encoding="utf-8"))
    return desk


def status_of(desk: sqlite3.Connection, order_id: int) -> Mapping[str, object]:
    """The state of an order, and when it arrives; null where nothing is on its way."""
    query = "SELECT status, days_to_arrival FROM orders WHERE order_id = ?"
    found = desk.execute(query, (order_id,)).fetchone()
    if found is None:
        return {"error": f"there is no order {order_id}"}
    status, days = found
    return {"status": status, "arrives_in": None if days is None else f"{days} days"}


def account_of(desk: sqlite3.Connection, account_id: int) -> Mapping[str, object]:
    """An account's plan, how many of its seats are in use, and what it owes."""
    query = "SELECT plan, seats_in_use, balance_usd FROM accounts WHERE account_id = ?"
    found = desk.execute(query, (account_id,)).fetchone()
    if found is None:
        return {"error": f"there is no account {account_id}"}
    plan, seats, balance = found
    return {"plan": plan, "seats_in_use": seats, "balance": f"${balance}"}


def refund_of(desk: sqlite3.Connection, order_id: int, days: int) -> Mapping[str, object]:
    """What comes back for an order that is returned after so many days."""
    query = (
        "SELECT price_usd, window_days, restocking_pct FROM orders JOIN refund_rules "
        "USING (product) WHERE order_id = ?"
    )
    found = desk.execute(query, (order_id,)).fetchone()
    if found is None:
        return {"error": f"there is no order {order_id}"}
    price, window_days, restocking_pct = found
    kept = price if days > window_days else price * restocking_pct // 100
    return {"refund": f"${price - kept}"}


def as_sql(orders: Sequence[Order], accounts: Sequence[Account], rules: Sequence[Rule]) -> str:
    """The whole database as SQL text; the same rows give the same text."""
    lines = [SCHEMA]
    tables = {"orders": orders, "accounts": accounts, "refund_rules": rules}
    for table, rows in tables.items():
        lines += [f"INSERT INTO {table} VALUES ({_values(row)});\n" for row in rows]  # noqa: S608
    return "".join(lines)


def _values(row: Order | Account | Rule) -> str:
    """A row's values as SQL writes them."""
    return ", ".join(
        "NULL" if value is None else repr(value) if isinstance(value, int) else _quoted(value)
        for value in astuple(row)
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
