"""Write `docs/schema/*.json` from the models; with `--check`, fail if they are not current."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harness.config.schema import file_schemas
from harness.registry import SCORERS, find

FOLDER = Path(__file__).parents[1] / "docs" / "schema"


def main() -> int:
    """Write or check every schema; the exit status."""
    stale = []
    for kind, schema in file_schemas({use: find("scorer", use) for use in SCORERS}).items():
        path = FOLDER / f"{kind}.json"
        text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
    if stale:
        print(f"not current, run scripts/write_schemas.py: {', '.join(stale)}", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
