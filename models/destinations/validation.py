"""Turns raw attributes into checked ones, or raises `ValidationFailed` with every violation at once.

Raw: a mapping of `Attribute` to whatever a client sent; left out means "not given", None means "empty".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from models.destinations.attributes import ATTRIBUTES, KINDS, SECRET_ATTRIBUTES, Attribute, DestinationKind
from models.destinations.endpoint_url import is_endpoint_url
from models.destinations.violations import Rule, Violation
from models.errors import ValidationFailed
from models.vault.secret import Secret

if TYPE_CHECKING:
    from models.destinations.table import BackupDestination

Raw = Mapping[Attribute, object]

MAX_LENGTHS = {
    Attribute.LABEL: 255,
    Attribute.ACCESS_KEY: 255,
    Attribute.SECRET_KEY: 255,
    Attribute.BUCKET_NAME: 255,
    Attribute.REGION: 255,
    Attribute.ENDPOINT: 255,
}
"""Characters, not bytes."""

_TRIMMED = (
    " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff\u200b\u200e"
)


def cleaned(value: object) -> object:
    """Trim a string and make an empty one None; anything else stays. Comes before every rule."""
    return (value.strip(_TRIMMED) or None) if isinstance(value, str) else value


def is_text(value: str) -> bool:
    """Whether both databases can keep it: no NUL, no half of a surrogate pair."""
    if "\x00" in value:
        return False
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attributes:
    """Checked attributes of one whole destination. A secret of None means: keep the sealed one (updates only)."""

    label: str
    kind: DestinationKind
    bucket_name: str | None
    region: str | None
    endpoint: str | None
    path_style_endpoint: bool | None
    access_key: Secret | None
    secret_key: Secret | None


_ALWAYS = frozenset({Attribute.LABEL, Attribute.KIND})
_REQUIRED: Mapping[DestinationKind | None, frozenset[Attribute]] = {
    None: _ALWAYS,
    **{kind: _ALWAYS | rules.required for kind, rules in KINDS.items()},
}
_STORED = attrgetter(*ATTRIBUTES)
_SEALED = object()
"""Stands for a secret that the row already has and that is not opened to be merged."""


def parse(raw: Raw, *, current: BackupDestination | None = None, strict: bool = False) -> Attributes:
    """Check `raw` merged over `current` against the rules of the resulting kind.

    `strict` makes a well-formed attribute that the kind does not have a violation; otherwise it is left aside, so
    that a client may send back more than it needs. Malformed values are violations either way.
    Raises `ValidationFailed` with every violation, in the order of `Attribute`.
    """
    given = {a: raw[a] if a is Attribute.KIND else cleaned(raw[a]) for a in ATTRIBUTES if a in raw}
    stored = _current_values(current)
    violations = {
        a: broken for a, value in given.items() if (broken := _malformed(a, value, stored.get(a))) is not None
    }
    merged = stored | {a: value for a, value in given.items() if a not in violations}
    kind = merged.get(Attribute.KIND)
    if Attribute.KIND in violations or not isinstance(kind, DestinationKind):
        kind = None
    for attribute in _REQUIRED[kind]:
        if merged.get(attribute) is None and attribute not in violations:
            violations[attribute] = _missing(attribute, kind)
    if strict and kind is not None:
        for attribute in given.keys() - violations.keys() - KINDS[kind].applicable:
            if given[attribute] is not None:
                violations[attribute] = Violation(attribute=attribute, rule=Rule.NOT_APPLICABLE, kind=kind)
    if violations or kind is None:
        raise ValidationFailed([violations[a] for a in Attribute if a in violations], kind=kind)
    return _attributes(kind, merged)


def _malformed(attribute: Attribute, value: object, stored: object) -> Violation | None:
    """The rule that the value alone breaks; None, the empty value, breaks none.

    Nor does a text that is stored already: a client may send a whole row back that was stored under older rules.
    """
    if value is None:
        return None
    match attribute:
        case Attribute.KIND:
            rule = None if isinstance(value, DestinationKind) else Rule.UNKNOWN_KIND
        case Attribute.PATH_STYLE_ENDPOINT:
            rule = None if isinstance(value, bool) else Rule.NOT_A_BOOLEAN
        case _:
            rule = None if value is not None and value == stored else _malformed_text(attribute, value)
    limit = MAX_LENGTHS[attribute] if rule is Rule.TOO_LONG else None
    return None if rule is None else Violation(attribute=attribute, rule=rule, limit=limit)


def _malformed_text(attribute: Attribute, value: object) -> Rule | None:
    if not isinstance(value, str):
        return Rule.NOT_A_STRING
    if not is_text(value):
        return Rule.NOT_TEXT
    if len(value) > MAX_LENGTHS[attribute]:
        return Rule.TOO_LONG
    if attribute is Attribute.ENDPOINT and not is_endpoint_url(value):
        return Rule.NOT_A_URL
    return None


def _current_values(current: BackupDestination | None) -> dict[Attribute, object]:
    if current is None:
        return {}
    values: dict[Attribute, object] = dict(zip(ATTRIBUTES, _STORED(current), strict=True))
    for attribute in SECRET_ATTRIBUTES:
        if values[attribute] is not None:
            values[attribute] = _SEALED
    return values


def _missing(attribute: Attribute, kind: DestinationKind | None) -> Violation:
    if attribute in (Attribute.LABEL, Attribute.KIND):
        return Violation(attribute=attribute, rule=Rule.REQUIRED)
    return Violation(attribute=attribute, rule=Rule.REQUIRED_FOR_KIND, kind=kind)


def _attributes(kind: DestinationKind, merged: Mapping[Attribute, object]) -> Attributes:
    """The merged values that the kind has, typed; everything else is None."""

    applicable = KINDS[kind].applicable

    def text(attribute: Attribute) -> str | None:
        value = merged.get(attribute) if attribute in applicable else None
        return value if isinstance(value, str) else None

    def secret(attribute: Attribute) -> Secret | None:
        value = text(attribute)
        return None if value is None else Secret(value)

    path_style = merged.get(Attribute.PATH_STYLE_ENDPOINT) if Attribute.PATH_STYLE_ENDPOINT in applicable else None
    return Attributes(
        label=text(Attribute.LABEL) or "",
        kind=kind,
        bucket_name=text(Attribute.BUCKET_NAME),
        region=text(Attribute.REGION),
        endpoint=text(Attribute.ENDPOINT),
        path_style_endpoint=path_style if isinstance(path_style, bool) else None,
        access_key=secret(Attribute.ACCESS_KEY),
        secret_key=secret(Attribute.SECRET_KEY),
    )
