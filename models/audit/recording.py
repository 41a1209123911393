"""Writes entries of the audit, and a line of the log for each."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import orjson

from models.audit.entry import AuditEntry, AuditKind, Origin
from models.clock import current_second

logger = logging.getLogger("moorings.audit")

Detail = Mapping[str, str | int | bool | None]
"""What may be shown of an act besides its subject."""


def entry_of(origin: Origin, kind: AuditKind, subject: str, **detail: str | int | bool | None) -> AuditEntry:
    """An entry that is not stored yet."""
    return AuditEntry(
        occurred_at=current_second(),
        kind=kind,
        actor=origin.actor,
        os_user=origin.os_user,
        user_id=origin.user_id,
        token_id=origin.token_id,
        subject=subject,
        address=origin.address,
        protocol=origin.protocol,
        request_id=origin.request_id,
        detail=orjson.dumps(detail).decode(),
    )


async def record(origin: Origin, kind: AuditKind, subject: str, **detail: str | int | bool | None) -> None:
    """Store an entry, in the caller's transaction if there is one; raises `DatabaseUnavailable`."""
    entry = entry_of(origin, kind, subject, **detail)
    await entry.save(force_create=True)
    log(entry)


def log(entry: AuditEntry) -> None:
    """Write the line of an entry."""
    fields = {
        "kind": entry.kind.value,
        "actor": entry.actor.value,
        "os_user": entry.os_user,
        "user_id": entry.user_id,
        "token_id": entry.token_id,
        "subject": entry.subject,
        "address": entry.address,
        "protocol": entry.protocol,
        "request_id": entry.request_id,
        "detail": entry.detail,
    }
    logger.info("audit", extra={"fields": {name: value for name, value in fields.items() if value is not None}})
