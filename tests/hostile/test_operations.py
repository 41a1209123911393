"""Hostile operations, requests and conversations at the GraphQL API: each is refused, soon, briefly, without harm."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from tests.hostile.operations import CONVERSATIONS, OPERATIONS, REQUESTS
from tests.hostile.rest.case import CANARY
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_wire import play_conversation, play_operation, play_request

AT_ONCE = 3
"""One after another would take long, and many at once would be timed by how long they wait for each other."""


Play = Callable[[Account, Any], Awaitable[list[str]]]


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    """A user with all abilities and no destination."""
    return await gateway.new_user()


async def complaints_about(cases: Sequence[Any], play: Play, account: Account) -> list[str]:
    """What is wrong with the answers to these cases, with what the gateway logged meanwhile, and with its rows."""
    logged = len(account.gateway.log_text())
    turns = asyncio.Semaphore(AT_ONCE)

    async def take_turn(case: Any) -> list[str]:
        async with turns:
            return await play(account, case)

    found = [complaint for complaints in await asyncio.gather(*map(take_turn, cases)) for complaint in complaints]
    log = account.gateway.log_text()[logged:]
    in_log = set(CANARY.findall(log))
    found += [f"the log tells the secret of {case.name}" for case in cases if case.canaries & in_log]
    found += [f"the log has: {line[:300]}" for line in log.splitlines() if "Traceback" in line or "failed" in line]
    events = await account.gateway.rows(f"SELECT id FROM events WHERE user_id = {account.user_id}")  # noqa: S608 - our own integer
    return found + ([f"{len(events)} changes were made"] if events else [])


def refused(complaints: list[str]) -> None:
    """Fail with every complaint, if there is one."""
    if complaints:
        pytest.fail("\n".join([f"{len(complaints)} complaints", *complaints]), pytrace=False)


@pytest.mark.parametrize("theme", OPERATIONS)
async def test_a_hostile_operation_is_refused_without_harm(theme: str, account: Account) -> None:
    """In under 2 s, in less than 100 kB, with the right status and code, and the next request is answered."""
    refused(await complaints_about(OPERATIONS[theme], play_operation, account))


async def test_a_hostile_request_is_refused_without_harm(account: Account) -> None:
    """Malformed bodies, types and methods are refused as such in GraphQL's own form, and never with a 5xx."""
    refused(await complaints_about(REQUESTS, play_request, account))


async def test_a_hostile_conversation_ends_as_the_protocol_says(account: Account) -> None:
    """A breach of the protocol closes the socket with its code; a bad operation ends that operation alone."""
    refused(await complaints_about(CONVERSATIONS, play_conversation, account))


def test_every_hostile_case_has_a_name_of_its_own() -> None:
    """A complaint names the case, so a name must lead to one."""
    operations = [(theme, case.name) for theme, cases in OPERATIONS.items() for case in cases]
    others = [("", case.name) for case in REQUESTS] + [("", case.name) for case in CONVERSATIONS]

    assert [name for name, times in Counter([*operations, *others]).items() if times > 1] == []
