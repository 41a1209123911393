"""Clients that send one request after the other over connections that are kept alive, while a test does something."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

ANSWERED_WITHIN_S = 20.0
PAUSE_S = 0.005
_DRAFT = json.dumps({"label": "Under load", "type": "local"}).encode()


class Load:
    """What became of the requests."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._address = host, port
        self._token = token
        self.statuses: Counter[int] = Counter()
        self.failures: Counter[str] = Counter()
        """Requests that were sent and not answered, by what happened."""
        self.longest_s = 0.0

    @property
    def answered(self) -> int:
        """How many requests were answered."""
        return self.statuses.total()

    @property
    def has_failed(self) -> bool:
        """Whether a request was not answered, or not as it should be."""
        return bool(self.failures) or not self.statuses.keys() <= {200, 201}

    def __str__(self) -> str:
        failed = f", failed: {dict(self.failures)}" if self.failures else ""
        return f"{self.answered} requests, {dict(self.statuses)}{failed}, longest {self.longest_s:.2f} s"

    @asynccontextmanager
    async def running(self, clients: int) -> AsyncIterator[None]:
        """Send requests in the block; at its end each client finishes the one it has."""
        over = asyncio.Event()
        tasks = [asyncio.create_task(self._client(over, number)) for number in range(clients)]
        try:
            yield
        finally:
            over.set()
            await asyncio.gather(*tasks)

    async def _client(self, over: asyncio.Event, number: int) -> None:
        reader = writer = None
        turn = number
        while not over.is_set():
            turn += 1
            if writer is None or reader is None or reader.at_eof():
                if writer is not None:
                    writer.close()
                try:
                    reader, writer = await asyncio.open_connection(*self._address)
                except OSError as error:
                    self.failures[f"connecting: {type(error).__name__}"] += 1
                    await asyncio.sleep(PAUSE_S)
                    continue
            began = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(ANSWERED_WITHIN_S):
                    keeps = await self._ask(reader, writer, is_write=turn % 4 == 0)
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                self.failures[type(error).__name__] += 1
                keeps = False
            self.longest_s = max(self.longest_s, asyncio.get_running_loop().time() - began)
            if not keeps:
                writer.close()
                reader = writer = None
            await asyncio.sleep(PAUSE_S if turn % 16 else 10 * PAUSE_S)
        if writer is not None:
            writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_write: bool) -> bool:
        """Send a request and read the response; returns whether the connection is kept."""
        body = _DRAFT if is_write else b""
        head = f"{'POST' if is_write else 'GET'} /api/backup-destinations HTTP/1.1\r\nHost: localhost\r\n"
        head += f"Authorization: Bearer {self._token}\r\n"
        if is_write:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(head.encode() + b"\r\n" + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in answer[1:] if line)
        await reader.readexactly(int(headers[b"content-length"]))
        self.statuses[int(answer[0].split()[1])] += 1
        return headers.get(b"connection") != b"close"
