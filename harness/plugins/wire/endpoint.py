"""Options by which a plugin is told of a server: its address, and where its key is."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_PORTS = {"http": ":80", "https": ":443"}
_IN_ADDRESS = re.compile(r"[!-~\u00a1-\U0010ffff]+")


def _base_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable, parts = False, urlsplit("")
    if not usable or not _IN_ADDRESS.fullmatch(text):
        raise ValueError("must be an address such as http://127.0.0.1:8000/v1")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user or a password; name a key's variable instead")
    if parts.query or parts.fragment:
        raise ValueError("must end with the path: no ? and no #")
    return text.rstrip("/")


def _env_name(text: str) -> str:
    if not _VARIABLE.fullmatch(text):  # the text is not repeated: it may be the key itself
        raise ValueError("must be the name of an environment variable, not a key")
    return text


BaseUrl: TypeAlias = Annotated[str, Field(max_length=2000), AfterValidator(_base_url)]
"""An option that holds a server's address: http or https, host, port, path; no credentials."""

EnvName: TypeAlias = Annotated[str, AfterValidator(_env_name)]
"""An option that names the environment variable of a key."""


def address_of(base_url: str) -> str:
    """Scheme, host, port and path of an address, in one spelling: what may be shown of it.

    The port that its scheme has anyway is left out, and so are credentials, a query and a slash at
    the end. Two addresses of one endpoint are the same.
    """
    parts = urlsplit(base_url)
    scheme = parts.scheme.lower()
    host = parts.netloc.rpartition("@")[2].lower().removesuffix(_PORTS.get(scheme, "/"))
    return f"{scheme}://{host}{parts.path.rstrip('/')}"
