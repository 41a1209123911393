"""Grants of access to what destinations hold; what an event says of one."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from models.audit.guards import restore_audit_guards
from models.grants.grant import GrantOperation


class Migration(migrations.Migration):
    dependencies = [("models", "0012_check_prefix_and_past_checks")]

    initial = False

    operations = [
        ops.CreateModel(
            name="AccessGrant",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="grants",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("token_id", fields.IntField(null=True)),
                ("destination_id", fields.IntField()),
                (
                    "operation",
                    fields.CharEnumField(description="What was granted", enum_type=GrantOperation, max_length=16),
                ),
                ("object_key", fields.CharField(null=True, max_length=1024)),
                ("prefix", fields.CharField(null=True, max_length=1024)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "access_grants",
                "app": "models",
                "indexes": [Index(fields=["destination_id", "created_at"]), Index(fields=["created_at"])],
                "pk_attr": "id",
                "table_description": "What was granted to whom, until when",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Event",
            name="granted",
            field=fields.TextField(null=True, unique=False),
        ),
        ops.RunPython(restore_audit_guards),
    ]
