"""The triggers that let rows of the audit be added only, and that copy the events of destinations into it.

An event is stored in the transaction of its change, by whatever statement, and its trigger adds the entry of the
audit there too. `restore_audit_guards` makes the triggers; a migration that changes one of the tables ends with it,
because on SQLite the ORM may make a table anew and drop its triggers. The triggers name no other table than these: a
table that a trigger elsewhere names cannot be made anew.
"""

from __future__ import annotations

from typing import Any

_APPEND_ONLY = "rows are only added to the audit"
_RECENT = "entries of the audit that are younger than a day are never removed"

_ENDPOINT_CHANGED = "{position}(' ' || {row}.changed_fields || ' ', ' {attribute} ') > 0"


def _columns(row: str, *, position: str, detail: str) -> str:
    """The values of an entry made of a row of `events`."""
    changed = " OR ".join(
        _ENDPOINT_CHANGED.format(position=position, row=row, attribute=attribute) for attribute in ("endpoint", "kind")
    )
    return f"""
        {row}.occurred_at,
        CASE WHEN {row}.kind = 'created' THEN 'destination_created'
             WHEN {row}.kind = 'deleted' THEN 'destination_deleted'
             WHEN {row}.kind = 'access_granted' THEN 'destination_access_granted'
             WHEN {changed} THEN 'destination_endpoint_changed'
             ELSE 'destination_updated' END,
        CASE {row}.protocol WHEN 'command_line' THEN 'operator' WHEN 'scheduler' THEN 'gateway' ELSE 'user' END,
        {row}.user_id, {row}.token_id, 'destination ' || {row}.destination_id,
        {row}.address, {row}.protocol, {row}.request_id,
        {detail}"""


_ENTRY = "audit (occurred_at, kind, actor, user_id, token_id, subject, address, protocol, request_id, detail)"


def _detail(row: str) -> str:
    return f"'label', {row}.label, 'changed', nullif({row}.changed_fields, ''), 'endpoint', {row}.new_endpoint"


def _postgresql_detail(row: str, *, with_grants: bool) -> str:
    """The expression of an entry's `detail`, text in JSON; `with_grants` for events that have `granted`."""
    change = f"json_build_object({_detail(row)})"
    if not with_grants:
        return f"{change}::text"
    grant = f"json_build_object('label', {row}.label, 'granted', {row}.granted::json)"
    return f"(CASE WHEN {row}.granted IS NULL THEN {change} ELSE {grant} END)::text"


def _sqlite_detail(row: str, *, with_grants: bool) -> str:
    """The same for SQLite."""
    change = f"json_object({_detail(row)})"
    if not with_grants:
        return change
    grant = f"json_object('label', {row}.label, 'granted', json({row}.granted))"
    return f"CASE WHEN {row}.granted IS NULL THEN {change} ELSE {grant} END"


def _postgresql_copying(*, with_grants: bool) -> str:
    return f"""
    CREATE OR REPLACE FUNCTION moorings_audit_events() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO {_ENTRY}
        SELECT {_columns("added", position="strpos", detail=_postgresql_detail("added", with_grants=with_grants))}
        FROM added WHERE added.kind <> 'checked';
        RETURN NULL;
    END $$
    """  # noqa: S608 - our own


def _sqlite_copying(*, with_grants: bool) -> str:
    return f"""
    CREATE TRIGGER events_audited AFTER INSERT ON events WHEN NEW.kind <> 'checked' BEGIN
        INSERT INTO {_ENTRY}
        SELECT {_columns("NEW", position="instr", detail=_sqlite_detail("NEW", with_grants=with_grants))};
    END
    """


_POSTGRESQL = (
    f"""
    CREATE OR REPLACE FUNCTION moorings_refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '{_APPEND_ONLY}' USING ERRCODE = 'check_violation';
    END $$
    """,
    f"""
    CREATE OR REPLACE FUNCTION moorings_refuse_audit_removal() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT EXISTS (SELECT 1 FROM audit_pruning WHERE OLD.occurred_at < horizon) THEN
            RAISE EXCEPTION '{_APPEND_ONLY}' USING ERRCODE = 'check_violation';
        END IF;
        RETURN OLD;
    END $$
    """,  # noqa: S608 - our own
    f"""
    CREATE OR REPLACE FUNCTION moorings_refuse_recent_pruning() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '{_RECENT}' USING ERRCODE = 'check_violation';
    END $$
    """,
    """
    CREATE OR REPLACE TRIGGER audit_changed BEFORE UPDATE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION moorings_refuse_audit_change()
    """,
    """
    CREATE OR REPLACE TRIGGER audit_removed BEFORE DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION moorings_refuse_audit_removal()
    """,
    """
    CREATE OR REPLACE TRIGGER audit_pruning_recent BEFORE INSERT OR UPDATE ON audit_pruning FOR EACH ROW
    WHEN (NEW.horizon > now() - interval '1 day') EXECUTE FUNCTION moorings_refuse_recent_pruning()
    """,
    """
    CREATE OR REPLACE TRIGGER events_audited AFTER INSERT ON events
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION moorings_audit_events()
    """,
    "CREATE INDEX IF NOT EXISTS audit_addresses ON audit (token_id, address) WHERE kind = 'address_first_seen'",
)


def _sqlite_refusal(name: str, when: str, table: str, condition: str, sentence: str) -> tuple[str, str]:
    return (
        f"DROP TRIGGER IF EXISTS {name}",
        f"CREATE TRIGGER {name} {when} ON {table} {condition} BEGIN SELECT RAISE(ABORT, '{sentence}'); END",
    )


_YESTERDAY = "strftime('%Y-%m-%d %H:%M:%S', 'now', '-1 day') || '+00:00'"
_SQLITE = (
    *_sqlite_refusal("audit_changed", "BEFORE UPDATE", "audit", "", _APPEND_ONLY),
    *_sqlite_refusal(
        "audit_removed",
        "BEFORE DELETE",
        "audit",
        "WHEN NOT EXISTS (SELECT 1 FROM audit_pruning WHERE OLD.occurred_at < horizon)",
        _APPEND_ONLY,
    ),
    # REPLACE removes the old row without firing its delete trigger.
    *_sqlite_refusal(
        "audit_replaced",
        "BEFORE INSERT",
        "audit",
        "WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)",
        _APPEND_ONLY,
    ),
    *(
        statement
        for act in ("INSERT", "UPDATE")
        for statement in _sqlite_refusal(
            f"audit_pruning_recent_{act.lower()}",
            f"BEFORE {act}",
            "audit_pruning",
            f"WHEN NEW.horizon IS NOT datetime(NEW.horizon, '+0 days') || '+00:00' OR NEW.horizon > {_YESTERDAY}",
            _RECENT,
        )
    ),
    "DROP TRIGGER IF EXISTS events_audited",
    "CREATE INDEX IF NOT EXISTS audit_addresses ON audit (token_id, address) WHERE kind = 'address_first_seen'",
)


_POSTGRESQL_COLUMNS = (
    "SELECT attname AS name FROM pg_attribute WHERE attrelid = 'events'::regclass AND NOT attisdropped"
)


async def restore_audit_guards(_apps: object, editor: Any) -> None:
    """Make the triggers and the index of the audit on either engine, for the columns that events have by now.

    A second time changes nothing.
    """
    is_sqlite = editor.DIALECT == "sqlite"
    found = await editor.client.execute_query_dict("PRAGMA table_info(events)" if is_sqlite else _POSTGRESQL_COLUMNS)
    with_grants = "granted" in {row["name"] for row in found}
    if is_sqlite:
        statements = (*_SQLITE, _sqlite_copying(with_grants=with_grants))
    else:
        statements = (_postgresql_copying(with_grants=with_grants), *_POSTGRESQL)
    for statement in statements:
        await editor.client.execute_query(statement)
