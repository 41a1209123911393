"""Headers as the bytes of a message."""

from __future__ import annotations

from collections.abc import Sequence

Headers = Sequence[tuple[bytes, bytes]]


def lines_of(headers: Headers) -> bytes:
    """Header lines, each with its CR LF; names and values are not checked."""
    return b"".join([part for name, value in headers for part in (name, b": ", value, b"\r\n")])


class SharedLines:
    """The lines of headers that many responses share, such as the server's with the date of a second."""

    __slots__ = ("_headers", "_lines")

    def __init__(self) -> None:
        self._headers: Headers = ()
        self._lines = b""

    def of(self, headers: Headers) -> bytes:
        """The lines of a list that is not changed while it is in use, made once while it is the same list."""
        if headers is not self._headers:
            self._headers, self._lines = headers, lines_of(headers)
        return self._lines
