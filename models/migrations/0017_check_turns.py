"""What changes with every check, found by indexes of its own; and a revision for the time and report of checks alone.

On PostgreSQL the table of destinations is locked against writes while the turns are filled, and against reads only for
the statements behind that, none of which looks at a row.
"""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from models.destinations.guards import fill_turns, restore_destination_guards, turn_indexes

_LOCK = "LOCK TABLE backup_destinations IN SHARE ROW EXCLUSIVE MODE"
_NO_LONGER_NEEDED = ("destinations_due", "destinations_claimed", "destinations_by_checked_at")
# Room in each page for the next version of a row: without it every update goes to another page and into every index.
_ROOM = (
    "ALTER TABLE backup_destinations SET (fillfactor = 75)",
    "ALTER TABLE users SET (fillfactor = 75)",
)


async def forget(apps, editor):
    """Both tables are made anew from the destinations: a restore of an older backup leaves those of before."""
    for table in ("check_turns", "check_leases"):
        await editor.client.execute_query(f"DROP TABLE IF EXISTS {table}")


async def fill(apps, editor):
    is_sqlite = editor.DIALECT == "sqlite"
    if not is_sqlite:
        await editor.client.execute_query(_LOCK)
    for statement in (*fill_turns(), *turn_indexes(is_sqlite=is_sqlite)):
        await editor.client.execute_query(statement)


async def move(apps, editor):
    dropped = [f"DROP INDEX IF EXISTS {name}" for name in _NO_LONGER_NEEDED]
    for statement in (*dropped, *(() if editor.DIALECT == "sqlite" else _ROOM)):
        await editor.client.execute_query(statement)


class Migration(migrations.Migration):
    dependencies = [("models", "0016_check_jobs")]

    initial = False

    operations = [
        ops.RunPython(forget),
        ops.CreateModel(
            name="CheckTurn",
            fields=[
                ("destination_id", fields.IntField(generated=False, primary_key=True, unique=True, db_index=True)),
                ("user_id", fields.IntField()),
                ("since", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("checked_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "check_turns",
                "app": "models",
                "pk_attr": "destination_id",
                "table_description": "When backup destinations are due for a check",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="CheckLease",
            fields=[
                ("destination_id", fields.IntField(generated=False, primary_key=True, unique=True, db_index=True)),
                ("claimed_until", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "check_leases",
                "app": "models",
                "pk_attr": "destination_id",
                "table_description": "Backup destinations that are being checked",
            },
            bases=["Model"],
        ),
        ops.RunPython(fill),
        # Reads of the users and of the destinations wait from here on, until the end of the transaction.
        ops.AddField(
            model_name="User",
            name="checks_revision",
            field=fields.BigIntField(default=0, db_default=0),
        ),
        ops.RunPython(move),
        ops.RunPython(restore_destination_guards),
    ]
