"""What holds under any SQL, on either engine: the user's revision and count, immutable ids, text that is text.

Written by hand, since the ORM knows no triggers. A later migration that makes one of these tables anew on SQLite must
create its triggers again.
"""

from tortoise import migrations
from tortoise.migrations import operations as ops

_POSTGRESQL = (
    # Statement-level with transition tables: a bulk statement costs one update per user, not one per row.
    """
    CREATE FUNCTION moorings_count_destinations() RETURNS trigger LANGUAGE plpgsql AS $$
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
            FROM (
                SELECT user_id, sum(step) AS n
                FROM (SELECT user_id, 1 AS step FROM added UNION ALL SELECT user_id, -1 FROM removed) AS steps
                GROUP BY user_id
            ) AS change
            WHERE users.id = change.user_id;
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER destinations_added AFTER INSERT ON backup_destinations
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION moorings_count_destinations()
    """,
    """
    CREATE TRIGGER destinations_changed AFTER UPDATE ON backup_destinations
    REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT
    EXECUTE FUNCTION moorings_count_destinations()
    """,
    """
    CREATE TRIGGER destinations_removed AFTER DELETE ON backup_destinations
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION moorings_count_destinations()
    """,
    """
    CREATE FUNCTION moorings_forget_destinations() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE users SET revision = revision + 1, destination_count = 0;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER destinations_truncated AFTER TRUNCATE ON backup_destinations
    FOR EACH STATEMENT EXECUTE FUNCTION moorings_forget_destinations()
    """,
    """
    CREATE FUNCTION moorings_refuse_identity_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the id and uid of a backup destination never change' USING ERRCODE = 'check_violation';
    END $$
    """,
    """
    CREATE TRIGGER destinations_identity BEFORE UPDATE ON backup_destinations FOR EACH ROW
    WHEN (OLD.id <> NEW.id OR OLD.uid <> NEW.uid) EXECUTE FUNCTION moorings_refuse_identity_change()
    """,
    """
    CREATE FUNCTION moorings_raise_revision() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE users SET revision = revision + 1 WHERE id IN (SELECT user_id FROM touched);
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER events_added AFTER INSERT ON events
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION moorings_raise_revision()
    """,
    """
    CREATE TRIGGER events_removed AFTER DELETE ON events
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION moorings_raise_revision()
    """,
    """
    CREATE FUNCTION moorings_raise_both_revisions() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE users SET revision = revision + 1
        WHERE id IN (SELECT user_id FROM removed UNION SELECT user_id FROM added);
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER events_changed AFTER UPDATE ON events
    REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT
    EXECUTE FUNCTION moorings_raise_both_revisions()
    """,
    """
    CREATE FUNCTION moorings_raise_all_revisions() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE users SET revision = revision + 1;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER events_truncated AFTER TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION moorings_raise_all_revisions()
    """,
    """
    CREATE FUNCTION moorings_raise_own_revision() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.revision := OLD.revision + 1;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER users_changed BEFORE UPDATE ON users FOR EACH ROW
    WHEN (OLD.name <> NEW.name OR OLD.email <> NEW.email) EXECUTE FUNCTION moorings_raise_own_revision()
    """,
    """
    CREATE FUNCTION moorings_refuse_old_revision() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the revision of a user never falls' USING ERRCODE = 'check_violation';
    END $$
    """,
    # Triggers fire in the order of their names: this one sees what the statement says before users_changed does.
    """
    CREATE TRIGGER users_backwards BEFORE UPDATE OF revision ON users FOR EACH ROW
    WHEN (NEW.revision < OLD.revision) EXECUTE FUNCTION moorings_refuse_old_revision()
    """,
    # Python's moments end where the year has more than four digits, and its ids begin at one.
    """
    ALTER TABLE backup_destinations
    ADD CONSTRAINT backup_destinations_id CHECK (id > 0),
    ADD CONSTRAINT backup_destinations_moments CHECK (
        created_at >= '0001-01-01 UTC' AND created_at < '10000-01-01 UTC'
        AND updated_at >= '0001-01-01 UTC' AND updated_at < '10000-01-01 UTC'
        AND credentials_set_at >= '0001-01-01 UTC' AND credentials_set_at < '10000-01-01 UTC'
    )
    """,
)

_TEXTS = ("uid", "label", "bucket_name", "region", "endpoint", "access_key", "secret_key")
_NOT_TEXT = " OR ".join(f"typeof(NEW.{c}) NOT IN ('text', 'null') OR instr(NEW.{c}, char(0)) > 0" for c in _TEXTS)
# As the ORM writes it, in UTC and whole seconds: datetime() alone takes 'now', '12:00', 5 and the 30th of February too.
_MOMENTS = ("created_at", "updated_at", "credentials_set_at")
_NO_MOMENT = " OR ".join(f"NEW.{c} IS NOT datetime(NEW.{c}, '+0 days') || '+00:00'" for c in _MOMENTS)
_NO_UID = (
    "NEW.uid NOT GLOB '????????-????-????-????-????????????' OR length(replace(NEW.uid, '-', '')) <> 32"
    " OR NEW.uid GLOB '*[^0-9a-f-]*'"
)
# LIKE, in the check constraint, does not tell s1 from S1 here.
_NO_ENVELOPE = " OR ".join(f"NEW.{c} NOT GLOB 's1:*:*'" for c in ("access_key", "secret_key"))
_NO_BOOLEAN = "NEW.path_style_endpoint NOT IN (0, 1)"
_MALFORMED = " OR ".join((_NOT_TEXT, _NO_MOMENT, _NO_UID, _NO_ENVELOPE, _NO_BOOLEAN))

_SQLITE = (
    """
    CREATE TRIGGER destinations_added AFTER INSERT ON backup_destinations BEGIN
        UPDATE users SET revision = revision + 1, destination_count = destination_count + 1 WHERE id = NEW.user_id;
    END
    """,
    """
    CREATE TRIGGER destinations_removed AFTER DELETE ON backup_destinations BEGIN
        UPDATE users SET revision = revision + 1, destination_count = destination_count - 1 WHERE id = OLD.user_id;
    END
    """,
    """
    CREATE TRIGGER destinations_changed AFTER UPDATE ON backup_destinations BEGIN
        UPDATE users SET revision = revision + 1 WHERE id IN (OLD.user_id, NEW.user_id);
    END
    """,
    """
    CREATE TRIGGER destinations_moved AFTER UPDATE OF user_id ON backup_destinations
    WHEN OLD.user_id <> NEW.user_id BEGIN
        UPDATE users SET destination_count = destination_count - 1 WHERE id = OLD.user_id;
        UPDATE users SET destination_count = destination_count + 1 WHERE id = NEW.user_id;
    END
    """,
    # REPLACE removes the old row without firing its delete trigger, so it is refused.
    *(
        f"""
        CREATE TRIGGER {name}_replaced BEFORE INSERT ON {table}
        WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id OR {unique} = NEW.{unique}) BEGIN
            SELECT RAISE(ABORT, 'a row of {table} with this id or {unique} exists; update it instead');
        END
        """
        for name, table, unique in (
            ("destinations", "backup_destinations", "uid"),
            ("events", "events", "id"),
            ("users", "users", "email"),
        )
    ),
    # Before the insert, an id that is still to be given reads as -1.
    """
    CREATE TRIGGER destinations_numbered AFTER INSERT ON backup_destinations WHEN NEW.id NOT BETWEEN 1 AND 2147483647 BEGIN
        SELECT RAISE(ABORT, 'the id of a backup destination is a positive integer of 31 bits');
    END
    """,
    """
    CREATE TRIGGER destinations_identity BEFORE UPDATE ON backup_destinations
    WHEN OLD.id <> NEW.id OR OLD.uid <> NEW.uid BEGIN
        SELECT RAISE(ABORT, 'the id and uid of a backup destination never change');
    END
    """,
    # SQLite keeps any value in any column; PostgreSQL's types refuse these by themselves.
    f"""
    CREATE TRIGGER destinations_insert_types BEFORE INSERT ON backup_destinations WHEN {_MALFORMED} BEGIN
        SELECT RAISE(ABORT, 'a column of backup_destinations holds a value of the wrong type');
    END
    """,
    f"""
    CREATE TRIGGER destinations_update_types BEFORE UPDATE ON backup_destinations WHEN {_MALFORMED} BEGIN
        SELECT RAISE(ABORT, 'a column of backup_destinations holds a value of the wrong type');
    END
    """,
    *(
        f"""
        CREATE TRIGGER events_{name} AFTER {act} ON events BEGIN
            UPDATE users SET revision = revision + 1 WHERE id IN ({users});
        END
        """
        for name, act, users in (
            ("added", "INSERT", "NEW.user_id"),
            ("removed", "DELETE", "OLD.user_id"),
            ("changed", "UPDATE", "OLD.user_id, NEW.user_id"),
        )
    ),
    """
    CREATE TRIGGER users_backwards BEFORE UPDATE OF revision ON users WHEN NEW.revision < OLD.revision BEGIN
        SELECT RAISE(ABORT, 'the revision of a user never falls');
    END
    """,
    """
    CREATE TRIGGER users_changed AFTER UPDATE OF name, email ON users
    WHEN OLD.name <> NEW.name OR OLD.email <> NEW.email BEGIN
        UPDATE users SET revision = revision + 1 WHERE id = NEW.id;
    END
    """,
)


async def create_triggers(apps, editor):
    for statement in _SQLITE if editor.DIALECT == "sqlite" else _POSTGRESQL:
        await editor.client.execute_query(statement)


class Migration(migrations.Migration):
    dependencies = [("models", "0001_initial")]

    operations = [ops.RunPython(create_triggers)]
