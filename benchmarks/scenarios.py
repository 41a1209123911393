"""What is asked on both protocols: reads of few and of many users, alike and different, writes, and a mix of both."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from benchmarks.contenders import CONTENDERS, Ask, Contender
from benchmarks.data import HOARDERS, PEOPLE, WRITERS, Group
from benchmarks.dialects import Caller, Dialect, GraphQL, from_browser
from benchmarks.load import Request

SIZE = 15
HOT = 1_000
"""How many users a hot load has."""
_SEED = 20_240_807
_MIX = 20
"""Of so many requests of the mix one is a write."""

Requests = Callable[[Dialect, Sequence[Caller]], Iterator[Request]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """One kind of load. `list_size` is None where no list is asked for, or where its size differs."""

    name: str
    title: str
    protocol: str
    asks: frozenset[Ask]
    group: Group
    make_requests: Requests
    list_size: int | None = None
    connections: int = 32

    @property
    def is_proxied(self) -> bool:
        """Whether it goes through nginx."""
        return Ask.BROWSE in self.asks

    @property
    def writes(self) -> bool:
        """Whether it leaves anything behind."""
        return Ask.WRITE in self.asks

    def contenders(self, among: Sequence[Contender] = CONTENDERS) -> list[Contender]:
        """Those that speak the protocol and can be asked all of it; static bytes are a list of one size."""
        asked = [one for one in among if self.protocol in one.dialects and self.asks <= one.asks]
        return [one for one in asked if self.list_size == SIZE or not one.is_static]

    def requests(self, contender: Contender, callers: Sequence[Caller]) -> Iterator[Request]:
        """The requests for a contender, without end."""
        return self.make_requests(contender.dialects[self.protocol], callers)


def scenarios() -> list[Scenario]:
    """Every scenario, in the order of the report."""
    return [scenario for protocol in ("graphql", "rest") for scenario in _of(protocol)]


def embedded_scenarios(*, with_goals: bool = False) -> list[Scenario]:
    """Those that are measured on SQLite, too; of those the ones `with_goals`, which a whole run has."""
    loads = ("hot", "zipf", "create", "update")
    others = () if with_goals else ("single", "create-1", "update-1")
    return [one for one in scenarios() if one.name.partition("-")[2] in (*loads, *others)]


def _of(protocol: str) -> Iterator[Scenario]:
    lists, varied, writes = {Ask.LIST}, {Ask.LIST, Ask.VARY}, {Ask.WRITE}
    for name, title, asks, group, requests, connections in (
        ("hot", "1,000 users in turn", lists, PEOPLE, _hot, 32),
        ("zipf", "users drawn by Zipf 1.0 out of all", varied, PEOPLE, _zipf, 32),
        ("many", "all users in random order", varied, PEOPLE, _many, 32),
        ("varied", "all users, each request another page", varied, PEOPLE, _varied, 32),
        ("literals", "documents with values written into them", varied, PEOPLE, _literals, 32),
        ("browser", "by Zipf, from browsers, through nginx", {Ask.BROWSE}, PEOPLE, _browsed, 32),
        ("100", "the first 100 of 120", lists, HOARDERS, _hundred, 32),
        ("mix", "by Zipf, 95 % lists, 5 % writes", varied | writes, PEOPLE, _mixed, 32),
        ("create", "new ones, 32 writers", writes, WRITERS, _creations, 32),
        ("update", "new labels, 32 writers", writes, WRITERS, _updates, 32),
        ("single", "one connection, lists of 15", varied, PEOPLE, _hot, 1),
        ("create-1", "new ones, one writer", writes, WRITERS, _creations, 1),
        ("update-1", "new labels, one writer", writes, WRITERS, _updates, 1),
    ):
        if name == "literals" and protocol == "rest":
            continue
        yield Scenario(
            name=f"{protocol}-{name}",
            title=title,
            protocol=protocol,
            asks=frozenset(asks),
            group=group,
            make_requests=requests,
            list_size={"100": 100, "varied": None, "literals": None}.get(name, SIZE if Ask.WRITE not in asks else None),
            connections=connections,
        )


def _hot(dialect: Dialect, callers: Sequence[Caller]) -> Iterator[Request]:
    """A thousand users out of all, evenly."""
    some = callers[:: max(1, len(callers) // HOT)][:HOT]
    return _again([dialect.listing(caller, SIZE) for caller in some])


def _hundred(dialect: Dialect, callers: Sequence[Caller]) -> Iterator[Request]:
    return _again([dialect.listing(caller, 100) for caller in callers])


def _zipf(dialect: Dialect, callers: Sequence[Caller]) -> Iterator[Request]:
    listing = cache(lambda caller: dialect.listing(caller, SIZE))
    return (listing(caller) for caller in _drawn(callers))


def _browsed(dialect: Dialect, callers: Sequence[Caller]) -> Iterator[Request]:
    listing = cache(lambda caller: from_browser(dialect.listing(caller, SIZE)))
    return (listing(caller) for caller in _drawn(callers))


def _many(dialect: Dialect, callers: Sequence[Caller]) -> Iterator[Request]:
    return (dialect.listing(caller, SIZE) for caller in _shuffled(callers))


def _varied(dialect: Dialect, callers: Sequence[Caller]) -> Iterator[Request]:
    return (dialect.page(caller, number) for number, caller in enumerate(_shuffled(callers)))


def _literals(dialect: Dialect, callers: Sequence[Caller]) -> Iterator[Request]:
    if not isinstance(dialect, GraphQL):
        raise TypeError("REST has no documents")
    return (dialect.literal(caller, number) for number, caller in enumerate(_shuffled(callers)))


def _creations(dialect: Dialect, callers: Sequence[Caller]) -> Iterator[Request]:
    return _again([dialect.create(caller) for caller in callers])


def _updates(dialect: Dialect, callers: Sequence[Caller]) -> Iterator[Request]:
    """Two labels in turn: to set the one that is there would change nothing."""
    return _again([dialect.update(caller, label) for label in ("Renamed", "Renamed again") for caller in callers])


def _mixed(dialect: Dialect, callers: Sequence[Caller]) -> Iterator[Request]:
    """Every twentieth request is a write, updates and creations in turn."""
    listing = cache(lambda caller: dialect.listing(caller, SIZE))
    for number, caller in enumerate(_drawn(callers)):
        if number % _MIX:
            yield listing(caller)
        elif number // _MIX % 2:
            yield dialect.create(caller)
        else:
            yield dialect.update(caller, f"Renamed {number}")


def _again(requests: Sequence[Request]) -> Iterator[Request]:
    while True:
        yield from requests


def _shuffled(callers: Sequence[Caller]) -> Iterator[Caller]:
    """All callers in an order that is the same for every contender, then all of them in another."""
    order, generator = list(callers), random.Random(_SEED)  # noqa: S311 - no secret
    while True:
        generator.shuffle(order)
        yield from order


def _drawn(callers: Sequence[Caller]) -> Iterator[Caller]:
    """Callers by Zipf's law with exponent 1, of whom the most frequent lie anywhere among all."""
    generator = random.Random(_SEED)  # noqa: S311 - no secret
    ranked = generator.sample(list(callers), len(callers))
    sums = list(accumulate(1 / rank for rank in range(1, len(ranked) + 1)))
    while True:
        yield from generator.choices(ranked, cum_weights=sums, k=10_000)
