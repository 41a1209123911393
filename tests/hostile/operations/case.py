"""Three forms of hostility: an operation in a good request, a request that is none, and a conversation on a socket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from schema.errors import Code
from tests.hostile.rest.case import CANARY

PARSE, INVALID, LIMIT = Code.PARSE_FAILED, Code.VALIDATION_FAILED, Code.LIMIT
INPUT, REQUEST, NOBODY = Code.BAD_USER_INPUT, Code.BAD_REQUEST, Code.UNAUTHENTICATED


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """A document, its variables, and the code of the errors that refuse it."""

    name: str
    query: str
    code: Code
    variables: Mapping[str, Any] | None = None
    operation_name: str | None = None
    executed: bool = False
    """Whether it gets as far as a field, which then refuses it."""

    @property
    def body(self) -> dict[str, Any]:
        """The request as JSON has it."""
        return {"query": self.query, "variables": self.variables, "operationName": self.operation_name}

    @property
    def canaries(self) -> frozenset[str]:
        """The secrets in it."""
        return frozenset(CANARY.findall(repr(self.body)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What goes over the wire behind the Host header, and the status and code that refuse it."""

    name: str
    status: int
    code: Code | None
    """None where the answer is not GraphQL's: the parser or the server refused the request."""
    method: str = "POST"
    target: str = "/graphql"
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    body: bytes = b'{"query": "{ viewer { id } }"}'
    with_token: bool = True

    @property
    def canaries(self) -> frozenset[str]:
        """The secrets in it."""
        return frozenset(CANARY.findall(self.target + repr(self.headers) + self.body.decode("latin-1")))


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """Frames a client sends, and how they end: the socket with a code, or the operation `x` with an error."""

    name: str
    frames: tuple[str | bytes, ...]
    """Text and binary frames; `%TOKEN%` in a text is the client's token."""
    closes: int | None = None
    code: Code | None = None
    initialised: bool = True
    subprotocols: tuple[str, ...] = ("graphql-transport-ws",)
    as_text: bool = field(default=False)
    """Whether bytes are sent as text frames, which they are not fit for."""

    @property
    def canaries(self) -> frozenset[str]:
        """The secrets in it."""
        return frozenset(CANARY.findall(repr(self.frames)))


def operations(code: Code, queries: Mapping[str, str], **others: Any) -> Iterator[Operation]:
    """Operations that are refused alike, by name."""
    for name, query in queries.items():
        yield Operation(name=name, query=query, code=code, **others)


def asking(code: Code, query: str, variables: Mapping[str, Any], **others: Any) -> Iterator[Operation]:
    """One operation with several values of its one variable, by name."""
    name = query.partition("$")[2].partition(":")[0]
    for told, value in variables.items():
        yield Operation(name=told, query=query, variables={name: value}, code=code, **others)
