"""Subscriptions under strain: tokens that end, two gateways, readers that do not read, a listener that is killed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from models.accounts.accounts import find_user, issue_token
from models.clock import current_second
from tests.schema.resolvers.test_events import start_of
from tests.support.api.destinations import events_of
from tests.support.databases.many_rows import plant_events
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import LISTENS, Ended, Listen, Listener, code_of, over_socket
from tests.support.graphql.graphql_documents import LISTEN
from tests.support.stopwatch import Stopwatch

IDS = "subscription ($after: ID) { backupDestinationEvents(after: $after) { id } }"
BULKY = (
    "subscription ($after: ID) { backupDestinationEvents(after: $after) { id ... on BackupDestinationDeleted { %s } } }"
)
BULKY %= " ".join(f"label{n}: label" for n in range(4))
"""Four kilobytes for an event with the longest label."""
MEBIBYTE = 2**20


async def expiring(account: Account) -> str:
    """A token that expires, in a time that opening the streams never takes."""
    async with account.gateway.models():
        user = await find_user(account.email)
        return await issue_token(user, name="brief", expires_in=timedelta(minutes=5))


async def expire(account: Account, token: str) -> None:
    """Let a token end in two seconds, and wait until it has."""
    id_, end = int(token.partition("|")[0]), current_second() + timedelta(seconds=2)
    await account.gateway.rows(f"UPDATE tokens SET expires_at = '{end}' WHERE id = {id_}")  # noqa: S608 - an integer
    await asyncio.sleep(end.timestamp() - time.time())


def batched(labels: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The labels, that many at a time."""
    return (labels[start : start + size] for start in range(0, len(labels), size))


async def command(account: Account, *arguments: str) -> None:
    """A command beside the gateway."""
    done = await asyncio.to_thread(account.gateway.command, *arguments)
    assert done.returncode == 0, done.stderr


async def ends_in_time(listener: Listener, began: float) -> None:
    """The stream says why it ends, within five seconds of its cause, and ends."""
    assert code_of(await listener.answer(began + 5 - time.monotonic())) == "UNAUTHENTICATED"
    with pytest.raises(Ended):
        await listener.answer()


async def test_a_stream_ends_within_five_seconds_of_its_token(gateway: Gateway) -> None:
    """Revoked, expired, or its user disabled; another token of the same user listens on."""
    revoked, expired, disabled = [await gateway.new_user() for _ in range(3)]
    starts = {account: await start_of(account) for account in (revoked, expired, disabled)}
    brief = await expiring(expired)

    async with AsyncExitStack() as stack:

        async def opened(listen: Listen, account: Account, token: str) -> Listener:
            return await stack.enter_async_context(listen(account, IDS, {"after": starts[account]}, token=token))

        tokens = [(revoked, revoked.token), (expired, brief), (disabled, disabled.token)]
        streams = [await opened(listen, *one) for listen in LISTENS.values() for one in tokens]
        other = await opened(over_socket, revoked, revoked.full_token)
        await asyncio.gather(
            command(revoked, "token", "revoke", revoked.token.partition("|")[0]),
            command(disabled, "user", "disable", "--email", disabled.email),
            expire(expired, brief),
        )
        began = time.monotonic()
        await asyncio.gather(*(ends_in_time(stream, began) for stream in streams))

        await plant_events(gateway, revoked.user_id, ["still heard"])
        assert len(await other.events(1)) == 1


async def test_a_stream_ends_when_its_token_may_no_longer_view(gateway: Gateway) -> None:
    account = await gateway.new_user()
    start = await start_of(account)

    async with over_socket(account, IDS, {"after": start}) as listener:
        id_ = int(account.token.partition("|")[0])
        await gateway.rows(f"UPDATE tokens SET abilities = 'create-backup-destinations' WHERE id = {id_}")  # noqa: S608 - an integer
        assert code_of(await listener.answer()) == "FORBIDDEN"


async def test_what_one_gateway_stores_is_heard_at_another(gateway: Gateway) -> None:
    """Two processes share the database alone: PostgreSQL notifies at once, SQLite is asked every second."""
    account = await gateway.new_user()
    start = await start_of(account)
    second = Gateway(gateway.database_url, secret_keys=gateway.settings["secret_keys"])
    await asyncio.to_thread(second.start)
    count, deadline_s = (8, 2.0) if gateway.engine == "postgresql" else (2, 3.0)

    try:
        async with (
            over_socket(account, LISTEN, {"after": start}) as here,
            over_socket(replace(account, gateway=second), LISTEN, {"after": start}) as there,
        ):
            heard, later_s = [], 0.0
            for number in range(count):
                await account.create("local", label=f"{number}")
                await here.events(1)
                watch = Stopwatch(second.worker_pid)
                heard += await there.events(1)
                later_s += watch.seconds
    finally:
        await asyncio.to_thread(second.close)

    assert [event["backupDestination"]["label"] for event in heard] == [f"{number}" for number in range(count)]
    assert later_s < deadline_s, "how much later all of them are heard at the other gateway"


def resident_bytes(gateway: Gateway) -> int:
    """The memory of the gateway's process."""
    for line in Path(f"/proc/{gateway.worker_pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the process is gone")


async def test_readers_that_do_not_read_cost_no_memory_and_catch_up(gateway: Gateway) -> None:
    """Forty megabytes are waiting for them; whoever reads is not kept waiting."""
    account = await gateway.new_user()
    start = {"after": await start_of(account)}
    long = "🗄" * 245

    async with AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(listen(account, BULKY, start)) for listen in LISTENS.values()]
        quick = await stack.enter_async_context(over_socket(account, IDS, start))
        await plant_events(gateway, account.user_id, [long])
        await asyncio.gather(*(listener.events(1) for listener in (*slow, quick)))
        before = resident_bytes(gateway)
        for labels in batched([f"{n:06}{long}" for n in range(5_000)], 1_000):
            await plant_events(gateway, account.user_id, labels)
            await quick.events(1_000)
        grown = resident_bytes(gateway) - before
        caught_up = await asyncio.gather(*(listener.events(5_000, deadline_s=25) for listener in slow))

    for events in caught_up:
        assert [event["label0"][:6] for event in events] == [f"{n:06}" for n in range(5_000)]
    assert grown < 16 * MEBIBYTE


async def kill_listener(gateway: Gateway) -> None:
    """Cut the connection on which the gateway hears PostgreSQL, as soon as there is one."""
    cut: list[dict[str, Any]] = []
    while not cut:
        cut = await gateway.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'moorings listener' AND datname = current_database()"
        )


async def follow(account: Account, after: str, count: int) -> list[str]:
    """The ids of the next events of a subscriber that leaves after every 37 and comes back with the last one."""
    heard = [after]
    while len(heard) <= count:
        async with over_socket(account, IDS, {"after": heard[-1]}) as listener:
            heard += [event["id"] for event in await listener.events(min(37, count + 1 - len(heard)))]
    return heard[1:]


async def test_no_event_is_lost_while_the_listener_is_killed_twenty_times(gateways: Mapping[str, Gateway]) -> None:
    """A thousand events, fifty of them after each kill; a subscriber that comes and goes has all of them, in order."""
    gateway = gateways["postgresql"]
    account = await gateway.new_user()
    following = asyncio.create_task(follow(account, await start_of(account), 1_000))

    for fifty in batched([f"{n}" for n in range(1_000)], 50):
        await kill_listener(gateway)
        await plant_events(gateway, account.user_id, fifty)
    heard = await following

    stored = [f"BackupDestinationEvent:{event['id']}" for event in await events_of(gateway, account.user_id)]
    assert heard == stored[1:]
    assert len(heard) == 1_000
