"""The audit; addresses, request ids and endpoints of events; from where tokens were and may be used."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from models.audit.entry import Actor, AuditKind
from models.audit.guards import restore_audit_guards


class Migration(migrations.Migration):
    dependencies = [("models", "0010_idempotency_keys")]

    initial = False

    operations = [
        ops.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("occurred_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("kind", fields.CharEnumField(description="What was done", enum_type=AuditKind, max_length=32)),
                ("actor", fields.CharEnumField(description="Whose act it was", enum_type=Actor, max_length=16)),
                ("os_user", fields.CharField(null=True, max_length=255)),
                ("user_id", fields.IntField(null=True)),
                ("token_id", fields.IntField(null=True)),
                ("subject", fields.CharField(max_length=255)),
                ("address", fields.CharField(null=True, max_length=64)),
                ("protocol", fields.CharField(null=True, max_length=16)),
                ("request_id", fields.CharField(null=True, max_length=128)),
                ("detail", fields.TextField(default="{}", unique=False)),
            ],
            options={
                "table": "audit",
                "app": "models",
                "indexes": [Index(fields=["user_id", "id"]), Index(fields=["occurred_at"])],
                "pk_attr": "id",
                "table_description": "Who did what, when and from where",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AuditPruning",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("horizon", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "audit_pruning",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Has a row only while old entries of the audit are removed",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Event",
            name="address",
            field=fields.CharField(null=True, max_length=64),
        ),
        ops.AddField(
            model_name="Event",
            name="new_endpoint",
            field=fields.CharField(null=True, max_length=2048),
        ),
        ops.AddField(
            model_name="Event",
            name="request_id",
            field=fields.CharField(null=True, max_length=128),
        ),
        ops.AddField(
            model_name="Token",
            name="last_address",
            field=fields.CharField(null=True, max_length=64),
        ),
        ops.AddField(
            model_name="Token",
            name="networks",
            field=fields.CharField(default="", db_default="", max_length=1024),
        ),
        ops.RunPython(restore_audit_guards),
    ]
