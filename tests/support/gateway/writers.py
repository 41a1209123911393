"""Clients that write and read on whatever fails, and know in the end what has to be there.

Each writer makes one destination after the other, and repeats each request under one Idempotency-Key until it is
acknowledged. So every label has to be there once: none lost, none twice. A subscriber resumes its stream wherever it
ended.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx

from tests.support.gateway.gateway import NO_TLS, Account

LIST = "/api/backup-destinations"
WRITERS = 8
PAUSE_S = 0.05
"""Before a request is repeated."""
REQUEST_S = 30.0
CAUGHT_UP_S = 60.0
EVENTS = """subscription ($after: ID) { backupDestinationEvents(after: $after) {
  id __typename backupDestinationId } }"""
HONEST = frozenset({201, 409, 503})
"""What a writer may be answered: made, still being made by an earlier request with the key, not now."""


@dataclass(slots=True)
class Written:
    """What came of the writers and of the subscriber."""

    ids: dict[str, int] = field(default_factory=dict)
    """The ids of what was acknowledged, by label."""
    statuses: Counter[int] = field(default_factory=Counter)
    lost_connections: int = 0
    longest_s: float = 0.0
    """That a request waited for its answer."""
    events: list[tuple[str, int]] = field(default_factory=list)
    """The id and the destination of each event that says that a destination was made, as they came."""

    def expect_once_each(self, rows: list[dict[str, object]]) -> None:
        """Every label that was acknowledged is there once, and its event came, in order; repeated only as itself."""
        found = Counter(str(row["label"]) for row in rows)
        assert [label for label in self.ids if found[label] == 0] == [], "lost"
        assert [label for label, times in found.items() if times > 1] == [], "twice"
        firsts = list(dict(self.events).items())
        assert [int(id_.rpartition(":")[2]) for id_, _ in firsts] == sorted(
            int(id_.rpartition(":")[2]) for id_, _ in firsts
        )
        made = [destination for _, destination in firsts]
        assert len(made) == len(set(made)), "two events of one change"
        assert set(self.ids.values()) - set(made) == set(), "events that did not come"


@asynccontextmanager
async def writing(account: Account) -> AsyncIterator[Written]:
    """Writers and a subscriber of an account in the block; afterwards all that was begun is acknowledged and read."""
    written, is_over = Written(), asyncio.Event()
    writers = [asyncio.create_task(_write(account, number, written, is_over)) for number in range(WRITERS)]
    subscriber = asyncio.create_task(_subscribe(account, written))
    try:
        yield written
        is_over.set()
        await asyncio.gather(*writers)
        deadline = time.monotonic() + CAUGHT_UP_S
        while set(written.ids.values()) - {destination for _, destination in written.events}:
            assert time.monotonic() < deadline, "events that did not come"
            assert not subscriber.done() or subscriber.result() is None
            await asyncio.sleep(PAUSE_S)
    finally:
        for task in (*writers, subscriber):
            task.cancel()
        await asyncio.gather(*writers, subscriber, return_exceptions=True)


def client_of(account: Account) -> httpx.AsyncClient:
    """A client that waits for an answer, but not for ever."""
    headers = {"Authorization": f"Bearer {account.token}"}
    return httpx.AsyncClient(base_url=account.gateway.url, headers=headers, timeout=REQUEST_S, verify=NO_TLS)


async def reads_of(account: Account, seconds: float) -> list[float]:
    """How long each of an account's reads took, in seconds, which went on for so long; each was answered."""
    took, until = list[float](), time.monotonic() + seconds
    async with client_of(account) as client:
        while (began := time.monotonic()) < until:
            answer = await client.get(LIST, params={"page": len(took) % 3 + 1})
            assert answer.status_code == httpx.codes.OK, answer.text
            took.append(time.monotonic() - began)
            await asyncio.sleep(0.01)
    return took


async def _write(account: Account, writer: int, written: Written, is_over: asyncio.Event) -> None:
    number = 0
    async with client_of(account) as client:
        while not is_over.is_set():
            number += 1
            label = f"writer-{writer}-{number}"
            written.ids[label] = await _until_made(client, label, written)
            await asyncio.sleep(0.005)


async def _until_made(client: httpx.AsyncClient, label: str, written: Written) -> int:
    while True:
        began = time.monotonic()
        try:
            answer = await client.post(LIST, json={"label": label, "type": "local"}, headers={"Idempotency-Key": label})
        except httpx.TransportError:
            written.lost_connections += 1
        else:
            written.statuses[answer.status_code] += 1
            assert answer.status_code in HONEST, answer.text
            if answer.status_code == httpx.codes.CREATED:
                return int(answer.json()["data"]["id"])
        finally:
            written.longest_s = max(written.longest_s, time.monotonic() - began)
        await asyncio.sleep(PAUSE_S)


async def _subscribe(account: Account, written: Written) -> None:
    """Read the events from the beginning, and on from the last one wherever the stream ends."""
    last = "BackupDestinationEvent:0"
    async with client_of(account) as client:
        while True:
            body = {"query": EVENTS, "variables": {"after": last}}
            headers = {"Accept": "text/event-stream"}
            with suppress(httpx.TransportError):
                async with client.stream("POST", "/graphql", json=body, headers=headers) as stream:
                    async for line in stream.aiter_lines():
                        event = _event_of(line)
                        if event is not None:
                            last = event["id"]
                            if event["__typename"] == "BackupDestinationCreated":
                                destination = int(event["backupDestinationId"].rpartition(":")[2])
                                written.events.append((last, destination))
            await asyncio.sleep(PAUSE_S)


def _event_of(line: str) -> dict[str, str] | None:
    """The event of a line; None for any other line, and where the stream ends because the database is away."""
    if not line.startswith("data: {"):
        return None
    answer = json.loads(line.removeprefix("data: "))
    if "errors" in answer:
        assert answer["errors"][0]["extensions"]["code"] == "SERVICE_UNAVAILABLE", answer
        return None
    event: dict[str, str] = answer["data"]["backupDestinationEvents"]
    return event
