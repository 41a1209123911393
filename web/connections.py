"""How many connections there may be: of one client address, and in all.

Beyond the limits a connection is still answered, with 503, and the health endpoints as ever, so that a probe finds out
that the process lives; some way beyond, connections are aborted unread. Behind a trusted proxy a connection counts for
the client address of the request that it carries.
"""

from __future__ import annotations

import logging
from collections import Counter

logger = logging.getLogger("moorings.connections")

SPARE_PER_ADDRESS = 16
SPARE_IN_ALL = 128
"""Connections beyond a limit that are answered with 503 instead of being aborted."""


class Connections:
    """The connections of one process."""

    def __init__(self, *, per_address: int, in_all: int) -> None:
        self._per_address = per_address
        self._in_all = in_all
        self._of: Counter[str] = Counter()
        self._total = 0
        self._is_full = False

    def __len__(self) -> int:
        """How many are open."""
        return self._total

    def open(self, address: str, *, is_proxy: bool) -> ConnectionLease:
        """Count a connection of an address; one of a trusted proxy counts for no address until it carries a request."""
        lease = ConnectionLease(self, "" if is_proxy else address)
        self._note_full()
        return lease

    def count(self, address: str, change: int) -> None:
        """Count a connection more or less."""
        self._of[address] += change
        self._total += change
        if self._of[address] <= 0:
            del self._of[address]
        if self._is_full and self._total <= self._in_all:
            self._is_full = False
            logger.info("There is room for connections again.")

    def is_beyond(self, address: str, *, spare: bool = False) -> bool:
        """Whether an address, or all together, have more connections than they may, the spare ones included or not."""
        of_address = self._per_address + (SPARE_PER_ADDRESS if spare else 0)
        in_all = self._in_all + (SPARE_IN_ALL if spare else 0)
        return (address != "" and self._of[address] > of_address) or self._total > in_all

    def _note_full(self) -> None:
        if not self._is_full and self._total > self._in_all:
            self._is_full = True
            logger.warning("All %d connections are taken: further ones are refused.", self._in_all)


class ConnectionLease:
    """One connection's place among them."""

    __slots__ = ("_address", "_connections", "_is_open")

    def __init__(self, connections: Connections, address: str) -> None:
        self._connections = connections
        self._address = address
        self._is_open = True
        connections.count(address, 1)

    @property
    def is_beyond(self) -> bool:
        """Whether its requests are refused."""
        return self._connections.is_beyond(self._address)

    @property
    def is_far_beyond(self) -> bool:
        """Whether it is aborted unread."""
        return self._connections.is_beyond(self._address, spare=True)

    def move(self, address: str) -> None:
        """Count for another address from now on."""
        if self._is_open and address != self._address:
            self._connections.count(address, 1)
            self._connections.count(self._address, -1)
            self._address = address

    def close(self) -> None:
        """Give the place back; a second time does nothing."""
        if self._is_open:
            self._is_open = False
            self._connections.count(self._address, -1)
