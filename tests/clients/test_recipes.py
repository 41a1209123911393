"""The recipes of the manual, copied out of it and run in the clients they are for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

import httpx
import pytest

from schema.resolvers.definition import print_sdl
from tests.support.api.destinations import LIST
from tests.support.browser.front_ends import make_recipes
from tests.support.browser.node import install_clients, run_script, run_script_with_acts
from tests.support.databases.postgres import PostgresServer
from tests.support.databases.tcp_proxy import Fate, TcpProxy
from tests.support.gateway.behind_proxy import behind_proxy
from tests.support.gateway.gateway import Account, Gateway

EVENTS = 9
"""Four until the socket is cut, one behind the cut, two behind the restart, one while away and one after that."""
LIBRARIES = ("apollo", "urql", "relay")

FATES = ("undisturbed", "answer lost", "cut before the commit", "cut after the commit", "gateway away")

Acts = Mapping[str, Callable[[httpx.AsyncClient], Awaitable[object]]]
"""What the test does for a script, by name, as a client with the token of the script's account."""


@pytest.fixture(scope="module")
async def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipes and their scripts, compiled."""
    install_clients()
    return await make_recipes(tmp_path_factory.mktemp("recipes"), print_sdl())


async def labels(account: Account) -> list[str]:
    """The labels of all destinations, by id."""
    async with account.client() as client:
        return [row["label"] for row in (await client.get(LIST, params={"per_page": 100})).json()["data"]]


async def test_mutations_with_a_key_are_carried_out_once_whatever_happens_to_their_answers(
    built: Path, postgres: PostgresServer
) -> None:
    """With Apollo's links and urql's exchanges: answers are lost, commits cut off, and the gateway is away."""
    with behind_proxy(postgres) as (gateway, proxy, _):
        account = await gateway.new_user()
        lines = await run_script_with_acts(
            built / "keys.js",
            account,
            {
                "cut before the commit": lambda: decide(proxy, Fate.CUT_BEFORE),
                "cut after the commit": lambda: decide(proxy, Fate.CUT_AFTER),
                "gateway away": lambda: asyncio.to_thread(gateway.stop),
                "gateway back": lambda: asyncio.to_thread(gateway.start),
            },
        )
        stored = await labels(account)

    assert sorted(stored) == sorted(line["label"] for line in lines)
    assert [line["label"] for line in lines] == [f"{line['client']}, {line['fate']}" for line in lines]
    assert len(lines) == len(("apollo", "urql")) * len(FATES)
    assert all((len(line["keys"]) > 1) is (line["fate"] != "undisturbed") for line in lines)
    assert all(len(set(line["keys"])) == 1 for line in lines)
    assert len({line["keys"][0] for line in lines}) == len(lines)


async def decide(proxy: TcpProxy, fate: Fate) -> None:
    """What happens to the next commits, one of each client."""
    proxy.decide([fate] * 2)


async def test_a_form_that_meets_a_conflict_lets_the_person_choose(built: Path, gateway: Gateway) -> None:
    """Nothing is stored until then; either choice is saved at the version that the person was shown."""
    account = await gateway.new_user()
    lines = await run_script(built / "forms.js", account)

    chosen = {"Save mine nevertheless": "Mine", "Show the new values": "Theirs"}
    assert [(line["client"], line["choice"]) for line in lines] == [
        (client, choice) for client in ("apollo", "urql") for choice in chosen
    ]
    for line in lines:
        assert (line["seen"], line["stored"]) == ("It is “Theirs” by now.", "Theirs")
        assert line["saved"] == line["is"] == chosen[line["choice"]]


async def test_a_page_keeps_its_rows_and_reads_no_list_again_whatever_happens_to_its_stream(built: Path) -> None:
    """In StrictMode, with Apollo, urql and Relay at once: each event comes once, each row is there once.

    Another client creates, changes and deletes; the socket is cut; the gateway restarts; the page is mounted again.
    Only when the gateway's history is another one, the list is read anew.
    """
    gateway, barrier = Gateway().start(), asyncio.Barrier(len(LIBRARIES))

    async def together(act: Callable[[], Awaitable[object]]) -> None:
        if await barrier.wait() == 0:
            await act()
        await barrier.wait()

    async def restart(*statements: str) -> None:
        await asyncio.to_thread(gateway.stop)
        for statement in statements:
            await gateway.rows(statement)
        await asyncio.to_thread(gateway.start)

    acts = {
        "restart": lambda: together(restart),
        "restore": lambda: together(lambda: restart("DELETE FROM events")),
    }
    try:
        accounts = [await gateway.new_user() for _ in LIBRARIES]
        runs = [
            run_script_with_acts(built / f"live-{library}-page.js", account, acts)
            for library, account in zip(LIBRARIES, accounts, strict=True)
        ]
        pages = await asyncio.gather(*runs)
    finally:
        gateway.close()

    for library, (paged, heard, cut, restarted, mounted, restored) in zip(LIBRARIES, pages, strict=True):
        assert paged["list"] == mounted["list"] == 2, library
        assert heard["labels"] == ["Here", "Five", "Four", "Two", "Uno"], library
        assert cut["labels"] == ["Cut", *heard["labels"]], library
        assert restarted["labels"] == ["Restarted", "Cut", "Here", "Five", "Four", "Uno"], library
        assert mounted["labels"] == ["Away", "Restarted", "Cut", "Here", "Five", "Cuatro", "Uno"], library
        assert len(set(mounted["heard"])) == len(mounted["heard"]) == EVENTS, library
        assert (restored["labels"], restored["list"]) == (["Restored", "Away"], 3), library
        assert mounted.get("warnings", []) == [], library


async def test_clients_whose_sockets_are_refused_over_the_limit_come_back_by_themselves(built: Path) -> None:
    """1013, with one line in the log each time."""

    acts: Acts = {
        "refuse": lambda client: poll(client, LIST, lambda answer: int(answer.headers.get("Retry-After", 0)) >= 3),
        "accept": lambda client: poll(client, LIST, lambda answer: answer.is_success),
    }
    gateway = Gateway(rate_limit="10/4 seconds").start()
    try:
        await come_back(built, gateway, "TooManyAttempts", acts)
    finally:
        gateway.close()


async def test_clients_whose_sockets_are_refused_without_a_database_come_back_by_themselves(built: Path) -> None:
    """1013, with one line in the log each time."""

    async def move(client: httpx.AsyncClient, source: Path, target: Path, expected: int) -> None:
        await asyncio.to_thread(source.rename, target)
        await poll(client, "/readyz", lambda answer: answer.status_code == expected)

    gateway = Gateway().start()
    path = gateway.address.path
    assert path is not None
    away = path.with_suffix(".away")
    acts: Acts = {
        "refuse": lambda client: move(client, path, away, httpx.codes.SERVICE_UNAVAILABLE),
        "accept": lambda client: move(client, away, path, httpx.codes.OK),
    }
    try:
        await come_back(built, gateway, "DatabaseUnavailable", acts)
    finally:
        gateway.close()


async def poll(client: httpx.AsyncClient, path: str, holds: Callable[[httpx.Response], bool]) -> None:
    """Ask until the answer is as wanted."""
    while not holds(await client.get(path)):  # noqa: ASYNC110 - only asking tells
        await asyncio.sleep(0.05)


async def come_back(built: Path, gateway: Gateway, refusal: str, acts: Acts) -> None:
    """Both clients, refused and accepted by the acts, get the event that came after, and nothing else is logged."""
    account = await gateway.new_user()
    async with account.client() as client:
        lines = await run_script_with_acts(
            built / "refused.js", account, {name: partial(act, client) for name, act in acts.items()}
        )

    *late, with_graphql_ws, with_the_recipe = lines
    assert (with_graphql_ws["name"], with_the_recipe["name"]) == ("graphql-ws", "recipe")
    for line in (with_graphql_ws, with_the_recipe):
        assert set(line["codes"]) == {1013}
        assert line["failures"] == []
        assert len(line["events"]) == 1
    log = gateway.log_text()
    assert log.count("closed at connection_init") == sum(len(line["codes"]) for line in lines), late
    assert log.count(f"closed at connection_init: {refusal}") == log.count("closed at connection_init")
    assert "Traceback" not in log
