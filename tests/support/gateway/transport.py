"""A transport in the memory of a test, for protocols that are driven by hand."""

from __future__ import annotations

import asyncio


class MemoryTransport(asyncio.Transport):
    """Keeps what is written; `unread` is how much of it the other side has not taken."""

    def __init__(self, peer: str = "127.0.0.1") -> None:
        super().__init__({"peername": (peer, 1), "sockname": ("127.0.0.1", 2)})
        self.written = b""
        self.unread = 0
        self.closed = asyncio.Event()
        self.aborted = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep the data."""
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        """As the test says."""
        return self.unread

    def pause_reading(self) -> None:
        """All that comes is handed over by the test."""

    def resume_reading(self) -> None:
        """See `pause_reading`."""

    def abort(self) -> None:
        """Note it."""
        self.aborted.set()

    def close(self) -> None:
        """Note it."""
        self.closed.set()

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closed.is_set()
