"""The row of a host that checks by the clock go to: from when on the next one may begin."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model


class StoreHost(Model):
    """A host. `free_at_ms` is the theoretical arrival time of the generic cell rate algorithm, since 1970."""

    host = fields.CharField(max_length=255, primary_key=True)
    free_at_ms = fields.BigIntField()

    class Meta:
        table = "store_hosts"
        table_description = "Hosts that checks by the clock go to"
