"""The row of an API token: who it belongs to, what it allows, and the digest of its secret."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from models.accounts.user import User


class Token(Model):
    """A token. `digest` is the SHA-256 of the secret in hex; `abilities` are names separated by spaces.

    `networks` are those that it may be used from, separated by spaces; without any it may be used from everywhere.
    `imported_id` is the number before the bar of a token that another application gave out, None for those from here.
    """

    id = fields.IntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="tokens", on_delete=fields.CASCADE
    )
    user_id: int
    name = fields.CharField(max_length=255)
    digest = fields.CharField(max_length=64, unique=True)
    abilities = fields.CharField(max_length=255)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)
    last_address = fields.CharField(max_length=64, null=True)
    networks = fields.CharField(max_length=1024, default="", db_default="")
    imported_id = fields.IntField(null=True)

    class Meta:
        table = "tokens"
        table_description = "API tokens, by the digest of their secret"
        indexes = (("imported_id",),)
