"""What a check, and whatever else speaks to a store, needs of a stored destination: its values and its opened keys."""

from __future__ import annotations

from models.checks.report import ProbeTarget
from models.destinations.attributes import Attribute
from models.destinations.table import BackupDestination
from models.vault.vault import Vault


def target_of(row: BackupDestination, vault: Vault) -> ProbeTarget:
    """The row's values with its opened credentials; raises `SecretUnreadable`."""
    access_key, secret_key = Attribute.ACCESS_KEY, Attribute.SECRET_KEY
    return ProbeTarget(
        endpoint=row.endpoint,
        region=row.region,
        bucket_name=row.bucket_name or "",
        path_style=bool(row.path_style_endpoint),
        access_key=vault.open(row.access_key or "", row.place(access_key)),
        secret_key=vault.open(row.secret_key or "", row.place(secret_key)),
        object_name=row.uid.hex,
        check_prefix=row.check_prefix,
        certificate_authorities=row.certificate_authorities,
    )
