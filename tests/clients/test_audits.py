"""The public audits of GraphQL over HTTP, as graphql-http ships them, run by Node against real gateways."""

from __future__ import annotations

import httpx
import pytest

from tests.support.browser.node import SCRIPTS, install_clients, run_script
from tests.support.gateway.gateway import Gateway

AUDITS = 61


@pytest.fixture(scope="module", autouse=True)
def _clients() -> None:
    install_clients()


@pytest.mark.parametrize("with_token", [True, False], ids=["with a token", "without a token"])
async def test_every_audit_of_graphql_over_http_passes(
    gateway: Gateway, subtests: pytest.Subtests, *, with_token: bool
) -> None:
    """MUST, SHOULD and MAY alike. The audits ask for `__typename`, for which nobody needs a token."""
    account = await gateway.new_user()

    audits = await run_script(SCRIPTS / "audits.mjs", account, **({} if with_token else {"GATEWAY_TOKEN": ""}))

    for audit in audits:
        with subtests.test(audit["name"], id=audit["id"]):
            assert audit["status"] == "ok", audit["reason"]
    failed = [f"{audit['id']} {audit['name']}: {audit['reason']}" for audit in audits if audit["status"] != "ok"]
    assert not failed, "\n".join(failed)
    assert len({audit["id"] for audit in audits}) == len(audits) == AUDITS


async def test_a_mutation_over_get_is_refused_before_a_stream_begins(gateway: Gateway) -> None:
    """What the audits ask of JSON holds for a client that prefers a stream: 405, and nothing is done."""
    account = await gateway.new_user()
    id_ = await account.create("local")
    delete = f'mutation {{ deleteBackupDestination(id: "BackupDestination:{id_}") {{ __typename }} }}'

    async with account.client(accept="text/event-stream") as client:
        answer = await client.get("/graphql", params={"query": delete})
        kept = await client.get(f"/api/backup-destinations/{id_}")

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["BAD_REQUEST"]
    assert kept.is_success


async def test_nobody_gets_a_stream_without_a_token(gateway: Gateway) -> None:
    """The answer is 401, as for a token that is wrong, whatever the client accepts."""
    document = {"query": "subscription { backupDestinationEvents { id } }"}

    async with httpx.AsyncClient(timeout=60, base_url=gateway.url, headers={"accept": "text/event-stream"}) as client:
        answer = await client.post("/graphql", json=document)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["UNAUTHENTICATED"]
