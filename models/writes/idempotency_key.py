"""The row of an act that was carried out under an Idempotency-Key, written in the transaction of the act."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from models.accounts.user import User


class IdempotencyKey(Model):
    """One act of one user's request. The key, the request and the act are stored as hashes, no body is.

    `request_digest` is `<key id>:<HMAC-SHA-256 in hex>` under a key derived from the vault's key of that id: a request
    may hold credentials, and nothing of them can be guessed from it. `result` is the destination after the act as JSON,
    in columns that both APIs show; `null` for a removed one.
    """

    id = fields.BigIntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="idempotency_keys", on_delete=fields.CASCADE
    )
    user_id: int
    key_hash = fields.CharField(max_length=64)
    act_hash = fields.CharField(max_length=64)
    request_digest = fields.CharField(max_length=96)
    result = fields.TextField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "idempotency_keys"
        table_description = "Acts that were carried out under an Idempotency-Key"
        unique_together = (("user_id", "key_hash", "act_hash"),)
        indexes = (("created_at", "id"),)
