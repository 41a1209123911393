"""What access is asked for and granted: one object, or objects below a prefix and the list of it; checked by rule.

Raw: a mapping of `AccessField` to what a client sent; left out means "not given", None and "" mean "empty". Keys
are not trimmed: a space at an end is part of a name.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from models.checks.report import REMEDIES, CheckCode, ProbeTarget
from models.errors import Refusal, ValidationFailed
from models.text import is_text

MAX_KEY_BYTES = 1_024
"""Of the key of an object, in UTF-8 (S3's own limit)."""
DEFAULT_LIFETIME = timedelta(minutes=15)
LONGEST_LIFETIME = timedelta(hours=24)
MAX_REQUESTS = 100
"""Of one grant: operations times objects times parts."""
MAX_BYTES_OF_KEYS = 16_384
"""Of all keys of one grant together, in UTF-8: its event has them."""
MAX_PARTS = 10_000
"""Of an upload in parts (S3's own limit)."""
MAX_OBJECT_BYTES = 5 * 1024**3
"""Of the body of one request (S3's own limit)."""
MAX_LISTED = 1_000
"""Objects of one page of a list (S3's own limit)."""
MAX_TOKEN_LENGTH = 1_024
"""Of an upload's id, and of a list's continuation token."""

_MEDIA_TYPE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")
_TOKEN = re.compile(r"[\x21-\x7e]{1,1024}")
_DIGITS = re.compile(r"[0-9]{1,15}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class GrantOperation(StrEnum):
    """One operation of S3 that can be granted; all but `LIST` are on one object."""

    PUT = "put"
    GET = "get"
    HEAD = "head"
    DELETE = "delete"
    LIST = "list"
    CREATE_UPLOAD = "create_upload"
    UPLOAD_PART = "upload_part"
    LIST_PARTS = "list_parts"
    COMPLETE_UPLOAD = "complete_upload"
    ABORT_UPLOAD = "abort_upload"


Op = GrantOperation
ON_PARTS = frozenset({Op.UPLOAD_PART, Op.LIST_PARTS, Op.COMPLETE_UPLOAD, Op.ABORT_UPLOAD})
"""Operations on an upload in parts that was begun."""


class AccessField(StrEnum):
    """A value of a request for access; both APIs call it so, GraphQL in camel case."""

    OPERATIONS = "operations"
    KEY = "key"
    KEYS = "keys"
    PREFIX = "prefix"
    EXPIRES_IN = "expires_in"
    CONTENT_LENGTH = "content_length"
    CONTENT_TYPE = "content_type"
    CONTENT_MD5 = "content_md5"
    UPLOAD_ID = "upload_id"
    PART_NUMBERS = "part_numbers"
    DELIMITER = "delimiter"
    START_AFTER = "start_after"
    CONTINUATION_TOKEN = "continuation_token"  # noqa: S105 - a name
    MAX_KEYS = "max_keys"


RawAccess = Mapping[AccessField, object]


class AccessFault(StrEnum):
    """How a value breaks its rule, for programs."""

    REQUIRED = "required"
    NOT_APPLICABLE = "not_applicable"
    TOO_LONG = "too_long"
    MALFORMED = "malformed"


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessViolation:
    """One rule broken by one value, with the sentence for a person."""

    field: AccessField
    fault: AccessFault
    message: str


class AccessInvalid(Refusal):
    """A request for access breaks at least one rule; `violations` holds all of them, in the order of the fields."""

    def __init__(self, violations: Sequence[AccessViolation]) -> None:
        super().__init__(ValidationFailed.summary([violation.message for violation in violations]))
        self.violations = tuple(violations)


class FieldsRefused(Refusal):
    """A request has fields that grants do not have, or both names of one; `errors` has sentences by field."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        super().__init__(ValidationFailed.summary([sentence for said in errors.values() for sentence in said]))
        self.errors = errors


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """Access that may be granted. `keys` is empty where a list alone is asked for; `prefix` is None without one."""

    operations: tuple[GrantOperation, ...]
    keys: tuple[str, ...] = ()
    prefix: str | None = None
    lifetime: timedelta = DEFAULT_LIFETIME
    content_length: int | None = None
    content_type: str | None = None
    content_md5: str | None = None
    upload_id: str | None = None
    part_numbers: tuple[int, ...] = ()
    delimiter: str | None = None
    start_after: str | None = None
    continuation_token: str | None = None
    max_keys: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Granted:
    """What an event says of a grant."""

    operations: tuple[GrantOperation, ...]
    keys: tuple[str, ...]
    prefix: str | None
    expires_at: datetime

    def to_json(self) -> str:
        """As it is stored."""
        stored = {
            "operations": self.operations,
            "keys": self.keys,
            "prefix": self.prefix,
            "expires_at": self.expires_at.isoformat(),
        }
        return json.dumps(stored, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Granted:
        """Read what was stored; raises `ValueError` or `KeyError` for anything else."""
        stored = json.loads(text)
        return cls(
            operations=tuple(GrantOperation(operation) for operation in stored["operations"]),
            keys=tuple(stored["keys"]),
            prefix=stored["prefix"],
            expires_at=datetime.fromisoformat(stored["expires_at"]).astimezone(UTC),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PresignedRequest:
    """A request to a store that is signed already. The client sends `headers` as they are, and others as it likes."""

    operation: GrantOperation
    method: str
    url: str = field(repr=False)
    """Holds a signature: shown to the viewer who was granted it, and to nobody else."""
    headers: Mapping[str, str]
    key: str | None
    part_number: int | None


class Presigner(Protocol):
    """Signs requests to stores."""

    async def presign(self, target: ProbeTarget, access: Access, at: datetime) -> Sequence[PresignedRequest]:
        """The requests of an access, valid from `at` (UTC) on; raises `StoreNotUsable`."""
        ...


class StoreNotUsable(Refusal):
    """Nothing is signed for the destination's store: what is stored names none, or none that may be reached."""

    def __init__(self, code: CheckCode) -> None:
        super().__init__(REMEDIES[code].text)
        self.code = code


def parse_access(raw: RawAccess, *, longest: timedelta = LONGEST_LIFETIME) -> Access:
    """Check a request for access; raises `AccessInvalid` with every violation. `longest` bounds its lifetime."""
    return _Reading(raw, longest).access()


class _Reading:
    """Reads one request, and collects what is wrong with it."""

    def __init__(self, raw: RawAccess, longest: timedelta) -> None:
        self._given = {name: value for name, value in raw.items() if value not in (None, "")}
        self._longest = longest
        self._violations: dict[AccessField, AccessViolation] = {}

    def access(self) -> Access:
        operations = self._operations()
        read = Access(
            operations=operations,
            keys=self._keys(operations),
            prefix=self._key_text(AccessField.PREFIX),
            lifetime=timedelta(seconds=self._lifetime_s()),
            content_length=self._number(AccessField.CONTENT_LENGTH, 0, MAX_OBJECT_BYTES),
            content_type=self._form(AccessField.CONTENT_TYPE, _MEDIA_TYPE, "a media type in ASCII"),
            content_md5=self._md5(),
            upload_id=self._form(AccessField.UPLOAD_ID, _TOKEN, "an upload's id as the store gave it"),
            part_numbers=self._part_numbers(),
            delimiter=self._key_text(AccessField.DELIMITER),
            start_after=self._key_text(AccessField.START_AFTER),
            continuation_token=self._form(AccessField.CONTINUATION_TOKEN, _TOKEN, "as the store gave it"),
            max_keys=self._number(AccessField.MAX_KEYS, 1, MAX_LISTED),
        )
        self._require_fitting(read)
        if self._violations:
            raise AccessInvalid([self._violations[name] for name in AccessField if name in self._violations])
        return read

    def _require_fitting(self, read: Access) -> None:
        """The rules between the fields."""
        asked = set(read.operations)
        if not asked:
            return
        on_objects = asked - {Op.LIST}
        if on_objects and not read.keys:
            name = AccessField.KEYS if AccessField.PREFIX in self._given else AccessField.KEY
            self._break(name, AccessFault.REQUIRED, f"field is required when operations has {sorted(on_objects)[0]}.")
        if read.prefix is not None and not all(key.startswith(read.prefix) for key in read.keys):
            name = AccessField.KEYS if AccessField.KEYS in self._given else AccessField.KEY
            self._break(name, AccessFault.MALFORMED, "field must begin with the prefix.")
        for name, (needed_by, of) in _NEEDED.items():
            if asked & needed_by and name not in self._given:
                self._break(name, AccessFault.REQUIRED, f"field is required when operations has {of}.")
        for name, (only_for, of) in _ONLY_FOR.items():
            if name in self._given and not asked & only_for:
                self._break(name, AccessFault.NOT_APPLICABLE, f"field applies only when operations has {of}.")
        count = sum(
            1 if op is Op.LIST else len(read.keys) * (len(read.part_numbers) if op is Op.UPLOAD_PART else 1)
            for op in read.operations
        )
        if count > MAX_REQUESTS:
            name = AccessField.PART_NUMBERS if read.part_numbers else AccessField.KEYS
            self._break(name, AccessFault.TOO_LONG, f"field asks for more than {MAX_REQUESTS} requests.")

    def _operations(self) -> tuple[GrantOperation, ...]:
        given = self._given.get(AccessField.OPERATIONS)
        names = [given] if isinstance(given, str) else given
        if names is None or names == []:
            self._break(AccessField.OPERATIONS, AccessFault.REQUIRED, "field is required.")
            return ()
        if not isinstance(names, list) or not all(isinstance(name, str) and name in set(Op) for name in names):
            known = ", ".join(Op)
            self._break(AccessField.OPERATIONS, AccessFault.MALFORMED, f"field must have some of {known}.")
            return ()
        return tuple(dict.fromkeys(GrantOperation(name) for name in names))

    def _keys(self, operations: Sequence[GrantOperation]) -> tuple[str, ...]:
        if AccessField.KEYS not in self._given:
            key = self._key_text(AccessField.KEY)
            return () if key is None else (key,)
        if AccessField.KEY in self._given:
            self._break(AccessField.KEYS, AccessFault.NOT_APPLICABLE, "field does not go together with key.")
            return (str(self._given[AccessField.KEY]),)
        if AccessField.PREFIX not in self._given and operations:
            self._break(AccessField.PREFIX, AccessFault.REQUIRED, "field is required when there are keys.")
        keys = self._given[AccessField.KEYS]
        if not isinstance(keys, list) or not keys:
            self._break(AccessField.KEYS, AccessFault.MALFORMED, "field must be a list of strings.")
            return ()
        for key in keys:
            self._require_key(AccessField.KEYS, key)
        if AccessField.KEYS not in self._violations and len("".join(keys).encode()) > MAX_BYTES_OF_KEYS:
            text = f"field must not have more than {MAX_BYTES_OF_KEYS} bytes in UTF-8 in all."
            self._break(AccessField.KEYS, AccessFault.TOO_LONG, text)
        return () if AccessField.KEYS in self._violations else tuple(dict.fromkeys(keys))

    def _key_text(self, name: AccessField) -> str | None:
        value = self._given.get(name)
        if value is None:
            return None
        return value if self._require_key(name, value) and isinstance(value, str) else None

    def _require_key(self, name: AccessField, value: object) -> bool:
        """Whether the value can be the key of an object, or the beginning of one."""
        if not isinstance(value, str) or value == "":
            self._break(name, AccessFault.MALFORMED, "field must be a string.")
        elif not is_text(value) or _CONTROL.search(value):
            self._break(name, AccessFault.MALFORMED, "field must be text without control characters.")
        elif len(value.encode()) > MAX_KEY_BYTES:
            self._break(name, AccessFault.TOO_LONG, f"field must not be longer than {MAX_KEY_BYTES} bytes in UTF-8.")
        elif {".", ".."}.intersection(value.split("/")):
            # Clients and proxies resolve them, and the request would go to another object than was signed for.
            self._break(name, AccessFault.MALFORMED, "field must have no `.` or `..` part between slashes.")
        return name not in self._violations

    def _lifetime_s(self) -> int:
        longest = int(self._longest.total_seconds())
        if AccessField.EXPIRES_IN not in self._given:
            return min(longest, int(DEFAULT_LIFETIME.total_seconds()))
        return self._number(AccessField.EXPIRES_IN, 1, longest) or 1

    def _number(self, name: AccessField, least: int, most: int) -> int | None:
        value = self._given.get(name)
        if value is None:
            return None
        number = _integer(value)
        if number is None or not least <= number <= most:
            self._break(name, AccessFault.MALFORMED, f"field must be an integer from {least} to {most}.")
            return None
        return number

    def _part_numbers(self) -> tuple[int, ...]:
        given = self._given.get(AccessField.PART_NUMBERS)
        if given is None:
            return ()
        numbers = [_integer(each) for each in (given if isinstance(given, list) else [given])]
        found = [number for number in numbers if number is not None and 1 <= number <= MAX_PARTS]
        if not found or len(found) < len(numbers):
            text = f"field must be integers from 1 to {MAX_PARTS}."
            self._break(AccessField.PART_NUMBERS, AccessFault.MALFORMED, text)
        return tuple(dict.fromkeys(found))

    def _form(self, name: AccessField, form: re.Pattern[str], said: str) -> str | None:
        value = self._given.get(name)
        if value is None:
            return None
        if isinstance(value, str) and form.fullmatch(value):
            return value
        self._break(name, AccessFault.MALFORMED, f"field must be {said}.")
        return None

    def _md5(self) -> str | None:
        value = self._given.get(AccessField.CONTENT_MD5)
        if value is None:
            return None
        try:
            if isinstance(value, str) and len(base64.b64decode(value.encode("ascii"), validate=True)) == 16:
                return value
        except (ValueError, binascii.Error):
            pass
        self._break(AccessField.CONTENT_MD5, AccessFault.MALFORMED, "field must be an MD5 digest in base64.")
        return None

    def _break(self, name: AccessField, fault: AccessFault, said: str) -> None:
        """Note a broken rule; the first one of a field counts."""
        words = name.replace("_", " ")
        self._violations.setdefault(name, AccessViolation(field=name, fault=fault, message=f"The {words} {said}"))


def _integer(value: object) -> int | None:
    """An integer, also one that is written in decimal digits, or that is whole in a floating-point number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        return int(value) if _DIGITS.fullmatch(value) else None
    return value if isinstance(value, int) else None


_SENT = frozenset({Op.PUT, Op.UPLOAD_PART})
_NEEDED: Mapping[AccessField, tuple[frozenset[GrantOperation], str]] = {
    AccessField.UPLOAD_ID: (ON_PARTS, "an operation on an upload in parts"),
    AccessField.PART_NUMBERS: (frozenset({Op.UPLOAD_PART}), "upload_part"),
}
_LISTING = (frozenset({Op.LIST}), "list")
_ONLY_FOR: Mapping[AccessField, tuple[frozenset[GrantOperation], str]] = {
    AccessField.KEY: (frozenset(Op) - {Op.LIST}, "an operation on an object"),
    AccessField.KEYS: (frozenset(Op) - {Op.LIST}, "an operation on objects"),
    AccessField.CONTENT_LENGTH: (_SENT, "put or upload_part"),
    AccessField.CONTENT_TYPE: (frozenset({Op.PUT, Op.CREATE_UPLOAD}), "put or create_upload"),
    AccessField.CONTENT_MD5: (_SENT, "put or upload_part"),
    AccessField.UPLOAD_ID: (ON_PARTS, "an operation on an upload in parts"),
    AccessField.PART_NUMBERS: (frozenset({Op.UPLOAD_PART}), "upload_part"),
    AccessField.DELIMITER: _LISTING,
    AccessField.START_AFTER: _LISTING,
    AccessField.CONTINUATION_TOKEN: _LISTING,
    AccessField.MAX_KEYS: _LISTING,
}
