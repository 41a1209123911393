"""The first half of an import: reads the source, decides each row, seals its credentials, and spools what comes out.

Nothing is written to the database here, and no lock is held. The spool is a file without a name, as long as the source;
it holds credentials only as they are sealed for this gateway.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from models.destinations.attributes import ATTRIBUTES
from models.destinations.table import BackupDestination
from models.errors import Refusal
from models.imported_row import TOKENS, USERS
from models.takeover.decisions import (
    MAX_ID,
    DecidedDestination,
    Options,
    RowRefused,
    decide_destination,
    decide_token,
    decide_user,
    is_suspended,
)
from models.takeover.laravel import LaravelKeys, is_payload
from models.takeover.report import Report
from models.takeover.source_rows import (
    DESTINATIONS,
    ENCRYPTED,
    TABLES,
    DestinationSourceRow,
    MalformedRow,
    Source,
    SourceRow,
    SuspensionRow,
    TokenSourceRow,
    UserRow,
    digest_of_row,
    row_of,
)
from models.takeover.target import Target, Value, stored_time
from models.vault.vault import Vault

SAMPLE = 100
"""Encrypted values that are tried before anything else."""
USER_COLUMNS = ("id", "email", "name", "created_at", "disabled_at")
TOKEN_COLUMNS = ("id", "user_id", "name", "digest", "abilities", "created_at", "expires_at", "last_used_at")
DESTINATION_COLUMNS = (
    *("id", "uid", "user_id", *(each.value for each in ATTRIBUTES), "credentials_set_at", "version"),
    *("created_at", "updated_at"),
)
COLUMNS = {USERS: USER_COLUMNS, TOKENS: TOKEN_COLUMNS, DESTINATIONS: DESTINATION_COLUMNS}
"""The columns of a prepared row, of the gateway's own tables."""
OUR_TABLES = {USERS: "users", TOKENS: "tokens", DESTINATIONS: "backup_destinations"}

Progress = Callable[[str, int], None]
"""Takes a table and how many more of its rows were dealt with."""


class WrongKey(Refusal):
    """The key opens nothing of a sample of the source."""

    def __init__(self) -> None:
        super().__init__(
            "APP_KEY opens nothing that the source has encrypted, and neither does a key of APP_PREVIOUS_KEYS: it is "
            "the key of another application, or of an earlier time. Nothing was changed."
        )


class PreparedRow(NamedTuple):
    """A row of the source that was decided; `values` are those of `COLUMNS`, None for one that is as it was imported.

    `notes` are codes and sentences of the report, `state` what the imported row's `status` is to be.
    """

    table: str
    id: int
    owner_id: int
    digest: str
    state: str | None
    values: list[Value] | None
    notes: list[list[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What was imported of a row before, and the destination as it is now; its `uid` is None when it is gone."""

    digest: str
    target_id: int
    imported_version: int
    state: str | None
    uid: UUID | None = None
    version: int | None = None


class Spool:
    """The prepared rows in a file, in the order in which they came."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 - closed by `close`

    def add(self, row: PreparedRow) -> None:
        """Append a row."""
        self._file.write(orjson.dumps(row, default=tuple) + b"\n")

    def batches(self, size: int) -> Iterator[tuple[str, list[PreparedRow]]]:
        """The rows of one table at a time, at most `size` of them."""
        self._file.seek(0)
        batch: list[PreparedRow] = []
        for line in self._file:
            row = PreparedRow(*orjson.loads(line))
            if batch and (len(batch) == size or batch[0].table != row.table):
                yield batch[0].table, batch
                batch = []
            batch.append(row)
        if batch:
            yield batch[0].table, batch

    def close(self) -> None:
        """Give the space back."""
        self._file.close()


async def known_rows(target: Target, table: str, ids: Sequence[int]) -> dict[int, Known]:
    """What was imported before of the rows with these ids."""
    rows = await target.rows(
        "SELECT source_id, digest, target_id, version, status FROM imported_rows "  # noqa: S608 - our own names
        f"WHERE table_name = '{table}' AND source_id IN {{ids}}",
        ids,
    )
    here: dict[int, dict[str, Any]] = {}
    if table == DESTINATIONS:
        there = [row["target_id"] for row in rows]
        found = await target.rows("SELECT id, uid, version FROM backup_destinations WHERE id IN {ids}", there)
        here = {row["id"]: row for row in found}
    return {
        row["source_id"]: Known(
            digest=row["digest"],
            target_id=row["target_id"],
            imported_version=row["version"],
            state=row["status"],
            uid=UUID(str(here[row["target_id"]]["uid"])) if row["target_id"] in here else None,
            version=here[row["target_id"]]["version"] if row["target_id"] in here else None,
        )
        for row in rows
    }


class Preparation:
    """Prepares all rows of one source."""

    def __init__(
        self,
        source: Source,
        keys: LaravelKeys,
        vault: Vault | None,
        options: Options,
        report: Report,
        *,
        advance: Progress,
    ) -> None:
        """Without a `vault`, in a dry run, nothing is sealed, and the rows have no credentials."""
        self._source = source
        self._keys = keys
        self._vault = vault
        self._options = options
        self._report = report
        self._advance = advance
        self._suspensions: dict[int, SuspensionRow] = {}
        self._emails: dict[str, int] = {}
        self.key: str | None = None
        """The fingerprint of a key that opens something of the source; None where nothing is encrypted."""
        self.seen: dict[str, set[int]] = defaultdict(set)
        """The ids of the source's rows, those that were refused too."""

    async def run(self, target: Target, spool: Spool) -> None:
        """Spool every row; raises `SourceRefused` and `WrongKey`."""
        await self._require_key()
        try:
            suspensions = await self._source.suspensions()
        except MalformedRow as error:
            raise Refusal(f"A row of user_suspensions cannot be read: {error}.") from error
        for suspension in suspensions:
            before = self._suspensions.get(suspension.user_id)
            if before is None or _ends_later(suspension, before):
                self._suspensions[suspension.user_id] = suspension
        for table in TABLES:
            async with aclosing(self._source.rows(table)) as batches:
                async for batch in batches:
                    await self._prepare(table, batch, target, spool)
                    self._advance(table, len(batch))
            await self._note_highest(table)

    async def _note_highest(self, table: str) -> None:
        """Note behind which id the next one is to be: the highest one ever given there that can be one here."""
        given = await self._source.highest_id(table)
        usable = max((id_ for id_ in (*self.seen[table], given) if 1 <= id_ <= MAX_ID), default=0)
        self._report.highest_ids[table] = usable
        if given > MAX_ID:
            sentence = (
                f"is the highest id of there, which none here can be; the next one here is greater than {usable}."
            )
            self._report.note(table, given, "next_id", sentence)

    async def _require_key(self) -> None:
        tried = 0
        async with aclosing(self._source.rows(DESTINATIONS)) as batches:
            async for batch in batches:
                for value in self._encrypted(batch):
                    self.key = self._keys.fingerprint_of(value)
                    if self.key is not None:
                        return
                    tried += 1
                    if tried >= SAMPLE:
                        raise WrongKey
        if tried:
            raise WrongKey

    @staticmethod
    def _encrypted(batch: Sequence[Sequence[object]]) -> Iterator[str]:
        """The payloads of a batch."""
        for values in batch:
            try:
                row = row_of(DESTINATIONS, values)
            except MalformedRow:
                continue
            for name in ENCRYPTED:
                value = getattr(row, name)
                if value and is_payload(value):
                    yield value

    async def _prepare(self, table: str, batch: Sequence[Sequence[object]], target: Target, spool: Spool) -> None:
        rows: list[SourceRow] = []
        for values in batch:
            self._report.counts[table].read += 1
            id_ = values[0] if isinstance(values[0], int) else 0
            self.seen[table].add(id_)
            try:
                rows.append(row_of(table, values))
            except MalformedRow as error:
                self._report.refuse(table, id_, "malformed", f"cannot be read: {error}.")
        ids = [row.id for row in rows if 1 <= row.id <= MAX_ID]
        known = await known_rows(target, table, ids)
        for row in rows:
            self.seen[table].add(row.id)
            try:
                spool.add(self._decided(table, row, known.get(row.id)))
            except RowRefused as refused:
                self._report.refuse(table, row.id, refused.code, str(refused))

    def _decided(self, table: str, row: SourceRow, known: Known | None) -> PreparedRow:
        notes: list[list[str]] = []

        def note(code: str, sentence: str) -> None:
            notes.append([code, sentence])

        values: list[Value] | None = None
        state: str | None = None
        match row:
            case UserRow():
                row = self._with_suspension(row)
                digest, owner_id = digest_of_row(table, row), row.id
                user = decide_user(row, self._options, note)
                self._require_email(user.email, row.id)
                state = stored_time(user.disabled_at)
                if known is None or known.digest != digest:
                    times = stored_time(user.created_at), stored_time(user.disabled_at)
                    values = [row.id, user.email, user.name, *times]
            case TokenSourceRow():
                digest, owner_id = digest_of_row(table, row), row.tokenable_id
                if known is None or known.digest != digest:
                    token = decide_token(row, self._options, note)
                    state = stored_time(token.expires_at)
                    values = [row.id, row.tokenable_id, token.name, token.digest, token.abilities]
                    values += [stored_time(token.created_at), state, stored_time(token.last_used_at)]
            case DestinationSourceRow():
                digest, owner_id, state = digest_of_row(table, row), row.user_id, (row.status or "")[:32] or None
                if known is None or known.digest != digest:
                    decided = decide_destination(row, self._keys, self._options, note)
                    values = self._sealed(row, decided, None if known is None else known.uid)
        return PreparedRow(table, row.id, owner_id, digest, state, values, notes)

    def _with_suspension(self, row: UserRow) -> UserRow:
        """The row with a suspension only if it is in force, so that the end of one is a change of the row."""
        suspension = self._suspensions.get(row.id)
        if suspension is None:
            return row
        suspended = row._replace(
            suspended_at=suspension.suspended_at or row.created_at or "1970-01-01 00:00:00",
            suspended_until=suspension.suspended_until,
        )
        return suspended if is_suspended(suspended, self._options) else row

    def _require_email(self, email: str, id_: int) -> None:
        """Raise `RowRefused` when an earlier row of the source has the email, whatever its case."""
        first = self._emails.setdefault(email, id_)
        if first != id_:
            raise RowRefused("email_twice", f"has the email of user {first}, whose case alone may differ.")

    def _sealed(self, row: DestinationSourceRow, decided: DecidedDestination, uid: UUID | None) -> list[Value]:
        """The values of the columns; without a vault those of secrets are empty."""
        if self._vault is None:
            return []
        made = BackupDestination.new(row.user_id, decided.attributes, self._vault, uid=uid)
        updated_at = stored_time(decided.updated_at)
        beside: dict[str, Any] = {
            "id": row.id,
            "uid": str(made.uid),
            "kind": made.kind.value,
            "path_style_endpoint": None if made.path_style_endpoint is None else int(made.path_style_endpoint),
            "credentials_set_at": None if made.credentials_set_at is None else updated_at,
            "created_at": stored_time(decided.created_at),
            "updated_at": updated_at,
        }
        return [beside[name] if name in beside else getattr(made, name) for name in DESTINATION_COLUMNS]


def _ends_later(suspension: SuspensionRow, other: SuspensionRow) -> bool:
    """Whether a suspension of a user ends later than another one; without an end is latest."""
    if other.suspended_until is None:
        return False
    return suspension.suspended_until is None or suspension.suspended_until > other.suspended_until
