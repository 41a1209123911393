"""The interface of a key service, which wraps the vault's keys with one that never leaves it; and which one is set."""

from __future__ import annotations

from typing import Protocol

from app.key_service.aws_kms import PREFIX, AwsKms
from models.errors import KeyRefused


class KeyService(Protocol):
    """Wraps and unwraps keys of 32 bytes. Both methods raise `KeysUnavailable` when the service does not answer, and
    `KeyRefused` when it refuses."""

    prefix: str
    """What a wrapped key begins with."""

    async def wrap(self, key: bytes, key_id: str) -> str:
        """The key, wrapped for its id alone; starts with the prefix and has neither comma nor white space."""
        ...

    async def unwrap(self, wrapped: str, key_id: str) -> bytes:
        """The key that was wrapped for this id."""
        ...


def open_key_service(name: str | None) -> KeyService | None:
    """The service that the setting names, such as `aws-kms:alias/moorings`; None without one. Makes no request.

    Raises `KeyRefused` when the library it needs is not installed.
    """
    if name is None:
        return None
    kind, _, key = name.partition(":")
    if f"{kind}:" != PREFIX or not key:
        raise KeyRefused("MOORINGS_KEY_SERVICE wants aws-kms: and the key's id, alias or ARN.")
    return AwsKms(key)
