"""The first tables, with what a row of each kind must have as check constraints."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from models.accounts.viewer import Protocol
from models.destinations.attributes import DestinationKind
from models.events.event import EventKind


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="User",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("email", fields.CharField(unique=True, max_length=255)),
                ("name", fields.CharField(max_length=255)),
                ("revision", fields.BigIntField(default=0, db_default=0)),
                ("destination_count", fields.IntField(default=0, db_default=0)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("disabled_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={"table": "users", "app": "models", "pk_attr": "id", "table_description": "People with API tokens"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="BackupDestination",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("uid", fields.UUIDField(unique=True)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="destinations",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("label", fields.CharField(max_length=255)),
                ("kind", fields.CharEnumField(description="Which kind", enum_type=DestinationKind, max_length=16)),
                ("bucket_name", fields.CharField(null=True, max_length=255)),
                ("region", fields.CharField(null=True, max_length=255)),
                ("endpoint", fields.CharField(null=True, max_length=2048)),
                ("path_style_endpoint", fields.BooleanField(null=True)),
                ("access_key", fields.TextField(null=True, unique=False)),
                ("secret_key", fields.TextField(null=True, unique=False)),
                ("credentials_set_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "backup_destinations",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Places backups go",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Event",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="events",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("kind", fields.CharEnumField(description="What happened", enum_type=EventKind, max_length=16)),
                ("destination_id", fields.IntField()),
                ("label", fields.CharField(max_length=255)),
                ("changed_fields", fields.CharField(default="", db_default="", max_length=255)),
                ("protocol", fields.CharEnumField(description="Through which door", enum_type=Protocol, max_length=16)),
                ("token_id", fields.IntField(null=True)),
                ("token_name", fields.CharField(null=True, max_length=255)),
                ("occurred_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "events",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What happened to backup destinations",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Token",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="tokens",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("name", fields.CharField(max_length=255)),
                ("digest", fields.CharField(unique=True, max_length=64)),
                ("abilities", fields.CharField(max_length=255)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("revoked_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("last_used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "tokens",
                "app": "models",
                "pk_attr": "id",
                "table_description": "API tokens, by the digest of their secret",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="VaultKey",
            fields=[
                ("key_id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=32)),
                ("proof", fields.TextField(unique=False)),
            ],
            options={
                "table": "vault_keys",
                "app": "models",
                "pk_attr": "key_id",
                "table_description": "Keys that have been configured once",
            },
            bases=["Model"],
        ),
        # CreateModel emits no check constraints, and SQLite makes a table anew to add one, which drops its indexes:
        # hence constraints first and indexes last, as operations of their own.
        ops.AddConstraint(
            model_name="User",
            constraint=CheckConstraint(check="length(name) BETWEEN 1 AND 255", name="users_name_length"),
        ),
        ops.AddConstraint(
            model_name="User",
            constraint=CheckConstraint(check="length(email) BETWEEN 3 AND 255", name="users_email_length"),
        ),
        ops.AddConstraint(
            model_name="BackupDestination",
            constraint=CheckConstraint(check="length(label) BETWEEN 1 AND 255", name="backup_destinations_label"),
        ),
        ops.AddConstraint(
            model_name="BackupDestination",
            constraint=CheckConstraint(
                check="coalesce(CASE kind WHEN 'local' THEN bucket_name IS NULL AND region IS NULL AND endpoint IS NULL  AND path_style_endpoint IS NULL AND access_key IS NULL AND secret_key IS NULL AND credentials_set_at IS NULL WHEN 'amazon_s3' THEN length(bucket_name) BETWEEN 1 AND 255 AND path_style_endpoint IS NOT NULL AND length(region) BETWEEN 1 AND 255 AND endpoint IS NULL AND access_key LIKE 's1:%:%' AND secret_key LIKE 's1:%:%' AND credentials_set_at IS NOT NULL WHEN 'custom_s3' THEN length(bucket_name) BETWEEN 1 AND 255 AND path_style_endpoint IS NOT NULL AND (region IS NULL OR length(region) BETWEEN 1 AND 255) AND lower(endpoint) LIKE 'http%://%'  AND length(endpoint) <= 2048 AND access_key LIKE 's1:%:%' AND secret_key LIKE 's1:%:%' AND credentials_set_at IS NOT NULL END, 1 = 0)",
                name="backup_destinations_shape",
            ),
        ),
        ops.AddIndex(model_name="BackupDestination", index=Index(fields=["user_id", "id"])),
        ops.AddIndex(model_name="Event", index=Index(fields=["user_id", "id"])),
    ]
