"""The row of a backup destination. The database too checks what its kind must have, so that any SQL keeps to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from models.accounts.user import User
from models.clock import another_version, current_second
from models.destinations.attributes import (
    ATTRIBUTES,
    KINDS,
    SECRET_ATTRIBUTES,
    Attribute,
    DestinationKind,
    Reachability,
    ValueType,
)
from models.destinations.constraints import shape
from models.destinations.validation import Attributes
from models.vault.secret import Secret
from models.vault.vault import Place, Vault


def _column(attribute: Attribute) -> Any:
    """The column of an attribute that not every kind requires."""
    rules = attribute.rules
    if rules.is_secret:
        return fields.TextField(null=True)
    if rules.type is ValueType.BOOLEAN:
        return fields.BooleanField(null=True)
    return fields.CharField(max_length=rules.column_length, null=True)


class BackupDestination(Model):
    """A destination. `version` is another after every change of its attributes, a number of 31 bits.

    `uid` never changes and is bound into the seals of `access_key` and `secret_key`.

    `last_check` is a `CheckReport` in JSON. The process that checks it holds the lease, `claim`, until `claimed_until`.
    """

    id = fields.IntField(primary_key=True)
    uid = fields.UUIDField(unique=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="destinations", on_delete=fields.CASCADE
    )
    user_id: int
    label = fields.CharField(max_length=255)
    kind = fields.CharEnumField(DestinationKind, max_length=16, description="Which kind")
    bucket_name: str | None = _column(Attribute.BUCKET_NAME)
    region: str | None = _column(Attribute.REGION)
    endpoint: str | None = _column(Attribute.ENDPOINT)
    path_style_endpoint: bool | None = _column(Attribute.PATH_STYLE_ENDPOINT)
    access_key: str | None = _column(Attribute.ACCESS_KEY)
    secret_key: str | None = _column(Attribute.SECRET_KEY)
    check_prefix: str | None = _column(Attribute.CHECK_PREFIX)
    certificate_authorities: str | None = _column(Attribute.CERTIFICATE_AUTHORITIES)
    credentials_set_at = fields.DatetimeField(null=True)
    reachability = fields.CharEnumField(
        Reachability,
        max_length=16,
        default=Reachability.UNKNOWN,
        db_default=Reachability.UNKNOWN.value,
        description="What the last check found",
    )
    last_check = fields.TextField(null=True)
    checked_at = fields.DatetimeField(null=True)
    claim = fields.CharField(max_length=32, null=True)
    claimed_until = fields.DatetimeField(null=True)
    version = fields.BigIntField(default=0, db_default=0)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "backup_destinations"
        table_description = "Places backups go"
        indexes = (
            ("user_id", "id"),
            ("user_id", "created_at", "id"),
            ("user_id", "updated_at", "id"),
            ("user_id", "label", "id"),
        )
        constraints = (
            CheckConstraint(name="backup_destinations_label", check="length(label) BETWEEN 1 AND 255"),
            CheckConstraint(name="backup_destinations_shape", check=shape()),
        )

    __setattr__ = object.__setattr__  # type: ignore[assignment]  # names are strings, which the ORM leaves open
    """The ORM's own handles relations and defaults that are set later, of which there are none here."""

    @classmethod
    def new(cls, user_id: int, attributes: Attributes, vault: Vault, *, uid: UUID | None = None) -> BackupDestination:
        """A destination that is not stored yet, its credentials sealed; `uid` is that of the row it is to replace."""
        now = current_second()
        row = cls._copied({})
        row.uid, row.user_id, row.created_at, row.updated_at = uid or uuid4(), user_id, now, now
        row.reachability, row.version = Reachability.UNKNOWN, 0
        row._saved_in_db = False
        row.assign(attributes, vault, now)
        return row

    @classmethod
    def stored(cls, columns: Mapping[str, Any]) -> BackupDestination:
        """A row as it is stored, of columns that have their types, names of kinds and the like as text.

        Raises `ValueError` for a name that this version does not know, as the ORM does, which takes four times as long.
        """
        row = cls._copied(columns)
        row.kind, row.reachability = DestinationKind(row.kind), Reachability(row.reachability)
        return row

    @classmethod
    def _copied(cls, columns: Mapping[str, Any]) -> BackupDestination:
        row = cls.__new__(cls)
        vars(row).update(_blank(), **columns)
        row._await_when_save = {}
        return row

    def assign(self, attributes: Attributes, vault: Vault, now: datetime) -> list[Attribute]:
        """Set the attributes; returns those that changed, in the order of `Attribute`.

        A secret that is given counts as changed: to compare it, the stored one would have to be opened.
        """
        changed, applicable = [], KINDS[attributes.kind].applicable
        for attribute, name in _NAMES:
            value, stored = attributes.values[attribute], getattr(self, name)
            if value is None and attribute in SECRET_ATTRIBUTES:
                if stored is None or attribute in applicable:  # it stays
                    continue
            elif stored == value:
                continue
            changed.append(attribute)
            if isinstance(value, Secret):
                value = vault.seal(value, self.place(attribute))
            setattr(self, name, value)
        if SECRET_ATTRIBUTES.intersection(changed):
            self.credentials_set_at = now if KINDS[attributes.kind].has_credentials else None
        if changed:
            self.version = another_version(self.version)
        if not {Attribute.LABEL}.issuperset(changed):
            self.forget_checks()
        return changed

    def forget_checks(self) -> None:
        """Forget the last check, and end the one under way: neither is true of the changed destination."""
        self.reachability = Reachability.UNKNOWN
        for column in ("last_check", "checked_at", "claim", "claimed_until"):
            setattr(self, column, None)

    def place(self, attribute: Attribute) -> Place:
        """The place that the envelope of a secret attribute is bound to."""
        return Place(table="backup_destinations", column=attribute.value, user_id=self.user_id, row=self.uid)


@cache
def _blank() -> Mapping[str, Any]:
    """What the ORM keeps in a row whose columns are all None: to copy it takes a fifth of making such a row."""
    return vars(BackupDestination._init_from_db(**dict.fromkeys(BackupDestination._meta.fields_db_projection.values())))


_NAMES = tuple((attribute, attribute.value) for attribute in ATTRIBUTES)
"""The attributes, each with the name of its column."""
