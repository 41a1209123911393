"""Destinations that came in while triggers were off get their turn of checks, and no token the id of another of before."""

from tortoise import migrations
from tortoise.migrations import operations as ops

from models.accounts.token_ids import raise_token_ids
from models.checks.check_turn import fill_all_missing
from models.destinations.guards import restore_destination_guards


class Migration(migrations.Migration):
    dependencies = [("models", "0017_check_turns")]

    initial = False

    operations = [
        ops.RunPython(fill_all_missing),
        ops.RunPython(raise_token_ids),
        ops.RunPython(restore_destination_guards),
    ]
