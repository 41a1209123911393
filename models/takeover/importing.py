"""The second half of an import: compares the prepared rows with what is here, and writes all of them or none.

A row that was imported before is left alone, unless the operator follows the source (`is_sync`) and it has changed
there. Rows that were not imported are never touched. The database's triggers raise the revisions of the users, so that
a running gateway shows the rows with the next request; there are no events.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from models.audit.entry import AuditKind
from models.audit.operator import operator
from models.audit.recording import record
from models.errors import Refusal
from models.imported_row import APP_KEY, GONE, TOKENS, UNSEEN, USERS, ImportedRow
from models.takeover.decisions import Options
from models.takeover.laravel import LaravelKeys
from models.takeover.preparing import (
    COLUMNS,
    OUR_TABLES,
    Known,
    Preparation,
    PreparedRow,
    Progress,
    Spool,
    known_rows,
)
from models.takeover.report import Report
from models.takeover.source_rows import DESTINATIONS, TABLES, Source
from models.takeover.target import Target, Value, as_time, stored_time
from models.vault.vault import Vault

MANY_GONE = 10
"""Rows of a table from which on a prune of more than half of the imported ones is refused."""
BATCH = 2_000
"""Rows of one statement. The triggers raise the revision of each of their users once for a statement."""
LOCK = 0x74616B656F766572
"""The PostgreSQL advisory lock under which one process at a time imports; the letters of `takeover`."""
_LEDGER = ("table_name", "source_id", "target_id", "digest", "version", "status")


class ImportCollided(Refusal):
    """Something here was changed while the import ran."""

    def __init__(self) -> None:
        super().__init__("Another process changed rows that the import needs; nothing was changed. Run it again.")


class ImportRunning(Refusal):
    """Another process imports just now."""

    def __init__(self) -> None:
        super().__init__("Another import is running; nothing was changed. Run this one when that has ended.")


class PruneRefused(Refusal):
    """So much is gone in the source that it is more likely to be incomplete."""

    def __init__(self, table: str, gone: int, imported: int, read: int) -> None:
        super().__init__(
            f"{gone} of the {imported} imported rows of {table} are gone in the source, which has {read} rows of it: "
            "it may be incomplete. Nothing was changed; --prune-all ends them here all the same."
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Mode:
    """How an import behaves towards rows that were imported before, and whether it writes at all.

    With `is_pruning_all` a prune goes on however much is gone.
    `first_user` is the email of the user that the first start of a gateway makes: it makes room for an imported one.
    """

    is_dry: bool = False
    is_sync: bool = False
    is_pruning: bool = False
    is_pruning_all: bool = False
    first_user: str | None = None


async def import_all(
    source: Source, keys: LaravelKeys, vault: Vault | None, options: Options, mode: Mode, *, advance: Progress
) -> Report:
    """Import everything, in one transaction; a `vault` is needed unless the run is dry.

    Raises `SourceRefused`, `WrongKey`, `PruneRefused`, `ImportRunning`, `ImportCollided`, `DatabaseUnavailable`: then
    nothing has changed.
    """
    report, spool = Report(is_dry=mode.is_dry), Spool()
    preparation = Preparation(source, keys, vault, options, report, advance=advance)
    try:
        await preparation.run(Target(ImportedRow._meta.db), spool)
        if mode.is_dry:
            await _Import(Target(ImportedRow._meta.db), preparation, options, mode, report).run(spool)
            return report
        try:
            async with in_transaction() as connection:
                target = Target(connection)
                if not target.is_sqlite:
                    await _wait_long(target)
                await _Import(target, preparation, options, mode, report).run(spool)
                await record(operator(), AuditKind.COMMAND_RUN, "moorings import vanguard", **_numbers(report))
        except IntegrityError as error:
            raise ImportCollided from error
    finally:
        spool.close()
    for table in TABLES:
        await Target(ImportedRow._meta.db).raise_sequence(OUR_TABLES[table], report.highest_ids[table])
    return report


async def _wait_long(target: Target) -> None:
    """Let statements of the transaction take longer than a request's; raises `ImportRunning`."""
    await target.execute("SET LOCAL statement_timeout = 0")
    await target.execute("SET LOCAL lock_timeout = '8s'")
    rows = await target.all(f"SELECT pg_try_advisory_xact_lock({LOCK}) AS is_first")
    if not rows[0]["is_first"]:
        raise ImportRunning


def _numbers(report: Report) -> dict[str, int]:
    """What the audit has of a run."""
    return {
        f"{OUR_TABLES[table]}_{name}": getattr(counts, name)
        for table, counts in report.counts.items()
        for name in ("added", "changed", "removed", "refused")
    }


class _Import:
    """One run, inside of its transaction; in a dry run everything but the writing."""

    def __init__(self, target: Target, preparation: Preparation, options: Options, mode: Mode, report: Report) -> None:
        self._target = target
        self._seen = preparation.seen
        self._key = preparation.key
        self._now = stored_time(options.now)
        self._mode = mode
        self._report = report
        self._owners: set[int] = set()
        self._leaving_user: int | None = None
        self._next_token_id: int | None = None
        self._named: set[int] | None = None

    async def run(self, spool: Spool) -> None:
        """Write the rows of all tables, users first, then remove what is gone."""
        if self._mode.is_sync and self._mode.is_pruning and not self._mode.is_pruning_all:
            for table in TABLES:
                await self._require_most(table)
        self._leaving_user = await self._first_user()
        for table, rows in spool.batches(BATCH):
            known = await known_rows(self._target, table, [row.id for row in rows])
            match table:
                case "users":
                    await self._users(rows, known)
                case "personal_access_tokens":
                    await self._tokens(self._owned(rows), known)
                case _:
                    await self._destinations(self._owned(rows), known)
        if not self._mode.is_dry:
            await self._note_key()
        if self._mode.is_sync:
            for table in reversed(TABLES):
                await self._follow_removals(table)

    async def _note_key(self) -> None:
        """Store which key fits, so that an export that cannot read the source refuses another one."""
        if self._key is None:
            return
        noted = await self._target.all(f"SELECT id FROM imported_rows WHERE table_name = '{APP_KEY}'")  # noqa: S608
        if noted:
            await self._target.update("imported_rows", ("id", "digest"), [[noted[0]["id"], self._key]])
        else:
            await self._target.insert("imported_rows", _LEDGER, [[APP_KEY, 0, 0, self._key, 0, None]])

    async def _users(self, rows: Sequence[PreparedRow], known: dict[int, Known]) -> None:
        here = await self._target.rows(
            "SELECT id, email, disabled_at FROM users WHERE id IN {ids}", [row.id for row in rows]
        )
        disabled = {each["id"]: stored_time(as_time(each["disabled_at"])) for each in here}
        emails = {each["id"]: each["email"] for each in here if each["id"] != self._leaving_user}
        given = [str(row.values[1]) for row in rows if row.values is not None]
        taken = {
            each["email"]: each["id"]
            for each in await self._target.rows("SELECT id, email FROM users WHERE email IN {ids}", given)
        }
        added: list[PreparedRow] = []
        changed: list[PreparedRow] = []
        for row in rows:
            before = known.get(row.id)
            holder = taken.get(str(row.values[1])) if row.values is not None else None
            if before is None and row.id in emails:
                self._refuse(row, "id_taken", "has the id of a user here that was not imported.")
            elif before is not None and row.id not in emails:
                self._refuse(row, "removed_here", "was removed here since it was imported.")
            elif holder not in (None, row.id) and (before is None or self._is_followed(row, before)):
                self._refuse(row, "email_taken", f"has the email of user {holder} here.")
            elif before is None:
                added.append(row)
                self._accept(row)
                if row.id == self._leaving_user:
                    sentence = f"has the id of {self._mode.first_user}, which has no destination and gets another id."
                    self._report.note(USERS, row.id, "first_user_moved", sentence)
            elif self._is_followed(row, before):
                changed.append(row)
                self._accept(row)
            else:
                self._leave(row, before)
                self._owners.add(row.id)
        self._count(USERS, added=added, changed=changed)
        if changed and not self._mode.is_dry:
            here = await self._target.locked_rows(
                "SELECT id, disabled_at FROM users WHERE id IN {ids}", [row.id for row in changed]
            )
            disabled |= {each["id"]: stored_time(as_time(each["disabled_at"])) for each in here}
            known = await known_rows(self._target, USERS, [row.id for row in changed])
        self._note_enabled(changed, known, disabled)
        if not self._mode.is_dry:
            await self._write_users(added, changed, known, disabled)

    async def _write_users(
        self,
        added: Sequence[PreparedRow],
        changed: Sequence[PreparedRow],
        known: dict[int, Known],
        disabled: Mapping[int, str | None],
    ) -> None:
        if self._leaving_user in {row.id for row in added}:
            await self._move_first_user()
        await self._target.insert("users", COLUMNS[USERS], [row.values for row in added if row.values])
        # A user that the operator disabled stays so; one that an import disabled follows its suspension.
        follow = [row for row in changed if disabled[row.id] in (None, known[row.id].state)]
        stay = [row._replace(state=None) for row in changed if row not in follow]
        columns = ("id", "email", "name", "disabled_at")
        await self._target.update("users", columns, [_picked(row, columns) for row in follow])
        await self._target.update("users", columns[:3], [_picked(row, columns[:3]) for row in stay])
        await self._remember(USERS, added, [*follow, *stay], known)

    async def _tokens(self, rows: Sequence[PreparedRow], known: dict[int, Known]) -> None:
        target_ids = [known[row.id].target_id for row in rows if row.id in known]
        here = {
            each["id"]: each
            for each in await self._target.rows(
                "SELECT id, expires_at, revoked_at FROM tokens WHERE id IN {ids}",
                sorted({*target_ids, *(row.id for row in rows)}),
            )
        }
        digests = [str(row.values[3]) for row in rows if row.values is not None]
        taken = {
            each["digest"]: each["id"]
            for each in await self._target.rows("SELECT id, digest FROM tokens WHERE digest IN {ids}", digests)
        }
        added: list[PreparedRow] = []
        changed: list[PreparedRow] = []
        for row in rows:
            before = known.get(row.id)
            holder = None if row.values is None else taken.get(str(row.values[3]))
            if before is None and holder is not None:
                self._refuse(row, "secret_taken", f"has the secret of token {holder} here, which was not imported.")
            elif before is None:
                added.append(row)
                self._accept(row)
            elif before.target_id not in here:
                self._report.note(TOKENS, row.id, "removed_here", "was removed here since it was imported.")
                self._report.counts[TOKENS].unchanged += 1
            elif self._is_followed(row, before):
                changed.append(row)
                self._accept(row)
            else:
                self._leave(row, before)
        self._count(TOKENS, added=added, changed=changed)
        if changed and not self._mode.is_dry:
            here |= await self._locked_tokens([known[row.id].target_id for row in changed])
            known = await known_rows(self._target, TOKENS, [row.id for row in changed])
        for row in (row for row in changed if known[row.id].digest == GONE):
            before = known[row.id]
            self._note_back(row, before, here[before.target_id]["revoked_at"], ended="revoked")
        if self._mode.is_dry:
            return
        ids: dict[int, int] = {}
        used = here.keys() | (await self._named_token_ids() if added else set())
        for row in added:
            ids[row.id] = row.id if row.id not in used else await self._fresh_token_id()
        columns = (*COLUMNS[TOKENS], "imported_id", "networks")
        await self._target.insert(
            "tokens", columns, [[ids[row.id], *row.values[1:], row.id, ""] for row in added if row.values]
        )
        updates = [self._token_update(row, known[row.id], here[known[row.id].target_id]) for row in changed]
        names = ("id", "user_id", "name", "digest", "abilities", "expires_at", "revoked_at")
        await self._target.update("tokens", names, updates)
        await self._remember(TOKENS, added, changed, known, ids=ids)

    async def _locked_tokens(self, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
        """Tokens as they are when the operator no longer can revoke them, until the transaction ends."""
        sql = "SELECT id, expires_at, revoked_at FROM tokens WHERE id IN {ids}"
        return {each["id"]: each for each in await self._target.locked_rows(sql, ids)}

    @staticmethod
    def _token_update(row: PreparedRow, before: Known, here: dict[str, Any]) -> list[Value]:
        """The new values of a token: an end that it was given here stays, and so does the operator's revocation."""
        values = dict(zip(COLUMNS[TOKENS], row.values or (), strict=True))
        is_back = before.digest == GONE
        expires_at = values["expires_at"]
        own_end = stored_time(as_time(here["expires_at"]))
        if own_end != (None if is_back else before.state):
            expires_at = min((end for end in (own_end, expires_at) if end is not None), key=str, default=None)
        revoked_at = stored_time(as_time(here["revoked_at"]))
        if is_back and revoked_at == before.state:
            revoked_at = None
        kept = [values[name] for name in ("user_id", "name", "digest", "abilities")]
        return [before.target_id, *kept, expires_at, revoked_at]

    async def _destinations(self, rows: Sequence[PreparedRow], known: dict[int, Known]) -> None:
        here = {
            each["id"]
            for each in await self._target.rows(
                "SELECT id FROM backup_destinations WHERE id IN {ids}", [row.id for row in rows]
            )
        }
        added: list[PreparedRow] = []
        changed: list[PreparedRow] = []
        for row in rows:
            before = known.get(row.id)
            if before is None and row.id in here:
                self._refuse(row, "id_taken", "has the id of a destination here that was not imported.")
            elif before is None:
                added.append(row)
                self._accept(row)
            elif before.uid is None:
                if before.digest != row.digest:
                    self._report.note(DESTINATIONS, row.id, "removed_here", "was removed here since it was imported.")
                self._report.counts[DESTINATIONS].unchanged += 1
            elif not self._is_followed(row, before):
                self._leave(row, before)
            elif before.version != before.imported_version:
                self._refuse(row, "changed_on_both", "was changed there and here; export writes what is here to there.")
            else:
                changed.append(row)
                self._accept(row)
        self._count(DESTINATIONS, added=added, changed=changed)
        if self._mode.is_dry:
            return
        await self._see(rows, known)
        columns = COLUMNS[DESTINATIONS]
        await self._target.insert("backup_destinations", columns, [row.values for row in added if row.values])
        names = tuple(name for name in columns if name != "uid")
        forgotten = ", ".join(f"{c} = NULL" for c in ("last_check", "checked_at", "claim", "claimed_until"))
        await self._target.update(
            "backup_destinations",
            names,
            [_picked(row, names) for row in changed],
            fixed=f"reachability = 'unknown', {forgotten}",
        )
        await self._remember(DESTINATIONS, added, changed, known)

    async def _see(self, rows: Sequence[PreparedRow], known: dict[int, Known]) -> None:
        """Note that destinations which statements were to write have been seen there."""
        states = {row.id: row.state for row in rows if row.id in known and known[row.id].state == UNSEEN}
        found = await self._target.rows(
            f"SELECT id, source_id FROM imported_rows WHERE table_name = '{DESTINATIONS}' AND source_id IN {{ids}}",  # noqa: S608
            list(states),
        )
        await self._target.update(
            "imported_rows", ("id", "status"), [[each["id"], states[each["source_id"]]] for each in found]
        )

    def _owned(self, rows: Sequence[PreparedRow]) -> list[PreparedRow]:
        """The rows whose user was imported; the others are refused."""
        owned = []
        for row in rows:
            if row.owner_id in self._owners:
                owned.append(row)
            elif row.owner_id in self._seen[USERS]:
                self._refuse(row, "user_refused", f"belongs to user {row.owner_id}, which was refused.")
            else:
                self._refuse(row, "user_missing", f"belongs to user {row.owner_id}, which is not there.")
        return owned

    def _is_followed(self, row: PreparedRow, before: Known) -> bool:
        return self._mode.is_sync and before.digest != row.digest and row.values is not None

    def _accept(self, row: PreparedRow) -> None:
        """Report what is special about a row that is taken."""
        for code, sentence in row.notes:
            self._report.note(row.table, row.id, code, sentence)
        if row.table == USERS:
            self._owners.add(row.id)

    def _note_enabled(
        self, changed: Sequence[PreparedRow], known: dict[int, Known], disabled: Mapping[int, str | None]
    ) -> None:
        """Report the users that the source has enabled since an import or a prune disabled them."""
        for row in changed:
            before = known[row.id]
            if row.state is None and (before.state is not None or before.digest == GONE):
                self._note_back(row, before, disabled[row.id], ended="disabled")

    def _note_back(self, row: PreparedRow, before: Known, ended_at: object, *, ended: str) -> None:
        """Report a user or token that is valid there again: it is here too, unless the operator ended it."""
        ended_here = stored_time(as_time(ended_at))
        if ended_here is None:
            return
        if ended_here == before.state:
            self._report.note(row.table, row.id, "valid_again", f"is valid there again, and no longer {ended} here.")
        else:
            sentence = f"is valid there again; here it stays {ended}, as the operator decided."
            self._report.note(row.table, row.id, "stays_ended", sentence)

    def _refuse(self, row: PreparedRow, code: str, sentence: str) -> None:
        self._report.refuse(row.table, row.id, code, sentence)

    def _leave(self, row: PreparedRow, before: Known) -> None:
        self._report.counts[row.table].unchanged += 1
        if before.digest not in (row.digest, GONE):
            self._report.note(row.table, row.id, "changed_there", "has changed there; --sync takes it over.")

    def _count(self, table: str, *, added: Sequence[PreparedRow], changed: Sequence[PreparedRow]) -> None:
        counts = self._report.counts[table]
        counts.added += len(added)
        counts.changed += len(changed)

    async def _remember(
        self,
        table: str,
        added: Sequence[PreparedRow],
        changed: Sequence[PreparedRow],
        known: dict[int, Known],
        *,
        ids: dict[int, int] | None = None,
    ) -> None:
        """Store which row here is which one there, and its state there."""
        rows: list[list[Value]] = [
            [table, row.id, (ids or {}).get(row.id, row.id), row.digest, _version(row), row.state] for row in added
        ]
        await self._target.insert("imported_rows", _LEDGER, rows)
        if changed:
            changed_ids = [row.id for row in changed]
            numbers = {
                each["source_id"]: each["id"]
                for each in await self._target.rows(
                    f"SELECT id, source_id FROM imported_rows WHERE table_name = '{table}' AND source_id IN {{ids}}",  # noqa: S608
                    changed_ids,
                )
            }
            updates: list[list[Value]] = [[numbers[row.id], row.digest, _version(row), row.state] for row in changed]
            await self._target.update("imported_rows", ("id", "digest", "version", "status"), updates)

    async def _require_most(self, table: str) -> None:
        """Raise `PruneRefused` when a table is empty there now, or has lost more than half of its imported rows."""
        imported = gone = 0
        async for rows in self._imported(table):
            there = [row for row in rows if row["digest"] != GONE and row["status"] != UNSEEN]
            imported += len(there)
            gone += sum(1 for row in there if row["source_id"] not in self._seen[table])
        read = self._report.counts[table].read
        if gone and (read == 0 or (gone >= MANY_GONE and gone * 2 > imported)):
            raise PruneRefused(table, gone, imported, read)

    async def _imported(self, table: str) -> AsyncIterator[list[dict[str, Any]]]:
        """The imported rows of a table, some at a time, with the version that a destination has here now."""
        last = 0
        while True:
            rows = await self._target.all(
                "SELECT i.id, i.source_id, i.target_id, i.digest, i.version, i.status, d.version AS version_here "  # noqa: S608
                "FROM imported_rows i LEFT JOIN backup_destinations d ON i.table_name = 'backup_destinations' "
                f"AND d.id = i.target_id WHERE i.table_name = '{table}' AND i.source_id > {last} "
                f"ORDER BY i.source_id LIMIT {BATCH}"
            )
            if not rows:
                return
            last = rows[-1]["source_id"]
            yield rows

    async def _follow_removals(self, table: str) -> None:
        """Find the imported rows that are gone there; with `is_pruning` end them here too."""
        async for rows in self._imported(table):
            gone = [row for row in rows if row["source_id"] not in self._seen[table] and row["digest"] != GONE]
            for row in (row for row in gone if row["status"] == UNSEEN):
                sentence = "was written by export --sql and has not been there yet: kept."
                self._report.note(table, row["source_id"], "not_there_yet", sentence)
            gone = [row for row in gone if row["status"] != UNSEEN]
            if not self._mode.is_pruning:
                for row in gone:
                    self._report.note(table, row["source_id"], "gone_there", "is gone there; --prune ends it here too.")
            elif gone:
                await self._prune(table, gone)

    async def _prune(self, table: str, gone: Sequence[dict[str, Any]]) -> None:
        """Remove destinations, revoke tokens and disable users that are gone there."""
        kept: list[dict[str, Any]] = []
        if table == DESTINATIONS:
            kept = [row for row in gone if row["version_here"] not in (None, row["version"])]
            for row in kept:
                self._report.refuse(
                    table, row["source_id"], "changed_here", "is gone there, and was changed here: kept."
                )
        pruned = [row for row in gone if row not in kept]
        verb = {DESTINATIONS: "removed", TOKENS: "revoked", USERS: "disabled"}[table]
        for row in pruned:
            self._report.note(table, row["source_id"], "pruned", f"is gone there, and was {verb} here.")
        self._report.counts[table].removed += len(pruned)
        if self._mode.is_dry:
            return
        ids = [row["target_id"] for row in pruned]
        if table == DESTINATIONS:
            await self._target.delete("backup_destinations", ids)
            await self._target.delete("imported_rows", [row["id"] for row in pruned])
            return
        column = "revoked_at" if table == TOKENS else "disabled_at"
        already = {
            each["id"]
            for each in await self._target.locked_rows(
                f"SELECT id, {column} AS ended_at FROM {OUR_TABLES[table]} WHERE id IN {{ids}}",  # noqa: S608 - our own names
                ids,
            )
            if each["ended_at"] is not None
        }
        ending = [[id_, self._now] for id_ in ids if id_ not in already]
        await self._target.update(OUR_TABLES[table], ("id", column), ending)
        # The time tells what was ended here from what the operator ended, which stays so when the row is back.
        states: list[list[Value]] = []
        for row in pruned:
            own = row["status"] if table == USERS else None
            states.append([row["id"], GONE, own if row["target_id"] in already else self._now])
        await self._target.update("imported_rows", ("id", "digest", "status"), states)

    async def _first_user(self) -> int | None:
        """The user of the first start, if it has no destination and never had one, and the source has its id too."""
        if self._mode.first_user is None:
            return None
        rows = await self._target.rows(
            "SELECT id FROM users WHERE email IN {ids} AND destination_count = 0 "
            "AND NOT EXISTS (SELECT 1 FROM events WHERE events.user_id = users.id) "
            "AND NOT EXISTS (SELECT 1 FROM imported_rows WHERE table_name = 'users' AND target_id = users.id)",
            [self._mode.first_user],
        )
        id_ = rows[0]["id"] if rows else None
        return id_ if id_ in self._seen[USERS] else None

    async def _move_first_user(self) -> None:
        """Give the user of the first start another id, its tokens with it."""
        new = max(self._report.highest_ids[USERS], await self._target.highest_id("users")) + 1
        old, email = self._leaving_user, self._mode.first_user
        await self._target.execute(
            "INSERT INTO users (id, email, name, created_at, disabled_at) "  # noqa: S608 - numbers of our own
            f"SELECT {new}, 'moving@localhost', name, created_at, disabled_at FROM users WHERE id = {old}"
        )
        await self._target.execute(f"UPDATE tokens SET user_id = {new} WHERE user_id = {old}")  # noqa: S608
        await self._target.execute(f"DELETE FROM users WHERE id = {old}")  # noqa: S608
        await self._target.execute(f"UPDATE users SET email = '{email}' WHERE id = {new}")  # noqa: S608

    async def _fresh_token_id(self) -> int:
        """An id for a token whose own one is or was another's here: behind all there are and were, here and there."""
        if self._next_token_id is None:
            highest = self._report.highest_ids[TOKENS]
            self._next_token_id = max(
                highest if highest < 2**30 else 0,
                await self._target.highest_id("tokens"),
                max(await self._named_token_ids(), default=0),
            )
        self._next_token_id += 1
        return self._next_token_id

    async def _named_token_ids(self) -> set[int]:
        """The ids of the tokens that were used or made here, whether they are here still or were removed."""
        if self._named is None:
            self._named = await self._target.named_token_ids()
        return self._named


def _picked(row: PreparedRow, names: Sequence[str]) -> list[Value]:
    """Some of the values of a row."""
    values = dict(zip(COLUMNS[row.table], row.values or (), strict=True))
    return [values[name] for name in names]


def _version(row: PreparedRow) -> int:
    """The version of a prepared destination; 0 of other rows."""
    if row.table != DESTINATIONS or not row.values:
        return 0
    version = row.values[COLUMNS[DESTINATIONS].index("version")]
    return version if isinstance(version, int) else 0
