"""A real name server for tests, over UDP, and a resolver that asks it where the machine's own cannot."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from secrets import token_bytes

PATIENCE_S = 30.0
_MAX_BYTES = 4_096
_FOUR, _SIX = 1, 28
"""The types A and AAAA of RFC 1035 and 3596."""
_VERSIONS = {_FOUR: 4, _SIX: 6}

Answers = Callable[[str, int], Sequence[str] | None]
"""The addresses of a name, of one version of IP; of the other version they are left out. None: no such name."""


class NameServer:
    """Answers from a function, called for each query; answers may not be cached."""

    def __init__(self, answers: Answers, port: int) -> None:
        self._answers = answers
        self._wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._wire.setblocking(False)
        self._wire.bind(("127.0.0.1", port))
        self.port: int = self._wire.getsockname()[1]
        self.asked: Counter[str] = Counter()
        """How often for the IPv4 addresses of which name: once a look-up."""

    @contextmanager
    def serving(self) -> Iterator[NameServer]:
        """Answer while this lasts."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._wire, self._read)
        try:
            yield self
        finally:
            loop.remove_reader(self._wire)
            self._wire.close()

    def _read(self) -> None:
        question, asker = self._wire.recvfrom(_MAX_BYTES)
        self._wire.sendto(self._answer(question), asker)

    def _answer(self, question: bytes) -> bytes:
        name, end = _name(question)
        kind = int.from_bytes(question[end : end + 2])
        self.asked[name] += kind == _FOUR
        version = _VERSIONS.get(kind, 0)
        found = self._answers(name, version)
        packed = [address.packed for address in map(ip_address, found or ()) if address.version == version]
        # An answer with authority where recursion is on offer; 3 is NXDOMAIN.
        head = question[:2] + (0x8583 if found is None else 0x8580).to_bytes(2) + _words(1, len(packed), 0, 0)
        records = (b"\xc0\x0c" + question[end : end + 4] + _words(0, 0, len(part)) + part for part in packed)
        return b"".join([head, question[12 : end + 4], *records])


class WireResolver:
    """Asks a name server on a port of 127.0.0.1, as `getaddrinfo` asks that of the machine; implements `Resolver`."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(self, host: str) -> Sequence[str]:
        """See `Resolver`."""
        return await asyncio.to_thread(lambda: [*self._ask(host, _FOUR), *self._ask(host, _SIX)])

    def _ask(self, host: str, kind: int) -> Sequence[str]:
        question = b"".join(len(label).to_bytes(1) + label for label in host.encode().split(b".")) + b"\0"
        asked = token_bytes(2) + _words(0x0100, 1, 0, 0, 0) + question + _words(kind, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
            wire.settimeout(PATIENCE_S)
            wire.connect(("127.0.0.1", self._port))
            wire.send(asked)
            said = wire.recv(_MAX_BYTES)
        if said[3] & 0xF:
            raise OSError("no such name")
        found, place = [], len(asked)
        while place < len(said):
            length = int.from_bytes(said[place + 10 : place + 12])
            packed = said[place + 12 : place + 12 + length]
            found.append(str(ip_address(packed)))
            place += 12 + length
        return found


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(2) for value in values)


def _name(question: bytes) -> tuple[str, int]:
    """The name that is asked for, and where it ends."""
    labels, place = [], 12
    while (length := question[place]) != 0:
        labels.append(question[place + 1 : place + 1 + length].decode())
        place += 1 + length
    return ".".join(labels), place + 1
