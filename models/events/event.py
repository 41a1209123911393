"""The row of an event of a backup destination, written in the transaction of the change."""

from __future__ import annotations

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from models.accounts.user import User
from models.accounts.viewer import Protocol


class EventKind(StrEnum):
    """What happened, in the past tense."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    CHECKED = "checked"
    ACCESS_GRANTED = "access_granted"


class Event(Model):
    """An event. It outlives its destination, so it stores the label and no foreign key; it never holds a secret.

    Ids of one user's events are in commit order: the change before it took the lock on the user's row.
    `changed_fields` are attribute names separated by spaces; a changed secret is named, its value is not stored.
    `reachable` is the result of a check, None for other events. `new_endpoint` is the one that a new
    destination has, or that it was changed to. `granted` says in JSON what access was granted to, as
    `models.grants.access.Granted` has it, None for other events. A trigger copies events into the audit.
    """

    id = fields.BigIntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="events", on_delete=fields.CASCADE
    )
    user_id: int
    kind = fields.CharEnumField(EventKind, max_length=16, description="What happened")
    destination_id = fields.IntField()
    label = fields.CharField(max_length=255)
    changed_fields = fields.CharField(max_length=255, default="", db_default="")
    protocol = fields.CharEnumField(Protocol, max_length=16, description="Through which door")
    reachable = fields.BooleanField(null=True)
    token_id = fields.IntField(null=True)
    token_name = fields.CharField(max_length=255, null=True)
    new_endpoint = fields.CharField(max_length=2048, null=True)
    granted = fields.TextField(null=True)
    address = fields.CharField(max_length=64, null=True)
    request_id = fields.CharField(max_length=128, null=True)
    occurred_at = fields.DatetimeField()

    class Meta:
        table = "events"
        table_description = "What happened to backup destinations"
        indexes = (("user_id", "id"), ("user_id", "destination_id", "id"), ("occurred_at",))
