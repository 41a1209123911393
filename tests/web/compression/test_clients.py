"""Clients as they are used, directly and behind an nginx that compresses too: each reads the same answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from benchmarks.packages import node_program
from tests.support.gateway.gateway import NO_TLS, Account, Gateway
from tests.support.proxies.nginx import Nginx

LIST = "/api/backup-destinations"
QUERY = "{ backupDestinations(first: 20) { nodes { id label createdAt updatedAt } } }"
FETCH = """
const [url, token, body] = process.argv.slice(1);
const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
const sent = body ? { method: 'POST', headers, body } : { headers };
const answer = await fetch(url, sent);
const text = await answer.text();
console.log(JSON.stringify({ status: answer.status, coding: answer.headers.get('content-encoding'), text }));
"""


@pytest.fixture(scope="module")
def nginx(gateways: dict[str, Gateway]) -> Iterator[Nginx]:
    """In front of the gateway with the embedded database."""
    nginx = Nginx(gateways["sqlite"].port, compresses=True).start()
    yield nginx
    nginx.close()


@pytest.fixture
async def account(gateways: dict[str, Gateway]) -> Account:
    account = await gateways["sqlite"].new_user()
    for number in range(15):
        await account.create("custom_s3", label=f"Ärchive {number}")
    return account


async def output(*command: str) -> str:
    """What a program prints; it must succeed."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode()


def urls(account: Account, nginx: Nginx) -> tuple[str, str]:
    return account.gateway.url, f"http://127.0.0.1:{nginx.port}"


async def test_curl_reads_what_it_asked_to_be_compressed(account: Account, nginx: Nginx) -> None:
    token = f"Authorization: Bearer {account.token}"
    for base in urls(account, nginx):
        posted = ("-H", "Content-Type: application/json", "-d", json.dumps({"query": QUERY}), f"{base}/graphql")
        for asked in ((f"{base}{LIST}",), posted):
            plain = await output("curl", "-sS", "-H", token, *asked)
            measured = ("-w", "\n%{size_download} %header{content-encoding}")
            said = await output("curl", "-sS", "--compressed", "-H", token, *measured, *asked)
            text, _, figures = said.rpartition("\n")
            size, coding = figures.split()
            assert text == plain
            assert int(size) < len(plain.encode()) / 2
            assert coding in ("zstd", "gzip")


async def test_httpx_reads_both_apis(account: Account, nginx: Nginx) -> None:
    for base in urls(account, nginx):
        async with httpx.AsyncClient(base_url=base, verify=NO_TLS, timeout=60) as client:
            client.headers["Authorization"] = f"Bearer {account.token}"
            for method, path, body in (("GET", LIST, None), ("POST", "/graphql", {"query": QUERY})):
                answers = [
                    await client.request(method, path, json=body, headers={"Accept-Encoding": coding})
                    for coding in ("gzip, deflate", "identity")
                ]
                assert [answer.headers.get("content-encoding") for answer in answers] == ["gzip", None]
                assert answers[0].json() == answers[1].json()


async def test_fetch_of_node_reads_both_apis(account: Account, nginx: Nginx) -> None:
    for base in urls(account, nginx):
        for url, body in ((f"{base}{LIST}", ""), (f"{base}/graphql", json.dumps({"query": QUERY}))):
            arguments = ("--input-type=module", "-e", FETCH, "--", url, account.token, body)
            said: dict[str, Any] = json.loads(await output(str(node_program()), *arguments))
            assert said["status"] == 200
            assert said["coding"] in ("gzip", "zstd")
            assert "Ärchive 14" in said["text"]


async def test_a_proxy_neither_compresses_twice_nor_loses_a_tag(account: Account, nginx: Nginx) -> None:
    """The strong tag of a compressed answer comes through as it is, and is good for a 304."""
    direct, proxied = urls(account, nginx)
    headers = {"Authorization": f"Bearer {account.token}", "Accept-Encoding": "gzip"}
    async with httpx.AsyncClient(verify=NO_TLS, timeout=60, headers=headers) as client:
        first = await client.get(f"{proxied}{LIST}", headers={"Host": direct.removeprefix("http://")})
        again = await client.get(f"{proxied}{LIST}", headers={"If-None-Match": first.headers["etag"]})

    assert first.headers.get_list("content-encoding") == ["gzip"]
    assert len(first.json()["data"]) == 15
    assert first.headers["etag"].endswith('-gzip"')
    assert (again.status_code, again.headers["etag"]) == (304, first.headers["etag"])
    assert "accept-encoding" in again.headers["vary"].lower()
