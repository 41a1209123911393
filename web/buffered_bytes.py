"""A bound of what is written and not read yet, over all connections of a process.

Only connections whose client is behind are known here, those whose transport paused writing: any other holds less than
the transport's high-water mark. Where they hold more than the bound together, those that read slowest are aborted.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import struct
import termios
from contextlib import suppress
from dataclasses import dataclass

logger = logging.getLogger("moorings.connections")


LOG_EVERY_S = 10.0
LEFT = 0.75
"""The part of the bound that is left when connections are aborted: to find the slowest asks the system about each."""


@dataclass(slots=True)
class _Behind:
    """One connection: how much its client had not received, the system's buffers included, and when."""

    unreceived: int
    since: float


class BufferedBytes:
    """What the clients of one process have not read yet."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._logged_at = -LOG_EVERY_S
        self._behind: dict[asyncio.WriteTransport, _Behind] = {}

    def __len__(self) -> int:
        """The number of connections whose client is behind."""
        return len(self._behind)

    @property
    def bytes(self) -> int:
        """What these connections hold."""
        return sum(transport.get_write_buffer_size() for transport in self._behind)

    def paused(self, transport: asyncio.WriteTransport, now: float) -> None:
        """Count a connection whose client is behind, and abort the slowest while there is more than allowed."""
        if transport not in self._behind:
            self._behind[transport] = _Behind(_unreceived(transport), now)
        total = self.bytes
        if total <= self._most:
            return
        for each in sorted(self._behind, key=lambda each: self._speed(each, now)):
            total -= each.get_write_buffer_size()
            del self._behind[each]
            each.abort()
            if total <= self._most * LEFT:
                break
        if now - self._logged_at >= LOG_EVERY_S:
            self._logged_at = now
            logger.warning("Clients have not read more than %d bytes: the slowest are cut off.", self._most)

    def resumed(self, transport: asyncio.WriteTransport) -> None:
        """Forget a connection whose client has read what was written, or that has ended."""
        self._behind.pop(transport, None)

    def _speed(self, transport: asyncio.WriteTransport, now: float) -> tuple[float, float]:
        """Bytes a second since the client is behind; of equal ones the longest behind comes first."""
        behind = self._behind[transport]
        received = behind.unreceived - _unreceived(transport)
        return received / max(now - behind.since, 1.0), behind.since


def _unreceived(transport: asyncio.WriteTransport) -> int:
    """What is in the transport's buffer and in the system's, which may hold megabytes for seconds (`man 7 tcp`)."""
    endpoint = transport.get_extra_info("socket")
    sent = b"\0" * 4
    if endpoint is not None:
        with suppress(OSError, ValueError):  # it is closed meanwhile, or the system does not tell
            sent = fcntl.ioctl(endpoint.fileno(), termios.TIOCOUTQ, sent)
    return transport.get_write_buffer_size() + int(struct.unpack("i", sent)[0])
