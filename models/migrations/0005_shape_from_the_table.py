"""The shape of a destination as the table of attributes has it; the guards restored after SQLite made the table anew."""

from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from models.destinations.guards import restore_destination_guards


class Migration(migrations.Migration):
    dependencies = [("models", "0004_checks")]

    initial = False

    operations = [
        ops.RemoveConstraint(
            model_name="BackupDestination",
            name="backup_destinations_shape",
            fields=None,
        ),
        ops.AddConstraint(
            model_name="BackupDestination",
            constraint=CheckConstraint(
                check="coalesce(CASE kind WHEN 'amazon_s3' THEN access_key LIKE 's1:%:%' AND secret_key LIKE 's1:%:%' AND length(bucket_name) BETWEEN 1 AND 255 AND length(region) BETWEEN 1 AND 255 AND endpoint IS NULL AND path_style_endpoint IS NOT NULL AND credentials_set_at IS NOT NULL WHEN 'custom_s3' THEN access_key LIKE 's1:%:%' AND secret_key LIKE 's1:%:%' AND length(bucket_name) BETWEEN 1 AND 255 AND (region IS NULL OR (length(region) BETWEEN 1 AND 255)) AND lower(endpoint) LIKE 'http%://%' AND length(endpoint) <= 2048 AND path_style_endpoint IS NOT NULL AND credentials_set_at IS NOT NULL WHEN 'local' THEN access_key IS NULL AND secret_key IS NULL AND bucket_name IS NULL AND region IS NULL AND endpoint IS NULL AND path_style_endpoint IS NULL AND credentials_set_at IS NULL END, 1 = 0)",
                name="backup_destinations_shape",
            ),
        ),
        ops.RunPython(restore_destination_guards),
    ]
