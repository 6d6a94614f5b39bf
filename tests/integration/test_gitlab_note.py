"""scripts/gitlab_note.py against a server that keeps notes as GitLab does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "gitlab_note.py"
MARKER = "<!-- harness-report -->"
ME = 7
SENT_TOKEN = "-".join(["any", "thing"])
NOTES = "/projects/12/merge_requests/3/notes"


class GitLab(BaseHTTPRequestHandler):
    notes: ClassVar[dict[int, dict[str, Any]]] = {}

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/user":
            return self._answer({"id": ME})
        assert url.path == NOTES
        query = parse_qs(url.query)
        size, page = int(query["per_page"][0]), int(query["page"][0])
        return self._answer(list(self.notes.values())[(page - 1) * size : page * size])

    def do_POST(self) -> None:
        assert self.path == NOTES
        self._keep(max(self.notes, default=0) + 1)

    def do_PUT(self) -> None:
        self._keep(int(self.path.removeprefix(NOTES + "/")))

    def _keep(self, number: int) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        self.notes[number] = {"id": number, "author": {"id": ME}, "body": body}
        self._answer(self.notes[number])

    def _answer(self, value: Any) -> None:
        assert self.headers["PRIVATE-TOKEN"] == SENT_TOKEN
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    GitLab.notes.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), GitLab) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def send(text: str, address: str, folder: Path, token: str = SENT_TOKEN) -> str:
    file = folder / "gate.md"
    file.write_text(text, encoding="utf-8")
    environment = os.environ | {
        "HARNESS_NOTE_TOKEN": token,
        "CI_API_V4_URL": address,
        "CI_PROJECT_ID": "12",
        "CI_MERGE_REQUEST_IID": "3",
        "no_proxy": "127.0.0.1",
    }
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(file)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


def test_one_note_is_made_and_then_rewritten(address: str, tmp_path: Path) -> None:
    others = {
        number: {"id": number, "author": {"id": 1}, "body": f"{MARKER}\nsomebody else's {number}"}
        for number in range(1, 131)
    }
    GitLab.notes.update(others)

    send(f"{MARKER}\n**pass**", address, tmp_path)
    send(f"{MARKER}\n**fail**", address, tmp_path)
    send("no marker of its own", address, tmp_path)

    mine = {number: note for number, note in GitLab.notes.items() if number not in others}
    assert [note["body"] for note in mine.values()] == [f"{MARKER}\nno marker of its own"]
    assert {number: GitLab.notes[number] for number in others} == others


def test_without_a_token_nothing_is_sent(address: str, tmp_path: Path) -> None:
    said = send(f"{MARKER}\n**pass**", address, tmp_path, token="")

    assert "HARNESS_NOTE_TOKEN" in said
    assert not GitLab.notes
