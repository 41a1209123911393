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
