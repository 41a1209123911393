"""What `/metrics` tells: every answer once, whichever worker gave it, and nothing that a client sent."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.app.test_serving import DEADLINE_S, children, until
from tests.support.api.destinations import LIST, MISSING, at, draft
from tests.support.gateway.gateway import Gateway

Labels = frozenset[tuple[str, str]]


async def metrics_of(gateway: Gateway) -> dict[tuple[str, Labels], float]:
    """Every sample by its name and labels."""
    async with httpx.AsyncClient(timeout=60, base_url=gateway.url) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def sample(name: str, **labels: str) -> tuple[str, Labels]:
    return name, frozenset(labels.items())


def rise(
    before: dict[tuple[str, Labels], float], after: dict[tuple[str, Labels], float], name: str, **labels: str
) -> float:
    """By how much a sample has risen."""
    key = sample(name, **labels)
    return after.get(key, 0) - before.get(key, 0)


async def test_every_answer_is_counted_once_by_method_route_and_status(gateway: Gateway) -> None:
    """By the route's own pattern, whatever id was asked for; a slash at the end makes no difference."""
    account = await gateway.new_user()
    own = await account.create()
    before = await metrics_of(gateway)

    async with account.client() as client:
        for path in (LIST, LIST + "/", at(own), at(MISSING), f"{LIST}/abc"):
            await client.get(path)
        await client.head(LIST)
        await client.post(LIST, json={})
        await client.patch(LIST)
        await client.post("/graphql", json={"query": "{ viewer { name } }"})
        await client.get(LIST, headers={"authorization": "Bearer nobody"})

    after = await metrics_of(gateway)
    counted = {
        ("GET", LIST, "200"): 2,
        ("GET", LIST + "/{id}", "200"): 1,
        ("GET", LIST + "/{id}", "404"): 2,
        ("HEAD", LIST, "200"): 1,
        ("POST", LIST, "422"): 1,
        ("PATCH", LIST, "405"): 1,
        ("POST", "/graphql", "200"): 1,
        ("GET", LIST, "401"): 1,
        ("GET", "/metrics", "200"): 1,
    }
    for (method, route, status), times in counted.items():
        labels = {"method": method, "route": route, "status": status}
        assert rise(before, after, "moorings_requests_total", **labels) == times, labels
    timed = [rise(before, after, "moorings_request_seconds_count", route=route) for route in (LIST, LIST + "/{id}")]
    assert timed == [6, 3]


async def test_what_a_client_made_up_is_counted_under_fixed_words(gateway: Gateway) -> None:
    """Paths, queries, methods, hosts and names of users are not in a label."""
    account = await gateway.new_user()
    canary = "cnry9d2f4a"
    before = await metrics_of(gateway)

    async with account.client() as client:
        await client.get(f"/{canary}")
        await client.get(f"{LIST}/{canary}?{canary}={canary}")
        await client.get(LIST, headers={"host": canary})
        await client.post(LIST, json=draft("custom_s3", label=canary, s3_secret_key=canary * 2))
        await client.request("PROPFIND", LIST)
        text = (await client.get("/metrics")).text

    after = await metrics_of(gateway)
    assert rise(before, after, "moorings_requests_total", method="GET", route="other", status="404") == 1
    assert rise(before, after, "moorings_requests_total", method="GET", route="other", status="400") == 1
    assert rise(before, after, "moorings_requests_total", method="OTHER", route=LIST, status="405") == 1
    assert canary not in text
    assert "PROPFIND" not in text
    assert account.email not in text
    assert account.token not in text


async def test_the_cache_says_how_often_it_knew(gateway: Gateway) -> None:
    """Three reads of one list are one that was found out and two that were known; the fourth was nothing new."""
    account = await gateway.new_user()
    before = await metrics_of(gateway)

    async with account.client() as client:
        for _ in range(3):
            answer = await client.get(LIST)
        await client.get(LIST, headers={"if-none-match": answer.headers["etag"]})

    after = await metrics_of(gateway)
    for outcome, times in (("miss", 1), ("hit", 2), ("not modified", 1)):
        assert rise(before, after, "moorings_cache_answers_total", outcome=outcome) == times
    assert rise(before, after, "moorings_cache_entries") == 1
    assert 300 < rise(before, after, "moorings_cache_bytes") < 5_000
    assert rise(before, after, "moorings_reads_total", read="token") == 4
    assert 1 <= rise(before, after, "moorings_read_statements_total", read="token") <= 4
    assert after[sample("moorings_database_connections", state="open")] >= 1
    assert 10e6 < after[sample("moorings_process_resident_bytes")] < 1e9
    assert rise(before, after, "moorings_process_cpu_seconds_total") > 0
    assert after[sample("moorings_processes")] == 1


async def test_metrics_are_for_whoever_reaches_them_whatever_the_host(gateway: Gateway) -> None:
    """As Prometheus calls, by address and without a token; HEAD as well."""
    async with httpx.AsyncClient(timeout=60, base_url=gateway.url, headers={"host": "10.1.2.3:9"}) as client:
        get, head, post = await client.get("/metrics"), await client.head("/metrics"), await client.post("/metrics")

    assert [get.status_code, head.status_code, post.status_code] == [200, 200, 405]
    assert get.headers["content-type"].startswith("text/plain; version=")
    assert head.content == b""
    assert re.search(r"^# TYPE moorings_requests_total counter$", get.text, re.MULTILINE)


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """A gateway of two workers, whose temporary files are in a directory of this test."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    gateway = Gateway(workers=2).start()
    yield gateway
    gateway.close()


async def until_so_many_serve(gateway: Gateway, workers: int) -> None:
    """Wait until so many processes serve, and those that did are gone."""
    async with asyncio.timeout(DEADLINE_S):
        while (await metrics_of(gateway))[sample("moorings_processes")] != workers:  # noqa: ASYNC110 - nothing announces that a worker has begun
            await asyncio.sleep(0.01)


async def test_several_workers_are_counted_together_those_replaced_too(workers: Gateway, tmp_path: Path) -> None:
    """Counts stay when a worker ends, what it held does not; nothing is left when all have ended."""
    account = await workers.new_user()

    async def ask() -> None:
        async with account.client() as client:  # a new connection each, so that both workers get some
            assert (await client.get(LIST)).status_code == 200

    async def told(name: str, **labels: str) -> float:
        return (await metrics_of(workers))[sample(name, **labels)]

    answers = {"method": "GET", "route": LIST, "status": "200"}
    await until_so_many_serve(workers, 2)
    await asyncio.gather(*(ask() for _ in range(20)))
    assert await told("moorings_requests_total", **answers) == 20

    first = set(children(workers.pid))
    os.kill(workers.pid, signal.SIGHUP)
    await until(lambda: len(set(children(workers.pid)) - first) == 2 and len(children(workers.pid)) == len(first))
    await until_so_many_serve(workers, 2)
    await asyncio.gather(*(ask() for _ in range(5)))

    assert await told("moorings_requests_total", **answers) == 25
    assert left_in(tmp_path) != []
    await asyncio.to_thread(workers.stop)
    assert left_in(tmp_path) == []


def left_in(directory: Path) -> list[Path]:
    """What is in a directory."""
    return list(directory.iterdir())
