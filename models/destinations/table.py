"""The row of a place backups go. What its kind must have is also checked by the database, whoever writes."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from models.accounts.user import User
from models.clock import current_second
from models.destinations.attributes import (
    ATTRIBUTES,
    KINDS,
    SECRET_ATTRIBUTES,
    Attribute,
    DestinationKind,
    Reachability,
)
from models.destinations.validation import Attributes
from models.vault.secret import Secret
from models.vault.vault import Place, Vault

_NO_CREDENTIALS = "access_key IS NULL AND secret_key IS NULL AND credentials_set_at IS NULL"
_CREDENTIALS = "access_key LIKE 's1:%:%' AND secret_key LIKE 's1:%:%' AND credentials_set_at IS NOT NULL"
_BUCKET = "length(bucket_name) BETWEEN 1 AND 255 AND path_style_endpoint IS NOT NULL"
_REGION = "length(region) BETWEEN 1 AND 255"

# A check that is NULL passes in SQL, hence the outer coalesce.
_SHAPE = f"""coalesce(CASE kind
WHEN 'local' THEN bucket_name IS NULL AND region IS NULL AND endpoint IS NULL
 AND path_style_endpoint IS NULL AND {_NO_CREDENTIALS}
WHEN 'amazon_s3' THEN {_BUCKET} AND {_REGION} AND endpoint IS NULL AND {_CREDENTIALS}
WHEN 'custom_s3' THEN {_BUCKET} AND (region IS NULL OR {_REGION}) AND lower(endpoint) LIKE 'http%://%'
 AND length(endpoint) <= 2048 AND {_CREDENTIALS}
END, 1 = 0)""".replace("\n", " ")


class BackupDestination(Model):
    """A destination. `uid` never changes and is bound into the seals of `access_key` and `secret_key`.

    `last_check` is a `CheckReport` in JSON. Whoever checks it just now holds the `claim`, up to a moment at most.
    """

    id = fields.IntField(primary_key=True)
    uid = fields.UUIDField(unique=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="destinations", on_delete=fields.CASCADE
    )
    user_id: int
    label = fields.CharField(max_length=255)
    kind = fields.CharEnumField(DestinationKind, max_length=16, description="Which kind")
    bucket_name = fields.CharField(max_length=255, null=True)
    region = fields.CharField(max_length=255, null=True)
    endpoint = fields.CharField(max_length=2048, null=True)
    path_style_endpoint = fields.BooleanField(null=True)
    access_key = fields.TextField(null=True)
    secret_key = fields.TextField(null=True)
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
            CheckConstraint(name="backup_destinations_shape", check=_SHAPE),
        )

    __setattr__ = object.__setattr__  # type: ignore[assignment]  # names are strings, which the ORM leaves open
    """The ORM's own looks for relations and for defaults that are still to come, of which there are none here."""

    @classmethod
    def new(cls, user_id: int, attributes: Attributes, vault: Vault) -> BackupDestination:
        """A destination that is not stored yet, its credentials sealed."""
        now = current_second()
        columns: dict[str, Any] = dict.fromkeys(cls._meta.fields_db_projection.values())
        columns |= {"uid": uuid4(), "user_id": user_id, "created_at": now, "updated_at": now}
        columns["reachability"] = Reachability.UNKNOWN
        row = cls._init_from_db(**columns)  # a third of what the ORM's own takes
        row._saved_in_db = False
        row.assign(attributes, vault, now)
        return row

    def assign(self, attributes: Attributes, vault: Vault, now: datetime) -> list[Attribute]:
        """Take over `attributes` and say which of them changed, in the order of `Attribute`.

        A secret that is given counts as changed: to compare it, the stored one would have to be opened.
        """
        changed = []
        for attribute in ATTRIBUTES:
            value = getattr(attributes, attribute)
            if not self._differs(attribute, value, attributes.kind):
                continue
            changed.append(attribute)
            if isinstance(value, Secret):
                value = vault.seal(value, self.place(attribute))
            setattr(self, attribute, value)
        if SECRET_ATTRIBUTES.intersection(changed):
            has_credentials = Attribute.ACCESS_KEY in KINDS[attributes.kind].applicable
            self.credentials_set_at = now if has_credentials else None
        if not {Attribute.LABEL}.issuperset(changed):
            self.forget_checks()
        return changed

    def forget_checks(self) -> None:
        """What was found is not true of what is there now; nor will be what a check under way finds."""
        self.reachability = Reachability.UNKNOWN
        for column in ("last_check", "checked_at", "claim", "claimed_until"):
            setattr(self, column, None)

    def place(self, attribute: Attribute) -> Place:
        """The place that the envelope of a secret attribute is bound to."""
        return Place(table="backup_destinations", column=attribute.value, user_id=self.user_id, row=self.uid)

    def _differs(self, attribute: Attribute, value: object, kind: DestinationKind) -> bool:
        stored = getattr(self, attribute)
        if attribute in SECRET_ATTRIBUTES and value is None:
            return stored is not None and attribute not in KINDS[kind].applicable
        return bool(stored != value)
