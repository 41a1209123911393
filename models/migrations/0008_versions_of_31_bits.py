"""Versions that GraphQL's `Int` holds, 31 bits: those stored so far are of 63, and are cut to their lower ones."""

from tortoise import migrations
from tortoise.migrations import operations as ops

_CUT = "UPDATE backup_destinations SET version = version & 2147483647 WHERE version > 2147483647"


async def cut(apps, editor):
    await editor.client.execute_query(_CUT)


class Migration(migrations.Migration):
    dependencies = [("models", "0007_versions")]

    initial = False

    operations = [ops.RunPython(cut)]
