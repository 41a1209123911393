"""The recipes of the manual, copied out of it and run in the clients they are for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from schema.resolvers.definition import print_sdl
from tests.support.api.destinations import LIST
from tests.support.browser.front_ends import make_recipes
from tests.support.browser.node import install_clients, run_script, run_script_with_acts
from tests.support.databases.postgres import PostgresServer
from tests.support.databases.tcp_proxy import Fate, TcpProxy, proxied
from tests.support.gateway.gateway import Account, Gateway

FATES = ("undisturbed", "answer lost", "cut before the commit", "cut after the commit", "gateway away")


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
    name = f"recipes_{uuid4().hex}"
    postgres.create_database(name)
    with proxied(postgres.url("postgres")) as proxy:
        gateway = Gateway(proxy.url(postgres.url(name))).start()
        try:
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
        finally:
            gateway.close()

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
