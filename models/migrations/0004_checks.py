"""What the last check of a destination found, who checks it just now; and what is due, or sealed, found by index."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

_KEY_IDS = "substr({0}, 4, {1}(substr({0}, 4), ':') - 1)"
_INDEXES = (
    "CREATE INDEX destinations_due ON backup_destinations (coalesce(checked_at, created_at)) WHERE bucket_name IS NOT NULL",
    "CREATE INDEX destinations_claimed ON backup_destinations (claimed_until) WHERE claimed_until IS NOT NULL",
)
_POSTGRESQL = (
    """
    ALTER TABLE backup_destinations ADD CONSTRAINT backup_destinations_check_moments CHECK (
        checked_at >= '0001-01-01 UTC' AND checked_at < '10000-01-01 UTC'
        AND claimed_until >= '0001-01-01 UTC' AND claimed_until < '10000-01-01 UTC'
    )
    """,
)
_NO_MOMENT = " OR ".join(
    f"NEW.{c} IS NOT datetime(NEW.{c}, '+0 days') || '+00:00'" for c in ("checked_at", "claimed_until")
)
_NO_TEXT = " OR ".join(f"typeof(NEW.{c}) NOT IN ('text', 'null')" for c in ("last_check", "claim"))
_SQLITE = tuple(
    f"""
    CREATE TRIGGER destinations_{act}_check BEFORE {act} ON backup_destinations WHEN {_NO_MOMENT} OR {_NO_TEXT} BEGIN
        SELECT RAISE(ABORT, 'a column of backup_destinations holds a value of the wrong type');
    END
    """
    for act in ("insert", "update")
)


async def by_hand(apps, editor):
    position = "instr" if editor.DIALECT == "sqlite" else "strpos"
    pair = ", ".join(_KEY_IDS.format(column, position) for column in ("access_key", "secret_key"))
    # The keys in use are asked for at every start.
    sealed = f"CREATE INDEX destinations_sealed ON backup_destinations ({pair}) WHERE access_key IS NOT NULL"
    for statement in (*_INDEXES, sealed, *(_SQLITE if editor.DIALECT == "sqlite" else _POSTGRESQL)):
        await editor.client.execute_query(statement)


class Migration(migrations.Migration):
    dependencies = [("models", "0003_reachability_and_orders")]

    initial = False

    operations = [
        ops.AddField(
            model_name="BackupDestination",
            name="checked_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(model_name="BackupDestination", name="claim", field=fields.CharField(null=True, max_length=32)),
        ops.AddField(
            model_name="BackupDestination",
            name="claimed_until",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="BackupDestination", name="last_check", field=fields.TextField(null=True, unique=False)
        ),
        ops.AddField(model_name="Event", name="reachable", field=fields.BooleanField(null=True)),
        ops.RunPython(by_hand),
    ]
