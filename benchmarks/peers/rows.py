"""What the two SQLAlchemy peers share: the mapped rows, the engine with its pool of ten, and the token's lookup."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from typing import ClassVar

import asyncpg
from fastapi import HTTPException, Request
from sqlalchemy import DateTime, ForeignKey, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

POOL_SIZE = 10


class Row(DeclarativeBase):
    """What the mapped rows have in common."""

    type_annotation_map: ClassVar = {datetime: DateTime(timezone=True)}


class User(Row):
    """A person with an API token."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    destination_count: Mapped[int]
    disabled_at: Mapped[datetime | None]


class Token(Row):
    """An API token."""

    __tablename__ = "tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    digest: Mapped[str]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class BackupDestination(Row):
    """A place backups go."""

    __tablename__ = "backup_destinations"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    label: Mapped[str]
    kind: Mapped[str]
    bucket_name: Mapped[str | None]
    region: Mapped[str | None]
    endpoint: Mapped[str | None]
    path_style_endpoint: Mapped[bool | None]
    reachability: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


HUMAN_NAMES = {"amazon_s3": "Amazon S3", "custom_s3": "Custom S3", "local": "Local"}


def make_sessions() -> async_sessionmaker[AsyncSession]:
    """Sessions on a pool of ten connections."""
    # asyncpg reads the URL as the others do; a read needs no transaction of its own.
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(asyncpg.connect, os.environ["DATABASE_URL"]),
        pool_size=POOL_SIZE,
        max_overflow=0,
        isolation_level="AUTOCOMMIT",
    )
    return async_sessionmaker(engine, expire_on_commit=False)


async def session_of(request: Request) -> AsyncIterator[AsyncSession]:
    """The session of a request."""
    async with request.app.state.sessions() as session:
        yield session


async def viewer_of(session: AsyncSession, authorization: str) -> User:
    """The user behind an Authorization header; refuses with 401."""
    token_id, _, secret = authorization.removeprefix("Bearer ").partition("|")
    wanted = int(token_id) if token_id.isdigit() else 0
    valid = or_(Token.expires_at.is_(None), Token.expires_at > func.now())
    token = await session.scalar(select(Token).where(Token.id == wanted, Token.revoked_at.is_(None), valid))
    digest = hashlib.sha256(secret.encode()).hexdigest()
    if token is None or token.user.disabled_at is not None or not hmac.compare_digest(token.digest, digest):
        raise HTTPException(401, "Unauthenticated.")
    user: User = token.user
    return user


async def destinations_of(session: AsyncSession, user: User, size: int) -> list[BackupDestination]:
    """The first of a user's destinations."""
    mine = select(BackupDestination).where(BackupDestination.user_id == user.id)
    return list(await session.scalars(mine.order_by(BackupDestination.id).limit(size)))


async def destination_of(session: AsyncSession, user: User, number: int) -> BackupDestination | None:
    """One of a user's destinations."""
    mine = select(BackupDestination).where(BackupDestination.user_id == user.id, BackupDestination.id == number)
    found: BackupDestination | None = await session.scalar(mine)
    return found
