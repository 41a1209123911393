"""The version of a destination, for changes that are meant for the row that a client has seen."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from models.destinations.guards import restore_destination_guards


class Migration(migrations.Migration):
    dependencies = [("models", "0006_unrepeatable_numbers")]

    initial = False

    operations = [
        ops.AddField(
            model_name="BackupDestination",
            name="version",
            field=fields.BigIntField(default=0, db_default=0),
        ),
        ops.RunPython(restore_destination_guards),
    ]
