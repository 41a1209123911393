"""The triggers, indexes and constraints that guard the table of destinations against any SQL.

`restore_destination_guards` makes those that are missing or different. It ends every migration that touches the table:
on SQLite the ORM makes a table anew to change a check constraint, and drops its triggers and indexes on the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from models.destinations.attributes import ATTRIBUTES, SECRET_ATTRIBUTES, TEXTS, Attribute, Reachability, ValueType
from models.destinations.table import BackupDestination

TABLE = "backup_destinations"
TIMESTAMPS = ("created_at", "updated_at", "credentials_set_at")
CHECK_TIMESTAMPS = ("checked_at", "claimed_until")
_WITH_PAST_CHECKS = frozenset({"check_prefix"})
"""Columns that came with the table of past checks."""
_ORDERS = frozenset({"kind", "bucket_name"})
"""Columns that lists are ordered by, besides those with an index of the model and `checked_at`, by `check_turns`."""
_OF_CHECKS = frozenset({"last_check", "checked_at", "claim", "claimed_until"})
"""Columns that say nothing but when and how the last check went, or that one is under way."""
_SHOWN_OF_CHECKS = ("last_check", "checked_at")
_REACHABILITIES = ", ".join(f"'{found.value}'" for found in Reachability)
_WRONG_TYPE = "a column of backup_destinations holds a value of the wrong type"


def secret_groups() -> Sequence[tuple[Attribute, ...]]:
    """The secrets by the kinds that have them: those of one group are all there, or none of them is."""
    groups: dict[tuple[frozenset[Any], frozenset[Any]], list[Attribute]] = {}
    for attribute in sorted(SECRET_ATTRIBUTES):
        groups.setdefault((attribute.rules.required_by, attribute.rules.allowed_by), []).append(attribute)
    return [tuple(group) for group in groups.values()]


def key_id(column: str, *, is_sqlite: bool) -> str:
    """The SQL of an envelope's key id, the part between the first two colons; as in the indexes of sealed values."""
    position = "instr" if is_sqlite else "strpos"
    return f"substr({column}, 4, {position}(substr({column}, 4), ':') - 1)"


def order_key(column: str, *, is_sqlite: bool) -> str:
    """The SQL of what a list is ordered by, never null, as in the index of the order: texts by code point."""
    match column:
        case "bucket_name":
            return f"""coalesce({column}, ''){"" if is_sqlite else ' COLLATE "C"'}"""
        case "checked_at":
            return f"coalesce({column}, {never(is_sqlite=is_sqlite)})"
        case _:
            return column


def never(*, is_sqlite: bool) -> str:
    """The SQL of a timestamp before all others."""
    return "''" if is_sqlite else "'-infinity'::timestamptz"


async def restore_destination_guards(_apps: object, editor: Any) -> None:
    """Restore every guard on either engine, for the columns that the table has by now; a second time changes nothing.

    To be the last operation of a migration: `ops.RunPython(restore_destination_guards)`.
    """
    client = editor.client
    if editor.DIALECT == "sqlite":
        columns = {row["name"] for row in await client.execute_query_dict(f"PRAGMA table_info({TABLE})")}
        turns = await client.execute_query_dict("SELECT name FROM sqlite_master WHERE name = 'check_turns'")
        wanted = _sqlite_guards(columns) | _indexes(columns, editor, is_sqlite=True)
        await _restore(client, _SQLITE_FOUND, wanted | (_sqlite_turns(columns) if turns else {}))
        # A table made anew counts from its greatest id on; the ids of destinations that are gone must not come back.
        await client.execute_query(
            "UPDATE sqlite_sequence SET seq = max(seq, coalesce((SELECT max(destination_id) FROM events), 0)) "  # noqa: S608 - our own
            f"WHERE name = '{TABLE}'"
        )
        return
    await _restore_postgresql(editor)


async def _restore_postgresql(editor: Any) -> None:
    client = editor.client
    columns = {row["name"] for row in await client.execute_query_dict(_POSTGRESQL_COLUMNS)}
    functions, wanted = list(_FUNCTIONS), dict(_TRIGGERS)
    if (await client.execute_query_dict("SELECT to_regclass('check_turns') IS NOT NULL AS found"))[0]["found"]:
        functions += (_revising(columns), *_TURN_FUNCTIONS)
        wanted |= _TURN_TRIGGERS
    if columns.issuperset(_WITH_PAST_CHECKS):
        functions.append(_FORGET_CHECKS)
        wanted["destinations_checks_forgotten"] = _CHECKS_FORGOTTEN
    for function in functions:
        await client.execute_query(function)
    triggers = await client.execute_query_dict(_POSTGRESQL_TRIGGERS)
    for name in {row["name"] for row in triggers} - wanted.keys():
        await client.execute_query(f"DROP TRIGGER {name} ON {TABLE}")
    for trigger in wanted.values():
        await client.execute_query(trigger)
    found = {row["name"] for row in await client.execute_query_dict(_POSTGRESQL_CONSTRAINTS)}
    for name, check in _postgresql_constraints(columns).items():
        if name not in found:
            await client.execute_query(f"ALTER TABLE {TABLE} ADD CONSTRAINT {name} CHECK ({check})")
    found = {row["name"] for row in await client.execute_query_dict(_POSTGRESQL_INDEXES)}
    for name, index in _indexes(columns, editor, is_sqlite=False).items():
        if name not in found:
            await client.execute_query(index)


_SQLITE_FOUND = (
    f"SELECT type, name, sql FROM sqlite_master WHERE tbl_name = '{TABLE}' AND type IN ('trigger', 'index') "  # noqa: S608 - our own
    "AND sql IS NOT NULL"
)
_POSTGRESQL_COLUMNS = (
    f"SELECT attname AS name FROM pg_attribute WHERE attrelid = '{TABLE}'::regclass AND attnum > 0 AND NOT attisdropped"  # noqa: S608 - our own
)
_POSTGRESQL_TRIGGERS = f"SELECT tgname AS name FROM pg_trigger WHERE tgrelid = '{TABLE}'::regclass AND NOT tgisinternal"  # noqa: S608 - our own
_POSTGRESQL_CONSTRAINTS = f"SELECT conname AS name FROM pg_constraint WHERE conrelid = '{TABLE}'::regclass"  # noqa: S608 - our own
_POSTGRESQL_INDEXES = (
    "SELECT relname AS name FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "  # noqa: S608 - our own
    f"WHERE indrelid = '{TABLE}'::regclass"
)


async def _restore(client: Any, question: str, wanted: Mapping[str, str]) -> None:
    """Drop what differs from what is wanted, and make what is missing then."""
    found = {row["name"]: row for row in await client.execute_query_dict(question)}
    for name, row in found.items():
        if _normal(row["sql"]) != _normal(wanted.get(name, "")):
            await client.execute_query(f'DROP {row["type"].upper()} "{name}"')
    for name, statement in wanted.items():
        if name not in found or _normal(found[name]["sql"]) != _normal(statement):
            await client.execute_query(statement)


def _normal(statement: str) -> str:
    return " ".join(statement.split()).rstrip(";")


def _indexes(columns: set[str], editor: Any, *, is_sqlite: bool) -> dict[str, str]:
    """The indexes of the model, and those that the ORM cannot express.

    None of a column that a check changes: PostgreSQL would then write all of them anew with every check.
    """
    indexes = {}
    for fields in map(tuple, BackupDestination._meta.indexes):  # type: ignore[arg-type]  # the model's are tuples
        if columns.issuperset(fields):
            name = editor._generate_index_name("idx", BackupDestination, list(fields))
            quoted = ", ".join(f'"{field}"' for field in fields)
            indexes[name] = f'CREATE INDEX "{name}" ON "{TABLE}" ({quoted})'
    for column in _ORDERS & columns:
        key = order_key(column, is_sqlite=is_sqlite)
        indexes[f"destinations_by_{column}"] = f"CREATE INDEX destinations_by_{column} ON {TABLE} (user_id, {key}, id)"
    for number, group in enumerate(secret_groups()):
        if columns.issuperset(group):
            name = "destinations_sealed" if number == 0 else f"destinations_sealed_{group[0]}"
            keys = ", ".join(key_id(column, is_sqlite=is_sqlite) for column in group)
            indexes[name] = f"CREATE INDEX {name} ON {TABLE} ({keys}) WHERE {group[0]} IS NOT NULL"
    return indexes


def _postgresql_constraints(columns: set[str]) -> dict[str, str]:
    """Python's timestamps end where the year has more than four digits, and ids begin at one."""
    constraints = {
        "backup_destinations_id": "id > 0",
        "backup_destinations_moments": _within_python(TIMESTAMPS),
        "backup_destinations_reachability": f"reachability IN ({_REACHABILITIES})",
    }
    if columns.issuperset(CHECK_TIMESTAMPS):
        constraints["backup_destinations_check_moments"] = _within_python(CHECK_TIMESTAMPS)
    return constraints


def _within_python(columns: Iterable[str]) -> str:
    return " AND ".join(f"{c} >= '0001-01-01 UTC' AND {c} < '10000-01-01 UTC'" for c in columns)


def _counting(updated: str, *, also: str = "") -> str:
    """The function that counts the destinations of users; `updated` selects the users of an UPDATE, each with a step.

    Statement-level with transition tables: a bulk statement costs one update per user, not one per row.
    """
    return f"""
    CREATE OR REPLACE FUNCTION moorings_count_destinations() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            UPDATE users SET revision = revision + 1, destination_count = destination_count + change.n
            FROM (SELECT user_id, count(*) AS n FROM added GROUP BY user_id) AS change
            WHERE users.id = change.user_id;
        ELSIF TG_OP = 'DELETE' THEN
            UPDATE users SET revision = revision + 1, destination_count = destination_count - change.n
            FROM (SELECT user_id, count(*) AS n FROM removed GROUP BY user_id) AS change
            WHERE users.id = change.user_id;
        ELSE
            UPDATE users SET revision = revision + 1, destination_count = destination_count + change.n
            FROM (SELECT user_id, sum(step) AS n FROM ({updated}) AS steps GROUP BY user_id) AS change
            WHERE users.id = change.user_id;
            {also}
        END IF;
        RETURN NULL;
    END $$
    """  # noqa: S608 - our own


_FUNCTIONS = (
    _counting("SELECT user_id, 1 AS step FROM added UNION ALL SELECT user_id, -1 FROM removed"),
    """
    CREATE OR REPLACE FUNCTION moorings_forget_destinations() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE users SET revision = revision + 1, destination_count = 0;
        RETURN NULL;
    END $$
    """,
    """
    CREATE OR REPLACE FUNCTION moorings_refuse_identity_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the id and uid of a backup destination never change' USING ERRCODE = 'check_violation';
    END $$
    """,
)
_FORGET_CHECKS = """
    CREATE OR REPLACE FUNCTION moorings_forget_checks() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM past_checks USING removed WHERE past_checks.destination_id = removed.id;
        RETURN NULL;
    END $$
    """
_CHECKS_FORGOTTEN = f"""
    CREATE OR REPLACE TRIGGER destinations_checks_forgotten AFTER DELETE ON {TABLE}
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION moorings_forget_checks()
    """
_TRIGGERS = {
    "destinations_added": f"""
    CREATE OR REPLACE TRIGGER destinations_added AFTER INSERT ON {TABLE}
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION moorings_count_destinations()
    """,
    "destinations_changed": f"""
    CREATE OR REPLACE TRIGGER destinations_changed AFTER UPDATE ON {TABLE}
    REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT
    EXECUTE FUNCTION moorings_count_destinations()
    """,
    "destinations_removed": f"""
    CREATE OR REPLACE TRIGGER destinations_removed AFTER DELETE ON {TABLE}
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION moorings_count_destinations()
    """,
    "destinations_truncated": f"""
    CREATE OR REPLACE TRIGGER destinations_truncated AFTER TRUNCATE ON {TABLE}
    FOR EACH STATEMENT EXECUTE FUNCTION moorings_forget_destinations()
    """,
    "destinations_identity": f"""
    CREATE OR REPLACE TRIGGER destinations_identity BEFORE UPDATE ON {TABLE} FOR EACH ROW
    WHEN (OLD.id <> NEW.id OR OLD.uid <> NEW.uid) EXECUTE FUNCTION moorings_refuse_identity_change()
    """,
}

_SINCE = "CASE WHEN {0}bucket_name IS NOT NULL THEN coalesce({0}checked_at, {0}created_at) END"
"""SQL: from when on a check is due after an interval; null where there is no store."""
_TURN = f"id, user_id, {_SINCE.format('')}, checked_at"
_NEXT_CHECKS_REVISION = (
    "greatest(checks_revision, (extract(epoch FROM clock_timestamp()) * 1000)::bigint << 21)"
    " + 1 + floor(random() * 2097151)::bigint"
)
"""SQL: of the clock and of chance, as the revision is, so that no history gives one twice."""
_NEXT_CHECKS_REVISION_SQLITE = (
    "max(checks_revision, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) << 21) + 1 + (random() & 2097151)"
)


def fill_turns() -> Sequence[str]:
    """The statements that fill `check_turns` and `check_leases` for the destinations that there are."""
    return (
        f"INSERT INTO check_turns (destination_id, user_id, since, checked_at) SELECT {_TURN} FROM {TABLE}",  # noqa: S608
        "INSERT INTO check_leases (destination_id, claimed_until) "  # noqa: S608 - our own
        f"SELECT id, claimed_until FROM {TABLE} WHERE claimed_until IS NOT NULL",
    )


def fill_missing_turns() -> Sequence[tuple[str, str]]:
    """For turns and for leases: a statement that finds whether destinations came in while triggers were off, and one
    that fills what is missing and returns what it added.

    Ids are greater than `{0}` and at most `{1}`, for which the marks of two parameters are to be put.
    """
    between = f"FROM {TABLE} AS d WHERE id > {{0}} AND id <= {{1}}"
    # The range is said twice, or a join of both in their order would begin at the first row.
    among = "destination_id > {{0}} AND destination_id <= {{1}}"
    lacking = f"NOT EXISTS (SELECT 1 FROM {{}} WHERE destination_id = d.id AND {among})"  # noqa: S608 - our own
    turns = " AND ".join((between, lacking.format("check_turns")))
    leases = " AND ".join((between, "claimed_until IS NOT NULL", lacking.format("check_leases")))
    end = "ON CONFLICT DO NOTHING RETURNING destination_id"
    return (
        (
            f"SELECT id {turns} LIMIT 1",
            f"INSERT INTO check_turns (destination_id, user_id, since, checked_at) SELECT {_TURN} {turns} {end}",
        ),
        (
            f"SELECT id {leases} LIMIT 1",
            f"INSERT INTO check_leases (destination_id, claimed_until) SELECT id, claimed_until {leases} {end}",
        ),
    )


def turn_indexes(*, is_sqlite: bool) -> Sequence[str]:
    """The indexes of `check_turns`: what is due, and lists in the order of the last checks."""
    key = order_key("checked_at", is_sqlite=is_sqlite)
    return (
        "CREATE INDEX check_turns_due ON check_turns (since) WHERE since IS NOT NULL",
        f"CREATE INDEX check_turns_by_checked_at ON check_turns (user_id, {key}, destination_id)",
    )


def _compared(columns: Iterable[str], old: str, new: str, operator: str) -> str:
    """SQL: whether any of these columns differs between two rows."""
    names = sorted(columns)
    olds, news = (", ".join(f"{row}.{name}" for name in names) for row in (old, new))
    return f"({olds}) {operator} ({news})"


def _checks_changed(old: str, new: str, operator: str) -> str:
    """SQL: whether what is shown of checks differs between two rows, or one more check was made."""
    made = f"({old}.claim IS NOT NULL AND {new}.claim IS NULL)"
    return f"{_compared(_SHOWN_OF_CHECKS, old, new, operator)} OR {made}"


def _revising(columns: set[str]) -> str:
    """The function that counts, with two revisions: one of all that is shown, and one of the last checks alone."""
    shown = _compared(columns - _OF_CHECKS, "removed", "added", "IS DISTINCT FROM")
    checks = _checks_changed("removed", "added", "IS DISTINCT FROM")
    pairs = "added JOIN removed USING (id)"
    return _counting(
        f"SELECT added.user_id, 1 AS step FROM {pairs} WHERE {shown} "  # noqa: S608 - our own
        f"UNION ALL SELECT removed.user_id, -1 FROM {pairs} WHERE {shown}",
        also=f"UPDATE users SET checks_revision = {_NEXT_CHECKS_REVISION} "  # noqa: S608 - our own
        f"WHERE id IN (SELECT added.user_id FROM {pairs} WHERE {checks});",
    )


_TURN_FUNCTIONS = (
    f"""
    CREATE OR REPLACE FUNCTION moorings_add_destination_turns() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO check_turns (destination_id, user_id, since, checked_at) SELECT {_TURN} FROM added
        ON CONFLICT (destination_id) DO UPDATE
        SET user_id = EXCLUDED.user_id, since = EXCLUDED.since, checked_at = EXCLUDED.checked_at;
        INSERT INTO check_leases (destination_id, claimed_until)
        SELECT id, claimed_until FROM added WHERE claimed_until IS NOT NULL
        ON CONFLICT (destination_id) DO UPDATE SET claimed_until = EXCLUDED.claimed_until;
        RETURN NULL;
    END $$
    """,  # noqa: S608 - our own
    """
    CREATE OR REPLACE FUNCTION moorings_remove_destination_turns() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM check_turns USING removed WHERE check_turns.destination_id = removed.id;
        DELETE FROM check_leases USING removed WHERE check_leases.destination_id = removed.id;
        RETURN NULL;
    END $$
    """,
    """
    CREATE OR REPLACE FUNCTION moorings_forget_destination_turns() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM check_turns;
        DELETE FROM check_leases;
        RETURN NULL;
    END $$
    """,
    f"""
    CREATE OR REPLACE FUNCTION moorings_set_destination_turn() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE check_turns SET user_id = NEW.user_id, since = {_SINCE.format("NEW.")}, checked_at = NEW.checked_at
        WHERE destination_id = NEW.id;
        IF NOT FOUND THEN
            INSERT INTO check_turns (destination_id, user_id, since, checked_at)
            VALUES (NEW.id, NEW.user_id, {_SINCE.format("NEW.")}, NEW.checked_at) ON CONFLICT DO NOTHING;
        END IF;
        RETURN NULL;
    END $$
    """,  # noqa: S608 - our own
    """
    CREATE OR REPLACE FUNCTION moorings_set_destination_lease() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.claimed_until IS NULL THEN
            DELETE FROM check_leases WHERE destination_id = NEW.id;
        ELSE
            INSERT INTO check_leases (destination_id, claimed_until) VALUES (NEW.id, NEW.claimed_until)
            ON CONFLICT (destination_id) DO UPDATE SET claimed_until = EXCLUDED.claimed_until;
        END IF;
        RETURN NULL;
    END $$
    """,
)
_TURN_TRIGGERS = {
    "destinations_turns_added": f"""
    CREATE OR REPLACE TRIGGER destinations_turns_added AFTER INSERT ON {TABLE}
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION moorings_add_destination_turns()
    """,
    "destinations_turns_removed": f"""
    CREATE OR REPLACE TRIGGER destinations_turns_removed AFTER DELETE ON {TABLE}
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION moorings_remove_destination_turns()
    """,
    "destinations_turns_truncated": f"""
    CREATE OR REPLACE TRIGGER destinations_turns_truncated AFTER TRUNCATE ON {TABLE}
    FOR EACH STATEMENT EXECUTE FUNCTION moorings_forget_destination_turns()
    """,
    # Of rows, for their conditions: an update that changes nothing of checks calls no function.
    "destinations_turn_set": f"""
    CREATE OR REPLACE TRIGGER destinations_turn_set AFTER UPDATE ON {TABLE} FOR EACH ROW
    WHEN (OLD.checked_at IS DISTINCT FROM NEW.checked_at OR OLD.created_at <> NEW.created_at
        OR OLD.user_id <> NEW.user_id OR (OLD.bucket_name IS NULL) <> (NEW.bucket_name IS NULL))
    EXECUTE FUNCTION moorings_set_destination_turn()
    """,
    "destinations_lease_set": f"""
    CREATE OR REPLACE TRIGGER destinations_lease_set AFTER UPDATE ON {TABLE} FOR EACH ROW
    WHEN (OLD.claimed_until IS DISTINCT FROM NEW.claimed_until) EXECUTE FUNCTION moorings_set_destination_lease()
    """,
}
"""Triggers of PostgreSQL once there is `check_turns`."""


def _sqlite_turns(columns: set[str]) -> dict[str, str]:
    """The triggers of SQLite once there is `check_turns`."""
    shown = _compared(columns - _OF_CHECKS, "OLD", "NEW", "IS NOT")
    checks = _checks_changed("OLD", "NEW", "IS NOT")
    lease = "SELECT NEW.id, NEW.claimed_until WHERE NEW.claimed_until IS NOT NULL;"
    triggers = {
        "destinations_changed": f"""AFTER UPDATE ON {TABLE} WHEN {shown} BEGIN
            UPDATE users SET revision = revision + 1 WHERE id IN (OLD.user_id, NEW.user_id);
        END""",  # noqa: S608 - our own
        "destinations_checked": f"""AFTER UPDATE ON {TABLE} WHEN {checks} BEGIN
            UPDATE users SET checks_revision = {_NEXT_CHECKS_REVISION_SQLITE} WHERE id = NEW.user_id;
        END""",  # noqa: S608 - our own
        "destinations_turns_added": f"""AFTER INSERT ON {TABLE} BEGIN
            DELETE FROM check_turns WHERE destination_id = NEW.id;
            INSERT INTO check_turns (destination_id, user_id, since, checked_at)
            VALUES (NEW.id, NEW.user_id, {_SINCE.format("NEW.")}, NEW.checked_at);
            DELETE FROM check_leases WHERE destination_id = NEW.id;
            INSERT INTO check_leases (destination_id, claimed_until) {lease}
        END""",  # noqa: S608 - our own
        "destinations_turns_removed": f"""AFTER DELETE ON {TABLE} BEGIN
            DELETE FROM check_turns WHERE destination_id = OLD.id;
            DELETE FROM check_leases WHERE destination_id = OLD.id;
        END""",  # noqa: S608 - our own
        "destinations_turn_set": f"""AFTER UPDATE ON {TABLE} WHEN OLD.checked_at IS NOT NEW.checked_at
        OR OLD.created_at IS NOT NEW.created_at OR OLD.user_id <> NEW.user_id
        OR (OLD.bucket_name IS NULL) <> (NEW.bucket_name IS NULL) BEGIN
            INSERT INTO check_turns (destination_id, user_id, since, checked_at)
            VALUES (NEW.id, NEW.user_id, {_SINCE.format("NEW.")}, NEW.checked_at)
            ON CONFLICT (destination_id) DO UPDATE SET
            user_id = excluded.user_id, since = excluded.since, checked_at = excluded.checked_at;
        END""",  # noqa: S608 - our own
        "destinations_lease_set": f"""AFTER UPDATE ON {TABLE} WHEN OLD.claimed_until IS NOT NEW.claimed_until BEGIN
            DELETE FROM check_leases WHERE destination_id = NEW.id;
            INSERT INTO check_leases (destination_id, claimed_until) {lease}
        END""",  # noqa: S608 - our own
    }
    return {name: f"CREATE TRIGGER {name} {body}" for name, body in triggers.items()}


def _sqlite_guards(columns: set[str]) -> dict[str, str]:
    """The triggers; on SQLite they also stand in for the types that its columns do not have.

    `_sqlite_turns` replaces some of them.
    """
    counted = "UPDATE users SET revision = revision + 1"
    triggers = {
        "destinations_added": f"""AFTER INSERT ON {TABLE} BEGIN
            {counted}, destination_count = destination_count + 1 WHERE id = NEW.user_id;
        END""",
        "destinations_removed": f"""AFTER DELETE ON {TABLE} BEGIN
            {counted}, destination_count = destination_count - 1 WHERE id = OLD.user_id;
        END""",
        "destinations_changed": f"""AFTER UPDATE ON {TABLE} BEGIN
            {counted} WHERE id IN (OLD.user_id, NEW.user_id);
        END""",
        "destinations_moved": f"""AFTER UPDATE OF user_id ON {TABLE} WHEN OLD.user_id <> NEW.user_id BEGIN
            UPDATE users SET destination_count = destination_count - 1 WHERE id = OLD.user_id;
            UPDATE users SET destination_count = destination_count + 1 WHERE id = NEW.user_id;
        END""",  # noqa: S608 - our own
        # REPLACE removes the old row without firing its delete trigger, so it is refused.
        "destinations_replaced": _refusal(
            "BEFORE INSERT",
            f"EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id OR uid = NEW.uid)",  # noqa: S608 - our own
            f"a row of {TABLE} with this id or uid exists; update it instead",
        ),
        # Before the insert, an id that is still to be given reads as -1.
        "destinations_numbered": _refusal(
            "AFTER INSERT",
            "NEW.id NOT BETWEEN 1 AND 2147483647",
            "the id of a backup destination is a positive integer of 31 bits",
        ),
        "destinations_identity": _refusal(
            "BEFORE UPDATE",
            "OLD.id <> NEW.id OR OLD.uid <> NEW.uid",
            "the id and uid of a backup destination never change",
        ),
    }
    for act in ("insert", "update"):
        when = f"BEFORE {act.upper()}"
        triggers[f"destinations_{act}_types"] = _refusal(when, _malformed(columns), _WRONG_TYPE)
        unknown = "a backup destination has an unknown reachability"
        triggers[f"destinations_{act}_reachability"] = _refusal(
            when, f"NEW.reachability NOT IN ({_REACHABILITIES})", unknown
        )
        if columns.issuperset(CHECK_TIMESTAMPS):
            no_text = [f"typeof(NEW.{c}) NOT IN ('text', 'null')" for c in ("last_check", "claim")]
            malformed = " OR ".join((*map(_no_timestamp, CHECK_TIMESTAMPS), *no_text))
            triggers[f"destinations_{act}_check"] = _refusal(when, malformed, _WRONG_TYPE)
    if columns.issuperset(_WITH_PAST_CHECKS):
        triggers["destinations_checks_forgotten"] = f"""AFTER DELETE ON {TABLE} BEGIN
            DELETE FROM past_checks WHERE destination_id = OLD.id;
        END"""  # noqa: S608 - our own
    return {name: f"CREATE TRIGGER {name} {body}" for name, body in triggers.items()}


def _refusal(when: str, condition: str, sentence: str) -> str:
    return f"{when} ON {TABLE} WHEN {condition} BEGIN SELECT RAISE(ABORT, '{sentence}'); END"


def _malformed(columns: set[str]) -> str:
    """SQLite stores any value in any column; PostgreSQL's types refuse these by themselves."""
    there = [attribute for attribute in ATTRIBUTES if attribute in columns]
    texts = [a for a in there if a.rules.type in TEXTS]
    conditions = [f"typeof(NEW.{c}) NOT IN ('text', 'null') OR instr(NEW.{c}, char(0)) > 0" for c in ("uid", *texts)]
    conditions += map(_no_timestamp, TIMESTAMPS)
    conditions.append(
        "NEW.uid NOT GLOB '????????-????-????-????-????????????' OR length(replace(NEW.uid, '-', '')) <> 32"
        " OR NEW.uid GLOB '*[^0-9a-f-]*'"
    )
    # LIKE, in the check constraint, does not tell s1 from S1 here.
    conditions += [f"NEW.{c} NOT GLOB 's1:*:*'" for c in there if c.rules.is_secret]
    conditions += [f"NEW.{c} NOT IN (0, 1)" for c in there if c.rules.type is ValueType.BOOLEAN]
    return " OR ".join(conditions)


def _no_timestamp(column: str) -> str:
    """As the ORM writes it, in UTC and whole seconds: datetime() alone takes 'now', '12:00' and 5 too."""
    return f"NEW.{column} IS NOT datetime(NEW.{column}, '+0 days') || '+00:00'"
