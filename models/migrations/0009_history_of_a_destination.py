"""The events of one destination by index, the oldest by index, and up to which event the history of a user was pruned."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0008_versions_of_31_bits")]

    initial = False

    operations = [
        ops.AddField(model_name="User", name="pruned_event_id", field=fields.BigIntField(default=0, db_default=0)),
        ops.AddIndex(model_name="Event", index=Index(fields=["user_id", "destination_id", "id"])),
        ops.AddIndex(model_name="Event", index=Index(fields=["occurred_at"])),
    ]
