"""Writes entries of the audit, and a line of the log for each."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

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


async def without_stored(entries: Sequence[AuditEntry]) -> list[AuditEntry]:
    """Those of some entries that are not stored, for a second try behind one whose outcome is unknown.

    Raises `DatabaseUnavailable`.
    """
    if not entries:
        return []
    times = [entry.occurred_at for entry in entries]
    found = await AuditEntry.filter(
        occurred_at__gte=min(times), occurred_at__lte=max(times), kind__in=list({entry.kind for entry in entries})
    )
    stored = set(map(_values, found))
    return [entry for entry in entries if _values(entry) not in stored]


def _values(entry: AuditEntry) -> tuple[object, ...]:
    return tuple(getattr(entry, name) for name in AuditEntry._meta.db_fields if name != "id")


def log(entry: AuditEntry) -> None:
    """Write the line of an entry."""
    _write(entry, entry.kind, entry.subject, entry.detail)


def log_act(origin: Origin, kind: AuditKind, subject: str, **detail: str | int | bool | None) -> None:
    """Write the line of an entry that the database itself stores, with the event of the act."""
    if logger.isEnabledFor(logging.INFO):
        _write(origin, kind, subject, orjson.dumps(detail).decode())


def _write(source: AuditEntry | Origin, kind: AuditKind, subject: str, detail: str) -> None:
    fields = {
        "kind": kind.value,
        "actor": source.actor.value,
        "os_user": source.os_user,
        "user_id": source.user_id,
        "token_id": source.token_id,
        "subject": subject,
        "address": source.address,
        "protocol": source.protocol,
        "request_id": source.request_id,
        "detail": detail,
    }
    logger.info("audit", extra={"fields": {name: value for name, value in fields.items() if value is not None}})
