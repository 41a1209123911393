"""The row by which a key of the ring proves at every start that it is the one it was."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model


class VaultKey(Model):
    """One key that has been configured once; `proof` is a constant sealed with it."""

    key_id = fields.CharField(max_length=32, primary_key=True)
    proof = fields.TextField()

    class Meta:
        table = "vault_keys"
        table_description = "Keys that have been configured once"
