"""Writes a Markdown file as the one note of a merge request: created once, then rewritten.

    python scripts/gitlab_note.py gate.md

Runs in a GitLab merge-request pipeline; standard library only. The note is found by the marker on
its first line among the notes of the token's own user.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any

MARKER = "<!-- harness-report -->"
NOTES_PER_PAGE = 100


def main() -> None:
    """Create or update the note; without a token, say so and do nothing."""
    token = os.environ.get("HARNESS_NOTE_TOKEN")
    if not token:
        sys.stderr.write("no HARNESS_NOTE_TOKEN: the merge request gets no note\n")
        return
    api = os.environ["CI_API_V4_URL"]
    project, number = os.environ["CI_PROJECT_ID"], os.environ["CI_MERGE_REQUEST_IID"]
    notes = f"{api}/projects/{project}/merge_requests/{number}/notes"
    body = Path(sys.argv[1]).read_text(encoding="utf-8")
    if not body.startswith(MARKER):
        body = f"{MARKER}\n{body}"
    me = call("GET", f"{api}/user", token)["id"]
    found = own_note(notes, token, me)
    if found is None:
        call("POST", notes, token, {"body": body})
    else:
        call("PUT", f"{notes}/{found}", token, {"body": body})


def own_note(notes: str, token: str, user_id: int) -> int | None:
    """The id of the user's note that starts with the marker, or None."""
    page = 1
    while batch := call("GET", f"{notes}?per_page={NOTES_PER_PAGE}&page={page}", token):
        for note in batch:
            if note["author"]["id"] == user_id and note["body"].startswith(MARKER):
                return int(note["id"])
        page += 1
    return None


def call(method: str, url: str, token: str, body: dict[str, str] | None = None) -> Any:
    """The JSON answer of GitLab's API."""
    if not url.startswith("https://") and not url.startswith("http://"):
        raise ValueError(f"not an address of the web: {url}")
    request = urllib.request.Request(  # noqa: S310  checked above
        url,
        method=method,
        headers={"PRIVATE-TOKEN": token, "Content-Type": "application/json"},
        data=None if body is None else json.dumps(body).encode(),
    )
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        return json.load(response)


if __name__ == "__main__":
    main()
