"""What a check may touch and trust, for each destination; the checks that were made; the hosts that they go to."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from models.destinations.guards import restore_destination_guards


class Migration(migrations.Migration):
    dependencies = [("models", "0011_audit")]

    initial = False

    operations = [
        ops.CreateModel(
            name="PastCheck",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("destination_id", fields.IntField()),
                ("report", fields.TextField(unique=False)),
            ],
            options={
                "table": "past_checks",
                "app": "models",
                "indexes": [Index(fields=["destination_id", "id"])],
                "pk_attr": "id",
                "table_description": "The checks of backup destinations",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="StoreHost",
            fields=[
                ("host", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=255)),
                ("free_at_ms", fields.BigIntField()),
            ],
            options={
                "table": "store_hosts",
                "app": "models",
                "pk_attr": "host",
                "table_description": "Hosts that checks by the clock go to",
            },
            bases=["Model"],
        ),
        ops.RemoveConstraint(
            model_name="BackupDestination",
            name="backup_destinations_shape",
            fields=None,
        ),
        ops.AddField(
            model_name="BackupDestination",
            name="certificate_authorities",
            field=fields.CharField(null=True, max_length=8192),
        ),
        ops.AddField(
            model_name="BackupDestination",
            name="check_prefix",
            field=fields.CharField(null=True, max_length=255),
        ),
        ops.AddConstraint(
            model_name="BackupDestination",
            constraint=CheckConstraint(
                check="coalesce(CASE kind WHEN 'amazon_s3' THEN access_key LIKE 's1:%:%' AND secret_key LIKE 's1:%:%' AND length(bucket_name) BETWEEN 1 AND 255 AND length(region) BETWEEN 1 AND 255 AND endpoint IS NULL AND path_style_endpoint IS NOT NULL AND (check_prefix IS NULL OR (length(check_prefix) BETWEEN 1 AND 255)) AND (certificate_authorities IS NULL OR (length(certificate_authorities) BETWEEN 1 AND 8192)) AND credentials_set_at IS NOT NULL WHEN 'custom_s3' THEN access_key LIKE 's1:%:%' AND secret_key LIKE 's1:%:%' AND length(bucket_name) BETWEEN 1 AND 255 AND (region IS NULL OR (length(region) BETWEEN 1 AND 255)) AND lower(endpoint) LIKE 'http%://%' AND length(endpoint) <= 2048 AND path_style_endpoint IS NOT NULL AND (check_prefix IS NULL OR (length(check_prefix) BETWEEN 1 AND 255)) AND (certificate_authorities IS NULL OR (length(certificate_authorities) BETWEEN 1 AND 8192)) AND credentials_set_at IS NOT NULL WHEN 'local' THEN access_key IS NULL AND secret_key IS NULL AND bucket_name IS NULL AND region IS NULL AND endpoint IS NULL AND path_style_endpoint IS NULL AND check_prefix IS NULL AND certificate_authorities IS NULL AND credentials_set_at IS NULL END, 1 = 0)",
                name="backup_destinations_shape",
            ),
        ),
        ops.RunPython(restore_destination_guards),
    ]
