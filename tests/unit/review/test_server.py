"""Who may ask the review's server, on a real socket."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from chat_server import send
from reviewed import PAIR, Reviewed, review_of, reviewed_run

VOTE = {"reviewer": "Ada", "number": 0, "verdict": "left"}


@pytest.fixture(scope="module")
def served() -> Iterator[Reviewed]:
    with Reviewed(review_of(reviewed_run())) as server:
        yield server


def token(served: Reviewed) -> str:
    _, raw, _ = send("GET", served.url)
    found = re.search(r'name="harness-token" content="([^"]+)"', raw.decode())
    assert found
    return found[1]


def headers(served: Reviewed, **changed: str | None) -> dict[str, str]:
    own = {"Origin": served.url.rstrip("/"), "X-Harness-Token": token(served)}
    own |= {"Content-Type": "application/json"}
    given = own | {name.replace("_", "-"): value for name, value in changed.items()}
    return {name: value for name, value in given.items() if value is not None}


def post(served: Reviewed, action: str, body: Any, **changed: str | None) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"{served.url}api/{action}"
    status, answer, _ = send("POST", url, data=data, headers=headers(served, **changed))
    return status, answer


def test_the_page_is_safe_and_knows_nothing(served: Reviewed) -> None:
    status, raw, got = send("GET", served.url)
    page = raw.decode()
    assert status == 200
    policy = got["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert got["X-Frame-Options"] == "DENY"
    assert got["Cache-Control"] == "no-store"
    assert not [name for name in got if name.lower().startswith("access-control")]
    assert "http" not in re.sub(r"http-equiv", "", page)
    assert not [name for name in PAIR if name in page]
    assert not re.search(r"\son\w+=", page)


def test_nothing_that_is_answered_names_a_variant(served: Reviewed) -> None:
    said = [str(send("GET", served.url))]
    for number in range(12):
        body = {"reviewer": "Eve", "number": number, "verdict": "right"}
        said += [str(post(served, action, body)) for action in ("start", "item", "hidden", "vote")]
    said += [str(post(served, "summary", {"reviewer": "Eve"})), str(post(served, "x", {}))]
    for name in (*PAIR, "model_a", "model_b"):
        assert name not in "".join(said)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, 200), ({"Origin": None}, 403), ({"Origin": "null"}, 403),
        ({"Origin": "http://evil.example"}, 403), ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403), ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
        ({"X_Harness_Token": None}, 403), ({"X_Harness_Token": "guess"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
    ],
)  # fmt: skip
def test_only_the_own_page_may_vote(changed: dict[str, str | None], status: int) -> None:
    review = review_of(reviewed_run())
    with Reviewed(review) as served:
        assert post(served, "vote", VOTE, **changed)[0] == status
    assert review.n_written == (status == 200)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"\xff", b'{"a": 1, "a": 2}', b"[" * 100_000, b"{}", b'{"number":1e9}'],
)
def test_bodies_that_are_none(served: Reviewed, body: bytes) -> None:
    status, answer = post(served, "vote", body)
    assert status == 400
    assert answer["error"]
    assert served.reports == []


def test_bodies_that_are_too_large_and_other_ways(served: Reviewed) -> None:
    assert post(served, "vote", b" " * 300_000)[0] == 413
    assert post(served, "labels", {})[0] == 404
    assert send("GET", f"{served.url}api/item", headers=headers(served))[0] == 405
    assert send("GET", f"{served.url}labels.jsonl")[0] == 404
    assert send("OPTIONS", f"{served.url}api/vote")[0] == 405
    assert send("GET", served.url, headers={"Host": "evil.example"})[0] == 403
