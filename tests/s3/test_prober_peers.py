"""Whatever a server responds, a check ends in time, at the right step, in little memory, and repeats none of it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tracemalloc
from pathlib import Path

import pytest

from models.checks.report import CheckCode, CheckDepth, CheckHint, CheckStepName
from s3.address_policy import AddressPolicy, parse_allow_rules
from s3.prober import system_prober
from tests.support.ports import free_port
from tests.support.stopwatch import Stopwatch
from tests.support.stores.certificates import Authority
from tests.support.stores.hostile_peers import SCRIPTS, STREAMS, Failure, saying, silent
from tests.support.stores.peers import MemoryStore, Script, listening
from tests.support.stores.probing import PUBLIC, Recorder, TableResolver, failure, outcomes, prober, target

DEADLINE_S = 1.0
GRACE_S = 0.5
AMPLE_S = 10.0
MEMORY_BYTES = 8 * 1024 * 1024


async def test_a_hostile_response_fails_the_right_step_in_time() -> None:
    """Many at once: a check waits for many of them, and tries again, before it gives up."""
    for is_late in (False, True):  # apart: where the time is short, no other check has to take of it
        scripts = {name: each for name, each in SCRIPTS.items() if (each[1][1] is CheckCode.TIMEOUT) == is_late}
        found = await asyncio.gather(*(wrong_of(script, expected) for script, expected in scripts.values()))

        assert {name: wrong for name, wrong in zip(scripts, found, strict=True) if wrong} == {}


async def wrong_of(script: Script, expected: Failure) -> list[str]:
    """What is wrong with the check of a server that answers by a script."""
    backend = Recorder()
    # Only where it is waited for in vain is the time short: a busy machine needs some for the rest.
    deadline_s = DEADLINE_S if expected[1] is CheckCode.TIMEOUT else AMPLE_S
    async with listening(script) as peer:
        watch = Stopwatch()
        report = await prober(backend=backend, deadline_s=deadline_s).probe(target(peer.url), CheckDepth.FULL)
        took_s = watch.seconds
        wrong = {
            f"{failure(report)} in place of {expected}": failure(report) != expected,
            "it repeats the response": "hunter22" in f"{report!r} {report.to_json()}",
            f"it asked {backend.attempts}": set(backend.attempts) != {("127.0.0.1", peer.port)},
            f"it took {took_s:.1f} s": took_s >= deadline_s + GRACE_S,
        }
    return [what for what, is_so in wrong.items() if is_so]


@pytest.mark.parametrize("name", ["a huge page", "a huge error", "headers without end", "continue without end"])
async def test_twenty_hostile_servers_at_once_cost_little_memory(name: str) -> None:
    script, expected = STREAMS[name]
    async with listening(script) as peer:
        checks = prober(deadline_s=AMPLE_S)
        await checks.probe(target(peer.url), CheckDepth.FULL)
        tracemalloc.start()
        try:
            reports = await asyncio.gather(*(checks.probe(target(peer.url), CheckDepth.FULL) for _ in range(20)))
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert {failure(report) for report in reports} == {expected}
    assert peak_bytes < MEMORY_BYTES


async def test_a_port_where_nobody_listens_fails_to_connect() -> None:
    report = await prober().probe(target(f"http://127.0.0.1:{free_port()}"), CheckDepth.FULL)

    assert failure(report) == (CheckStepName.CONNECT, CheckCode.CONNECT_FAILED)


async def test_a_host_that_swallows_connections_fails_to_connect_in_time() -> None:
    """A full queue of connections drops what comes, as a firewall does."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        queue = [socket.socket() for _ in range(4)]
        for waiting in queue:
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        watch = Stopwatch()
        report = await prober(deadline_s=DEADLINE_S).probe(target(f"http://127.0.0.1:{port}"), CheckDepth.FULL)
        took_s = watch.seconds
        for waiting in queue:
            waiting.close()

    assert failure(report) == (CheckStepName.CONNECT, CheckCode.TIMEOUT)
    assert took_s < DEADLINE_S + GRACE_S


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that the prober trusts in these tests."""
    return Authority(tmp_path_factory.mktemp("authority"))


async def test_a_store_with_a_trusted_certificate_passes_every_step(authority: Authority) -> None:
    """By its name and by its address, dialled at the address and proven by the name."""
    serving = authority.serving("store.example", "127.0.0.1")
    async with listening(MemoryStore().script, tls=serving) as peer:
        backend = Recorder({PUBLIC: peer.port})
        names = TableResolver({"store.example": [PUBLIC]})
        checks = prober(backend=backend, resolver=names, tls=authority.trusting())
        named = await checks.probe(target("https://store.example"), CheckDepth.FULL)
        numbered = await checks.probe(target(f"https://127.0.0.1:{peer.port}"), CheckDepth.FULL)

    assert (outcomes(named), outcomes(numbered)) == ("P" * 9, "P" * 9)
    assert backend.attempts == [(PUBLIC, 443), ("127.0.0.1", peer.port)]


async def test_a_certificate_of_an_unknown_authority_is_not_trusted(authority: Authority, tmp_path: Path) -> None:
    async with listening(MemoryStore().script, tls=Authority(tmp_path).serving("127.0.0.1")) as peer:
        checks = prober(tls=authority.trusting())
        report = await checks.probe(target(f"https://127.0.0.1:{peer.port}"), CheckDepth.FULL)

    assert failure(report) == (CheckStepName.TLS, CheckCode.CERTIFICATE_UNTRUSTED)


async def test_a_certificate_of_another_host_is_not_trusted(authority: Authority) -> None:
    store = MemoryStore()
    async with listening(store.script, tls=authority.serving("other.example")) as peer:
        checks = prober(tls=authority.trusting())
        report = await checks.probe(target(f"https://127.0.0.1:{peer.port}"), CheckDepth.FULL)

    assert failure(report) == (CheckStepName.TLS, CheckCode.CERTIFICATE_NAME_MISMATCH)
    assert store.asked == []


async def test_a_certificate_that_has_expired_or_is_signed_by_itself_is_told_apart(
    authority: Authority, tmp_path: Path
) -> None:
    reports = []
    for serving in (authority.serving("127.0.0.1", days=-1), Authority(tmp_path).serving_itself()):
        async with listening(MemoryStore().script, tls=serving) as peer:
            checks = prober(tls=authority.trusting())
            reports.append(await checks.probe(target(f"https://127.0.0.1:{peer.port}"), CheckDepth.FULL))

    expired, self_signed = (report.step(CheckStepName.TLS) for report in reports)
    assert expired.code is CheckCode.CERTIFICATE_EXPIRED
    assert self_signed.code is CheckCode.CERTIFICATE_UNTRUSTED
    assert self_signed.hint is CheckHint.CERTIFICATE_SELF_SIGNED


async def test_an_authority_of_the_operator_is_trusted_beside_those_of_the_system(
    authority: Authority, tmp_path: Path
) -> None:
    file = tmp_path / "own.pem"
    file.write_text(authority.pem)
    policy = AddressPolicy(parse_allow_rules(["127.0.0.1"]))
    async with listening(MemoryStore().script, tls=authority.serving("127.0.0.1")) as peer:
        there = target(f"https://127.0.0.1:{peer.port}")
        trusted = await system_prober(policy, str(file)).probe(there, CheckDepth.FULL)
        unknown = await system_prober(policy, None).probe(there, CheckDepth.FULL)

    assert trusted.reachable
    assert failure(unknown) == (CheckStepName.TLS, CheckCode.CERTIFICATE_UNTRUSTED)


@pytest.mark.parametrize(
    ("garbage", "code"),
    [
        (b"\x16\x03\x01" + b"\xff" * 50_000, CheckCode.TLS_FAILED),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", CheckCode.TLS_FAILED),
        (b"\x15\x03\x03\x00\x02\x02\x28", CheckCode.TLS_FAILED),
        (b"", CheckCode.TLS_FAILED),
        (None, CheckCode.TIMEOUT),
    ],
)
async def test_garbage_in_place_of_tls_fails_at_tls(
    garbage: bytes | None, code: CheckCode, authority: Authority
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(garbage or b"")
        await writer.drain()

    async with listening(silent if garbage is None else script) as peer:
        checks = prober(tls=authority.trusting(), deadline_s=DEADLINE_S)
        report = await checks.probe(target(f"https://127.0.0.1:{peer.port}"), CheckDepth.FULL)

    assert failure(report) == (CheckStepName.TLS, code)


async def test_an_old_version_of_tls_is_refused(authority: Authority) -> None:
    serving = authority.serving("127.0.0.1")
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        serving.maximum_version = ssl.TLSVersion.TLSv1_1
    async with listening(MemoryStore().script, tls=serving) as peer:
        checks = prober(tls=authority.trusting())
        report = await checks.probe(target(f"https://127.0.0.1:{peer.port}"), CheckDepth.FULL)

    assert failure(report) == (CheckStepName.TLS, CheckCode.TLS_FAILED)


async def test_plain_http_to_a_tls_port_is_no_s3(authority: Authority) -> None:
    async with listening(MemoryStore().script, tls=authority.serving("127.0.0.1")) as peer:
        report = await prober().probe(target(peer.url), CheckDepth.FULL)

    assert failure(report) == (CheckStepName.AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER)


async def test_garbage_within_tls_is_an_unexpected_answer(authority: Authority) -> None:
    async with listening(saying(b"\x00" * 500), tls=authority.serving("127.0.0.1")) as peer:
        checks = prober(tls=authority.trusting())
        report = await checks.probe(target(f"https://127.0.0.1:{peer.port}"), CheckDepth.FULL)

    assert failure(report) == (CheckStepName.AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER)
