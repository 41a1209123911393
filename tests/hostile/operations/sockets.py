"""Conversations on a WebSocket that break the protocol, or ask within it for what one may not have."""

from __future__ import annotations

from typing import Any

import orjson

from tests.hostile.operations.case import INPUT, INVALID, LIMIT, PARSE, Conversation
from tests.hostile.rest.case import canary

_VIEWER = {"query": "{ viewer { id } }"}
_EVENTS = {"query": "subscription { backupDestinationEvents { id } }"}


def message(type_: str, **others: Any) -> str:
    """A message of the protocol."""
    return orjson.dumps({"type": type_, **others}).decode()


def subscribing(payload: object, id_: object = "x") -> str:
    """A message that starts an operation."""
    return message("subscribe", id=id_, payload=payload)


_INIT = message("connection_init", payload={"Authorization": "Bearer %TOKEN%"})
_NO_MESSAGES: dict[str, str | bytes] = {
    "a binary frame": _INIT.encode(),
    "an empty frame": "",
    "no JSON": "hello",
    "a secret that is no JSON": canary("no JSON in a frame"),
    "null": "null",
    "a number": "1",
    "a string": '"ping"',
    "a list": "[]",
    "a list of messages": f"[{message('ping')}]",
    "an empty object": "{}",
    "a message of no type": message("")[:-1] + ', "id": "x"}',
    "a type that is a number": '{"type": 1}',
    "a type that is a list": '{"type": ["ping"]}',
    "a type of the older protocol": message("start", id="x", payload=_VIEWER),
    "a type of the server": message("connection_ack"),
    "NaN": '{"type": "ping", "payload": NaN}',
    "a lone surrogate": '{"type": "ping", "payload": "\\ud800"}',
    "a thousand brackets": "[" * 1_000,
    "a payload forty deep": '{"type": "ping", "payload": ' + "[" * 40 + "]" * 40 + "}",
    "a payload of 100,000 items": '{"type": "ping", "payload": [' + "1," * 100_000 + "1]}",
    "an operation without an id": message("subscribe", payload=_VIEWER),
    "an operation with an empty id": subscribing(_VIEWER, ""),
    "an operation with a number for an id": subscribing(_VIEWER, 1),
    "an operation with an id of 257 letters": subscribing(_VIEWER, "x" * 257),
    "an operation without a payload": message("subscribe", id="x"),
    "an operation whose payload is a document": subscribing("{ viewer { id } }"),
    "an operation whose payload is a list": subscribing([_VIEWER]),
    "no query": subscribing({}),
    "a query that is null": subscribing({"query": None}),
    "a query that is a number": subscribing({"query": 1}),
    "variables that are a list": subscribing({**_VIEWER, "variables": [1]}),
    "an operation name that is an object": subscribing({**_VIEWER, "operationName": {}}),
    "an end without an id": message("complete"),
    "an end of a number": message("complete", id=1),
}
_BEFORE_INIT: dict[str, tuple[str, int]] = {
    "an operation before the start": (subscribing(_VIEWER), 4401),
    "a start without a token": (message("connection_init"), 4401),
    "a start with an empty payload": (message("connection_init", payload={}), 4401),
    "a start with a payload that is a list": (message("connection_init", payload=[]), 4400),
    "a start with a payload that is a secret": (message("connection_init", payload=canary("payload")), 4400),
    "a start with a wrong token": (message("connection_init", payload={"token": f"1|mrg_{'a' * 46}"}), 4403),
    "a start with a secret for a token": (message("connection_init", payload={"token": canary("start")}), 4403),
    "a start with another scheme": (message("connection_init", payload={"Authorization": "Basic %TOKEN%"}), 4401),
    "a start with a longer token": (message("connection_init", payload={"Authorization": "Bearer %TOKEN%0"}), 4403),
}  # fmt: skip
_REFUSED: dict[str, tuple[dict[str, Any], Any]] = {
    "a document that cannot be read": ({"query": "{"}, PARSE),
    "a document with a secret": ({"query": "{ viewer { id } } " + canary("document")}, PARSE),
    "a document that is not valid": ({"query": "{ secrets }"}, INVALID),
    "a document that is too entangled": ({"query": "{ viewer { " + "id " * 900 + "} }"}, LIMIT),
    "a document that is too long": ({"query": "{ viewer { id } }" + " " * 70_000}, LIMIT),
    "an unknown operation": ({"query": "query A { viewer { id } }", "operationName": "B"}, INVALID),
    "several operations and no name": ({"query": "query A { viewer { id } } query B { viewer { id } }"}, INVALID),
    "a variable that does not fit": (
        {"query": "query($a: Int) { events(first: $a) { edges { cursor } } }", "variables": {"a": canary("socket")}},
        INPUT,
    ),
    "a subscription from a secret on": (
        {"query": f'subscription {{ backupDestinationEvents(after: "{canary("after")}") {{ id }} }}'},
        INPUT,
    ),
    "a subscription from another object on": (
        {"query": 'subscription { backupDestinationEvents(after: "User:1") { id } }'},
        INPUT,
    ),
    "a subscription of two fields": (
        {"query": "subscription { a: backupDestinationEvents { id } b: backupDestinationEvents { id } }"},
        INVALID,
    ),
    "a subscription without a field": ({"query": "subscription { backupDestinationEvents }"}, INVALID),
}  # fmt: skip

CASES = (
    *(Conversation(name=name, frames=(frame,), closes=4400) for name, frame in _NO_MESSAGES.items()),
    *(
        Conversation(name=name, frames=(frame,), closes=closes, initialised=False)
        for name, (frame, closes) in _BEFORE_INIT.items()
    ),
    *(
        Conversation(name=name, frames=(subscribing(payload),), code=code)
        for name, (payload, code) in _REFUSED.items()
    ),
    Conversation(name="a second start", frames=(_INIT,), closes=4429),
    Conversation(name="two starts at once", frames=(_INIT, _INIT), closes=4429, initialised=False),
    Conversation(name="one id twice", frames=(subscribing(_EVENTS, "a"), subscribing(_EVENTS, "a")), closes=4409),
    Conversation(
        name="a hundred operations and one more",
        frames=(*(subscribing(_EVENTS, f"{number}") for number in range(100)), subscribing(_EVENTS)),
        code=LIMIT,
    ),
    Conversation(name="a frame of more than a mebibyte", frames=("x" * 1_048_577,), closes=1009),
    Conversation(name="a binary frame of more than a mebibyte", frames=(b"x" * 1_048_577,), closes=1009),
    Conversation(name="a text frame that is no UTF-8", frames=(b"\xff",), closes=1007, as_text=True),
    Conversation(name="no subprotocol", frames=(), closes=4406, initialised=False, subprotocols=()),
    Conversation(name="the older protocol", frames=(), closes=4406, initialised=False, subprotocols=("graphql-ws",)),
    Conversation(name="a protocol like ours", frames=(), closes=4406, initialised=False,
                 subprotocols=("graphql-transport-wss", "GRAPHQL-TRANSPORT-WS")),
)  # fmt: skip
