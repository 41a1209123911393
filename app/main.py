"""`create_app(settings)`: the parts list of the gateway. Nothing is made at import."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from limits import parse
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Route, WebSocketRoute

from app import documents, health
from app.authentication import Authentication, Doorkeeper, bearer_token
from app.body_limit import BodyLimit
from app.database import open_database
from app.explorer import Explorer
from app.failures import UnexpectedFailures
from app.front_page import FrontPage
from app.hosts import AllowedHosts
from app.keys import open_vault
from app.limits import FAILED_AUTHENTICATIONS, Limiter, QuotaHeaders, open_storage
from app.listener import listen
from app.security_headers import SecurityHeaders
from app.settings import Settings, load_settings
from models.background import in_background
from models.errors import DatabaseUnavailable
from models.event_stream import EventStreams
from models.service import DestinationService
from models.token_usage import TokenUsage
from models.viewer import Protocol
from rest import endpoints
from rest.errors import handlers
from schema.engine import Engine
from schema.socket import GraphQLSocket
from schema.view import GraphQLView

USAGE_FLUSH_S = 5.0
_SHOWN_TO_PAGES = ["Location", "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"]


def create_app(settings: Settings) -> Starlette:
    """Put the gateway together. The database is opened, and the keys held against it, when it starts."""
    usage, streams = TokenUsage(), EventStreams()
    doorkeepers = _doorkeepers(settings, usage)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(open_database(settings.address))
            service = DestinationService(await open_vault(settings), streams)
            await stack.enter_async_context(_written_behind(usage))
            await stack.enter_async_context(in_background(streams.watch(), name="event streams"))
            if settings.address.url is not None:
                listener = listen(settings.address.url, streams)
                await stack.enter_async_context(in_background(listener, name="event listener"))
            yield {"service": service, "streams": streams, "public_url": settings.public_url}

    explorer = Explorer(enabled=settings.explorer)
    app = Starlette(
        routes=_with_pages(
            [
                *health.ROUTES,
                *endpoints.routes([Middleware(Authentication, doorkeeper=doorkeepers[Protocol.REST])]),
                *_graphql_routes(settings, doorkeepers[Protocol.GRAPHQL], explorer),
                *documents.routes(settings),
            ],
            explorer,
        ),
        middleware=_around_everything(settings),
        exception_handlers=handlers(),
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # both forms are routes; a redirect would have no body and no public URL
    return app


def create_app_from_environment() -> Starlette:
    """What each worker process of `moorings serve` calls."""
    return create_app(load_settings())


def _doorkeepers(settings: Settings, usage: TokenUsage) -> dict[Protocol, Doorkeeper]:
    """One for each door, counting together."""
    storage = open_storage(settings.rate_limit_storage)
    limit = None if settings.rate_limit == "off" else parse(settings.rate_limit)
    failures = Limiter(None if limit is None else FAILED_AUTHENTICATIONS, storage, fails_open=False)
    requests = Limiter(limit, storage)
    return {
        protocol: Doorkeeper(protocol=protocol, failures=failures, requests=requests, usage=usage)
        for protocol in (Protocol.REST, Protocol.GRAPHQL)
    }


def _graphql_routes(settings: Settings, doorkeeper: Doorkeeper, explorer: Explorer) -> list[BaseRoute]:
    """HTTP and WebSocket on one path; what does not speak GraphQL is told so by the view."""
    engine = Engine(settings.graphql_limits, introspection=settings.introspection)
    return [
        Route("/graphql", GraphQLView(engine, doorkeeper, bearer_token, page=explorer.graphiql), methods=None),
        WebSocketRoute("/graphql", GraphQLSocket(engine, doorkeeper, bearer_token)),
    ]


def _with_pages(routes: list[BaseRoute], explorer: Explorer) -> list[BaseRoute]:
    """The routes of the API, and behind them, so that they cost it nothing, those of the pages."""
    paths = {route.path for route in routes if isinstance(route, Route)}
    shown = paths | {"/api/docs"} if explorer.sentence is None else paths - {"/graphql"}
    return [
        *routes,
        Route("/", FrontPage(shown, remark=explorer.sentence).__call__, methods=["GET"]),
        Route("/api/docs", explorer.reference, methods=["GET", "HEAD"]),
        Route("/explorer/assets/{name}", explorer.asset, methods=["GET"]),
    ]


def _around_everything(settings: Settings) -> list[Middleware]:
    """Outermost first."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "HEAD", "POST", "PUT", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Prefer"],
        expose_headers=_SHOWN_TO_PAGES,
    )
    return [
        Middleware(SecurityHeaders),
        Middleware(UnexpectedFailures),
        Middleware(AllowedHosts, hosts=settings.allowed_hosts),
        *([cors] if settings.cors_origins else []),
        Middleware(QuotaHeaders),
        Middleware(BodyLimit, max_body_bytes=settings.max_body_bytes),
    ]


@asynccontextmanager
async def _written_behind(usage: TokenUsage) -> AsyncIterator[None]:
    """Write the tokens' last use now and then, and once more at the end; a database that is away is tried later."""

    async def write_now_and_then() -> None:
        while True:
            await asyncio.sleep(USAGE_FLUSH_S)
            with suppress(DatabaseUnavailable):
                await usage.flush()

    try:
        async with in_background(write_now_and_then(), name="token usage"):
            yield
    finally:
        with suppress(DatabaseUnavailable):
            await usage.flush(everything=True)
