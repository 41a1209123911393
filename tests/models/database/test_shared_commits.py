"""Transactions of the embedded database that wait for each other share a commit, and nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest
from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from models.accounts.user import User
from models.accounts.viewer import Viewer
from models.clock import current_second
from models.database import sqlite_writer
from models.database.sqlite import MooringsSqliteClient
from models.database.sqlite_thread import in_thread
from models.database.sqlite_writer import Writer
from models.destinations.attributes import Attribute, DestinationKind
from models.destinations.row import DestinationRow
from models.destinations.table import BackupDestination
from models.errors import DatabaseUnavailable, DestinationNotFound, OutcomeUnknown, ValidationFailed
from models.events.event import Event
from models.writes.write import Writes
from tests.app.test_serving import children
from tests.support.api.destinations import LIST
from tests.support.api.writes import SERVICE
from tests.support.databases.databases import migrated, viewer_of
from tests.support.databases.failing_fsync import fail_fsyncs
from tests.support.databases.postgres import PostgresServer
from tests.support.figures import amount
from tests.support.gateway.gateway import Gateway

WRITERS = 60
COMMITS = 3
"""The first to come may be alone, and the last."""
ACKNOWLEDGED = amount(200, 5_000)
DEADLINE_S = 300


class Embedded(NamedTuple):
    """An embedded database with one user, and the connection that writes."""

    gateway: Gateway
    viewer: Viewer
    writer: Writer

    def committed(self) -> set[str]:
        """The labels of the destinations that another process sees."""
        with closing(sqlite3.connect(str(self.gateway.address.path))) as outside:
            return {label for (label,) in outside.execute("SELECT label FROM backup_destinations")}


@pytest.fixture(scope="module")
def gateway(postgres: PostgresServer) -> Iterator[Gateway]:
    """An embedded database of these tests alone."""
    with migrated("sqlite", postgres) as gateway:
        yield gateway


@pytest.fixture
async def embedded(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Embedded]:
    """A user without destinations; at the end every destination has its event and is counted.

    A group stays open for as long as others wait, so that a busy machine commits no more often than an idle one.
    """
    monkeypatch.setattr(sqlite_writer, "MIN_GROUP_S", 60.0)
    async with gateway.models():
        await User.all().delete()
        user = await User.create(email="ada@example.com", name="Ada", created_at=datetime(2024, 8, 7, tzinfo=UTC))
        database: Any = User._meta.db
        assert isinstance(database, MooringsSqliteClient)
        yield Embedded(gateway, viewer_of(user), await database.storage.writer())
        stored = await BackupDestination.all().count()
        assert (await Event.filter(kind="created").count(), (await User.get()).destination_count) == (stored, stored)


async def create(embedded: Embedded, label: str) -> DestinationRow:
    """Store a destination of the user."""
    return await SERVICE.create(embedded.viewer, {Attribute.LABEL: label, Attribute.KIND: DestinationKind.LOCAL})


async def test_transactions_that_wait_share_a_commit_and_are_acknowledged_after_it(embedded: Embedded) -> None:
    """Another process sees each row once its caller has been answered."""
    before, answered = embedded.writer.commits, set[str]()

    async def write(number: int) -> None:
        row = await create(embedded, f"{number}")
        assert row.label in embedded.committed()
        answered.add(row.label)

    await asyncio.gather(*map(write, range(WRITERS)))

    assert answered == embedded.committed() == {f"{number}" for number in range(WRITERS)}
    assert embedded.writer.commits - before <= COMMITS


async def test_no_transaction_of_a_group_is_seen_before_its_commit(embedded: Embedded) -> None:
    """The first of a group waits while the last one is still at work; nothing of either can be lost or read by then."""
    may_end = asyncio.Event()

    async def hold() -> None:
        async with in_transaction():
            await User.filter(id=embedded.viewer.user_id).update(name="Grace")
            has_begun.set()
            await may_end.wait()

    has_begun = asyncio.Event()
    last = asyncio.create_task(hold())
    await has_begun.wait()
    waiting = [asyncio.create_task(create(embedded, f"{number}")) for number in range(3)]
    done, _ = await asyncio.wait(waiting, timeout=0.2)

    assert not done
    assert embedded.committed() == set()
    assert (await User.get()).name == "Ada"
    may_end.set()
    await asyncio.gather(last, *waiting)
    assert embedded.committed() == {"0", "1", "2"}


def _bytes_written() -> int:
    """By this process, to files of any kind."""
    return int(Path("/proc/self/io").read_text().split("wchar:")[1].split()[0])


async def test_writes_go_to_the_disk_once_for_their_commit_and_to_no_temporary_file(embedded: Embedded) -> None:
    """A full group of creations writes its pages to the log, some 25 kB each; savepoints in a file were 100 kB more."""
    await create(embedded, "first")
    before = _bytes_written()

    await asyncio.gather(*(create(embedded, f"{number}") for number in range(sqlite_writer.MAX_MEMBERS)))

    assert _bytes_written() - before < 45_000 * sqlite_writer.MAX_MEMBERS


class _Stumbled(Exception):
    """Raised in the middle of a transaction that has written."""


async def _write_and_stumble(embedded: Embedded, label: str) -> None:
    async with in_transaction():
        await create(embedded, label)
        raise _Stumbled


async def _break_a_constraint(embedded: Embedded, label: str) -> None:
    async with in_transaction():
        await create(embedded, label)
        await User.create(email="ada@example.com", name="Ada again", created_at=datetime(2024, 8, 7, tzinfo=UTC))


async def _break_a_constraint_in_a_job(embedded: Embedded, _label: str) -> None:
    row = BackupDestination(uid=uuid4(), user_id=embedded.viewer.user_id, created_at=current_second())
    row.update_from_dict({"label": "x", "kind": DestinationKind.AMAZON_S3, "updated_at": row.created_at})
    await Writes().add(embedded.viewer, row)


async def _change_nothing_that_is_there(embedded: Embedded, label: str) -> None:
    await SERVICE.update(embedded.viewer, 2_000_000_001, {Attribute.LABEL: label})


async def _break_a_rule(embedded: Embedded, _label: str) -> None:
    await create(embedded, "")


async def _remove_nothing(embedded: Embedded, _label: str) -> None:
    await SERVICE.delete(embedded.viewer, 2_000_000_001)


@pytest.mark.parametrize(
    ("fail", "error"),
    [
        (_write_and_stumble, _Stumbled),
        (_break_a_constraint, IntegrityError),
        (_break_a_constraint_in_a_job, IntegrityError),
        (_change_nothing_that_is_there, DestinationNotFound),
        (_break_a_rule, ValidationFailed),
        (_remove_nothing, DestinationNotFound),
    ],
)
async def test_a_refused_transaction_undoes_itself_alone(
    embedded: Embedded, fail: Callable[[Embedded, str], Awaitable[object]], error: type[Exception]
) -> None:
    """Between others that share its commit, each of which is stored."""
    before = embedded.writer.commits
    refused = [fail(embedded, f"refused {number}") for number in range(WRITERS // 3)]
    others = [create(embedded, f"{number}") for number in range(2 * WRITERS // 3)]
    mixed = [act for three in zip(others[::2], refused, others[1::2], strict=True) for act in three]
    outcomes = await asyncio.gather(*mixed, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes[1::3]] == [error] * len(refused)
    assert not any(isinstance(outcome, BaseException) for outcome in outcomes[::3] + outcomes[2::3])
    assert embedded.committed() == {f"{number}" for number in range(len(others))}
    assert embedded.writer.commits - before <= COMMITS


async def test_a_refused_write_of_a_transaction_is_undone_alone(embedded: Embedded) -> None:
    """The transaction goes on, and what else it wrote is stored."""
    async with in_transaction():
        row = await create(embedded, "before")
        with pytest.raises(IntegrityError):
            await _break_a_constraint_in_a_job(embedded, "")
        with pytest.raises(ValidationFailed):
            await SERVICE.update(embedded.viewer, row.id, {Attribute.LABEL: ""})
        await SERVICE.update(embedded.viewer, row.id, {Attribute.LABEL: "after"})

    assert embedded.committed() == {"after"}


async def test_changes_of_one_row_that_share_a_commit_follow_each_other(embedded: Embedded) -> None:
    """Each finds what the one before it wrote, and each has its event."""
    row = await create(embedded, "0")
    before = embedded.writer.commits

    async def relabel(number: int) -> DestinationRow:
        return await SERVICE.update(embedded.viewer, row.id, {Attribute.LABEL: f"{number}"})

    changed = await asyncio.gather(*(relabel(number) for number in range(1, WRITERS)))

    assert [each.label for each in changed] == [f"{number}" for number in range(1, WRITERS)]
    assert len({each.version for each in changed}) == WRITERS - 1
    assert embedded.committed() == {f"{WRITERS - 1}"}
    events = await Event.filter(kind="updated").order_by("id")
    assert [event.label for event in events] == [each.label for each in changed]
    assert embedded.writer.commits - before <= COMMITS


async def test_a_commit_that_fails_is_acknowledged_to_none_of_its_group(embedded: Embedded) -> None:
    """Each caller learns that its outcome is unknown; none of the rows is read meanwhile."""
    await in_thread(embedded.writer.connection, fail_fsyncs)
    writes = [create(embedded, f"{number}") for number in range(WRITERS)]
    outcomes = await asyncio.gather(*writes, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown] * WRITERS
    assert embedded.committed() == set()


async def test_a_transaction_that_sqlite_has_undone_is_refused_as_unavailable(embedded: Embedded) -> None:
    """As it does when the disk fails in the middle; also inside of another one, whose savepoint is gone then."""

    async def write_and_fail() -> None:
        async with in_transaction(), in_transaction():
            await create(embedded, "undone")
            await in_thread(embedded.writer.connection, lambda connection: connection.execute("ROLLBACK"))
            raise DatabaseUnavailable

    outcomes = await asyncio.gather(*(write_and_fail() for _ in range(3)), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 3
    assert embedded.committed() == set()
    await create(embedded, "afterwards")
    assert embedded.committed() == {"afterwards"}


async def test_a_cancelled_transaction_is_whole_or_undone_and_spoils_none_of_its_group(embedded: Embedded) -> None:
    """Wherever it is: waiting, at its statements, or waiting for the commit."""
    kept: set[str] = set()
    for turns in range(40):
        tasks = [asyncio.create_task(create(embedded, f"{turns}-{number}")) for number in range(6)]
        for _ in range(turns):
            await asyncio.sleep(0)
        tasks[turns % 6].cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        kept |= {outcome.label for outcome in outcomes if not isinstance(outcome, BaseException)}
        assert sum(isinstance(outcome, BaseException) for outcome in outcomes) <= 1

    assert kept <= embedded.committed()
    assert len(kept) >= 40 * 5


async def test_what_was_acknowledged_is_there_after_a_kill_of_processes_that_share_a_file() -> None:
    """Two workers with a group each, killed in the middle of writing."""
    gateway = Gateway(workers=2).start()
    try:
        account = await gateway.new_user()
        answered, enough = list[str](), asyncio.Event()

        async def write(writer: int) -> None:
            async with account.client() as client:
                for number in range(10_000):
                    answer = await client.post(LIST, json={"label": f"{writer}-{number}", "type": "local"})
                    assert answer.status_code == httpx.codes.CREATED, answer.text
                    answered.append(f"{writer}-{number}")
                    if len(answered) >= ACKNOWLEDGED:
                        enough.set()

        writers = [asyncio.create_task(write(writer)) for writer in range(20)]
        async with asyncio.timeout(DEADLINE_S):
            await enough.wait()
        for pid in (gateway.pid, *children(gateway.pid)):
            os.kill(pid, signal.SIGKILL)
        outcomes = await asyncio.gather(*writers, return_exceptions=True)
        gateway.stop()
        gateway.start()
        stored = [row["label"] for row in await gateway.rows("SELECT label FROM backup_destinations")]
    finally:
        gateway.close()

    assert all(isinstance(outcome, httpx.TransportError) for outcome in outcomes), outcomes
    assert len(stored) == len(set(stored))
    assert set(answered) <= set(stored)
    assert len(stored) - len(answered) <= len(writers)
