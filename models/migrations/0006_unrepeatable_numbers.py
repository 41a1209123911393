"""Revisions and ids of events that no history gives twice: of the clock and chance, and still rising.

A database that is restored from a backup, or whose lagging standby takes over, counts on from an earlier state. What was
numbered by counting would be numbered the same again, for other changes. The triggers that count by one stay as they are.
"""

from tortoise import migrations
from tortoise.migrations import operations as ops

from models.destinations.guards import restore_destination_guards

_POSTGRESQL = (
    # Milliseconds since 1970 above 21 bits of chance; a clock that was set back makes smaller steps, by chance as well.
    """
    CREATE FUNCTION moorings_revise_user() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.revision := greatest(NEW.revision, (extract(epoch FROM clock_timestamp()) * 1000)::bigint << 21)
            + 1 + floor(random() * 2097151)::bigint;
        RETURN NEW;
    END $$
    """,
    # Triggers fire in the order of their names: this one after those that refuse and that count.
    """
    CREATE TRIGGER users_revised BEFORE UPDATE ON users FOR EACH ROW
    WHEN (NEW.revision > OLD.revision) EXECUTE FUNCTION moorings_revise_user()
    """,
    """
    CREATE TRIGGER users_revised_first BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION moorings_revise_user()
    """,
    # Behind the lock on its user: ids of one user's events rise in the order of their commits, whatever the clock does.
    """
    CREATE FUNCTION moorings_number_event() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        last bigint;
    BEGIN
        SELECT max(id) INTO last FROM events WHERE user_id = NEW.user_id;
        NEW.id := (greatest(
            (extract(epoch FROM clock_timestamp()) * 1000)::bigint, (coalesce(last, 0) >> 21) + 1
        ) << 21) | (NEW.id & 2097151);
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER events_numbered BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION moorings_number_event()",
)

_NOW = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) << 21"
_REVISED = f"UPDATE users SET revision = max(NEW.revision, {_NOW}) + 2 + (random() & 2097151) WHERE id = NEW.id;"
_SQLITE = (
    # By one, as the triggers count: so that it does not answer itself where recursive triggers are on.
    f"""
    CREATE TRIGGER users_revised AFTER UPDATE OF revision ON users WHEN NEW.revision = OLD.revision + 1 BEGIN
        {_REVISED}
    END
    """,
    f"""
    CREATE TRIGGER users_revised_first AFTER INSERT ON users BEGIN
        {_REVISED}
    END
    """,
)


async def by_hand(apps, editor):
    for statement in _SQLITE if editor.DIALECT == "sqlite" else _POSTGRESQL:
        await editor.client.execute_query(statement)
    await editor.client.execute_query("UPDATE users SET revision = revision + 1")


class Migration(migrations.Migration):
    dependencies = [("models", "0005_shape_from_the_table")]

    initial = False

    operations = [ops.RunPython(by_hand), ops.RunPython(restore_destination_guards)]
