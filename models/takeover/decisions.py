"""What becomes of one row of the source: a row here, or a refusal with its reason. Each edge case is decided here.

Attributes are checked by the code that checks those of requests, `models/destinations/validation.py` and
`models/accounts/accounts.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from models.accounts.abilities import Ability, store_abilities
from models.accounts.accounts import MAX_NAME_LENGTH, checked_email, checked_name
from models.destinations.attributes import KINDS, MAX_LENGTHS, Attribute, DestinationKind
from models.destinations.validation import Attributes, parse
from models.destinations.violations import Rule, Violation
from models.errors import AccountRefused, ValidationFailed
from models.takeover.laravel import LaravelKeys, Oddity, PayloadRefused
from models.takeover.source_rows import DestinationSourceRow, TokenSourceRow, UserRow
from models.text import cleaned

MAX_ID = 2**31 - 2
"""Of an id that is taken: one more has to be left for the next row that is made here."""
USER_TYPE = "App\\Models\\User"
SPACES = "digitalocean_spaces"
NAMES: Mapping[Attribute, str] = {
    Attribute.LABEL: "label",
    Attribute.KIND: "type",
    Attribute.ACCESS_KEY: "s3_access_key",
    Attribute.SECRET_KEY: "s3_secret_key",
    Attribute.BUCKET_NAME: "s3_bucket_name",
    Attribute.REGION: "custom_s3_region",
    Attribute.ENDPOINT: "custom_s3_endpoint",
    Attribute.PATH_STYLE_ENDPOINT: "path_style_endpoint",
}
"""The columns of the source, which are the names of the legacy document in requests."""
KIND_NAMES: Mapping[str, DestinationKind] = {
    "s3": DestinationKind.AMAZON_S3,
    "custom_s3": DestinationKind.CUSTOM_S3,
    SPACES: DestinationKind.CUSTOM_S3,
    "local": DestinationKind.LOCAL,
}
_KEYS = (Attribute.ACCESS_KEY, Attribute.SECRET_KEY)
_ENCRYPTED = (*_KEYS, Attribute.BUCKET_NAME, Attribute.ENDPOINT)
_ODDITIES = {
    Oddity.PLAIN: ("plain_text", "was stored unencrypted there"),
    Oddity.TWICE: ("encrypted_twice", "was encrypted more than once"),
    Oddity.PREVIOUS_KEY: ("previous_key", "was encrypted with a previous key"),
    Oddity.SERIALIZED: ("serialized", "was stored in PHP's serialised form"),
}
_IMPORTED_ABILITIES = frozenset(Ability) - {Ability.USE}
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d(?::?\d\d)?)?")
_ZERO_DATE = "0000-00-00"

Note = Callable[[str, str], None]
"""Takes the code and the sentence of what is to be reported of a row that is taken."""


class RowRefused(Exception):
    """A row is not taken; `str()` is the sentence, `code` its name for machines."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the operator decided: see `moorings import vanguard --help`."""

    zone: tzinfo
    now: datetime
    assume_https: bool = False
    disable_suspended: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class DecidedUser:
    """A user as it is stored here."""

    email: str
    name: str
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DecidedToken:
    """A token as it is stored here; `abilities` as `store_abilities` has them."""

    name: str
    digest: str
    abilities: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DecidedDestination:
    """A destination as it is stored here, its secrets not sealed yet."""

    attributes: Attributes
    created_at: datetime
    updated_at: datetime


def decide_user(row: UserRow, options: Options, note: Note) -> DecidedUser:
    """The user of a row; raises `RowRefused`."""
    require_id(row.id)
    try:
        email, name = checked_email(row.email or ""), _name(row.name, note)
    except AccountRefused as refusal:
        raise RowRefused("invalid", str(refusal)) from refusal
    disabled_at = None
    if is_suspended(row, options):
        since = _timestamp(row.suspended_at, "suspended_at", options) or options.now
        if options.disable_suspended:
            disabled_at = since
            note("suspended", "is suspended there, and disabled here: its tokens, which work there, are refused.")
        else:
            note("suspended", "is suspended there; its tokens go on working, as they do there.")
    return DecidedUser(
        email=email, name=name, created_at=_created(row.created_at, options, note), disabled_at=disabled_at
    )


def is_suspended(row: UserRow, options: Options) -> bool:
    """Whether a suspension is in force now."""
    if row.suspended_at is None and row.suspended_until is None:
        return False
    until = _timestamp(row.suspended_until, "suspended_until", options)
    return until is None or until > options.now


def decide_token(row: TokenSourceRow, options: Options, note: Note) -> DecidedToken:
    """The token of a row, whose owner is known to be there; raises `RowRefused`."""
    require_id(row.id)
    if row.tokenable_type != USER_TYPE:
        raise RowRefused("not_of_a_user", "belongs to something that is no user.")
    if row.token is None or not _DIGEST.fullmatch(row.token):
        raise RowRefused("invalid", "has no SHA-256 of its secret.")
    try:
        name = _name(row.name, note)
    except AccountRefused as refusal:
        raise RowRefused("invalid", str(refusal)) from refusal
    return DecidedToken(
        name=name,
        digest=row.token,
        abilities=_abilities(row.abilities, note),
        created_at=_created(row.created_at, options, note),
        expires_at=_timestamp(row.expires_at, "expires_at", options),
        last_used_at=_timestamp(row.last_used_at, "last_used_at", options),
    )


def _name(name: str | None, note: Note) -> str:
    """The name of a user or a token as it is stored here; raises `AccountRefused` when nothing is left of it."""
    shown = "".join(character for character in name or "" if character.isprintable())
    trimmed = str(cleaned(shown) or "")[:MAX_NAME_LENGTH].rstrip()
    if trimmed != name:
        note(
            "trimmed", f"had spaces around its name, more than {MAX_NAME_LENGTH} characters, or some that do not print."
        )
    return checked_name(trimmed)


def _abilities(stored: str | None, note: Note) -> str:
    """The abilities of a token that are known here; PHP writes a list with holes as an object of its positions."""
    try:
        names = json.loads(stored or "[]")
    except ValueError as error:
        raise RowRefused("invalid", "has abilities that are no JSON.") from error
    if isinstance(names, dict):
        names = list(names.values())
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RowRefused("invalid", "has abilities that are no list of names.")
    known = {ability.value for ability in _IMPORTED_ABILITIES}
    kept = frozenset(Ability(name) for name in names if name in known)
    left_out = sorted({name for name in names if name not in known})
    if left_out:
        shown = ", ".join(name if name.isprintable() else "?" for name in left_out)
        rest = "" if kept else " It keeps none: its requests get 403."
        note("abilities_left_out", f"had abilities of other parts, which were left out: {shown}.{rest}")
    elif not kept:
        note("no_abilities", "has no abilities: its requests get 403.")
    return store_abilities(kept)


def decide_destination(
    row: DestinationSourceRow, keys: LaravelKeys, options: Options, note: Note
) -> DecidedDestination:
    """The destination of a row, whose owner is known to be there; raises `RowRefused`."""
    require_id(row.id)
    kind = KIND_NAMES.get(row.type or "")
    if kind is None:
        raise RowRefused("unknown_type", "has a type that is not known here.")
    raw: dict[Attribute, object] = {Attribute.LABEL: _label(row.label, note), Attribute.KIND: kind}
    if row.type == SPACES:
        note("spaces", "is DigitalOcean Spaces there; here, REST says custom_s3 and shows s3_endpoint.")
    applicable = KINDS[kind].applicable
    leftovers = [name for attribute, name in NAMES.items() if attribute not in applicable and _stored(row, attribute)]
    if leftovers:
        note("leftovers", f"had values that its type does not have, which were dropped: {', '.join(leftovers)}.")
    for attribute in NAMES:
        if attribute in applicable and attribute not in raw:
            raw[attribute] = _value(row, attribute, keys, options, note)
    if kind is DestinationKind.AMAZON_S3 and cleaned(raw[Attribute.REGION]) is None:
        raise RowRefused("region_missing", "has no custom_s3_region; us-east-1 is what Amazon takes for none.")
    if Attribute.PATH_STYLE_ENDPOINT in applicable and raw[Attribute.PATH_STYLE_ENDPOINT]:
        note("path_style", "has path_style_endpoint, which never had an effect there; check it.")
    try:
        attributes = parse(raw)
    except ValidationFailed as failed:
        raise RowRefused(
            "invalid", " ".join(_sentence(violation, row.type or "") for violation in failed.violations)
        ) from failed
    created_at = _created(row.created_at, options, note)
    updated_at = _timestamp(row.updated_at, "updated_at", options) or created_at
    return DecidedDestination(attributes=attributes, created_at=created_at, updated_at=updated_at)


def _value(row: DestinationSourceRow, attribute: Attribute, keys: LaravelKeys, options: Options, note: Note) -> object:
    name, stored = NAMES[attribute], getattr(row, NAMES[attribute])
    if attribute is Attribute.PATH_STYLE_ENDPOINT:
        return bool(stored)
    if attribute in _ENCRYPTED and stored:
        try:
            opened = keys.open(stored)
        except PayloadRefused as refusal:
            raise RowRefused("not_opened", f"{name} does not open: {refusal}.") from refusal
        for oddity in sorted(opened.oddities, key=lambda each: each.value):
            code, sentence = _ODDITIES[oddity]
            note(code, f"{name} {sentence}.")
        stored = opened.secret.reveal()
    if attribute in _KEYS:
        if isinstance(stored, str) and cleaned(stored) not in (stored, None):
            raise RowRefused("spaces_around", f"{name} has spaces around it.")
        return stored
    if isinstance(stored, str) and cleaned(stored) not in (stored, None):
        note("trimmed", f"{name} had spaces around it.")
        stored = cleaned(stored)
    if attribute is Attribute.ENDPOINT and isinstance(stored, str) and cleaned(stored) and not _SCHEME.match(stored):
        if not options.assume_https:
            raise RowRefused("no_scheme", f"{name} has no scheme such as https://; --assume-https adds it.")
        note("assumed_https", f"{name} had no scheme; https:// was added.")
        stored = f"https://{stored.lstrip('/')}"
    return stored


def _label(label: str | None, note: Note) -> str | None:
    trimmed = cleaned(label)
    if not isinstance(trimmed, str):
        return None
    limit = MAX_LENGTHS[Attribute.LABEL]
    if len(trimmed) > limit:
        trimmed = str(cleaned(trimmed[:limit]))
    if trimmed != label:
        note("trimmed", f"label had spaces around it, or more than {limit} characters.")
    return trimmed


def _stored(row: DestinationSourceRow, attribute: Attribute) -> bool:
    value = getattr(row, NAMES[attribute])
    return value not in (None, "", 0)


def _sentence(violation: Violation, type_: str) -> str:
    sentence = violation.sentence(NAMES[violation.attribute], type_)
    if violation.rule in (Rule.REQUIRED_FOR_KIND, Rule.REQUIRED):
        return f"{NAMES[violation.attribute]} is empty. {sentence}"
    return sentence


def _created(text: str | None, options: Options, note: Note) -> datetime:
    created_at = _timestamp(text, "created_at", options)
    if created_at is None:
        note("no_created_at", "had no created_at; it has the time of the import.")
        return options.now
    return created_at


def _timestamp(text: str | None, name: str, options: Options) -> datetime | None:
    """A naive timestamp of the application's zone, in UTC and whole seconds; MySQL's zero date is none."""
    if text is None or text.startswith(_ZERO_DATE):
        return None
    match = _TIMESTAMP.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        time = datetime.fromisoformat(f"{match[1]} {match[2]}{'+00:00' if match[3] == 'Z' else match[3] or ''}")
        return (time if time.tzinfo is not None else time.replace(tzinfo=options.zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RowRefused("invalid", f"{name} is no timestamp.") from error


def require_id(id_: int) -> None:
    """Raise `RowRefused` for an id that is none here."""
    if not 1 <= id_ <= MAX_ID:
        raise RowRefused("id_out_of_range", f"has an id that is not between 1 and {MAX_ID}.")
