"""docker-compose.yml, run for real: two gateways behind nginx, PostgreSQL, Valkey, and a store to check."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.support.containers.compose import ADDRESS, GATEWAYS, Installation
from tests.support.containers.engine import Failed, inspect
from tests.support.figures import amount
from tests.support.gateway.kept_connections import Load
from tests.support.gateway.processes import until
from tests.support.paths import ROOT

CLIENTS = 8
ROUNDS = amount(1, 2)
EVENT_WITHIN_S = 30.0
SUBSCRIPTION = "subscription { backupDestinationEvents { __typename } }"
CREATED = "BackupDestinationCreated"
ELSEWHERE = {"DATABASE_URL", "LISTEN_DATABASE_URL", "SECRET_KEYS", "KEY_SERVICE", "S3_CA_FILE", "RATE_LIMIT_STORAGE"}
"""Settings that come as files, name something that is not there, or are of the compose file itself."""
SET = {"MOORINGS_RATE_LIMIT": "1000000/minute", "MOORINGS_EVENTS_RETENTION": "90d", "MOORINGS_CHECK_INTERVAL": "12h"}
Figure = Callable[[str], None]


def documented() -> dict[str, str]:
    """Every setting of `.env.example` with its default, those of this test in place of theirs."""
    lines = re.findall(r"^#(MOORINGS_[A-Z_0-9]+)=(.+)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    left_out = {f"MOORINGS_{name}" for name in ELSEWHERE}
    return {name: value for name, value in lines if name not in left_out} | SET


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Everything running, with every setting in `.env`."""
    running = Installation(tmp_path_factory.mktemp("compose"), documented())
    running.make_secrets()
    try:
        running.up()
        yield running
    finally:
        running.down("--volumes")


@pytest.fixture(scope="module")
def token(installation: Installation) -> str:
    """Of a user for everything here."""
    return installation.new_token("ada@example.com")


@asynccontextmanager
async def client(token: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of nginx."""
    headers = {"Authorization": f"Bearer {token}"}
    url = f"http://{ADDRESS[0]}:{ADDRESS[1]}"
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60, trust_env=False) as calling:
        yield calling


def test_every_setting_of_the_file_reaches_both_gateways(installation: Installation) -> None:
    for gateway in GATEWAYS:
        lines = installation.execute(gateway, "env").splitlines()
        there = dict(line.split("=", 1) for line in lines if line.startswith("MOORINGS_"))
        assert {name: there.get(name) for name in documented()} == documented()
        shown = installation.execute(gateway, "moorings", "config", "show", "--changed")
        assert "90d" in shown
        assert "12h" in shown


@pytest.mark.parametrize("name", ["MOORINGS_DATABASE_URL", "MOORINGS_SECRET_KEYS"])
def test_a_setting_that_comes_as_a_file_is_refused_by_its_name(installation: Installation, name: str) -> None:
    with pytest.raises(Failed, match=f"{name}.*{name}_FILE|{name}_FILE.*{name}"):
        installation.execute("gateway-a", "env", f"{name}=a", "moorings", "migrate", "--check")


def test_memory_and_processes_of_every_container_are_bounded(installation: Installation) -> None:
    assert len(installation.containers()) == 6
    for container in installation.containers():
        host = inspect(container)["HostConfig"]
        assert 0 < host["Memory"] <= 1 << 30, container
        assert 0 < host["PidsLimit"] <= 256, container
    for gateway in GATEWAYS:
        with pytest.raises(Failed, match="Read-only file system"):
            installation.execute(gateway, "touch", "/opt/a")


def test_what_operators_alone_may_see_is_hidden_and_the_proxy_is_trusted(
    installation: Installation, token: str
) -> None:
    for path in ("/metrics", "/readyz"):
        assert httpx.get(f"{installation.url}{path}", trust_env=False).status_code == httpx.codes.NOT_FOUND
    headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": "203.0.113.9"}
    answer = httpx.get(f"{installation.url}/api/backup-destinations", headers=headers, trust_env=False)
    assert answer.status_code == httpx.codes.OK
    assert "203.0.113.9" not in installation.logs("gateway-a") + installation.logs("gateway-b")
    for gateway in GATEWAYS:
        doctor = json.loads(installation.execute(gateway, "moorings", "doctor", "--json"))
        assert [line for line in doctor if line["state"] == "failure"] == []


async def test_a_destination_at_the_store_is_checked(installation: Installation, token: str) -> None:
    await asyncio.to_thread(installation.execute, "store", "mkdir", "-p", "/data/nightly")
    body = {
        "label": "The store",
        "type": "custom_s3",
        "s3_access_key": "try",
        "s3_secret_key": "try-this-store",
        "s3_bucket_name": "nightly",
        "custom_s3_endpoint": "http://store:9000",
        "path_style_endpoint": True,
    }
    async with client(token) as calling:
        made = await calling.post("/api/backup-destinations", json=body)
        assert made.status_code == httpx.codes.CREATED, made.text
    checked = await asyncio.to_thread(
        installation.execute, "gateway-b", "moorings", "check", str(made.json()["data"]["id"]), "--json"
    )
    (outcome,) = json.loads(checked)
    assert outcome["report"]["reachable"] is True, outcome


async def test_live_events_come_through_nginx_in_both_forms(token: str) -> None:
    url = f"ws://{ADDRESS[0]}:{ADDRESS[1]}/graphql"
    async with (
        client(token) as calling,
        connect(url, subprotocols=["graphql-transport-ws"]) as socket,  # type: ignore[list-item]  # a str is one
        calling.stream(
            "POST", "/graphql", json={"query": SUBSCRIPTION}, headers={"Accept": "text/event-stream"}
        ) as stream,
        asyncio.timeout(EVENT_WITHIN_S),
    ):
        await socket.send(json.dumps({"type": "connection_init", "payload": {"token": token}}))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": SUBSCRIPTION}}))
        await socket.send('{"type": "ping"}')
        assert json.loads(await socket.recv())["type"] == "pong"
        async with client(token) as writing:
            made = await writing.post("/api/backup-destinations", json={"label": "A", "type": "local"})
        assert made.status_code == httpx.codes.CREATED
        assert CREATED in str(await socket.recv())
        async for line in stream.aiter_lines():
            if CREATED in line:
                break


async def test_a_rolling_upgrade_under_load_loses_no_request(
    installation: Installation, token: str, figure: Figure
) -> None:
    load = Load(*ADDRESS, token)
    before = {gateway: installation.execute(gateway, "hostname") for gateway in GATEWAYS}
    async with load.running(CLIENTS):
        for _ in range(ROUNDS):
            said = await asyncio.to_thread(installation.upgrade)
            assert "gateway-b is ready" in said
    figure(f"podman-compose, {ROUNDS} upgrades of two gateways behind nginx: {load}")

    assert not load.has_failed, str(load)
    assert load.answered > CLIENTS
    assert all(installation.execute(gateway, "hostname") != before[gateway] for gateway in GATEWAYS)


async def test_a_gateway_that_is_killed_under_load_costs_the_requests_it_had_at_most(
    installation: Installation, token: str, figure: Figure
) -> None:
    """nginx asks the other one again for what may be asked twice; a write that was sent has no answer: 502."""
    load = Load(*ADDRESS, token)
    async with load.running(CLIENTS):
        await asyncio.to_thread(installation.kill, "gateway-a")
        killed_at = load.answered
        await until(lambda: load.answered > killed_at + 20 * CLIENTS)
        await asyncio.to_thread(installation.start, "gateway-a")
        await asyncio.to_thread(installation.wait_for, "gateway-a")
    figure(f"one of two gateways killed with SIGKILL: {load}")

    assert load.failures == {}
    assert load.statuses.keys() <= {200, 201, 502}
    assert load.statuses[502] <= CLIENTS


def test_everything_made_anew_has_what_was_there(installation: Installation, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    before = httpx.get(f"{installation.url}/api/backup-destinations", headers=headers, trust_env=False).json()
    installation.down()
    assert installation.containers() == []
    installation.up()
    after = httpx.get(f"{installation.url}/api/backup-destinations", headers=headers, trust_env=False).json()
    assert after["meta"]["total"] == before["meta"]["total"] > 0
