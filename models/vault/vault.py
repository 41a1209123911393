"""Seals and opens secrets. Besides it, only what gives it its keys (`app/secret_keys.py`, `app/key_service`) sees one.

An envelope is `s1:<key id>:<base64url(nonce ‖ ciphertext ‖ tag)>`, AES-256-GCM (NIST SP 800-38D) with a random
96-bit nonce. The additional data binds it to its place, so an envelope copied elsewhere does not open.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from models.errors import KeyRefused, KeysUnavailable, SecretUnreadable
from models.vault.secret import Secret

VERSION = "s1"
KEY_BYTES = 32
KEY_ID_LENGTH = 12
_NONCE_BYTES = 12
_PROOF = "moorings key proof"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where an envelope lives: the column of one row of one user; `row` is the row's own immutable UUID."""

    table: str
    column: str
    user_id: int
    row: UUID

    def additional_data(self, key_id: str) -> bytes:
        """The bytes that are authenticated with the ciphertext."""
        parts = (VERSION, key_id, self.table, self.column, str(self.user_id), str(self.row))
        return "\x1f".join(parts).encode()


_PROOF_PLACE = Place(table="vault_keys", column="proof", user_id=0, row=UUID(int=0))


def generate_key() -> str:
    """Make one new key in the form the setting wants, `id:base64`."""
    key = os.urandom(KEY_BYTES)
    return f"{_key_id(key)}:{base64.b64encode(key).decode()}"


def key_id_of(envelope: str) -> str:
    """The id of the key that sealed `envelope`; raises `SecretUnreadable` when it is no envelope."""
    parts = envelope.split(":")
    if len(parts) != 3 or parts[0] != VERSION:
        raise SecretUnreadable
    return parts[1]


class Vault:
    """A ring of keys: the first seals, all open."""

    def __init__(self, keys: str) -> None:
        """Read `id:base64,…`, newest first. Raises `KeyRefused`, which tells the place of a bad key, no byte of it."""
        self._ciphers: dict[str, AESGCM] = {}
        self._roots: dict[str, bytes] = {}
        for number, entry in enumerate(keys.replace("\n", ",").split(","), start=1):
            if entry.strip():
                key_id, key = _parse_key(entry.strip(), number)
                self._ciphers.setdefault(key_id, AESGCM(key))
                self._roots.setdefault(key_id, hmac.digest(key, b"moorings derived keys", "sha256"))
        if not self._ciphers:
            raise KeyRefused("MOORINGS_SECRET_KEYS holds no key; `moorings keys generate` prints one.")
        self.key_ids: Sequence[str] = tuple(self._ciphers)

    def renew(self, keys: str) -> None:
        """Have the keys again, the same ones in the same form; raises `KeyRefused` for others."""
        renewed = Vault(keys)
        if renewed.key_ids != self.key_ids:
            raise KeyRefused("The keys are not those that the vault began with.")
        self._ciphers = renewed._ciphers

    def forget(self) -> None:
        """Have no key until `renew`: whatever needs one raises `KeysUnavailable`."""
        self._ciphers = {}

    @property
    def sealing_key_id(self) -> str:
        """The id of the key that seals."""
        return self.key_ids[0]

    def derive(self, purpose: str, *, key_id: str | None = None) -> bytes:
        """A key of 32 bytes for another purpose, the same wherever the newest key is, or the one named; it says nothing
        of that key.
        """
        return hmac.digest(self._roots[key_id or self.sealing_key_id], purpose.encode(), "sha256")

    def seal(self, secret: Secret, place: Place, *, key_id: str | None = None) -> str:
        """Seal `secret` for `place` with the newest key, or with the one named; raises `KeysUnavailable`."""
        chosen = key_id or self.sealing_key_id
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._held()[chosen].encrypt(nonce, secret.reveal().encode(), place.additional_data(chosen))
        return f"{VERSION}:{chosen}:{_encode(nonce + sealed)}"

    def open(self, envelope: str, place: Place) -> Secret:
        """Open what was sealed for exactly this place.

        Raises `SecretUnreadable` for anything else, `KeysUnavailable`.
        """
        key_id = key_id_of(envelope)
        cipher = self._held().get(key_id)
        if cipher is None:
            raise SecretUnreadable
        try:
            data = _decode(envelope.split(":")[2])
            text = cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], place.additional_data(key_id)).decode()
        except (InvalidTag, ValueError) as error:
            raise SecretUnreadable from error
        return Secret(text)

    def _held(self) -> dict[str, AESGCM]:
        ciphers = self._ciphers  # read once: another thread may let them go
        if not ciphers:
            raise KeysUnavailable
        return ciphers

    def prove(self, key_id: str) -> str:
        """A proof that this key was here once, to be stored."""
        return self.seal(Secret(_PROOF), _PROOF_PLACE, key_id=key_id)

    def proves(self, key_id: str, proof: str) -> bool:
        """Whether the key of that id opens the stored proof."""
        try:
            return key_id_of(proof) == key_id and self.open(proof, _PROOF_PLACE) == Secret(_PROOF)
        except SecretUnreadable:
            return False


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"moorings key id\x1f" + key).hexdigest()[:KEY_ID_LENGTH]


def _parse_key(entry: str, number: int) -> tuple[str, bytes]:
    key_id, separator, encoded = entry.partition(":")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not separator or len(key) != KEY_BYTES:
        raise KeyRefused(
            f"Key {number} of MOORINGS_SECRET_KEYS is not `id:base64` of {KEY_BYTES} bytes; "
            "`moorings keys generate` prints one."
        )
    if key_id != _key_id(key):
        raise KeyRefused(f"Key {number} of MOORINGS_SECRET_KEYS does not belong to its id; was it copied whole?")
    return key_id, key


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    """Decode the one canonical spelling; base64's spare bits would otherwise let an altered text through."""
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(data) != text:
        raise ValueError("not canonical base64url")
    return data
