"""Which rows were imported from another application, and the ids that its tokens have there."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0014_orders_of_lists")]

    initial = False

    operations = [
        ops.CreateModel(
            name="ImportedRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("table_name", fields.CharField(max_length=32)),
                ("source_id", fields.IntField()),
                ("target_id", fields.IntField()),
                ("digest", fields.CharField(max_length=64)),
                ("version", fields.BigIntField(default=0, db_default=0)),
                ("status", fields.CharField(null=True, max_length=32)),
            ],
            options={
                "table": "imported_rows",
                "app": "models",
                "unique_together": (("table_name", "source_id"),),
                "indexes": [Index(fields=["table_name", "target_id"])],
                "pk_attr": "id",
                "table_description": "Which rows were made from which rows of a Vanguard application",
            },
            bases=["Model"],
        ),
        ops.AddField(model_name="Token", name="imported_id", field=fields.IntField(null=True)),
        ops.AddIndex(model_name="Token", index=Index(fields=["imported_id"])),
    ]
