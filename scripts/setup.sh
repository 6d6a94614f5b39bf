#!/bin/sh
# Makes .venv exactly as uv.lock says: with uv where it is installed, else with a uv installed into
# .venv. PYTHON=python3.12 chooses the interpreter of a new environment.
set -eu
cd "$(dirname "$0")/.."
unset VIRTUAL_ENV

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "error: Python 3.11 or newer is needed; found: $(python3 --version 2>&1 || true)" >&2
    echo "  hint: install it, then: PYTHON=/path/to/python3.11 make quickstart" >&2
    exit 1
}

# uv --version, not command -v: a version manager's stand-in for a uv that is not there fails here.
if uv --version >/dev/null 2>&1; then
    uv sync --frozen --quiet ${PYTHON:+--python "$PYTHON"}
    exit
fi
if ! new_enough .venv/bin/python; then
    python=$(find_python)
    "$python" -m venv --clear .venv || {
        echo "  hint: on Debian and Ubuntu this needs: apt-get install python3-venv" >&2
        exit 1
    }
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8'
# --inexact keeps the uv that has just been installed.
.venv/bin/uv sync --frozen --inexact --quiet --python .venv/bin/python
