"""A TCP proxy before PostgreSQL that delays, holds, cuts and resets connections, and cuts them exactly at a commit.

It runs in a thread of its own, so that tests, gateways and commands may all go through it. To know a commit it reads
the protocol (PostgreSQL documentation, "Message Formats"), which must not be encrypted: `sslmode=disable` in the URL.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from urllib.parse import urlsplit

from tests.support.databases.postgres import at_port

_BEFORE_STARTUP = {80877103, 80877104, 80877102}
"""Codes of requests without a type byte that come before the startup message: TLS, GSS encryption, cancellation."""
_IN_NO_TRANSACTION = b"I"
_FIELDS = b"SERROR\0VERROR\0C08P01\0Mserver conn crashed?\0\0"
_POOLER_ERROR = struct.pack("!cI", b"E", len(_FIELDS) + 4) + _FIELDS + struct.pack("!cIc", b"Z", 5, _IN_NO_TRANSACTION)


Messages = AsyncGenerator[tuple[bytes, bytes], None]
"""Whole messages, each after its type; b"" for those of the start, which have none."""


class Fate(Enum):
    """What happens to the connection that a commit comes on."""

    CUT_BEFORE = auto()
    """The commit never reaches the server, which rolls back."""
    CUT_AFTER = auto()
    """The server has committed, and its answer never reaches the client."""
    SILENCE = auto()
    """As `CUT_AFTER`, but the connection stays open, and nothing comes any more."""
    POOLER = auto()
    """As `CUT_AFTER`, but the answer is the error of a pooler whose server is gone."""


class TcpProxy:
    """A proxy on a free port of 127.0.0.1; see `proxied`."""

    def __init__(self, host: str, port: int, *, table: str) -> None:
        """`table`: only commits of transactions that write it count."""
        self._target = (host, port)
        self._writes = re.compile(rf'\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+"?{table}\b'.encode(), re.IGNORECASE)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._fates: deque[Fate | None] = deque()
        self._open = asyncio.Event()
        self.port = 0
        self.delay_s = 0.0
        """Added to every piece of either direction."""
        self.commits = 0
        """Commits of writes of the table so far."""
        self.cuts = 0
        """Commits at which a connection met its fate."""

    def start(self) -> TcpProxy:
        """Listen."""
        self._thread.start()
        self._open.set()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def close(self) -> None:
        """Cut everything and stop listening."""
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def url(self, url: str) -> str:
        """The URL of a database behind the proxy, through it."""
        return at_port(url, self.port)

    def decide(self, fates: Iterable[Fate | None]) -> None:
        """The fates of the next commits of writes of the table, in this order; None lets one by."""
        self._loop.call_soon_threadsafe(self._fates.extend, list(fates))

    def forget(self) -> None:
        """Let all commits by that come from now on."""
        self._loop.call_soon_threadsafe(self._fates.clear)

    def lead_to(self, url: str) -> None:
        """Connect to the server of this URL from now on, and end every connection there is: a fail-over."""
        parts = urlsplit(url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self.cut()

    def cut(self, *, reset: bool = False) -> None:
        """End every connection; with `reset` by a reset instead of an end of the stream."""
        asyncio.run_coroutine_threadsafe(self._cut(reset=reset), self._loop).result()

    def hold(self) -> None:
        """Be a black hole: nothing passes, and new connections are taken and left without an answer."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def release(self) -> None:
        """Let pass what was held, and what comes."""
        self._loop.call_soon_threadsafe(self._open.set)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        assert self._server is not None
        self._server.close()
        self._open.set()
        await self._cut(reset=False)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _cut(self, *, reset: bool) -> None:
        for connection in list(self._connections):
            connection.end(reset=reset)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(self, writer, server_writer)
        self._connections.add(connection)
        try:
            up = asyncio.create_task(connection.upwards(reader))
            down = asyncio.create_task(connection.downwards(server_reader))
            done, others = await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            for task in others:
                task.cancel()
            await asyncio.gather(*done, *others, return_exceptions=True)
        finally:
            self._connections.discard(connection)
            connection.end()

    async def passing(self) -> None:
        """Wait as long as nothing passes, and for the delay."""
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        await self._open.wait()

    def writes(self, sql: bytes) -> bool:
        """Whether a statement writes the table."""
        return self._writes.search(sql) is not None

    def fate_of_commit(self) -> Fate | None:
        """Count a commit and say what happens at it."""
        self.commits += 1
        fate = self._fates.popleft() if self._fates else None
        self.cuts += fate is not None
        return fate


class _Connection:
    """One connection: what the client has said so far, as far as a commit can be told from it."""

    def __init__(self, proxy: TcpProxy, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._writing_statements: set[bytes] = set()
        self._has_started = False
        self._has_written = False
        self._status = _IN_NO_TRANSACTION
        self._fate: Fate | None = None

    def end(self, *, reset: bool = False) -> None:
        """Close both sides."""
        if reset:
            client: socket.socket = self._client.get_extra_info("socket")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._client.transport.abort()
        self._server.transport.abort()

    async def upwards(self, reader: asyncio.StreamReader) -> None:
        """Pass messages of the client on, until the end or a commit that is cut off."""
        async for type_, message in self._messages(reader):
            if self._fate is None and self._commits(type_, message):
                self._fate = self._proxy.fate_of_commit()
                if self._fate is Fate.CUT_BEFORE:
                    return
            await self._proxy.passing()
            self._server.write(message)
            await self._server.drain()

    async def downwards(self, reader: asyncio.StreamReader) -> None:
        """Pass what the server says on, until the end or the answer to a commit that is not to arrive."""
        async for type_, message in _typed_messages(reader):
            if type_ == b"Z":
                self._status = message[5:6]
            if self._fate is not None:
                if type_ != b"Z":
                    continue
                if self._fate is Fate.CUT_AFTER:
                    return
                if self._fate is Fate.POOLER:
                    self._client.write(_POOLER_ERROR)
                    await self._client.drain()
                    return
                await asyncio.Event().wait()  # until the client gives up or the proxy is closed
            if type_ == b"Z" and self._status == _IN_NO_TRANSACTION:
                self._has_written = False
            await self._proxy.passing()
            self._client.write(message)
            await self._client.drain()

    async def _messages(self, reader: asyncio.StreamReader) -> Messages:
        while not self._has_started:
            head = await reader.readexactly(8)
            length, code = struct.unpack("!II", head)
            self._has_started = code not in _BEFORE_STARTUP
            yield b"", head + await reader.readexactly(length - 8)
        async for type_, message in _typed_messages(reader):
            yield type_, message

    def _commits(self, type_: bytes, message: bytes) -> bool:
        """Whether this message of the client commits a write of the table."""
        match type_:
            case b"Q":
                sql = message[5:-1]
                self._has_written |= self._proxy.writes(sql)
                is_commit = sql.lstrip().upper().startswith((b"COMMIT", b"END"))
                return self._has_written and (is_commit or self._status == _IN_NO_TRANSACTION)
            case b"P":
                name, sql, *_ = message[5:].split(b"\0")
                if self._proxy.writes(sql):
                    self._writing_statements.add(name)
                else:
                    self._writing_statements.discard(name)
            case b"B":
                _, name, *_ = message[5:].split(b"\0")
                self._has_written |= name in self._writing_statements
            case b"E":
                return self._has_written and self._status == _IN_NO_TRANSACTION
        return False


@contextmanager
def proxied(url: str, *, table: str = "backup_destinations") -> Iterator[TcpProxy]:
    """A proxy before the server of a database's URL."""
    parts = urlsplit(url)
    proxy = TcpProxy(parts.hostname or "127.0.0.1", parts.port or 5432, table=table).start()
    try:
        yield proxy
    finally:
        proxy.close()


async def _typed_messages(reader: asyncio.StreamReader) -> Messages:
    """Whole messages, each with its type, until the end of the stream."""
    while True:
        try:
            head = await reader.readexactly(5)
            (length,) = struct.unpack("!I", head[1:])
            yield head[:1], head + await reader.readexactly(length - 4)
        except (asyncio.IncompleteReadError, OSError):
            return
