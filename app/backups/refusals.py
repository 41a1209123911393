"""What a backup job is refused; each says in one sentence what happened, for the person."""

from __future__ import annotations


class BackupRefused(Exception):
    """A backup cannot be put, got or listed; `str()` says why."""


class GatewayRefused(BackupRefused):
    """The gateway refused, or cannot be reached."""


class StoreRefused(BackupRefused):
    """The store refused, or cannot be reached. `code` is its own error code, None where it gave none."""

    def __init__(self, sentence: str, *, status: int = 0, code: str | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code

    @property
    def has_expired(self) -> bool:
        """Whether the signature may have run out; stores say so in several ways, all with this status."""
        return self.status == 403

    @property
    def upload_is_gone(self) -> bool:
        """Whether the upload in parts is not there any more."""
        return self.code == "NoSuchUpload"

    @property
    def has_changed(self) -> bool:
        """Whether the object is another than the one that was asked for."""
        return self.status == 412
