"""Server-sent events in any pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.plugins.wire.sse import EventParser


def events(*pieces: bytes) -> list[bytes]:
    parser = EventParser()
    return [event for piece in pieces for event in parser.feed(piece)] + parser.end()


STREAMS = [
    (b"", []),
    (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
    (b"data:a\r\n\r\ndata:  b\r\n\r\n", [b"a", b" b"]),
    (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
    (b"data: a\ndata: b\n\n", [b"a\nb"]),
    (b"data\n\n", [b""]),
    (b"data:\n\n", [b""]),
    (b": a comment\n\n:\n\ndata: a\n\n", [b"a"]),
    (b"event: x\nid: 1\nretry: 5\ndata: a\n\nevent: y\n\n", [b"a"]),
    (b"database: a\n\n data: b\n\n", []),
    (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
    (b"\n\n\ndata: a\n\n\n", [b"a"]),
    (b"data: without an end", [b"without an end"]),
    (b"data: a\ndata: b", [b"a\nb"]),
]


@pytest.mark.parametrize(("stream", "expected"), STREAMS)
def test_the_data_of_every_event(stream: bytes, expected: list[bytes]) -> None:
    assert events(stream) == expected


PARTS = [b"data: x", b"data:", b"\n", b"\r\n", b"\r", b": c", b"id: 1", b"data: \xc3\xa9"]


@given(st.lists(st.sampled_from(PARTS)), st.data())
def test_how_a_stream_is_cut_makes_no_difference(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert events(*pieces) == events(stream)


def test_an_event_is_given_as_soon_as_its_blank_line_is_there() -> None:
    parser = EventParser()
    assert parser.feed(b"data: a\n") == []
    assert parser.feed(b"\nda") == [b"a"]
    assert parser.feed(b"ta: b\r\n") == []
    assert parser.feed(b"\r\n") == [b"b"]
