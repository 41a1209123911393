"""The row of a check that was made: its report, kept for a time beside the one of the last check."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model


class PastCheck(Model):
    """One check of a destination. `report` is a `CheckReport` in JSON.

    There is no foreign key: on SQLite the ORM makes a destination's table anew to change it, and dropping the old one
    would delete what refers to it. A trigger deletes the rows of a destination that is deleted.
    """

    id = fields.BigIntField(primary_key=True)
    destination_id = fields.IntField()
    report = fields.TextField()

    class Meta:
        table = "past_checks"
        table_description = "The checks of backup destinations"
        indexes = (("destination_id", "id"),)
