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
    CREATE TRIGGER events_changed AFTER UPDATE ON events
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION moorings_raise_revision()
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
)

_TEXTS = ("label", "bucket_name", "region", "endpoint", "access_key", "secret_key")
_NOT_TEXT = " OR ".join(f"typeof(NEW.{c}) NOT IN ('text', 'null') OR instr(NEW.{c}, char(0)) > 0" for c in _TEXTS)
_NO_MOMENT = " OR ".join(f"datetime(NEW.{c}) IS NULL" for c in ("created_at", "updated_at"))
_MALFORMED = f"{_NOT_TEXT} OR {_NO_MOMENT} OR NEW.path_style_endpoint NOT IN (0, 1)"

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
    """
    CREATE TRIGGER destinations_replaced BEFORE INSERT ON backup_destinations
    WHEN EXISTS (SELECT 1 FROM backup_destinations WHERE id = NEW.id OR uid = NEW.uid) BEGIN
        SELECT RAISE(ABORT, 'a backup destination with this id exists; update it instead');
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
            UPDATE users SET revision = revision + 1 WHERE id = {row}.user_id;
        END
        """
        for name, act, row in (("added", "INSERT", "NEW"), ("removed", "DELETE", "OLD"), ("changed", "UPDATE", "NEW"))
    ),
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
