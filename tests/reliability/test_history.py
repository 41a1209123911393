"""A position in the events joins a list and a stream; one that the history does not have is an error, never silence."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.support.api.destinations import LIST, at
from tests.support.databases.databases import database_url
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import LISTENS, Ended, Listen, ask, data_of, http_client, over_socket

POSITION = "{ viewer { latestEventId } }"
JOIN = "{ viewer { latestEventId } backupDestinations(first: 100) { edges { node { id } } } }"
EVENTS = """subscription ($after: ID) { backupDestinationEvents(after: $after) { id backupDestinationId } }"""
LOG = """query ($after: String, $before: String) {
  events(after: $after, before: $before) { edges { cursor node { id } } } }"""
UNKNOWN = {"code": "BAD_USER_INPUT", "reason": "UNKNOWN_EVENT"}
BEGINNING = "BackupDestinationEvent:0"


async def position_of(account: Account) -> str:
    """The newest position, as a client learns it."""
    return str((await data_of(account, POSITION))["viewer"]["latestEventId"])


async def is_refused(account: Account, listen: Listen, after: str) -> None:
    """A stream from there says that the position is unknown, and ends."""
    async with listen(account, EVENTS, {"after": after}) as listener:
        (error,) = (await listener.answer())["errors"]
        assert error["extensions"] == UNKNOWN
        with pytest.raises(Ended):
            await listener.answer()


@pytest.mark.parametrize("listen", LISTENS.values(), ids=LISTENS)
async def test_a_stream_from_the_position_before_the_first_event_has_them_all(gateway: Gateway, listen: Listen) -> None:
    account = await gateway.new_user()
    assert await position_of(account) == BEGINNING

    async with listen(account, EVENTS, {"after": BEGINNING}) as listener:
        first = await account.create("local")
        heard = await listener.events(1)
        second = await account.create("local")
        heard += await listener.events(1)
    async with listen(account, EVENTS, {"after": BEGINNING}) as again:
        assert await again.events(2) == heard

    shown = [event["backupDestinationId"] for event in heard]
    assert shown == [f"BackupDestination:{id_}" for id_ in (first, second)]
    assert await position_of(account) == heard[-1]["id"]


async def test_a_list_and_the_stream_from_its_position_miss_nothing_while_others_write(gateway: Gateway) -> None:
    """The position is not newer than the list beside it, however the two are read."""
    account = await gateway.new_user()

    async def write() -> None:
        for _ in range(30):
            await account.create("local")

    async def join() -> set[str]:
        joined = await data_of(account, JOIN)
        ids = {edge["node"]["id"] for edge in joined["backupDestinations"]["edges"]}
        async with over_socket(account, EVENTS, {"after": joined["viewer"]["latestEventId"]}) as listener:
            while len(ids) < 30:
                ids |= {event["backupDestinationId"] for event in await listener.events(1)}
        return ids

    writing = asyncio.create_task(write())
    joined = await asyncio.gather(*(join() for _ in range(8)))
    await writing

    assert [len(ids) for ids in joined] == [30] * 8


async def test_last_event_id_resumes_a_stream_of_server_sent_events(gateway: Gateway) -> None:
    """As clients of the EventSource kind send it with the same request again; it goes before `after`."""
    account = await gateway.new_user()
    ids = [await account.create("local") for _ in range(3)]
    body = {"query": EVENTS, "variables": {"after": BEGINNING}}

    async def events(count: int, **headers: str) -> list[str]:
        """The `id` fields of the first events."""
        found: list[str] = []
        async with (
            http_client(account) as client,
            client.stream("POST", "/graphql", json=body, headers={"accept": "text/event-stream", **headers}) as stream,
        ):
            async for line in stream.aiter_lines():
                name, _, value = line.partition(": ")
                found += [value] if name == "id" else []
                if len(found) == count:
                    break
        return found

    first, second, third = await events(3)
    assert await events(2, **{"Last-Event-ID": first}) == [second, third]
    assert await position_of(account) == third
    assert len(ids) == 3
    async with http_client(account) as client:
        headers = {"accept": "text/event-stream", "Last-Event-ID": "BackupDestinationEvent:1"}
        answer = await client.post("/graphql", json=body, headers=headers)
    assert '"reason":"UNKNOWN_EVENT"' in answer.text


class Lost(NamedTuple):
    """What a client has seen of a history that is gone."""

    destination: int
    position: str
    cursor: str
    tags: dict[str, str]


class Restorable:
    """A gateway whose database goes back to an earlier state, as after a restore or a standby that lagged."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._copy = gateway.directory / "earlier.db"
        self._newest: dict[str, int] = {}

    async def save(self) -> None:
        """The state to go back to."""
        if self.gateway.engine == "sqlite":
            with (
                closing(sqlite3.connect(str(self.gateway.address.path))) as source,
                closing(sqlite3.connect(str(self._copy))) as copy,
            ):
                source.backup(copy)
            return
        for table, column in (("events", "id"), ("backup_destinations", "id"), ("users", "revision")):
            (row,) = await self.gateway.rows(f"SELECT coalesce(max({column}), 0) AS last FROM {table}")  # noqa: S608 - our own
            self._newest[table] = row["last"]

    async def restore(self) -> None:
        """Go back: on SQLite to a copy of the file; on PostgreSQL the rows written since go, under the gateway."""
        if self.gateway.engine == "sqlite":
            await asyncio.to_thread(self.gateway.stop)
            path = Path(str(self.gateway.address.path))
            for leftover in path.parent.glob(f"{path.name}-*"):
                leftover.unlink()
            shutil.copyfile(self._copy, path)
            await asyncio.to_thread(self.gateway.start)
            return
        tables = ("users", "backup_destinations", "events")
        for table in tables:
            await self.gateway.rows(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for table in tables[1:]:
            await self.gateway.rows(f"DELETE FROM {table} WHERE id > {self._newest[table]}")  # noqa: S608 - our own
        count = "(SELECT count(*) FROM backup_destinations AS d WHERE d.user_id = users.id)"
        await self.gateway.rows(f"UPDATE users SET revision = {self._newest['users']}, destination_count = {count}")  # noqa: S608 - our own
        for table in tables:
            await self.gateway.rows(f"ALTER TABLE {table} ENABLE TRIGGER USER")


@pytest.fixture(params=["sqlite", "postgresql"])
def restorable(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Restorable]:
    """A gateway of this test alone."""
    gateway = Gateway(database_url(request.param, postgres)).start()
    yield Restorable(gateway)
    gateway.close()


async def seen(account: Account, paths: Sequence[str]) -> Lost:
    """What a client sees: the newest event, and the tags of what it reads."""
    edges = (await data_of(account, LOG))["events"]["edges"]
    async with account.client() as client:
        tags = {path: (await client.get(path)).headers["ETag"] for path in paths}
    return Lost(int(paths[-1].rpartition("/")[2]), edges[0]["node"]["id"], edges[0]["cursor"], tags)


async def test_after_a_restore_readers_that_resume_get_an_error_and_nothing_that_is_gone(
    restorable: Restorable,
) -> None:
    """Streams over both transports, cursors of the log, and REST's tags, also after the next writes."""
    gateway = restorable.gateway
    account = await gateway.new_user()
    kept = await account.create("local", label="kept")
    known = await position_of(account)
    await restorable.save()
    gone = await account.create("local", label="gone")
    lost = await seen(account, [LIST, at(gone)])

    await restorable.restore()

    for _ in range(2):
        for listen in LISTENS.values():
            await is_refused(account, listen, lost.position)
        for name in ("after", "before"):
            answer = await ask(account, LOG, {name: lost.cursor})
            assert answer["errors"][0]["extensions"] == UNKNOWN
        async with account.client() as client:
            again = await client.get(LIST, headers={"If-None-Match": lost.tags[LIST]})
            assert again.status_code == httpx.codes.OK
            assert "gone" not in again.text
        await account.create("local", label="since")
    async with over_socket(account, EVENTS, {"after": known}) as listener:
        shown = await listener.events(2)
    assert f"BackupDestination:{kept}" not in [event["backupDestinationId"] for event in shown]
    assert lost.position not in [event["id"] for event in shown]


async def test_a_stream_that_is_open_while_the_history_is_lost_gets_the_error(
    gateway: Gateway,
) -> None:
    """A standby that lagged takes over under the streams: what came after the position they have is unknown."""
    account = await gateway.new_user()
    start = await position_of(account)
    async with over_socket(account, EVENTS, {"after": start}) as listener:
        await account.create("local")
        (event,) = await listener.events(1)
        await gateway.rows(f"DELETE FROM events WHERE id = {event['id'].rpartition(':')[2]}")  # noqa: S608 - our own
        await account.create("local")

        (error,) = (await listener.answer())["errors"]
        assert error["extensions"] == UNKNOWN
        with pytest.raises(Ended):
            await listener.answer()
