"""FastAPI with Strawberry and SQLAlchemy, as Strawberry's documentation shows; a document is validated once."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated, Any

import strawberry
from fastapi import Depends, FastAPI, Header
from sqlalchemy.ext.asyncio import AsyncSession
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.fastapi import GraphQLRouter

from benchmarks.peers import rows
from benchmarks.peers.rows import (
    HUMAN_NAMES,
    destination_of,
    destinations_of,
    make_sessions,
    session_of,
    viewer_of,
)

MAX_SIZE = 100
PREFIX = "BackupDestination:"
Info = strawberry.Info[dict[str, Any], None]


@strawberry.enum
class Reachability(Enum):
    """Whether a destination answered when it was last checked."""

    UNKNOWN = "unknown"
    CHECKING = "checking"
    REACHABLE = "reachable"
    UNREACHABLE = "unreachable"


@strawberry.type
class BackupDestination:
    """A destination of any kind."""

    id: strawberry.ID
    database_id: int
    label: str
    kind_name: str
    created_at: datetime
    updated_at: datetime
    bucket_name: str | None
    path_style_endpoint: bool | None
    reachability: Reachability
    endpoint: str | None
    region: str | None


@strawberry.type
class BackupDestinationEdge:
    """One destination in a list."""

    node: BackupDestination


@strawberry.type
class BackupDestinationConnection:
    """A page of destinations."""

    total_count: int
    edges: list[BackupDestinationEdge]


@strawberry.type
class Query:
    """What can be asked."""

    @strawberry.field
    async def backup_destinations(self, info: Info, first: int = 15) -> BackupDestinationConnection:
        """The first destinations."""
        session, viewer = info.context["session"], info.context["viewer"]
        found = await destinations_of(session, viewer, min(first, MAX_SIZE))
        edges = [BackupDestinationEdge(node=present(row)) for row in found]
        return BackupDestinationConnection(total_count=viewer.destination_count, edges=edges)

    @strawberry.field
    async def node(self, info: Info, id: strawberry.ID) -> BackupDestination | None:  # noqa: A002 - the schema's name
        """One destination."""
        number = int(id.removeprefix(PREFIX))
        row = await destination_of(info.context["session"], info.context["viewer"], number)
        return None if row is None else present(row)


def present(row: rows.BackupDestination) -> BackupDestination:
    """A row in the schema's words."""
    return BackupDestination(
        id=strawberry.ID(f"{PREFIX}{row.id}"),
        database_id=row.id,
        label=row.label,
        kind_name=HUMAN_NAMES[row.kind],
        created_at=row.created_at,
        updated_at=row.updated_at,
        bucket_name=row.bucket_name,
        path_style_endpoint=row.path_style_endpoint,
        reachability=Reachability(row.reachability),
        endpoint=row.endpoint,
        region=row.region,
    )


async def context(
    session: Annotated[AsyncSession, Depends(session_of)], authorization: Annotated[str, Header()] = ""
) -> dict[str, Any]:
    """Who asks, and the session of the request."""
    return {"session": session, "viewer": await viewer_of(session, authorization)}


def create_app() -> FastAPI:
    """The application."""
    app = FastAPI(openapi_url=None)
    app.state.sessions = make_sessions()
    schema = strawberry.Schema(
        Query, extensions=[lambda: ParserCache(maxsize=100), lambda: ValidationCache(maxsize=100)]
    )
    app.include_router(GraphQLRouter(schema, context_getter=context, graphql_ide=None), prefix="/graphql")
    return app
