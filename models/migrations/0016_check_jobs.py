"""Jobs of checks, of which one of a user runs at a time."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from models.checks.check_job import CheckJobState


async def one_at_a_time(apps, editor):
    await editor.client.execute_query(
        "CREATE UNIQUE INDEX check_jobs_running ON check_jobs (user_id) WHERE state = 'running'"
    )


class Migration(migrations.Migration):
    dependencies = [("models", "0015_takeover")]

    initial = False

    operations = [
        ops.CreateModel(
            name="CheckJob",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="check_jobs",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(description="Whether it goes on", enum_type=CheckJobState, max_length=16),
                ),
                ("total", fields.IntField()),
                ("reachable", fields.IntField(default=0, db_default=0)),
                ("unreachable", fields.IntField(default=0, db_default=0)),
                ("left_out", fields.IntField(default=0, db_default=0)),
                ("started_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("alive_until", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "check_jobs",
                "app": "models",
                "indexes": [Index(fields=["user_id", "id"])],
                "pk_attr": "id",
                "table_description": "Checks of many destinations",
            },
            bases=["Model"],
        ),
        ops.RunPython(one_at_a_time),
    ]
