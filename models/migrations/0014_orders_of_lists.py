"""Indexes for lists in the order of kinds, buckets and last checks."""

from tortoise import migrations
from tortoise.migrations import operations as ops

from models.destinations.guards import restore_destination_guards


class Migration(migrations.Migration):
    dependencies = [("models", "0013_grants")]

    initial = False

    operations = [ops.RunPython(restore_destination_guards)]
