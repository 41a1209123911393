"""The row of a user."""

from __future__ import annotations

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from models.errors import Unauthenticated


class User(Model):
    """A user. `revision` and `destination_count` are kept by database triggers, never written from Python.

    A revision rises and is never given twice, whatever happens to the history: a restore, a standby that lags. It rises
    with every change that is shown, but for the time and the report of a check, with which `checks_revision` does.
    `pruned_event_id` is the last of the user's events that was pruned, 0 before the first: with it the history begins.
    """

    id = fields.IntField(primary_key=True)
    email = fields.CharField(max_length=255, unique=True)
    name = fields.CharField(max_length=255)
    revision = fields.BigIntField(default=0, db_default=0)
    checks_revision = fields.BigIntField(default=0, db_default=0)
    destination_count = fields.IntField(default=0, db_default=0)
    pruned_event_id = fields.BigIntField(default=0, db_default=0)
    created_at = fields.DatetimeField()
    disabled_at = fields.DatetimeField(null=True)

    class Meta:
        table = "users"
        table_description = "People with API tokens"
        constraints = (
            CheckConstraint(name="users_name_length", check="length(name) BETWEEN 1 AND 255"),
            CheckConstraint(name="users_email_length", check="length(email) BETWEEN 3 AND 255"),
        )


async def require_user(user_id: int) -> None:
    """Raise `Unauthenticated` when the user is gone: deleted since a request was authenticated.

    For a row of the user that the database has refused to store.
    """
    if not await User.filter(id=user_id).exists():
        raise Unauthenticated
