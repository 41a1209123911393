"""The row of the audit, the kinds of acts it knows, and where an act comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

MAX_REQUEST_ID_LENGTH = 128


class AuditKind(StrEnum):
    """What was done."""

    SIGN_IN_REFUSED = "sign_in_refused"
    ADDRESS_FIRST_SEEN = "address_first_seen"
    """A token was used from an address for the first time that the audit knows of."""
    USER_CREATED = "user_created"
    USER_RENAMED = "user_renamed"
    USER_DELETED = "user_deleted"
    USER_DISABLED = "user_disabled"
    USER_ENABLED = "user_enabled"
    TOKEN_CREATED = "token_created"  # noqa: S105 - a name
    TOKEN_ROTATED = "token_rotated"  # noqa: S105 - a name
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - a name
    SECRETS_OPENED = "secrets_opened"
    """The credentials of a destination were opened for a check, or those of several for an export."""
    KEYS_ROTATED = "keys_rotated"
    DESTINATION_CREATED = "destination_created"
    DESTINATION_UPDATED = "destination_updated"
    DESTINATION_ENDPOINT_CHANGED = "destination_endpoint_changed"
    """An update that leads backups, and the credentials, to another store."""
    DESTINATION_DELETED = "destination_deleted"
    DESTINATION_ACCESS_GRANTED = "destination_access_granted"
    """Requests to the store were signed for a user, with the credentials of the destination."""
    CREDENTIALS_REVEALED = "credentials_revealed"
    """The credentials of a destination were printed for the operator."""
    COMMAND_RUN = "command_run"
    AUDIT_PRUNED = "audit_pruned"


class Actor(StrEnum):
    """Whose act it was."""

    USER = "user"
    OPERATOR = "operator"
    GATEWAY = "gateway"
    """By the clock."""
    STRANGER = "stranger"
    """A client whose token was refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where an act comes from. An id of a user is the actor's, or that of the user an operator acts upon."""

    actor: Actor
    os_user: str | None = None
    """The operating system's name of an operator."""
    user_id: int | None = None
    token_id: int | None = None
    address: str | None = None
    protocol: str | None = None
    request_id: str | None = None


class AuditEntry(Model):
    """An entry. It outlives what it is about, and so has no foreign key; it never holds a secret.

    `subject` is what was acted upon, such as `token 3`; `detail` is a JSON object of what else may be shown.
    """

    id = fields.BigIntField(primary_key=True)
    occurred_at = fields.DatetimeField()
    kind = fields.CharEnumField(AuditKind, max_length=32, description="What was done")
    actor = fields.CharEnumField(Actor, max_length=16, description="Whose act it was")
    os_user = fields.CharField(max_length=255, null=True)
    user_id = fields.IntField(null=True)
    token_id = fields.IntField(null=True)
    subject = fields.CharField(max_length=255)
    address = fields.CharField(max_length=64, null=True)
    protocol = fields.CharField(max_length=16, null=True)
    request_id = fields.CharField(max_length=MAX_REQUEST_ID_LENGTH, null=True)
    detail = fields.TextField(default="{}")

    class Meta:
        table = "audit"
        table_description = "Who did what, when and from where"
        indexes = (("user_id", "id"), ("occurred_at",))


class AuditPruning(Model):
    """The one way to remove entries: while this table has a row, those older than its `horizon` may be deleted.

    The row is there only inside of the transaction that prunes, and so for no other.
    """

    id = fields.IntField(primary_key=True)
    horizon = fields.DatetimeField()

    class Meta:
        table = "audit_pruning"
        table_description = "Has a row only while old entries of the audit are removed"
