"""Which hosts an experiment's plugins would send data to, held against those that are allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from harness.config.suggest import listed
from harness.core.values import JsonValue
from harness.core.variant import Component
from harness.errors import Problem

_ADDRESSES = frozenset({"base_url", "host"})
"""Where an identity names an address, its own or that of a plugin within it (an embedder's)."""
_UNKNOWN = ""
"""Stands for the address that a client was not told, and chooses by itself."""


def residency_problems(
    component: Component, identity: Mapping[str, JsonValue], allowed: Sequence[str] | None
) -> list[Problem]:
    """A problem for every host outside `allowed` that a plugin would send data to.

    What a command of an MCP server or a Python tool does is its own: they have no address.

    Args:
        component: the plugin, as the variant asks for it.
        identity: what the plugin says of itself.
        allowed: patterns of hosts, such as `*.internal`; None allows all.
    """
    if allowed is None:
        return []
    patterns = [pattern.lower() for pattern in allowed]
    hint = f"allowed are: {listed(allowed)}" if allowed else "no host is allowed"
    problems = []
    for address in dict.fromkeys(_addresses(identity)):
        host = _host(address)
        if host == _UNKNOWN:
            what = f"{component.use} chooses the host that it sends data to, and some are forbidden"
            problems.append(Problem(component.where(), what, "name the address: base_url"))
        elif not any(fnmatchcase(host, pattern) for pattern in patterns):
            what = f"{component.use} would send data to {host}, which is not among allowed_hosts"
            problems.append(Problem(component.where(), what, hint))
    return problems


def _addresses(value: JsonValue) -> Iterator[str]:
    """Every address in an identity, at whatever depth."""
    if not isinstance(value, Mapping):
        return
    for key, item in value.items():
        if key in _ADDRESSES and isinstance(item, str) and item:
            yield from item.split(",")  # a database may be given several hosts
        elif key == "base_url" and item is None and "sdk" in value:
            yield _UNKNOWN
        else:
            yield from _addresses(item)


def _host(address: str) -> str:
    """The host of an address with or without a scheme, in lower case."""
    return urlsplit(address if "//" in address else f"//{address}").hostname or address.lower()
