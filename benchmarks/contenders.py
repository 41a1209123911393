"""The parts list: every server that is compared, how it is started, what it is asked and in which words."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from benchmarks.dialects import FLAT, GATEWAY, GRAPHILE, ORIGIN, Dialect, Rest
from tests.support.gateway.gateway import MOORINGS

PEERS = Path(__file__).parent / "peers"


class Ask(StrEnum):
    """What a contender can be asked."""

    LIST = "list"
    VARY = "vary"
    """Users drawn from all, and pages of any size, behind any row, of some kinds."""
    WRITE = "write"
    BROWSE = "browse"
    """Lists, as pages of another origin ask for them through a proxy."""


class Needs(StrEnum):
    """What has to be installed before a contender starts."""

    NOTHING = "nothing"
    PYTHON = "benchmarks/requirements.txt"
    NODE = "benchmarks/peers/package-lock.json"


READS = frozenset({Ask.LIST})
EVERYTHING = frozenset(Ask)
BROWSED = frozenset({Ask.BROWSE})
# Counted for every request, never refusing one.
_RATE = {"MOORINGS_RATE_LIMIT": "1000000/minute", "MOORINGS_LOG_LEVEL": "WARNING"}
_UNCACHED = {"MOORINGS_RESPONSE_CACHE_BYTES": "0"}
_FOR_BROWSERS = {"MOORINGS_TRUSTED_PROXIES": "127.0.0.1", "MOORINGS_CORS_ORIGINS": ORIGIN}


class Transport(StrEnum):
    """What carries the events of a subscription."""

    SSE = "server-sent events"
    WEBSOCKET = "WebSocket"


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """One server. `command` and nothing else starts it; `{port}`, `{python}` and `{node}` in it are filled in."""

    name: str
    title: str
    command: tuple[str, ...]
    dialects: Mapping[str, Dialect]
    asks: frozenset[Ask] = READS
    needs: Needs = Needs.NOTHING
    settings: Mapping[str, str] = field(default_factory=dict)
    workers: int = 1
    is_static: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether it is the gateway itself."""
        return self.command[0] == MOORINGS


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Listened:
    """A contender whose events are listened to over one of its transports."""

    contender: Contender
    transport: Transport

    @property
    def title(self) -> str:
        """The contender and the transport."""
        return f"{self.contender.title}, {self.transport}"


def _gateway(
    name: str, title: str, settings: dict[str, str], workers: int = 1, asks: frozenset[Ask] = EVERYTHING - {Ask.BROWSE}
) -> Contender:
    return Contender(
        name=name,
        title=title,
        command=(MOORINGS, "serve", "--port", "{port}", "--workers", str(workers)),
        dialects={"graphql": GATEWAY, "rest": Rest()},
        asks=asks if workers == 1 else frozenset({Ask.LIST}),
        settings=_RATE | settings,
        workers=workers,
    )


def _uvicorn(python: str, module: str) -> tuple[str, ...]:
    options = "--factory --loop uvloop --http httptools --no-access-log --log-level warning --port {port}"
    return (python, "-m", "uvicorn", *options.split(), f"benchmarks.peers.{module}:create_app")


def _node(name: str, title: str, dialect: Mapping[str, Dialect], asks: frozenset[Ask] = EVERYTHING) -> Contender:
    command = ("{node}", str(PEERS / f"{name}.js"))
    return Contender(name=name, title=title, command=command, dialects=dialect, asks=asks, needs=Needs.NODE)


def _python(name: str, title: str, dialect: Mapping[str, Dialect]) -> Contender:
    command = _uvicorn("{python}", name.replace("-", "_"))
    return Contender(name=name, title=title, command=command, dialects=dialect, needs=Needs.PYTHON)


CONTENDERS = (
    Contender(
        name="static",
        title="static bytes, uvicorn",
        command=_uvicorn(sys.executable, "static"),
        dialects={"rest": Rest()},
        asks=frozenset({Ask.LIST}),
        is_static=True,
    ),
    _gateway("moorings-cached", "Moorings", {}),
    _gateway("moorings", "Moorings, cache off", _UNCACHED),
    _gateway("moorings-browser-cached", "Moorings", _FOR_BROWSERS, asks=BROWSED),
    _gateway("moorings-browser", "Moorings, cache off", _FOR_BROWSERS | _UNCACHED, asks=BROWSED),
    _gateway("moorings-two", "Moorings, cache off, 2 workers", _UNCACHED, workers=2),
    Contender(
        name="asgi",
        title="bare ASGI, asyncpg",
        command=_uvicorn(sys.executable, "asgi"),
        dialects={"rest": Rest()},
    ),
    _node("fastify", "Fastify, pg", {"rest": Rest()}),
    _node("mercurius", "Mercurius with JIT, pg", {"graphql": FLAT}),
    _node("apollo", "Apollo Server, pg", {"graphql": FLAT}),
    _node("postgraphile", "PostGraphile", {"graphql": GRAPHILE}, frozenset({Ask.LIST})),
    _python("fastapi-rest", "FastAPI, SQLAlchemy", {"rest": Rest()}),
    _python("fastapi-graphql", "FastAPI, Strawberry, SQLAlchemy", {"graphql": FLAT}),
)

_LIVE = _gateway(
    "moorings-live", "Moorings", {"MOORINGS_MAX_ADDRESS_CONNECTIONS": "5000", "MOORINGS_MAX_CONNECTIONS": "6000"}
)
_MERCURIUS_LIVE = _node("mercurius-live", "Mercurius with JIT, pg", {"graphql": FLAT})
_YOGA_LIVE = _node("yoga-live", "GraphQL Yoga, pg", {"graphql": FLAT})
LIVE = (
    Listened(contender=_LIVE, transport=Transport.SSE),
    Listened(contender=_LIVE, transport=Transport.WEBSOCKET),
    Listened(contender=_MERCURIUS_LIVE, transport=Transport.WEBSOCKET),
    Listened(contender=_YOGA_LIVE, transport=Transport.SSE),
    Listened(contender=_YOGA_LIVE, transport=Transport.WEBSOCKET),
)
"""Those with subscriptions, over what they offer; the gateway with room for a thousand streams of one address."""
EMBEDDED = tuple(
    replace(one, title=one.title.replace("pg", "node:sqlite"))
    for one in CONTENDERS
    if one.name in ("moorings", "moorings-cached", "fastify", "mercurius")
)
"""Those that run on a SQLite file of their own machine, too."""
