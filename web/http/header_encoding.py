"""The head of an answer on the wire, and the one thing that must never be in it: another head."""

from __future__ import annotations

from collections.abc import Sequence

from uvicorn.protocols.http.httptools_impl import STATUS_LINE


class BrokenHead(ValueError):
    """A header has a line break or a NUL in it, and would become another header."""


def head_of(status: int, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The status line and the headers, without the empty line behind them; raises `BrokenHead`."""
    head = STATUS_LINE[status] + lines_of(headers)
    if head.count(b"\n") != len(headers) + 1 or head.count(b"\r") != len(headers) + 1 or b"\0" in head:
        raise BrokenHead
    return head


def lines_of(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Headers as lines, not looked at."""
    return b"".join([part for name, value in headers for part in (name, b": ", value, b"\r\n")])


class SharedLines:
    """The lines of headers that one list after the other stands for, such as the server's with the date of a second."""

    __slots__ = ("_headers", "_lines")

    def __init__(self) -> None:
        self._headers: Sequence[tuple[bytes, bytes]] = ()
        self._lines = b""

    def of(self, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
        """The lines of that list, written once as long as it is the same one; nobody changes it meanwhile."""
        if headers is not self._headers:
            self._headers, self._lines = headers, lines_of(headers)
        return self._lines
