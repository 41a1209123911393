"""The row of a grant: who was granted which operation on which object of a destination, and until when."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from models.accounts.user import User
from models.grants.access import MAX_KEY_BYTES
from models.grants.access import GrantOperation as GrantOperation


class AccessGrant(Model):
    """One operation that was granted on one object, or a listing. Never a signature, nor anything to make one of.

    It outlives its destination, and so has no foreign key to it. `object_key` is None for a listing; `prefix` is what
    the request named, None where it named an object alone.
    """

    id = fields.BigIntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="grants", on_delete=fields.CASCADE
    )
    user_id: int
    token_id = fields.IntField(null=True)
    destination_id = fields.IntField()
    operation = fields.CharEnumField(GrantOperation, max_length=16, description="What was granted")
    object_key = fields.CharField(max_length=MAX_KEY_BYTES, null=True)
    prefix = fields.CharField(max_length=MAX_KEY_BYTES, null=True)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "access_grants"
        table_description = "What was granted to whom, until when"
        indexes = (("destination_id", "created_at"), ("created_at",))
