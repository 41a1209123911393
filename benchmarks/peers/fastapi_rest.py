"""FastAPI with SQLAlchemy and response models, as its documentation shows."""

from __future__ import annotations

from datetime import datetime
from math import ceil
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Query
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.peers.rows import (
    HUMAN_NAMES,
    BackupDestination,
    User,
    destination_of,
    destinations_of,
    make_sessions,
    session_of,
    viewer_of,
)

PATH = "/api/backup-destinations"
TYPES = {"amazon_s3": "s3", "custom_s3": "custom_s3", "local": "local"}
Session = Annotated[AsyncSession, Depends(session_of)]


class Destination(BaseModel):
    """A destination of any kind."""

    id: int
    user_id: int
    label: str
    type: str
    type_human: str
    s3_bucket_name: str | None = None
    path_style_endpoint: bool | None = None
    s3_region: str | None = None
    s3_endpoint: str | None = None
    created_at: datetime
    updated_at: datetime


class Single(BaseModel):
    """One destination."""

    data: Destination


class Links(BaseModel):
    """Where the other pages are."""

    first: str
    last: str
    prev: str | None
    next: str | None


class Meta(BaseModel):
    """Where this page lies."""

    current_page: int
    last_page: int
    path: str
    per_page: int
    total: int


class Page(BaseModel):
    """A page of destinations."""

    data: list[Destination]
    links: Links
    meta: Meta


async def viewer(session: Session, authorization: Annotated[str, Header()] = "") -> User:
    """Who asks."""
    return await viewer_of(session, authorization)


Viewer = Annotated[User, Depends(viewer)]


def create_app() -> FastAPI:
    """The application."""
    app = FastAPI(openapi_url=None)
    app.state.sessions = make_sessions()

    @app.get(PATH)
    async def listing(session: Session, viewer: Viewer, per_page: Annotated[int, Query(ge=1, le=100)] = 15) -> Page:
        rows = await destinations_of(session, viewer, per_page)
        last = max(1, ceil(viewer.destination_count / per_page))
        links = Links(first=f"{PATH}?page=1", last=f"{PATH}?page={last}", prev=None, next=f"{PATH}?page=2")
        meta = Meta(current_page=1, last_page=last, path=PATH, per_page=per_page, total=viewer.destination_count)
        return Page(data=[represent(row) for row in rows], links=links, meta=meta)

    @app.get(PATH + "/{number}")
    async def show(session: Session, viewer: Viewer, number: int) -> Single:
        row = await destination_of(session, viewer, number)
        if row is None:
            raise HTTPException(404, "Not found.")
        return Single(data=represent(row))

    return app


def represent(row: BackupDestination) -> Destination:
    """A row as the gateway's REST API shows it."""
    shown: dict[str, Any] = {"type": TYPES[row.kind], "type_human": HUMAN_NAMES[row.kind]}
    return Destination(
        id=row.id,
        user_id=row.user_id,
        label=row.label,
        s3_bucket_name=row.bucket_name,
        path_style_endpoint=row.path_style_endpoint,
        s3_region=row.region,
        s3_endpoint=row.endpoint,
        created_at=row.created_at,
        updated_at=row.updated_at,
        **shown,
    )
