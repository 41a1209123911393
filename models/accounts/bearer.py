"""The text of a token, `<id>|mrg_<40 base62 characters><CRC32 in base62>`, and the viewer behind it.

The checksum lets secret scanners recognise a leaked token, and lets junk be refused without asking the database.

Tokens that were imported from another application keep the form that Laravel's Sanctum gave them: `<id>|<secret>` or
the secret alone, 40 to 80 letters and digits behind a prefix or none. They have a checksum in some releases only, so
none is asked for here.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass

from models.accounts.abilities import parse_abilities
from models.accounts.networks import UNKNOWN_ADDRESS
from models.accounts.token_row import TokenRow
from models.accounts.viewer import Protocol, Viewer
from models.audit.trail import RefusedSignIn
from models.errors import Unauthenticated

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PREFIX = "mrg_"
_RANDOM_LENGTH = 40
_CHECKSUM_LENGTH = 6
_FORM = re.compile(r"(?:([1-9][0-9]{0,9})\|)?(mrg_[0-9A-Za-z]{46})")
_FOREIGN = re.compile(r"(?:([1-9][0-9]{0,9})\|)?([!-{}~]{0,104}[0-9A-Za-z]{40})")
"""Prefix and secret together have at most 144 characters: 80 behind a prefix of 64."""
_NOBODY = hashlib.sha256(b"nobody").hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Bearer:
    """A token that a client sent, well-formed and with the right checksum; `token_id` is None when it was left out.

    One that `is_foreign` has the form of another application's, where the checksum is not asked for.
    """

    token_id: int | None
    digest: str
    is_foreign: bool = False


def new_secret() -> str:
    """A fresh secret: 40 random characters (238 bits) and their checksum."""
    text = _PREFIX + "".join(secrets.choice(_BASE62) for _ in range(_RANDOM_LENGTH))
    return text + _checksum(text)


def digest_of(secret: str) -> str:
    """The form in which the database stores a secret: its SHA-256 in hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def parse_bearer(text: str, *, or_foreign: bool = False) -> Bearer:
    """Read the text of a token; raises `Unauthenticated` for what cannot be one.

    With `or_foreign`, where such tokens were imported, one of another application will do.
    """
    match, is_foreign = _FORM.fullmatch(text), False
    if match is not None and _checksum(match[2][:-_CHECKSUM_LENGTH]) != match[2][-_CHECKSUM_LENGTH:]:
        match = None
    if match is None and or_foreign:
        match, is_foreign = _FOREIGN.fullmatch(text), True
    if match is None:
        raise Unauthenticated
    return Bearer(token_id=int(match[1]) if match[1] else None, digest=digest_of(match[2]), is_foreign=is_foreign)


def refusal_of(token: TokenRow | None, bearer: Bearer, address: str) -> RefusedSignIn | None:
    """Why a token that was looked up is refused to a client with that address; None when it is not."""
    matches = hmac.compare_digest(_NOBODY if token is None else token.digest, bearer.digest)
    if token is None or not matches or (bearer.is_foreign and bearer.token_id not in (None, token.imported_id)):
        return RefusedSignIn.UNKNOWN
    if not token.is_valid():
        return RefusedSignIn(token.state().value)
    return None if token.may_be_used_from(address) else RefusedSignIn.NETWORK


def viewer_behind(token: TokenRow | None, bearer: Bearer, protocol: Protocol, address: str = UNKNOWN_ADDRESS) -> Viewer:
    """The viewer of a token that was looked up, used from an address; raises `Unauthenticated`."""
    refusal = refusal_of(token, bearer, address)
    if token is None or refusal is not None:
        raise Unauthenticated
    return Viewer(
        token.user_id,
        token.user_name,
        token.email,
        parse_abilities(token.abilities),
        protocol,
        token.revision,
        token.destination_count,
        token.id,
        token.name,
        token.expires_at,
        checks_revision=token.checks_revision,
    )


def _checksum(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_BASE62))
        digits = _BASE62[digit] + digits
    return digits
