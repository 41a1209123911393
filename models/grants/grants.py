"""`Grants`: gives a viewer signed requests to the store of a destination, and stores that it did.

A signature is returned only once the grant, its event and its entry of the audit are stored; it is stored nowhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tortoise.expressions import F
from tortoise.transactions import in_transaction

from models.accounts.abilities import Ability
from models.accounts.user import User
from models.accounts.viewer import Viewer
from models.audit.entry import AuditKind
from models.audit.recording import log_act
from models.checks.opened_target import target_of
from models.checks.report import CheckCode
from models.clock import current_second
from models.database.postgresql import in_share
from models.destinations.attributes import KINDS
from models.destinations.ownership import MAX_ID, locked, own
from models.destinations.row import DestinationRow, from_model
from models.destinations.table import BackupDestination
from models.errors import DestinationNotGrantable, SecretUnreadable
from models.events.event import EventKind
from models.events.event_stream import EventStreams
from models.events.history import record
from models.grants.access import (
    LONGEST_LIFETIME,
    Access,
    Granted,
    GrantOperation,
    PresignedRequest,
    Presigner,
    RawAccess,
    StoreNotUsable,
    parse_access,
)
from models.grants.grant import AccessGrant
from models.grants.impact import DeletionImpact, deletion_impacts
from models.vault.vault import Vault

DEFAULT_IN_USE_FOR = timedelta(days=30)
"""How long after its last grant a destination counts as in use."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GrantedAccess:
    """What a viewer gets: the signed requests, and until when the store takes them."""

    row: DestinationRow
    expires_at: datetime
    requests: Sequence[PresignedRequest]


def require_grantable(row: BackupDestination) -> None:
    """Raise `DestinationNotGrantable` for a destination that has no store."""
    if not KINDS[row.kind].is_checkable:
        raise DestinationNotGrantable


class Grants:
    """The grants of one process."""

    def __init__(
        self,
        vault: Vault,
        presigner: Presigner,
        streams: EventStreams,
        *,
        longest: timedelta = LONGEST_LIFETIME,
        in_use_for: timedelta = DEFAULT_IN_USE_FOR,
    ) -> None:
        """`longest` bounds how long a grant is valid; for `in_use_for` after one, a destination counts as in use."""
        self._vault = vault
        self._presigner = presigner
        self._streams = streams
        self._longest = longest
        self._in_use_for = in_use_for
        self._kept_for = max(in_use_for, LONGEST_LIFETIME)

    async def find(self, viewer: Viewer, destination_id: int) -> BackupDestination:
        """One of the viewer's destinations, for `grant`.

        Raises `AbilityMissing`, `DestinationNotFound`, `DestinationForbidden`, in this order.
        """
        viewer.require(Ability.USE)
        query = BackupDestination.filter(id=destination_id)
        return own(viewer, await query.first() if 0 < destination_id <= MAX_ID else None)

    async def grant(self, viewer: Viewer, row: BackupDestination, raw: RawAccess) -> GrantedAccess:
        """Sign requests to the store of a destination that `find` returned.

        Raises what `find` raises, `DestinationNotGrantable`, `AccessInvalid` or `StoreNotUsable`.
        """
        viewer.require(Ability.USE)
        require_grantable(row)
        access = parse_access(raw, longest=self._longest)
        at = current_second()
        try:
            requests = await self._presigner.presign(target_of(row, self._vault), access, at)
        except SecretUnreadable:
            raise StoreNotUsable(CheckCode.SECRET_UNREADABLE) from None
        granted = Granted(
            operations=access.operations, keys=access.keys, prefix=access.prefix, expires_at=at + access.lifetime
        )
        await self._store(viewer, row.id, access, granted, at)
        detail = {"label": row.label, "granted": granted.to_json()}
        log_act(viewer.origin, AuditKind.DESTINATION_ACCESS_GRANTED, f"destination {row.id}", **detail)
        self._streams.note_change(viewer.user_id)
        return GrantedAccess(row=from_model(row), expires_at=granted.expires_at, requests=requests)

    async def deletion_impacts(self, viewer: Viewer, destination_ids: Collection[int]) -> Mapping[int, DeletionImpact]:
        """What deleting each of the viewer's destinations would do to backup jobs; without an entry: nothing."""
        viewer.require(Ability.VIEW)
        return await deletion_impacts(destination_ids, since=current_second() - self._in_use_for)

    async def _store(self, viewer: Viewer, destination_id: int, access: Access, granted: Granted, at: datetime) -> None:
        """Store the grant and its event, whose trigger adds the entry of the audit; raises as `own` does."""
        grants = [
            AccessGrant(
                user_id=viewer.user_id,
                token_id=viewer.token_id,
                destination_id=destination_id,
                operation=operation,
                object_key=key,
                prefix=access.prefix,
                created_at=at,
                expires_at=granted.expires_at,
            )
            for operation in access.operations
            for key in ((None,) if operation is GrantOperation.LIST else access.keys)
        ]
        async with in_share(BackupDestination, viewer.user_id), in_transaction():
            row = await locked(viewer, destination_id)
            await User.filter(id=viewer.user_id).update(revision=F("revision") + 1)
            await AccessGrant.filter(destination_id=row.id, created_at__lt=at - self._kept_for).delete()
            await AccessGrant.bulk_create(grants)
            await record(viewer, EventKind.ACCESS_GRANTED, row, granted=granted.to_json())
