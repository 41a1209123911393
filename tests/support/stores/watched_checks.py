"""Checks of hosts whose addresses a real name server answers, with every connection counted.

`python -m tests.support.stores.watched_checks SCENE` plays a scene in a network namespace of its own: the operating
system resolves and connects, and a store at all addresses there counts the connections. Where namespaces cannot be made
the scene is played without one: a test's resolver asks the same name server, and a recorder counts the connections.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass, field
from itertools import count, cycle
from secrets import token_hex

import httpcore

from models.checks.report import CheckDepth
from s3.address_policy import read_address
from s3.prober import S3Prober
from s3.resolver import Resolver, SystemResolver
from tests.support import figures
from tests.support.paths import ROOT
from tests.support.stores.address_table import VERDICTS, Verdict
from tests.support.stores.lonely_machine import connections_begun, leave_all_networks, packets_sent
from tests.support.stores.name_server import Answers, NameServer, WireResolver
from tests.support.stores.peers import MemoryStore, listening
from tests.support.stores.probing import PUBLIC, Recorder, failure, prober, target

PASSED, REFUSED, UNKNOWN = "passed", "RESOLVE ENDPOINT_NOT_ALLOWED", "RESOLVE DNS_FAILURE"
"""How checks end; REFUSED of denied addresses as they stand, UNKNOWN of names of such."""
TURNS = figures.amount(200, 1_000)
PRIVATE = ("10.11.12.13", "127.0.0.1", "169.254.169.254", "192.168.1.1", "100.100.100.200")
PORT = 9_000
READABLE = {text: verdict for text, verdict in VERDICTS.items() if verdict is not Verdict.UNREADABLE}
_NAMES = {f"name{number}.example": text for number, text in enumerate(READABLE)}
_AT_ONCE = 20
_NO_MACHINE = 3
_LONG_S = 120


@dataclass(kw_only=True, slots=True)
class Seen:
    """What came of a scene."""

    ended: list[tuple[str, str]] = field(default_factory=list)
    """Every check: its host, and how it ended."""
    asked: int = 0
    """How many look-ups the name server was asked for."""
    arrived: dict[str, int] = field(default_factory=dict)
    """How many connections came to which address."""
    begun: int = 0
    """Connections begun, and packets sent, by checks of denied addresses."""
    packets: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a scene is played, and what is counted there."""

    checks: S3Prober
    names: NameServer
    arrived: Callable[[], Counter[str]]
    begun: Callable[[], int]
    packets: Callable[[], int]

    async def check(self, host: str) -> tuple[str, str]:
        """Check a store at this host to the end."""
        # Checks of one destination never run at once, as these of one store do.
        there = target(f"http://{f'[{host}]' if ':' in host else host}:{PORT}", object_name=token_hex(16))
        failed = failure(await self.checks.probe(there, CheckDepth.FULL))
        return host, PASSED if failed is None else " ".join(failed)


def alternating() -> Answers:
    """A name that is at a public address and at a private one by turns."""
    turn, private = count(), cycle(PRIVATE)
    return lambda _, version: () if version != 4 else [next(private) if next(turn) % 2 else PUBLIC]


async def turning(place: Place) -> Seen:
    """A thousand checks of a name whose address changes every time it is asked for."""
    seen, hosts = Seen(), iter(["turning.example"] * TURNS)

    async def take_turns() -> None:
        for host in hosts:
            seen.ended.append(await place.check(host))

    await asyncio.gather(*(take_turns() for _ in range(_AT_ONCE)))
    seen.asked, seen.arrived = place.names.asked.total(), dict(place.arrived())
    return seen


def tabulated() -> Answers:
    """A name for every address of the table."""
    return lambda name, _: [_NAMES[name]] if name in _NAMES else None


async def the_table(place: Place) -> Seen:
    """Every address of the table, as it stands and behind a name; those that are denied first."""
    seen = Seen()
    hosts = {text: name for name, text in _NAMES.items()}
    denied = [text for text, verdict in READABLE.items() if verdict is not Verdict.PUBLIC]
    begun, packets = place.begun(), place.packets()
    seen.ended += [await place.check(text) for text in denied]
    seen.packets = place.packets() - packets
    seen.ended += [await place.check(hosts[text]) for text in denied]
    seen.begun = place.begun() - begun
    for text in READABLE.keys() - denied:
        seen.ended += [await place.check(text), await place.check(hosts[text])]
    seen.asked, seen.arrived = place.names.asked.total(), dict(place.arrived())
    return seen


Scene = tuple[Callable[[], Answers], Callable[[Place], Awaitable[Seen]]]
SCENES: Mapping[str, Scene] = {"turning": (alternating, turning), "table": (tabulated, the_table)}


async def played(scene: str, *, alone: bool) -> Seen:
    """What comes of a scene, on a machine of its own if there can be one, or on this one."""
    if alone:
        program = [sys.executable, "-m", __name__, scene]
        process = await asyncio.create_subprocess_exec(*program, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        async with asyncio.timeout(_LONG_S):
            printed, _ = await process.communicate()
        if process.returncode != _NO_MACHINE:
            assert process.returncode == 0
            return _read(printed)
    return await _play(scene, _here)


async def _play(scene: str, place: Callable[[Answers], AbstractAsyncContextManager[Place]]) -> Seen:
    answers, play = SCENES[scene]
    async with place(answers()) as there:
        return await play(there)


@asynccontextmanager
async def _here(answers: Answers) -> AsyncIterator[Place]:
    """On this machine, where every address there is to go to stands for one store."""
    names = NameServer(answers, port=0)
    async with listening(MemoryStore(closes=True).script) as peer:
        addresses = {str(read_address(text)) for text in (PUBLIC, *PRIVATE, *READABLE)}
        backend = Recorder(dict.fromkeys(addresses, peer.port))
        with names.serving():
            yield Place(
                checks=_prober(WireResolver(names.port), backend),
                names=names,
                arrived=lambda: Counter(host for host, _ in backend.attempts),
                begun=lambda: len(backend.attempts),
                packets=lambda: len(backend.attempts),
            )


@asynccontextmanager
async def _alone(answers: Answers) -> AsyncIterator[Place]:
    """On a machine of its own, where a store is at every address."""
    store, arrived = MemoryStore(closes=True), Counter[str]()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived[writer.get_extra_info("sockname")[0]] += 1
        await store.script(reader, writer)

    everywhere = ("0.0.0.0", "::")  # noqa: S104 - of a machine without a network
    async with listening(script, host=everywhere, port=PORT):
        with NameServer(answers, port=53).serving() as names:
            yield Place(
                checks=_prober(SystemResolver(), httpcore.AnyIOBackend()),
                names=names,
                arrived=lambda: arrived,
                begun=connections_begun,
                packets=packets_sent,
            )


def _prober(names: Resolver, backend: httpcore.AsyncNetworkBackend) -> S3Prober:
    """One that a busy machine leaves time enough: how long a check takes is no matter here."""
    return prober(allow=(), resolver=names, backend=backend, deadline_s=_LONG_S)


def _read(printed: bytes) -> Seen:
    values = json.loads(printed)
    return Seen(**values | {"ended": [(host, end) for host, end in values["ended"]]})


def main(scene: str) -> None:
    """Play a scene on a machine of its own and print what was seen."""
    try:
        leave_all_networks()
    except OSError as refused:
        sys.stderr.write(f"There can be no machine of its own: {refused}\n")
        raise SystemExit(_NO_MACHINE) from None
    json.dump(asdict(asyncio.run(_play(scene, _alone))), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
