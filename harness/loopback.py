"""What is this machine, reached from itself only."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, reached from itself only: `localhost` or a loopback IP."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_own_host(header: str) -> bool:
    """Whether a request is addressed to loopback by name (a page's own name may lead here too)."""
    try:
        return is_loopback(urlsplit(f"//{header}").hostname or "")
    except ValueError:
        return False
