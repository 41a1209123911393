"""The rows that triggers keep beside the destinations: when a check of one is due, and which leases there are.

What changes with every check is found here. An index on the destinations themselves would make every check write all
their indexes anew, and the row to another place. There are no foreign keys, for the reason of `PastCheck`.
"""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model


class CheckTurn(Model):
    """One destination: `since` is its last check, or else its creation; null where there is no store to check."""

    destination_id = fields.IntField(primary_key=True, generated=False)
    user_id = fields.IntField()
    since = fields.DatetimeField(null=True)
    checked_at = fields.DatetimeField(null=True)

    class Meta:
        table = "check_turns"
        table_description = "When backup destinations are due for a check"


class CheckLease(Model):
    """One destination that is being checked, and until when it may be."""

    destination_id = fields.IntField(primary_key=True, generated=False)
    claimed_until = fields.DatetimeField()

    class Meta:
        table = "check_leases"
        table_description = "Backup destinations that are being checked"
