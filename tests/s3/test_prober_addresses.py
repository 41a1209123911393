"""No packet goes to a denied address, however it is spelt, whatever a resolver says and when."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from statistics import median

import pytest

from models.checks.report import REMEDIES, CheckCode, CheckDepth, CheckReport, CheckStepName
from s3.resolver import SystemResolver
from tests.support.stopwatch import Stopwatch
from tests.support.stores.address_table import ALL_OPEN, LOOPBACK_HOSTS, VERDICTS, Verdict
from tests.support.stores.peers import MemoryStore, listening
from tests.support.stores.probing import PUBLIC, Recorder, TableResolver, failure, outcomes, prober, target

REFUSED = (CheckStepName.RESOLVE, CheckCode.ENDPOINT_NOT_ALLOWED)
UNKNOWN = (CheckStepName.RESOLVE, CheckCode.DNS_FAILURE)
"""Of a name, whether it does not exist or is of a denied address."""
DENIED = [text for text, verdict in VERDICTS.items() if verdict in (Verdict.PRIVATE, Verdict.NEVER)]
SCOPED = [text for text in VERDICTS if "%" in text]


def timeless(report: CheckReport) -> object:
    """Everything a report says but for its times."""
    return [(step.name, step.outcome, step.code) for step in report.steps], report.suggestion


@pytest.mark.parametrize("text", [*DENIED, *SCOPED])
async def test_a_name_of_a_denied_address_costs_no_connection(text: str) -> None:
    backend = Recorder()
    checks = prober(allow=(), resolver=TableResolver({"store.example": [text]}), backend=backend)

    report = await checks.probe(target("https://store.example"), CheckDepth.FULL)

    assert failure(report) == UNKNOWN
    assert backend.attempts == []


async def test_a_check_does_not_tell_whether_a_name_exists_on_the_inside(caplog: pytest.LogCaptureFixture) -> None:
    """Everything but the log is the same: code, remedy, suggestion and the time it takes, though look-ups differ."""

    class Uneven(TableResolver):
        async def resolve(self, host: str) -> Sequence[str]:
            await asyncio.sleep(0.02 if host.startswith("inside") else 0.12)
            return await super().resolve(host)

    names = Uneven({"inside.example": ["10.0.0.7"], "nightly.inside.example": [PUBLIC, "10.0.0.8"]})
    checks = prober(allow=(), resolver=names, backend=Recorder(), refused_every_s=0.5)
    reports: dict[tuple[str, bool], CheckReport] = {}
    with caplog.at_level(logging.INFO, logger="moorings.checking"):
        for path_style in (True, False):
            for host in ("inside.example", "nowhere.example"):
                there = target(f"http://{host}", path_style=path_style)
                reports[host, path_style] = await checks.probe(there, CheckDepth.FULL)

    for path_style in (True, False):
        inside, nowhere = reports["inside.example", path_style], reports["nowhere.example", path_style]
        assert timeless(inside) == timeless(nowhere)
        assert failure(inside) == UNKNOWN
        remedies = {report.step(CheckStepName.RESOLVE).remedy for report in (inside, nowhere)}
        assert remedies == {REMEDIES[CheckCode.DNS_FAILURE].text}
        durations = [report.step(CheckStepName.RESOLVE).duration_ms for report in (inside, nowhere)]
        assert all(490 < duration_ms < 900 for duration_ms in durations)
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert "inside.example is at an address that is not allowed (10.0.0.7)" in logged
    assert "nightly.inside.example is at an address that is not allowed" in logged
    assert "nowhere" not in logged


async def test_a_denied_address_in_the_endpoint_itself_costs_no_connection() -> None:
    backend = Recorder()
    checks = prober(allow=(), backend=backend)

    for text in DENIED:
        report = await checks.probe(target(f"http://[{text}]" if ":" in text else f"http://{text}"), CheckDepth.FULL)
        assert failure(report) == REFUSED, text
    assert backend.attempts == []


async def test_what_is_never_reached_is_not_reached_with_everything_open_either() -> None:
    backend = Recorder()
    checks = prober(allow=ALL_OPEN, backend=backend)

    never = [text for text, verdict in VERDICTS.items() if verdict is Verdict.NEVER]
    for text in never:
        report = await checks.probe(target(f"http://[{text}]" if ":" in text else f"http://{text}"), CheckDepth.FULL)
        assert failure(report) == REFUSED, text
    assert backend.attempts == []


async def test_no_spelling_of_this_machine_reaches_what_listens_on_it() -> None:
    """With the machine's own resolver, which reads every override spelling, and real listeners."""
    backend = Recorder()
    checks = prober(allow=(), resolver=SystemResolver(), backend=backend)

    async with listening(MemoryStore().script) as peer, listening(MemoryStore().script, host="::1") as sixth:
        for host in LOOPBACK_HOSTS:
            for port in (peer.port, sixth.port):
                report = await checks.probe(target(f"http://{host}:{port}"), CheckDepth.FULL)
                assert failure(report) == REFUSED, host
        assert (peer.connections, sixth.connections) == (0, 0)
    assert backend.attempts == []


async def test_a_denied_address_looks_and_lasts_the_same_whether_anything_listens_or_not() -> None:
    async def lasting(port: int) -> tuple[float, object]:
        watch = Stopwatch()
        report = await checks.probe(target(f"http://127.0.0.1:{port}"), CheckDepth.FULL)
        return watch.seconds, timeless(report)

    checks = prober(allow=())
    async with listening(MemoryStore().script) as peer:
        open_port = peer.port
        listened = [await lasting(open_port) for _ in range(50)]
    silent = [await lasting(open_port) for _ in range(50)]

    assert {repr(seen) for _, seen in listened} == {repr(seen) for _, seen in silent}
    # Neither waits for anything: no way to tell them apart that a connection, even a refused one, would give.
    assert max(median(took for took, _ in listened), median(took for took, _ in silent)) < 0.01


async def test_one_denied_answer_among_public_ones_refuses_the_host() -> None:
    backend = Recorder()
    for answers in ([PUBLIC, "10.0.0.1"], ["10.0.0.1", PUBLIC], [PUBLIC, "2606:4700::1111", "::ffff:127.0.0.1"]):
        checks = prober(allow=(), resolver=TableResolver({"store.example": answers}), backend=backend)
        assert failure(await checks.probe(target("http://store.example"), CheckDepth.FULL)) == UNKNOWN
    assert backend.attempts == []


async def test_a_whole_check_resolves_once_though_the_store_hangs_up_after_every_answer() -> None:
    store = MemoryStore(closes=True)
    async with listening(store.script) as peer:
        names = TableResolver({"store.example": [PUBLIC]})
        backend = Recorder({PUBLIC: peer.port})
        report = await prober(allow=(), resolver=names, backend=backend).probe(
            target("http://store.example"), CheckDepth.FULL
        )

    assert outcomes(report) == "PPSPPPPPP"
    assert names.asked == ["store.example"]
    assert backend.attempts == [(PUBLIC, 80)] * 4
    assert {asked.headers["host"] for asked in store.asked} == {"store.example"}


async def test_a_check_keeps_its_connection_and_shares_it_with_no_other() -> None:
    store, backend = MemoryStore(), Recorder()
    async with listening(store.script) as peer:
        checks = prober(backend=backend)
        reports = [await checks.probe(target(peer.url), CheckDepth.FULL) for _ in range(3)]

    assert all(report.reachable for report in reports)
    assert len(backend.attempts) == 3
    assert store.objects == {}


async def test_the_next_address_is_tried_when_one_does_not_accept() -> None:
    async with listening(MemoryStore().script) as peer:
        answers = ["2606:4700::1111", "2606:4700::2222", "1.1.1.1", PUBLIC, "8.8.8.8", "9.9.9.9"]
        backend = Recorder({PUBLIC: peer.port})
        checks = prober(allow=(), resolver=TableResolver({"store.example": answers}), backend=backend)

        report = await checks.probe(target("http://store.example"), CheckDepth.READ_ONLY)

    assert report.reachable
    assert [host for host, _ in backend.attempts] == ["2606:4700::1111", "1.1.1.1", "2606:4700::2222", PUBLIC]


async def test_a_host_of_many_addresses_is_not_tried_at_all_of_them() -> None:
    backend = Recorder()
    names = TableResolver({"store.example": [f"1.1.1.{last}" for last in range(100)]})

    report = await prober(allow=(), resolver=names, backend=backend).probe(
        target("http://store.example"), CheckDepth.FULL
    )

    assert failure(report) == (CheckStepName.CONNECT, CheckCode.CONNECT_FAILED)
    assert len(backend.attempts) == 4


@pytest.mark.parametrize("answers", [[], None])
async def test_a_name_without_an_address_is_a_failure_of_dns(answers: list[str] | None) -> None:
    names = TableResolver({} if answers is None else {"store.example": answers})

    report = await prober(resolver=names).probe(target("http://store.example"), CheckDepth.FULL)

    assert failure(report) == (CheckStepName.RESOLVE, CheckCode.DNS_FAILURE)


async def test_neither_proxies_nor_anything_else_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(MemoryStore().script) as proxy, listening(MemoryStore().script) as peer:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        report = await prober().probe(target(peer.url), CheckDepth.FULL)

        assert report.reachable
        assert proxy.connections == 0
