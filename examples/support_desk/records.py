"""Draws what the desk's database holds, and what customers ask of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random  # noqa: TID251 - a generator with its own seed, passed along

from examples.support_desk.desk import Account, Order, Rule, as_sql
from examples.support_desk.world import Pair, Sizes, World

ON_THE_WAY = ("shipped", "packed", "delayed", "in customs", "waiting for parts")
STANDING = ("delivered", "cancelled", "on hold", "returned")
TOOLS = {
    "status": ("order_status", "orders", "orders"),
    "arrival": ("order_status", "orders", "orders"),
    "plan": ("account_lookup", "accounts", "plans"),
    "seats": ("account_lookup", "accounts", "plans"),
    "balance": ("account_lookup", "accounts", "plans"),
    "refund": ("refund_calculation", "refunds", "returns"),
}
"""Of each sort of question: the tool, where its wordings stand, and its category."""

N_ORDERS = 120
N_ACCOUNTS = 80
TOO_LATE = 5
"""One refund in so many is asked for after the window."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """A question that a tool answers: the call, the answer, and what its wording names."""

    asks: str
    answer: str
    arguments: dict[str, int]

    @property
    def tool(self) -> str:
        """The tool's name."""
        return TOOLS[self.asks][0]

    @property
    def topic(self) -> str:
        """Where its wordings stand."""
        return TOOLS[self.asks][1]

    @property
    def category(self) -> str:
        """The house category."""
        return TOOLS[self.asks][2]

    @property
    def words(self) -> dict[str, int]:
        """What a wording may name."""
        return {name.removesuffix("_id"): value for name, value in self.arguments.items()}


@dataclass(slots=True)
class Records:
    """The rows of the database, and the questions about them."""

    orders: list[Order] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    lookups: list[Lookup] = field(default_factory=list)

    def sql(self) -> str:
        """The database as SQL text."""
        return as_sql(self.orders, self.accounts, self.rules)


def draw_records(world: World, sizes: Sizes, rng: Random) -> Records:
    """Orders, accounts and rules, and the questions that `sizes.tools` asks for; ids are unique."""
    records = Records()
    ids = rng.sample(range(10000, 100000), N_ORDERS + N_ACCOUNTS)
    facts = {fact.key: fact for fact in world.facts}
    for product in world.products:
        window = world.values[Pair(product, facts["refund_window"])]
        restocking = world.values[Pair(product, facts["restocking_fee"])]
        rule = Rule(product.name, int(window.split()[0]), int(restocking.rstrip("%")))
        records.rules.append(rule)
    for number in range(N_ORDERS):
        moves = number % 2 == 0
        status = rng.choice(ON_THE_WAY if moves else STANDING)
        days = rng.randint(2, 24) if moves else None
        product = rng.choice(world.products).name
        price = 100 * rng.randint(1, 9)
        records.orders.append(Order(ids.pop(), product, price, status, days))
    for _ in range(N_ACCOUNTS):
        plan = rng.choice(world.products).name
        seats, balance = rng.randint(2, 180), rng.randint(12, 640)
        records.accounts.append(Account(ids.pop(), plan, seats, balance))
    records.lookups = list(_lookups(records, sizes, rng))
    rng.shuffle(records.lookups)
    records.orders.sort(key=lambda order: order.order_id)
    records.accounts.sort(key=lambda account: account.account_id)
    return records


def _lookups(records: Records, sizes: Sizes, rng: Random) -> Iterator[Lookup]:
    """The questions; each of them is about a row of its own."""
    moving = [order for order in records.orders if order.days_to_arrival is not None]
    here = [order for order in records.orders if order.status in {"delivered", "returned"}]
    others = [order for order in records.orders if order not in moving and order not in here]
    for _ in range(sizes.tools["arrival"]):
        order = moving.pop()
        yield Lookup("arrival", f"{order.days_to_arrival} days", {"order_id": order.order_id})
    for number in range(sizes.tools["status"]):
        order = (moving, here, others)[number % 3].pop()
        yield Lookup("status", order.status, {"order_id": order.order_id})
    for number in range(sizes.tools["refund"]):
        order = here.pop()
        late = number % TOO_LATE == 0
        yield _refund(order, records.rules, rng, late=late)
    accounts = iter(records.accounts)
    for _ in range(sizes.tools["accounts"]):
        one, two, three = next(accounts), next(accounts), next(accounts)
        yield Lookup("plan", one.plan, {"account_id": one.account_id})
        yield Lookup("seats", str(two.seats_in_use), {"account_id": two.account_id})
        yield Lookup("balance", f"${three.balance_usd}", {"account_id": three.account_id})


def _refund(order: Order, rules: list[Rule], rng: Random, *, late: bool) -> Lookup:
    """A return within the window, or some days after it."""
    (rule,) = [rule for rule in rules if rule.product == order.product]
    days = rule.window_days + rng.randint(2, 20) if late else rng.randint(2, rule.window_days)
    back = 0 if late else order.price_usd * (100 - rule.restocking_pct) // 100
    return Lookup("refund", f"${back}", {"order_id": order.order_id, "days": days})
