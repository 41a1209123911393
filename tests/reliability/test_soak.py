"""Mixed load for a long time, with streams that come and go and documents that were never seen: everything stays flat.

`make soak` runs it for 20 minutes, `make soak MINUTES=60` for an hour; the gate for some seconds.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count, cycle, islice
from pathlib import Path

import httpx
import pytest
from graphql import get_introspection_query

from tests.support.databases.databases import ENGINES, database_url
from tests.support.databases.postgres import PostgresServer
from tests.support.figures import FULL
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.unharmed import MEBIBYTE, resident_bytes
from tests.support.paths import ROOT

LIST = "/api/backup-destinations"
MINUTES = float(os.environ.get("MINUTES", "20"))
SECONDS = MINUTES * 60 if FULL else 4.0
"""For which is measured, once the memories are full (in the gate: once all of the load has begun)."""
FILL_S = 300.0 if FULL else 2.0
"""How long the load goes on at most before that."""
PAUSE_S = 0.1 if FULL else 0.02
"""Of each client between two requests, once the memories are full."""
ROWS = 40 if FULL else 10
SAMPLE_S = 2.0 if FULL else 0.25
RESPONSES_BYTES = 2 * MEBIBYTE if FULL else 131_072
FILLED = ("responses", "documents", "refused documents", "prepared requests") if FULL else ("responses",)
"""The memories that the load fills to their bounds by itself."""
FILLERS = 10
"""Users who fill what is bounded by user, too."""
AT_ONCE = 10
TURNOVER = 3_000 if FULL else 0
"""Requests of the load after that, so that what fills the memories is what the load sends."""
FULL_SHARE = 0.8
"""Of its bound: what does not fit any more is smaller than the rest."""
MAX_GROWTH_BYTES = 24 * MEBIBYTE
"""Of the process over the time that is measured, by its slope, beside what its memories grow."""
MAX_MORE = 4.0
"""Descriptors or connections, by their slopes."""
EVENTS = "subscription { backupDestinationEvents { id backupDestination { label } } }"
CONNECTIONS = """SELECT count(*) AS n FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'moorings'"""
SHOWN = ("databaseId", "label", "createdAt", "updatedAt")
_SIZE = re.compile(r'^moorings_memory_(max_)?bytes\{memory="([^"]+)"\} (\S+)$', re.MULTILINE)

Act = Callable[[httpx.AsyncClient, int], Awaitable[httpx.Response]]
"""One request of the load; takes a number that no other has."""


@dataclass(slots=True)
class Samples:
    """What was seen of a process, one number for each time."""

    at_s: list[float] = field(default_factory=list)
    seen: dict[str, list[float]] = field(default_factory=dict)

    def add(self, at_s: float, numbers: Mapping[str, float]) -> None:
        """One time's numbers."""
        self.at_s.append(at_s)
        for name, number in numbers.items():
            self.seen.setdefault(name, []).append(number)

    def growth(self, name: str) -> float:
        """By how much a number grew over all of the time, by the line that fits best."""
        return slope(self.at_s, self.seen[name]) * (self.at_s[-1] - self.at_s[0])


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Of the line through these points, by least squares."""
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)


def memories(metrics: str) -> tuple[dict[str, float], dict[str, float]]:
    """The sizes and the bounds of the memories."""
    sizes: dict[str, float] = {}
    bounds: dict[str, float] = {}
    for is_bound, name, number in _SIZE.findall(metrics):
        (bounds if is_bound else sizes)[name] = float(number)
    return sizes, bounds


def graphql(client: httpx.AsyncClient, query: str, **more: object) -> Awaitable[httpx.Response]:
    """A document over HTTP."""
    return client.post("/graphql", json={"query": query, **more})


def status_of(response: httpx.Response) -> int:
    """The status of a response; 400 where the errors are in a response of GraphQL."""
    return 400 if b'"errors":' in response.content else response.status_code


def new_document(number: int) -> str:
    """A valid document that no other is like, large enough that some hundred fill their memory."""
    fields = " ".join(f"{f'a{number}_{n}_'.ljust(60, 'z')}: {SHOWN[n % len(SHOWN)]}" for n in range(25))
    return f"query Q{number} {{ backupDestinations(first: 2) {{ nodes {{ {fields} }} }} }}"


def wrong_document(number: int) -> str:
    """A document that no other is like, and that is refused with several errors."""
    return f"{{ viewer {{ {' '.join(f'nothing{number}_{n}' for n in range(20))} }} }}"


async def write_and_remove(client: httpx.AsyncClient, number: int) -> httpx.Response:
    """A destination is made, changed and removed, so that their number stays."""
    made = await client.post(LIST, json={"label": f"Soak {number}", "type": "local"})
    path = f"{LIST}/{made.json()['data']['id']}"
    await client.put(path, json={"label": f"Changed {number}"})
    return await client.delete(path)


def persisted(client: httpx.AsyncClient, number: int) -> Awaitable[httpx.Response]:
    """A new document under its hash."""
    query = f"{{ viewer {{ p{number}: name }} }}"
    hash_ = sha256(query.encode()).hexdigest()
    return graphql(client, query, extensions={"persistedQuery": {"version": 1, "sha256Hash": hash_}})


async def with_other_literals(client: httpx.AsyncClient, number: int) -> httpx.Response:
    """Two documents that differ in a literal alone."""
    await graphql(client, new_document(number))
    return await graphql(client, new_document(number).replace("first: 2", "first: 3"))


def introspect(client: httpx.AsyncClient, number: int) -> Awaitable[httpx.Response]:
    """All of the schema, under another key each time."""
    return graphql(client, get_introspection_query().replace("__schema", f"s{number}: __schema", 1))


def introspect_without_token(client: httpx.AsyncClient, number: int) -> Awaitable[httpx.Response]:
    """The same, as anyone may."""
    query = get_introspection_query().replace("__schema", f"w{number}: __schema", 1)
    request = client.build_request("POST", "/graphql", json={"query": query})
    del request.headers["Authorization"]
    return client.send(request)


def persist_long(client: httpx.AsyncClient, number: int) -> Awaitable[httpx.Response]:
    """A long new document under its hash."""
    query = f"{{ viewer {{ l{number}: name }} }} # {'z' * 40_000}"
    hash_ = sha256(query.encode()).hexdigest()
    return graphql(client, query, extensions={"persistedQuery": {"version": 1, "sha256Hash": hash_}})


def ask_in_another_form(client: httpx.AsyncClient, number: int) -> Awaitable[httpx.Response]:
    """The list with a header that no other request has."""
    return client.get(LIST, headers={"X-Form": f"{number}".ljust(1_000, "x")})


FILLING: Mapping[str, Act] = {
    "persisted queries": persist_long,
    "introspections": introspect,
    "compressed documents": introspect_without_token,
    "documents without literals": with_other_literals,
    "shapes of requests": ask_in_another_form,
}
"""What fills each of the other memories, where the load alone would take hours; but for `untrusted documents`, which
only a gateway has that is to serve trusted ones.
"""
LOAD: Sequence[tuple[Act, int]] = (
    (lambda client, number: client.get(LIST, params={"page": number % 7, "per_page": 1 + number % 90}), 200),
    (lambda client, number: client.get(LIST, params={"page": 1, f"x{number}": "y" * 4_000}), 200),
    (lambda client, number: graphql(client, new_document(number)), 200),
    (lambda client, number: graphql(client, new_document(number)), 200),
    (lambda client, number: graphql(client, wrong_document(number)), 400),
    (lambda client, number: graphql(client, f'{{ node(id: "BackupDestination:{number}") {{ id }} }}'), 200),
    (lambda client, number: graphql(client, f"{{ __schema {{ t{number}: queryType {{ name }} }} }}"), 200),
    (persisted, 200),
    (write_and_remove, 200),
    (lambda client, number: client.get(LIST, headers={"Authorization": f"Bearer junk{number}"}), 401),
)
"""Requests and what `status_of` their responses is; each client sends them in turn."""


@dataclass(slots=True)
class Loaded:
    """A gateway under load, and a client that asks for its metrics."""

    gateway: Gateway
    client: httpx.AsyncClient
    numbers: Iterator[int]
    fillers: Sequence[Account]
    statuses: list[tuple[int, int]] = field(default_factory=list)
    """Those that were wanted, and that came."""
    pause_s: float = 0.0
    """Of each client between two requests."""


@pytest.fixture
def soaked(postgres: PostgresServer) -> Iterator[list[Gateway]]:
    """A gateway on each engine in full, on the embedded database in the gate."""
    gateways = [
        Gateway(database_url(engine, postgres), log_level="WARNING", response_cache_bytes=str(RESPONSES_BYTES)).start()
        for engine in (ENGINES if FULL else ENGINES[:1])
    ]
    yield gateways
    for gateway in gateways:
        gateway.close()


def descriptors(gateway: Gateway) -> int:
    """How many files, sockets and the like its process has open."""
    return len(list(Path(f"/proc/{gateway.worker_pid}/fd").iterdir()))


async def sample(gateway: Gateway, client: httpx.AsyncClient) -> dict[str, float]:
    """What the process has now."""
    sizes, bounds = memories((await client.get("/metrics")).text)
    assert sizes
    assert sizes.keys() == bounds.keys()
    assert [name for name, size in sizes.items() if size > bounds[name]] == []
    connections = (await gateway.rows(CONNECTIONS))[0]["n"] if gateway.address.url is not None else 0
    return {
        "resident": resident_bytes(gateway),
        "memories": sum(sizes.values()),
        "descriptors": descriptors(gateway),
        "connections": connections,
        "log": gateway.log_path.stat().st_size,
        **{f"of {name}": sizes[name] / bounds[name] for name in sizes},
    }


async def ask_on_and_on(reader: Account, writer: Account, load: Loaded) -> None:
    """Send the load in turn until cancelled. Writes are another user's: they would empty the cache of the reader's."""
    async with reader.client() as reading, writer.client() as writing:
        for number in load.numbers:
            act, wanted = LOAD[number % len(LOAD)]
            client = writing if act is write_and_remove else reading
            load.statuses.append((wanted, status_of(await act(client, number))))
            await asyncio.sleep(load.pause_s)


async def fill(load: Loaded) -> None:
    """Fill what the load alone does not."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(each.client()) for each in load.fillers]
        for name, act in FILLING.items():
            while (await sample(load.gateway, load.client))[f"of {name}"] < FULL_SHARE:
                for number, client in zip(islice(load.numbers, AT_ONCE), cycle(clients), strict=False):
                    load.statuses.append((200, status_of(await act(client, number))))


async def listen_on_and_on(account: Account, lines: int | None) -> None:
    """Open a stream, read so many lines of it, and begin again, until cancelled; without a number, read on."""
    async with account.client(accept="text/event-stream") as client:
        while True:
            async with client.stream("POST", "/graphql", json={"query": EVENTS}) as stream:
                read = count()
                async for _ in stream.aiter_lines():
                    if lines is not None and next(read) >= lines:
                        break


@pytest.fixture
async def loaded(soaked: list[Gateway]) -> AsyncIterator[list[Loaded]]:
    """The gateways under load."""
    async with AsyncExitStack() as stack:
        running: list[asyncio.Task[None]] = []
        found = []
        for gateway in soaked:
            reader, writer = await gateway.new_user(), await gateway.new_user()
            for _ in range(ROWS):
                await reader.create("custom_s3")
            client = await stack.enter_async_context(reader.client())
            fillers = [await gateway.new_user() for _ in range(FILLERS if FULL else 0)]
            load = Loaded(gateway, client, count(), fillers)
            works = [ask_on_and_on(reader, writer, load) for _ in range(4)]
            works += [listen_on_and_on(writer, lines) for lines in (6, 12, None, None)]
            running += [asyncio.create_task(work) for work in works]
            found.append(load)
        yield found
        ended = [task for task in running if task.done()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for task in ended:
            task.result()
        assert ended == [], "the load ended by itself"


async def test_memory_descriptors_connections_and_log_stay_flat(
    loaded: list[Loaded], figure: Callable[[str], None]
) -> None:
    """Once the memories are full, which no load makes larger than their bounds."""
    began = time.monotonic()
    if FULL:
        await asyncio.gather(*map(fill, loaded))
    asked = [len(load.statuses) + TURNOVER for load in loaded]
    while time.monotonic() - began < FILL_S:
        await asyncio.sleep(SAMPLE_S)
        fullness = [await sample(load.gateway, load.client) for load in loaded]
        are_full = all(each[f"of {name}"] >= FULL_SHARE for each in fullness for name in FILLED)
        if FULL and are_full and all(len(load.statuses) >= least for load, least in zip(loaded, asked, strict=True)):
            break
    filled_s = time.monotonic() - began

    for load in loaded:
        load.pause_s = PAUSE_S
    samples = [Samples() for _ in loaded]
    began = time.monotonic()
    while (at_s := time.monotonic() - began) < SECONDS:
        for load, seen in zip(loaded, samples, strict=True):
            seen.add(at_s, await sample(load.gateway, load.client))
        await asyncio.sleep(SAMPLE_S)

    listed = (ROOT / "docs" / "performance.md").read_text()
    for load, seen in zip(loaded, samples, strict=True):
        assert [name for name in seen.seen if name.startswith("of ") and f"| `{name[3:]}` |" not in listed] == []
        gateway, statuses = load.gateway, load.statuses
        last = {name: numbers[-1] for name, numbers in seen.seen.items()}
        beside = seen.growth("resident") - seen.growth("memories")
        figure(
            f"{gateway.engine}: {len(statuses)} requests in {filled_s + at_s:.0f} s, memory "
            f"{last['resident'] / MEBIBYTE:.0f} MiB, {beside / MEBIBYTE:+.1f} MiB by its slope over {at_s:.0f} s; "
            f"descriptors {last['descriptors']:.0f} ({seen.growth('descriptors'):+.1f}), connections to the database "
            f"{last['connections']:.0f} ({seen.growth('connections'):+.1f}), log {seen.growth('log'):+.0f} bytes"
        )
        assert [(wanted, came) for wanted, came in statuses if wanted != came] == []
        full = {*FILLED, *(FILLING if FULL else ())}
        assert {name: last[f"of {name}"] for name in full if last[f"of {name}"] < FULL_SHARE} == {}
        assert beside < MAX_GROWTH_BYTES
        assert seen.growth("descriptors") < MAX_MORE
        assert seen.growth("connections") < MAX_MORE
        assert seen.growth("log") == 0, gateway.log_text()[-2_000:]
