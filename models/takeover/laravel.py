"""The encrypted columns of a Laravel application: `Illuminate\\Encryption\\Encrypter` with AES-256-CBC.

A payload is base64 of JSON: `iv`, 16 bytes in base64; `value`, AES-256-CBC with PKCS7 padding, in base64; `mac`, the
HMAC-SHA256 in hex of both texts as they stand; `tag`, empty unless the cipher is GCM. The plain text is UTF-8.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
from binascii import a2b_base64
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from models.errors import Refusal
from models.vault.secret import Secret

KEY_BYTES = 32
MAX_LAYERS = 3
"""A command of July 2024 encrypted what was encrypted already."""
_BLOCK = 16
_FINGERPRINT = b"moorings takeover"
"""What a key signs for its fingerprint; no payload begins like it."""
BEGINNING = "eyJ"
"""Of every payload: `{"` in base64."""
_PIECES = (b'{"iv":', b'","value":"', b'","mac":"', b'","tag":"')
_NO_BASE64 = re.compile(r"[^A-Za-z0-9+/]")
_KEY_PREFIX = "base64:"
_SERIALIZED = re.compile(r's:([0-9]+):"(.*)";', re.DOTALL)


class AppKeyRefused(Refusal):
    """APP_KEY or APP_PREVIOUS_KEYS is not in Laravel's form; the message has no byte of it."""


class PayloadRefused(Exception):
    """A value has the form of a payload and does not open; `str()` says why, with nothing of the value."""


class Oddity(Enum):
    """What is to be reported of a value that was opened."""

    PLAIN = auto()
    """It was not encrypted at all."""
    TWICE = auto()
    """It was encrypted more than once."""
    PREVIOUS_KEY = auto()
    """It opened with one of the previous keys."""
    SERIALIZED = auto()
    """It held PHP's serialised form of the text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """The text of an encrypted column, and what was odd about it."""

    secret: Secret
    oddities: frozenset[Oddity] = frozenset()


class _Payload(NamedTuple):
    iv: str
    value: str
    mac: str
    tag: str


class LaravelKeys:
    """APP_KEY, which seals, and the keys before it, which only open."""

    def __init__(self, current: str, previous: str = "") -> None:
        """Read `base64:…` of 32 bytes, and any number of them separated by commas; raises `AppKeyRefused`."""
        texts = [current, *(text for text in previous.split(",") if text.strip())]
        names = ["APP_KEY", *(f"key {number} of APP_PREVIOUS_KEYS" for number in range(1, len(texts)))]
        self._keys = [_key(text.strip(), name) for text, name in zip(texts, names, strict=True)]
        self._ciphers = [AES(key) for key in self._keys]

    def open(self, stored: str) -> Opened:
        """The text of a stored value; raises `PayloadRefused` for a payload that does not open."""
        text, oddities = stored, set[Oddity]()
        for layer in range(MAX_LAYERS):
            payload = _payload(text)
            if payload is None:
                break
            text, number = self._open_one(payload)
            if number:
                oddities.add(Oddity.PREVIOUS_KEY)
            if layer:
                oddities.add(Oddity.TWICE)
        else:
            if _payload(text) is not None:
                raise PayloadRefused(f"it was encrypted more than {MAX_LAYERS} times")
        if text is stored:
            if _is_damaged(stored):
                raise PayloadRefused("it is what is left of an encrypted value")
            oddities.add(Oddity.PLAIN)
        serialized = _SERIALIZED.fullmatch(text) if Oddity.PLAIN not in oddities else None
        if serialized is not None and int(serialized[1]) == len(serialized[2].encode()):
            text = serialized[2]
            oddities.add(Oddity.SERIALIZED)
        return Opened(secret=Secret(text), oddities=frozenset(oddities))

    def fits(self, stored: str) -> bool:
        """Whether one of the keys made the value; False for one that is no payload."""
        return self.fingerprint_of(stored) is not None

    def fingerprint_of(self, stored: str) -> str | None:
        """The fingerprint of the key that made the value; None for one of another key, or that is no payload."""
        payload = _payload(stored)
        number = None if payload is None else self._fitting(payload)
        return None if number is None else self.fingerprints[number]

    @property
    def fingerprints(self) -> list[str]:
        """What tells the keys apart and opens nothing: a SHA-256 in hex of each, of 32 random bytes."""
        return [hmac.digest(key, _FINGERPRINT, "sha256").hex() for key in self._keys]

    def seal(self, secret: Secret) -> str:
        """A payload of the current key, as Laravel's `encryptString` makes it."""
        text = secret.reveal().encode()
        padding = _BLOCK - len(text) % _BLOCK
        iv = os.urandom(_BLOCK)
        encryptor = Cipher(self._ciphers[0], CBC(iv)).encryptor()
        value = encryptor.update(text + bytes([padding]) * padding) + encryptor.finalize()
        parts = {"iv": base64.b64encode(iv).decode(), "value": base64.b64encode(value).decode()}
        mac = hmac.digest(self._keys[0], (parts["iv"] + parts["value"]).encode(), "sha256").hex()
        return base64.b64encode(orjson.dumps({**parts, "mac": mac, "tag": ""})).decode()

    def _open_one(self, payload: _Payload) -> tuple[str, int]:
        """The text, and the number of the key that opened it, 0 being the current one."""
        if payload.tag or not payload.mac:
            raise PayloadRefused("it was encrypted with AES-GCM; only AES-256-CBC is supported")
        number = self._fitting(payload)
        if number is None:
            raise PayloadRefused("its MAC fits neither APP_KEY nor a previous key")
        try:
            iv = a2b_base64(payload.iv, strict_mode=True)
            value = a2b_base64(payload.value, strict_mode=True)
            decryptor = Cipher(self._ciphers[number], CBC(iv)).decryptor()
            padded = decryptor.update(value) + decryptor.finalize()
            padding = padded[-1]
            if not 1 <= padding <= _BLOCK or padded[-padding:] != bytes([padding]) * padding:
                raise PayloadRefused("its padding is damaged")
            return padded[:-padding].decode(), number
        except (ValueError, IndexError) as error:  # binascii.Error and UnicodeDecodeError among them
            raise PayloadRefused("it is damaged, or its text is not UTF-8") from error

    def _fitting(self, payload: _Payload) -> int | None:
        """The number of the first key whose MAC the payload has."""
        signed = (payload.iv + payload.value).encode()
        for number, key in enumerate(self._keys):
            if hmac.compare_digest(hmac.digest(key, signed, "sha256").hex(), payload.mac):
                return number
        return None


def _is_damaged(text: str) -> bool:
    """Whether a text that is no payload has pieces of one: cut off, or with letters missing or added."""
    letters = _NO_BASE64.sub("", text)
    for start in range(4):
        some = letters[start:]
        decoded = base64.b64decode(some[: len(some) // 4 * 4])
        if any(piece in decoded for piece in _PIECES):
            return True
    return False


def is_payload(stored: str) -> bool:
    """Whether a value has the form of what AES-256-CBC makes, by whatever key."""
    payload = _payload(stored)
    return payload is not None and bool(payload.mac) and not payload.tag


def _payload(text: str) -> _Payload | None:
    """The parts of a payload; None for a text that is none."""
    if not text.startswith(BEGINNING):
        return None
    try:
        parts = orjson.loads(a2b_base64(text, strict_mode=True))
        payload = _Payload(parts["iv"], parts["value"], parts["mac"], parts.get("tag", ""))
        "".join(payload).encode("ascii")
    except (ValueError, TypeError, KeyError, AttributeError):  # no base64, no JSON, no object, or no texts in it
        return None
    return payload


def _key(text: str, name: str) -> bytes:
    try:
        key = base64.b64decode(text.removeprefix(_KEY_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(_KEY_PREFIX) or len(key) != KEY_BYTES:
        raise AppKeyRefused(f"{name} is not base64: and {KEY_BYTES} bytes, as Laravel's .env has it for AES-256-CBC.")
    return key
