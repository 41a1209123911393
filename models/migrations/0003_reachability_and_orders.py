"""What the last check found, the orders GraphQL pages by, and a hint to listeners that something happened."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from models.destinations.attributes import Reachability

_KNOWN = "('unknown', 'checking', 'reachable', 'unreachable')"

_POSTGRESQL = (
    # Not a constraint of the model's Meta: to add one, SQLite would make the table anew, without its triggers.
    f"ALTER TABLE backup_destinations ADD CONSTRAINT backup_destinations_reachability CHECK (reachability IN {_KNOWN})",
    # By code point, as SQLite orders and compares, whatever the database's own collation.
    'ALTER TABLE backup_destinations ALTER COLUMN label TYPE varchar(255) COLLATE "C"',
    """
    CREATE FUNCTION moorings_tell_listeners() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('moorings_events', user_id::text) FROM (SELECT DISTINCT user_id FROM added) AS users;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER events_told AFTER INSERT ON events
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION moorings_tell_listeners()
    """,
)


_SQLITE = tuple(
    f"""
    CREATE TRIGGER destinations_{act}_reachability BEFORE {act} ON backup_destinations
    WHEN NEW.reachability NOT IN {_KNOWN} BEGIN
        SELECT RAISE(ABORT, 'a backup destination has an unknown reachability');
    END
    """
    for act in ("insert", "update")
)


async def by_hand(apps, editor):
    for statement in _SQLITE if editor.DIALECT == "sqlite" else _POSTGRESQL:
        await editor.client.execute_query(statement)


class Migration(migrations.Migration):
    dependencies = [("models", "0002_triggers")]

    initial = False

    operations = [
        ops.AddField(
            model_name="BackupDestination",
            name="reachability",
            field=fields.CharEnumField(
                default=Reachability.UNKNOWN,
                description="What the last check found",
                db_default="unknown",
                enum_type=Reachability,
                max_length=16,
            ),
        ),
        # By hand: what the ORM cannot say, and before the index that needs the collation.
        ops.RunPython(by_hand),
        ops.AddIndex(model_name="BackupDestination", index=Index(fields=["user_id", "created_at", "id"])),
        ops.AddIndex(model_name="BackupDestination", index=Index(fields=["user_id", "updated_at", "id"])),
        ops.AddIndex(model_name="BackupDestination", index=Index(fields=["user_id", "label", "id"])),
    ]
