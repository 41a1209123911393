"""What is asked on both protocols: lists of several lengths, one destination, writes, and a mix as clients make it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.contenders import CONTENDERS, Ask, Contender
from benchmarks.data import HOARDERS, READERS, WRITERS, Group
from benchmarks.dialects import Caller, Dialect
from benchmarks.load import Request

SIZE = 15
_MIX = 20
"""Of so many requests of the mix one is a write."""

Requests = Callable[[Dialect, Sequence[Caller]], Iterator[Request]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """One kind of load. `list_size` is None where no list is asked for."""

    name: str
    title: str
    protocol: str
    asks: frozenset[Ask]
    group: Group
    make_requests: Requests
    list_size: int | None = None

    @property
    def writes(self) -> bool:
        """Whether it leaves anything behind."""
        return Ask.WRITE in self.asks

    def contenders(self, among: Sequence[Contender] = CONTENDERS) -> list[Contender]:
        """Those that speak the protocol and can be asked all of it; static bytes are a list of one size."""
        asked = [one for one in among if self.protocol in one.dialects and self.asks <= one.asks]
        return [one for one in asked if self.list_size == SIZE or not one.is_static]

    def requests(self, contender: Contender, callers: Sequence[Caller]) -> list[Request]:
        """The requests, rendered for a contender; they are sent in turn, again and again."""
        return list(self.make_requests(contender.dialects[self.protocol], callers))


def scenarios() -> list[Scenario]:
    """Every scenario, in the order of the report."""
    return [scenario for protocol in ("graphql", "rest") for scenario in _of(protocol)]


def _of(protocol: str) -> Iterator[Scenario]:
    for size, group in ((SIZE, READERS), (100, HOARDERS), (1, READERS)):
        yield Scenario(
            name=f"{protocol}-{size}",
            title=f"the first {size} of {group.destinations}" if size > 1 else "the first one",
            protocol=protocol,
            asks=frozenset({Ask.LIST}),
            group=group,
            make_requests=_lists(size),
            list_size=size,
        )
    for name, title, asks, group, requests in (
        ("show", "one by its id", {Ask.SHOW}, READERS, _shows),
        ("create", "a new one with credentials", {Ask.WRITE}, WRITERS, _creations),
        ("update", "a new label", {Ask.WRITE}, WRITERS, _updates),
        ("mix", "95 % lists of 15, 5 % writes", {Ask.LIST, Ask.WRITE}, WRITERS, _mixed),
    ):
        yield Scenario(
            name=f"{protocol}-{name}",
            title=title,
            protocol=protocol,
            asks=frozenset(asks),
            group=group,
            make_requests=requests,
        )


def _lists(size: int) -> Requests:
    def requests(dialect: Dialect, callers: Sequence[Caller]) -> Iterator[Request]:
        return (dialect.listing(caller, size) for caller in callers)

    return requests


def _shows(dialect: Dialect, callers: Sequence[Caller]) -> Iterator[Request]:
    return (dialect.show(caller) for caller in callers)


def _creations(dialect: Dialect, callers: Sequence[Caller]) -> Iterator[Request]:
    return (dialect.create(caller) for caller in callers)


def _updates(dialect: Dialect, callers: Sequence[Caller]) -> Iterator[Request]:
    """Two labels in turn: to set the one that is there would change nothing."""
    return (dialect.update(caller, label) for label in ("Renamed", "Renamed again") for caller in callers)


def _mixed(dialect: Dialect, callers: Sequence[Caller]) -> Iterator[Request]:
    """Every caller writes once in twenty requests, updates and creations in turn."""
    for turn in range(_MIX):
        for number, caller in enumerate(callers):
            if (number + turn) % _MIX:
                yield dialect.listing(caller, SIZE)
            elif number % 2:
                yield dialect.create(caller)
            else:
                yield dialect.update(caller, f"Renamed {turn}")
