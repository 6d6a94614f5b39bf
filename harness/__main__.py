"""`python -m harness` is `harness`."""

from __future__ import annotations

import sys

_INTERRUPTED = 130


def main() -> None:
    """Run one command; a Ctrl-C while it is still being imported ends it without a traceback."""
    try:
        from harness.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("harness: interrupted\n")
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
