"""Server-sent events: the data of each event out of bytes that arrive in any pieces.

Follows the event stream format of the HTML standard (section 9.2.6), of which only `data` matters
here: event names, ids, retry times and comments are passed over.
"""

from __future__ import annotations


class EventParser:
    """Takes a stream piece by piece. Lines end in LF, CRLF or CR; a blank one ends an event."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._data: list[bytes] = []
        self._started = False

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of every event that `piece` completes, lines joined by LF."""
        if b"\n" not in piece and b"\r" not in piece and not self._ends_in_cr():
            self._rest.append(piece)  # a long line in many pieces is joined once, at its end
            return []
        lines = b"".join((*self._rest, piece)).splitlines(keepends=True)
        self._rest = []
        if lines and not lines[-1].endswith(b"\n"):  # a CR may be the first half of CRLF
            self._rest = [lines.pop()]
        return self._events(lines)

    def end(self) -> list[bytes]:
        """The events that the stream's end completes: also one without its blank line."""
        lines = b"".join(self._rest).splitlines()
        self._rest = []
        return self._events([*lines, b""])

    def _ends_in_cr(self) -> bool:
        return bool(self._rest) and self._rest[-1].endswith(b"\r")

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events = []
        for line in lines:
            content = line.rstrip(b"\r\n")
            if not self._started:
                content, self._started = content.removeprefix(b"\xef\xbb\xbf"), True
            if not content:
                if self._data:
                    events.append(b"\n".join(self._data))
                    self._data = []
            elif content == b"data":
                self._data.append(b"")
            elif content.startswith(b"data:"):
                self._data.append(content[5:].removeprefix(b" "))
        return events
