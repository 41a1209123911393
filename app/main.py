"""`create_app(settings)`: the parts list of the gateway. Nothing is made at import."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from app import health
from app.authentication import Authentication
from app.body_limit import BodyLimit
from app.database import open_database
from app.failures import UnexpectedFailures
from app.hosts import AllowedHosts
from app.keys import open_vault
from app.limits import FAILED_AUTHENTICATIONS, Limiter, QuotaHeaders, UserLimit, open_storage
from app.security_headers import SecurityHeaders
from app.settings import Settings, load_settings
from models.errors import DatabaseUnavailable
from models.service import DestinationService
from models.token_usage import TokenUsage
from models.viewer import Protocol
from rest import endpoints
from rest.errors import handlers

USAGE_FLUSH_S = 5.0
_SHOWN_TO_PAGES = ["Location", "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"]


def create_app(settings: Settings) -> Starlette:
    """Put the gateway together. The database is opened, and the keys held against it, when it starts."""
    usage = TokenUsage()
    storage = open_storage(settings.rate_limit_storage)
    off = settings.request_limit is None
    failures = Limiter(None if off else FAILED_AUTHENTICATIONS, storage, fails_open=False)
    per_viewer = [
        Middleware(Authentication, protocol=Protocol.REST, failures=failures, usage=usage),
        Middleware(UserLimit, limiter=Limiter(settings.request_limit, storage)),
    ]

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(open_database(settings.address))
            service = DestinationService(await open_vault(settings))
            await stack.enter_async_context(_written_behind(usage))
            yield {"service": service, "public_url": settings.public_url}

    return Starlette(
        routes=[*health.ROUTES, *endpoints.routes(per_viewer)],
        middleware=_around_everything(settings),
        exception_handlers=handlers(),
        lifespan=lifespan,
    )


def create_app_from_environment() -> Starlette:
    """What each worker process of `moorings serve` calls."""
    return create_app(load_settings())


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

    task = asyncio.create_task(write_now_and_then(), name="token usage")
    try:
        yield
    finally:
        task.cancel()
        with suppress(DatabaseUnavailable):
            await usage.flush(everything=True)
