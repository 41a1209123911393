"""The public audits of GraphQL over HTTP, as graphql-http ships them, run by Node against real gateways."""

from __future__ import annotations

import pytest

from tests.gateway import Gateway
from tests.node import SCRIPTS, install_clients, run_script

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
