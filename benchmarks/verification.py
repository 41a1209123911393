"""Before anything is timed: every contender answers the right rows and the right total, and refuses a wrong token."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import orjson

from benchmarks.contenders import Ask
from benchmarks.dialects import LABEL, Caller
from benchmarks.load import Request, plain
from benchmarks.machine import BenchmarkRefused
from benchmarks.scenarios import Scenario
from benchmarks.servers import Server

_NUMBERS = ("databaseId", "rowId")
_TOTALS = ("totalCount", "total")
_TIMEOUT_S = 30


def verify(server: Server, scenario: Scenario, callers: Sequence[Caller]) -> None:
    """Ask for three callers and read the answers whole; raises `BenchmarkRefused` for any that is not right.

    The ids have to be those that the request is for; a total, where one is shown, the caller's.
    """
    contender = server.contender
    if contender.is_static or scenario.asks.isdisjoint({Ask.LIST, Ask.BROWSE}):
        return
    port = server.proxied_port if scenario.is_proxied else server.port
    for caller in (callers[0], callers[len(callers) // 2], callers[-1]):
        request = next(each for each in scenario.requests(contender, [caller]) if each.ids)
        body = answer(port, request)
        shown, totals = _shown(body)
        if shown != list(request.ids) or totals not in ([], [caller.total]):
            raise BenchmarkRefused(
                f"{contender.title} answers {scenario.name} wrongly: {body[:400].decode(errors='replace')}\n"
                f"{server.log_end()}"
            )
    unknown = replace(callers[0], token=callers[0].token[:-1] + "!")
    request = next(each for each in scenario.requests(contender, [unknown]) if each.ids)
    if LABEL in answer(port, request):
        raise BenchmarkRefused(f"{contender.title} answers {scenario.name} to a wrong token")


def _shown(body: bytes) -> tuple[list[Any], list[Any]]:
    """The ids and the totals in an answer; nothing when it is no JSON."""
    try:
        shown = orjson.loads(body)
    except orjson.JSONDecodeError:
        return [], []
    return list(_numbers(shown)), list(_found(shown, _TOTALS))


def _numbers(shown: Any) -> Iterator[Any]:
    """The ids of the destinations, in the order of the answer."""
    if isinstance(shown.get("data"), list):
        return (row["id"] for row in shown["data"])
    return _found(shown, _NUMBERS)


def _found(node: Any, names: Sequence[str]) -> Iterator[Any]:
    match node:
        case dict():
            for name, value in node.items():
                if name in names:
                    yield value
                else:
                    yield from _found(value, names)
        case list():
            for value in node:
                yield from _found(value, names)


def answer(port: int, request: Request) -> bytes:
    """The body of one answer to one request, on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S) as connection:
        connection.sendall(request.wire.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        got = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = got.partition(b"\r\n\r\n")
    return plain(head, body)
