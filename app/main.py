"""`create_app(settings)`: the parts list of the gateway. Nothing is made at import."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Lifespan

from app.check_scheduler import LazyDialer, LazyProber, count_in, count_store_in, run_scheduled_checks
from app.database import connections, open_database, watch_file
from app.logs import write_to_log
from app.monitoring.installation import InstallationFigures
from app.opening import Opened, Opening
from app.pages import health
from app.pages.explorer import Explorer
from app.pages.routes import with_pages
from app.postgres_listener import listen
from app.secret_keys import vault_in_use
from app.settings import Settings, metrics_directory
from app.tracing.opening import open_tracer
from models.accounts.token_retention import prune_older as prune_older_tokens
from models.accounts.token_usage import TokenUsage
from models.accounts.viewer import Protocol
from models.audit.retention import prune as prune_audit
from models.audit.trail import AuditTrail
from models.background import in_background, prune_repeatedly
from models.checks.checks import Checks
from models.checks.jobs import CheckJobs
from models.errors import DatabaseUnavailable
from models.events.event_stream import EventStreams
from models.events.retention import prune_older as prune_older_events
from models.grants.grants import Grants
from models.reads.reads import Reads
from models.service import DestinationService
from models.writes.idempotency import IdempotencyKeys
from models.writes.write import Writes
from rest import endpoints
from rest.errors import handlers
from s3.presigning.presigner import S3Presigner
from schema.execution.engine import Engine
from schema.execution.persisted.queries import PersistedQueries
from schema.transport.http import GraphQLView
from schema.transport.outcomes import OK, Outcomes
from schema.transport.overload import overloaded
from schema.transport.websocket import GraphQLSocket
from web.access_log import AccessLog
from web.admission.admission import Admission
from web.admission.refusals import Refusals
from web.application import Application
from web.auth.authenticator import Authenticator
from web.buffered_bytes import BufferedBytes
from web.cache.bounded_memo import BoundedMemo
from web.cache.etags import EntityTags
from web.cache.response_cache import ResponseCache
from web.connections import Connections
from web.cross_origin import CrossOrigin
from web.fast_path.fast_path import FastPath
from web.metrics.listener import serving_metrics
from web.metrics.memories import Memory, memory_metrics
from web.metrics.metrics import ExternalMetric, Metrics, RequestMetrics
from web.middleware.allowed_hosts import AllowedHosts, Hosts
from web.middleware.body_limit import BodyLimit
from web.middleware.compression import MAX_PUBLIC_BYTES, Compression
from web.middleware.default_headers import DefaultHeaders
from web.middleware.errors import Errors
from web.rate_limit.limiter import Limiters, open_limiters
from web.tracing import RequestTracing

USAGE_FLUSH_S = 1.0


def create_app(
    settings: Settings, *, when_ready: Callable[[], None] = lambda: None, waits: bool = False
) -> Application:
    """Put the gateway together. The database is opened, and the keys held against it, when it starts.

    With `waits` it starts without a database that is away: what needs one is answered 503 until it is there.
    """
    trail, reads = AuditTrail(), Reads()
    usage = TokenUsage(trail)
    streams = EventStreams(reads)
    limiters = open_limiters(settings.rate_limit, settings.rate_limit_storage)
    for_rest, for_graphql = (
        _authenticator(settings, api, limiters, usage, reads, trail) for api in (Protocol.REST, Protocol.GRAPHQL)
    )
    tags = EntityTags(public_url=settings.public_url)
    cache = ResponseCache(settings.response_cache_bytes, tags)
    checked: Counter[str] = Counter()
    admission = Admission(max_wait_s=settings.overload_wait)
    untrusted: Counter[str] = Counter()
    external = [*_external_metrics(cache, reads, checked, trail, untrusted), *_admission_metrics(admission)]
    outcomes = Outcomes()
    external += _stream_metrics(streams, outcomes, for_graphql)
    memories = [Memory(name="responses", read=lambda: cache.bytes, max_bytes=settings.response_cache_bytes)]
    external += memory_metrics(memories)
    compressed: BoundedMemo[tuple[bytes, bytes], bytes] = BoundedMemo(MAX_PUBLIC_BYTES)
    memories.append(Memory(name="compressed documents", read=lambda: compressed.bytes, max_bytes=MAX_PUBLIC_BYTES))
    figures = InstallationFigures(check_every=settings.check_every, shown=settings.metrics_destinations)
    metrics = Metrics(external, directory=metrics_directory(), of_all=figures.text)

    access_log = _access_log(settings)
    tracer = open_tracer()
    tracing = None if tracer is None else RequestTracing(tracer)

    @asynccontextmanager
    async def opened() -> AsyncIterator[dict[str, Any]]:
        async with AsyncExitStack() as stack:
            if access_log is not None:
                stack.callback(access_log.flush)
            await stack.enter_async_context(open_database(settings.address))
            vault = await stack.enter_async_context(vault_in_use(settings))
            tags.use_key(vault.derive("entity tags"))
            await reads.find_imported_tokens()
            keys = IdempotencyKeys(vault, timedelta(seconds=settings.idempotency_lifetime))
            service = DestinationService(vault, streams, reads, Writes(), keys)
            prober = LazyProber(settings.address_policy, settings.s3_ca_file)
            checks = Checks(
                vault,
                prober,
                streams,
                count=count_in(limiters.checks),
                count_store=count_store_in(limiters.store_checks),
                outcomes=checked,
                kept=settings.check_history,
                tracer=tracer,
            )
            stack.push_async_callback(checks.aclose)
            jobs = CheckJobs(
                checks.recheck,
                count=checks.count_asked,
                is_valid=streams.is_valid,
                count_store=count_store_in(limiters.store_checks),
            )
            stack.push_async_callback(jobs.aclose)
            presigner = S3Presigner(LazyDialer(settings.address_policy, settings.s3_ca_file))
            grants = Grants(
                vault,
                presigner,
                streams,
                longest=settings.longest_grant,
                in_use_for=settings.destinations_in_use_for,
            )
            scheduled = run_scheduled_checks(checks, settings.check_every, per_host=settings.checks_per_host)
            await stack.enter_async_context(in_background(scheduled, name="scheduled checks"))
            await stack.enter_async_context(_written_behind(usage, trail))
            await stack.enter_async_context(in_background(keys.prune_repeatedly(), name="idempotency keys"))
            await stack.enter_async_context(in_background(streams.watch(), name="event streams"))
            if settings.audit_kept_for is not None:
                pruning = prune_repeatedly(prune_audit, settings.audit_kept_for)
                await stack.enter_async_context(in_background(pruning, name="audit retention"))
            if settings.events_kept_for is not None:
                pruning = prune_repeatedly(prune_older_events, settings.events_kept_for)
                await stack.enter_async_context(in_background(pruning, name="events retention"))
            if settings.tokens_kept_for is not None:
                pruning = prune_repeatedly(prune_older_tokens, settings.tokens_kept_for)
                await stack.enter_async_context(in_background(pruning, name="tokens retention"))
            await stack.enter_async_context(in_background(watch_file(), name="database file"))
            if settings.address.url is not None:
                own_url = settings.listen_database_url
                listener = listen(own_url or settings.address.url, streams, has_own_url=own_url is not None)
                await stack.enter_async_context(in_background(listener, name="event listener"))
            if metrics.are_shared:
                await stack.enter_async_context(in_background(metrics.publish_periodically(), name="metrics"))
            if settings.metrics_listener is not None:
                await stack.enter_async_context(serving_metrics(*settings.metrics_listener, metrics.text))
            when_ready()
            yield {
                "service": service,
                "checks": checks,
                "check_jobs": jobs,
                "grants": grants,
                "streams": streams,
                "tags": tags,
                "public_url": settings.public_url,
            }

    opening = Opening(opened, waits=waits)
    explorer = Explorer(enabled=settings.explorer)
    persisted = PersistedQueries(
        enabled=settings.graphql_persisted_queries,
        trusted=settings.trusted_documents,
        rules=settings.trust_rules,
        untrusted=untrusted,
    )
    engine = Engine(settings.graphql_limits, introspection=settings.introspection, persisted=persisted)
    graphql = _graphql_routes(engine, for_graphql, cache, explorer, outcomes)
    rest = endpoints.routes(for_rest, cache)
    own = [Route("/metrics", metrics.endpoint, methods=["GET"])] if settings.metrics_address is None else []
    others = [*health.ROUTES, *own]
    hosts = Hosts(settings.allowed_hosts)
    cross_origin = (
        CrossOrigin(origins=settings.cors_origins, headers=settings.cors_headers) if settings.cors_origins else None
    )
    compression = Middleware(Compression, public=compressed) if settings.compression else None
    around = _around_everything(settings, metrics, hosts, cross_origin, compression)
    app = Application(
        routes=with_pages([*graphql, *rest, *others], settings, explorer),
        middleware=[*around, Middleware(Opened, opening=opening)],
        lifespan=opening.lifespan if tracer is None else _closing(tracer.aclose, opening.lifespan),
    )
    app.router.redirect_slashes = False  # both forms are routes; a redirect would have no body and no public URL
    app.connections = Connections(per_address=settings.max_address_connections, in_all=settings.max_connections)
    app.admission = admission
    app.refusals = Refusals({b"/graphql": overloaded}, cross_origin=cross_origin, hsts_s=settings.hsts_seconds)
    app.access_log = access_log
    app.tracing = tracing
    app.cross_origin = cross_origin
    app.opened = opening.done
    app.buffered = BufferedBytes(settings.max_buffered_bytes)
    app.fast_path = FastPath(
        [for_rest, for_graphql],
        cache=cache,
        metrics=metrics,
        trusted_proxies=settings.trusted_proxies,
        access_log=access_log,
        tracing=tracing,
        max_body_bytes=settings.max_body_bytes,
        compresses=settings.compression,
    )
    memories += [*engine.memories(), *app.fast_path.memories()]
    return app


def _closing(close: Callable[[], Awaitable[None]], lifespan: Lifespan[Any]) -> Lifespan[Any]:
    """A lifespan that calls `close` behind another one."""

    @asynccontextmanager
    async def closing(app: Any) -> AsyncIterator[Any]:
        try:
            async with lifespan(app) as state:
                yield state
        finally:
            await close()

    return closing


def _access_log(settings: Settings) -> AccessLog | None:
    """The log of requests; none where it is off, or lines of INFO are not wanted."""
    if not settings.access_log or settings.log_level not in ("DEBUG", "INFO"):
        return None
    return AccessLog(write_to_log, as_json=settings.log_format == "json")


def _authenticator(
    settings: Settings, protocol: Protocol, limiters: Limiters, usage: TokenUsage, reads: Reads, trail: AuditTrail
) -> Authenticator:
    """Both APIs count in the same limiters."""
    return Authenticator(
        protocol=protocol,
        failures=limiters.failures,
        requests=limiters.requests,
        usage=usage,
        reads=reads,
        trail=trail,
        wildcard_includes_use=settings.wildcard_includes_use,
    )


def _graphql_routes(
    engine: Engine,
    authenticator: Authenticator,
    cache: ResponseCache,
    explorer: Explorer,
    outcomes: Outcomes,
) -> list[BaseRoute]:
    """GraphQL over HTTP and over WebSocket, on one path."""
    over_http = GraphQLView(engine, authenticator, cache, page=explorer.graphiql, outcomes=outcomes)
    over_websocket = GraphQLSocket(engine, authenticator, outcomes)
    paths = ("/graphql", "/graphql/")
    routes: list[BaseRoute] = [Route(path, over_http, methods=None) for path in paths]
    return routes + [WebSocketRoute(path, over_websocket) for path in paths]


def _external_metrics(
    cache: ResponseCache, reads: Reads, checked: Counter[str], trail: AuditTrail, untrusted: Counter[str]
) -> list[ExternalMetric]:
    """Numbers for `/metrics` that the parts count themselves."""
    outcomes = "moorings_cache_answers"
    return [
        ExternalMetric(
            name=outcomes, help="Reads, by the outcome in the response cache.", read=cache.outcomes, label="outcome"
        ),
        ExternalMetric(
            name="moorings_cache_evictions",
            help="Cached responses evicted for room.",
            read=lambda: {"": cache.evictions},
        ),
        ExternalMetric(
            name="moorings_cache_bytes",
            help="Memory of cached responses.",
            read=lambda: {"": cache.bytes},
            is_counter=False,
        ),
        ExternalMetric(
            name="moorings_cache_entries", help="Cached responses.", read=lambda: {"": len(cache)}, is_counter=False
        ),
        ExternalMetric(
            name="moorings_reads",
            help="Reads of tokens, destinations and lists that were asked for.",
            read=lambda: {read: asked for read, (asked, _) in reads.counts().items()},
            label="read",
        ),
        ExternalMetric(
            name="moorings_read_statements",
            help="Statements that answered those reads.",
            read=lambda: {read: statements for read, (_, statements) in reads.counts().items()},
            label="read",
        ),
        ExternalMetric(name="moorings_checks", help="Checks, by outcome.", read=lambda: checked, label="outcome"),
        ExternalMetric(
            name="moorings_untrusted_documents",
            help="GraphQL documents that are not trusted, by what became of them.",
            read=lambda: untrusted,
            label="mode",
        ),
        ExternalMetric(
            name="moorings_audit_losses",
            help="What the audit does not have, or not in full, since there was too much of it.",
            read=lambda: trail.losses,
            label="what",
        ),
        ExternalMetric(
            name="moorings_database_connections",
            help="Connections to the database.",
            read=connections,
            label="state",
            is_counter=False,
        ),
    ]


def _stream_metrics(streams: EventStreams, outcomes: Outcomes, for_graphql: Authenticator) -> list[ExternalMetric]:
    """Numbers of the open streams, and of GraphQL's operations."""
    return [
        ExternalMetric(
            name="moorings_streams_open",
            help="Open streams of events, over WebSocket and as server-sent events.",
            read=lambda: {"": len(streams)},
            is_counter=False,
        ),
        ExternalMetric(
            name="moorings_event_lag_seconds",
            help="The longest that a live event of the last minute took to a stream.",
            read=lambda: {"": streams.lag_s},
            is_counter=False,
            is_sum=False,
        ),
        ExternalMetric(
            name="moorings_graphql_errors",
            help="Operations of GraphQL that had errors, by the code of the first.",
            read=lambda: outcomes.errors,
            label="code",
        ),
        ExternalMetric(
            name="moorings_graphql_operations",
            help="Operations of GraphQL, by their outcome: OK, or the code of the first error.",
            read=lambda: outcomes.errors | {OK: outcomes.counts[OK] + for_graphql.replayed},
            label="outcome",
        ),
    ]


def _admission_metrics(admission: Admission) -> list[ExternalMetric]:
    """Numbers of the requests that were refused, of those at work and those that wait, and how late their loop was."""
    return [
        ExternalMetric(
            name="moorings_requests_shed",
            help="Requests refused with 503 because they would have had to wait too long.",
            read=lambda: {"": admission.refused},
        ),
        ExternalMetric(
            name="moorings_requests_pending",
            help="Requests at work, and those that wait for their turn.",
            read=lambda: {"running": admission.running, "waiting": admission.waiting},
            label="state",
            is_counter=False,
        ),
        ExternalMetric(
            name="moorings_event_loop_lag_seconds",
            help="The longest that the event loop was late in the last minute, while there was much to do.",
            read=lambda: {"": admission.lag_s},
            is_counter=False,
            is_sum=False,
        ),
    ]


def _around_everything(
    settings: Settings,
    metrics: Metrics,
    hosts: Hosts,
    cross_origin: CrossOrigin | None,
    compression: Middleware | None,
) -> list[Middleware]:
    """Outermost first."""
    return [
        Middleware(RequestMetrics, metrics=metrics),
        Middleware(DefaultHeaders, hsts_s=settings.hsts_seconds),
        *([] if compression is None else [compression]),
        *([] if cross_origin is None else [cross_origin.middleware()]),
        Middleware(AllowedHosts, hosts=hosts),
        Middleware(Errors, handlers=handlers()),
        Middleware(BodyLimit, max_body_bytes=settings.max_body_bytes),
    ]


@asynccontextmanager
async def _written_behind(usage: TokenUsage, trail: AuditTrail) -> AsyncIterator[None]:
    """Write the tokens' last use and the audit's trail now and then, and once more at the end.

    A database that is away is tried later.
    """

    async def write_now_and_then() -> None:
        while True:
            await asyncio.sleep(USAGE_FLUSH_S)
            with suppress(DatabaseUnavailable):
                await usage.flush()

    try:
        async with (
            in_background(write_now_and_then(), name="token usage"),
            in_background(trail.write_repeatedly(), name="audit trail"),
        ):
            yield
    finally:
        with suppress(DatabaseUnavailable):
            await usage.flush(everything=True)
        with suppress(DatabaseUnavailable):
            await trail.flush(everything=True)
