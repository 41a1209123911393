"""HTTPS by the gateway itself: its certificate, renewed without a pause, and what plain HTTP is told instead."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import signal
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from app.database import migrate
from tests.support.databases.databases import unserved
from tests.support.gateway.gateway import MOORINGS, START_DEADLINE_S, STOP_DEADLINE_S, Account, Gateway, environment
from tests.support.ports import free_port
from tests.support.stores.certificates import Authority

LIST = "/api/backup-destinations"
HSTS = "strict-transport-security"


class Serving:
    """A gateway on TLS, and a client's view of its certificate."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, authority: Authority, log: Path) -> None:
        self.process = process
        self.port = port
        self.trusting = authority.trusting()
        self._log = log

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"https://127.0.0.1:{self.port}"

    def log_text(self) -> str:
        """Everything it wrote so far."""
        return self._log.read_text()

    def connected(self) -> http.client.HTTPSConnection:
        """A new connection."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.trusting, timeout=60)
        connection.connect()
        return connection

    def serial_number(self) -> str:
        """That of the certificate a new connection gets."""
        with closing(self.connected()) as connection:
            assert isinstance(connection.sock, ssl.SSLSocket)
            certificate = connection.sock.getpeercert()
        assert certificate is not None
        return str(certificate["serialNumber"])

    def is_ready(self) -> bool:
        """Whether it serves."""
        try:
            with closing(self.connected()) as connection:
                connection.request("GET", "/readyz")
                return connection.getresponse().status == http.client.OK
        except OSError:
            return False

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what the gateway brings about."""
        deadline = time.monotonic() + START_DEADLINE_S
        while not condition():
            assert self.process.poll() is None, self.log_text()
            assert time.monotonic() < deadline, self.log_text()
            time.sleep(0.05)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    """A user on an embedded database that no gateway serves yet."""
    with unserved(None) as gateway:
        await migrate(gateway.address)
        yield await gateway.new_user()


@contextmanager
def serving(gateway: Gateway, authority: Authority, certificate: Path, workers: int = 1) -> Iterator[Serving]:
    """`moorings serve` on TLS with the certificate and the key of one file."""
    port, log_path = free_port(), gateway.directory / "tls.log"
    options = [
        "--port",
        str(port),
        "--workers",
        str(workers),
        "--tls-cert",
        str(certificate),
        "--tls-key",
        str(certificate),
    ]
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [MOORINGS, "serve", *options],
            env=environment(**gateway.settings),
            cwd=gateway.directory,
            stdout=log,
            stderr=log,
        )
    served = Serving(process, port, authority, log_path)
    try:
        served.until(served.is_ready)
        yield served
    finally:
        process.terminate()
        process.wait(STOP_DEADLINE_S)


async def test_both_apis_are_served_over_tls(account: Account, authority: Authority) -> None:
    """First on the standard path and then on the fast one, with HTTPS in links and the order to use nothing else."""
    certificate = authority.file("127.0.0.1")
    headers = {"Authorization": f"Bearer {account.token}"}
    with serving(account.gateway, authority, certificate) as served:
        async with httpx.AsyncClient(
            base_url=served.url, headers=headers, verify=served.trusting, timeout=60
        ) as client:
            made = await client.post(LIST, json={"label": "Over TLS", "type": "local"})
            lists = [await client.get(LIST) for _ in range(3)]
            answer = await client.post("/graphql", json={"query": "{ viewer { id } }"})
        url = served.url.replace("https", "wss", 1) + "/graphql"
        async with connect(url, subprotocols=["graphql-transport-ws"], ssl=served.trusting) as socket:  # type: ignore[list-item]  # a str is one
            await socket.send('{"type": "connection_init", "payload": {"token": "%s"}}' % account.token)  # noqa: UP031
            acknowledged = await socket.recv()

    assert made.headers["location"].startswith(f"{served.url}{LIST}/")
    assert [list_.json()["links"]["first"].partition("?")[0] for list_ in lists] == [f"{served.url}{LIST}"] * 3
    assert {answer.headers[HSTS] for answer in (made, *lists, answer)} == {"max-age=31536000"}
    assert acknowledged == '{"type":"connection_ack"}'
    assert f"serves {account.gateway.address.origin} on {served.url}" in served.log_text()
    assert "plain HTTP" not in served.log_text()


@pytest.mark.parametrize("workers", [1, 2])
def test_sighup_gives_new_connections_the_renewed_certificate(
    workers: int, authority: Authority, tmp_path: Path
) -> None:
    """Files that do not fit each other change nothing."""
    with unserved(None) as gateway:
        certificate = authority.file("127.0.0.1")
        with serving(gateway, authority, certificate, workers) as served:
            before, old = served.serial_number(), served.connected()
            certificate.write_text(re.sub(r"-----BEGIN CERT[^Z]*", "", certificate.read_text()))
            os.kill(served.process.pid, signal.SIGHUP)
            served.until(lambda: "Cannot serve with the certificate" in served.log_text())
            assert served.serial_number() == before

            authority.file("127.0.0.1")
            os.kill(served.process.pid, signal.SIGHUP)
            served.until(lambda: served.is_ready() and served.serial_number() != before)
            old.close()


def test_sighup_without_a_certificate_ends_nothing() -> None:
    gateway = Gateway().start()

    os.kill(gateway.pid, signal.SIGHUP)
    connection = http.client.HTTPConnection(gateway.host, gateway.port, timeout=60)
    with closing(connection):
        connection.request("GET", "/readyz")
        assert connection.getresponse().status == http.client.OK

    assert gateway.stop() == 0
    gateway.close()


def test_a_certificate_that_cannot_be_served_is_refused_before_anything_is_made(
    authority: Authority, tmp_path: Path
) -> None:
    fit, other, missing = authority.file("127.0.0.1"), authority.file("other.example"), tmp_path / "missing.pem"
    junk = tmp_path / "junk.pem"
    junk.write_text("hunter22")
    encrypted = authority.file("secret.example", password=b"hunter22")

    with unserved(None) as gateway:
        for chain, key in (
            (fit, other),
            (fit, missing),
            (missing, fit),
            (fit, junk),
            (junk, fit),
            (encrypted, encrypted),
        ):
            refused = gateway.command("serve", "--port", "0", "--tls-cert", str(chain), "--tls-key", str(key))
            assert refused.returncode == 1
            assert refused.stderr.startswith(f"moorings: Cannot serve with the certificate {chain} and the key {key}: ")
            assert refused.stderr.count("\n") == 1
            assert "hunter22" not in refused.stderr
        assert list(gateway.directory.iterdir()) == []


@pytest.mark.parametrize("option", ["--tls-cert", "--tls-key"])
def test_one_option_without_the_other_is_bad_usage(option: str) -> None:
    with unserved(None) as gateway:
        refused = gateway.command("serve", "--port", "0", option, "x.pem")

    assert refused.returncode == 2
    assert "--tls-cert and --tls-key go together." in refused.stderr


@contextmanager
def listening_everywhere(**settings: str) -> Iterator[str]:
    """The log of a gateway that other machines can reach, once it serves."""
    with unserved(None) as gateway:
        log_path = gateway.directory / "everywhere.log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [MOORINGS, "serve", "--host", "0.0.0.0", "--port", str(free_port())],  # noqa: S104 - what is warned of
                env=environment(**gateway.settings, **settings),
                cwd=gateway.directory,
                stdout=log,
                stderr=log,
            )
        try:
            deadline = time.monotonic() + START_DEADLINE_S
            while "Moorings serves" not in log_path.read_text():
                assert process.poll() is None, log_path.read_text()
                assert time.monotonic() < deadline, log_path.read_text()
                time.sleep(0.05)
            yield log_path.read_text()
        finally:
            process.terminate()
            process.wait(STOP_DEADLINE_S)


def test_plain_http_for_other_machines_is_warned_of() -> None:
    with listening_everywhere() as log:
        assert "Other machines reach this gateway on 0.0.0.0 over plain HTTP" in log


def test_plain_http_behind_a_trusted_proxy_or_for_this_machine_alone_is_not_warned_of(site: Gateway) -> None:
    with listening_everywhere(trusted_proxies="10.0.0.1") as log:
        assert "plain HTTP" not in log
    assert "plain HTTP" not in site.log_text()


@pytest.mark.parametrize(("seconds", "sent"), [("600", "max-age=600"), ("0", None)])
def test_a_client_that_came_over_https_to_a_trusted_proxy_is_told_to_stay_with_it(
    seconds: str, sent: str | None
) -> None:
    """And one that came over HTTP is not, on the standard path and on the fast one."""
    gateway = Gateway(trusted_proxies="127.0.0.1", hsts_seconds=seconds).start()
    account = asyncio.run(gateway.new_user())
    headers = {"Authorization": f"Bearer {account.token}"}
    with httpx.Client(base_url=gateway.url, headers=headers, timeout=60) as client:
        secure = [client.get(LIST, headers={"X-Forwarded-Proto": "https"}) for _ in range(3)]
        plain = [client.get(LIST) for _ in range(3)]
        forged = client.get(LIST, headers={"X-Forwarded-Proto": "http"})
    gateway.close()

    assert [answer.headers.get(HSTS) for answer in secure] == [sent] * 3
    assert [answer.headers.get(HSTS) for answer in (*plain, forged)] == [None] * 4
