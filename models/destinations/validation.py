"""Turns raw attributes into checked ones, or raises `ValidationFailed` with every violation at once.

Raw: a mapping of `Attribute` to what a client sent; left out means "not given", None means "empty".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from models.destinations.attributes import (
    ATTRIBUTES,
    KINDS,
    MAX_LENGTHS,
    SECRET_ATTRIBUTES,
    Attribute,
    DestinationKind,
    ValueType,
)
from models.destinations.certificates import are_certificates
from models.destinations.endpoint_url import is_endpoint_url, parse_endpoint_url
from models.destinations.object_prefix import is_object_prefix
from models.destinations.violations import Rule, Violation
from models.errors import ValidationFailed
from models.text import cleaned, is_text
from models.vault.secret import Secret

Raw = Mapping[Attribute, object]

AttributeValue = str | bool | DestinationKind | Secret | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Attributes:
    """Checked attributes of one whole destination, None where the kind has none or the value is empty.

    A secret of None means: keep the sealed one (updates only).
    """

    kind: DestinationKind
    values: Mapping[Attribute, AttributeValue]

    def __getitem__(self, attribute: Attribute) -> AttributeValue:
        """The value of an attribute."""
        return self.values[attribute]

    def text(self, attribute: Attribute) -> str | None:
        """The value of an attribute that is text."""
        value = self.values[attribute]
        return value if isinstance(value, str) else None

    def secret(self, attribute: Attribute) -> Secret | None:
        """The value of an attribute that is a secret."""
        value = self.values[attribute]
        return value if isinstance(value, Secret) else None


Check = Callable[[object, object], Rule | None]
"""The rule that a value breaks; takes the value, which is not None, and the stored one."""

_ALWAYS = frozenset({Attribute.LABEL, Attribute.KIND})
_REQUIRED: Mapping[DestinationKind | None, frozenset[Attribute]] = {
    None: _ALWAYS,
    **{kind: rules.required for kind, rules in KINDS.items()},
}
_STORED = attrgetter(*ATTRIBUTES)
_SEALED = object()
"""Stands for a secret that the row already has and that is not opened to be merged."""


def parse(raw: Raw, *, current: object = None, strict: bool = False) -> Attributes:
    """Check `raw` merged over `current` against the rules of the resulting kind.

    `current` is a stored row, whose attributes are those of `ATTRIBUTES`; None for a new one.
    `strict` makes a well-formed attribute that the kind does not have a violation; otherwise it is left aside, so
    that a client may send back more than it needs. Malformed values are violations either way.
    Keys are required anew when the change would send the stored ones to another store.
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
    if kind is not None and not violations and _goes_elsewhere(stored, merged):
        violations |= _missing_keys(kind, merged)
    if strict and kind is not None:
        for attribute in given.keys() - violations.keys() - KINDS[kind].applicable:
            if given[attribute] is not None:
                violations[attribute] = Violation(attribute=attribute, rule=Rule.NOT_APPLICABLE, kind=kind)
    if violations or kind is None:
        raise ValidationFailed([violations[a] for a in Attribute if a in violations], kind=kind)
    return _attributes(kind, merged)


def _goes_elsewhere(stored: Mapping[Attribute, object], merged: Mapping[Attribute, object]) -> bool:
    """Whether a change would send the stored keys to another store than the one that their owner gave them for.

    A check sends the access key and a signature to the endpoint, so a token that may update could collect them there.
    """
    if not stored:
        return False
    kind = merged[Attribute.KIND]
    if stored[Attribute.KIND] != kind:
        return True
    if not isinstance(kind, DestinationKind) or Attribute.ENDPOINT not in KINDS[kind].applicable:
        return False
    before, after = stored[Attribute.ENDPOINT], merged[Attribute.ENDPOINT]
    return before != after and _store_of(before) != _store_of(after)


def _missing_keys(kind: DestinationKind, merged: Mapping[Attribute, object]) -> dict[Attribute, Violation]:
    """The stored keys that were not given anew."""
    return {
        attribute: Violation(attribute=attribute, rule=Rule.REQUIRED_FOR_STORE)
        for attribute in SECRET_ATTRIBUTES & KINDS[kind].applicable
        if merged.get(attribute) is _SEALED
    }


def _store_of(endpoint: object) -> object:
    """Scheme, host, port and path of an endpoint; a text that is no URL stands for itself."""
    try:
        url = parse_endpoint_url(str(endpoint))
    except ValueError:
        return endpoint
    return url.scheme, url.host, url.port, url.path.rstrip("/")


def _malformed(attribute: Attribute, value: object, stored: object) -> Violation | None:
    """The rule that the value alone breaks; None, the empty value, breaks none.

    Nor does a text that is stored already: a client may send a whole row back that was stored under older rules.
    """
    if value is None:
        return None
    rule = _CHECKS[attribute](value, stored)
    if rule is None:
        return None
    limit = MAX_LENGTHS[attribute] if rule is Rule.TOO_LONG else None
    return Violation(attribute=attribute, rule=rule, limit=limit)


def _check_kind(value: object, _stored: object) -> Rule | None:
    return None if isinstance(value, DestinationKind) else Rule.UNKNOWN_KIND


def _check_boolean(value: object, _stored: object) -> Rule | None:
    return None if isinstance(value, bool) else Rule.NOT_A_BOOLEAN


def _text_check(max_length: int, is_right: Callable[[str], bool] | None = None, rule: Rule | None = None) -> Check:
    """The check of a text of so many characters that `is_right`, or breaks the rule."""

    def check(value: object, stored: object) -> Rule | None:
        if value == stored:
            return None
        if not isinstance(value, str):
            return Rule.NOT_A_STRING
        if not is_text(value):
            return Rule.NOT_TEXT
        if len(value) > max_length:
            return Rule.TOO_LONG
        return None if is_right is None or is_right(value) else rule

    return check


def _check_of(attribute: Attribute) -> Check:
    match attribute.rules.type:
        case ValueType.KIND:
            return _check_kind
        case ValueType.BOOLEAN:
            return _check_boolean
        case ValueType.TEXT:
            return _text_check(MAX_LENGTHS[attribute])
        case ValueType.URL:
            return _text_check(MAX_LENGTHS[attribute], is_endpoint_url, Rule.NOT_A_URL)
        case ValueType.OBJECT_PREFIX:
            return _text_check(MAX_LENGTHS[attribute], is_object_prefix, Rule.NOT_AN_OBJECT_PREFIX)
        case ValueType.CERTIFICATES:
            return _text_check(MAX_LENGTHS[attribute], are_certificates, Rule.NOT_CERTIFICATES)


_CHECKS: Mapping[Attribute, Check] = {attribute: _check_of(attribute) for attribute in ATTRIBUTES}


def _current_values(current: object) -> dict[Attribute, object]:
    if current is None:
        return {}
    values: dict[Attribute, object] = dict(zip(ATTRIBUTES, _STORED(current), strict=True))
    for attribute in SECRET_ATTRIBUTES:
        if values[attribute] is not None:
            values[attribute] = _SEALED
    return values


def _missing(attribute: Attribute, kind: DestinationKind | None) -> Violation:
    if attribute in _ALWAYS:
        return Violation(attribute=attribute, rule=Rule.REQUIRED)
    return Violation(attribute=attribute, rule=Rule.REQUIRED_FOR_KIND, kind=kind)


def _attributes(kind: DestinationKind, merged: Mapping[Attribute, object]) -> Attributes:
    """The merged values that the kind has, of the right types; everything else is None."""
    values: dict[Attribute, AttributeValue] = dict.fromkeys(ATTRIBUTES)
    for attribute, is_boolean, is_secret in _HAS[kind]:
        value = merged.get(attribute)
        if is_boolean:
            values[attribute] = value if isinstance(value, bool) else None
        elif isinstance(value, str):
            values[attribute] = Secret(value) if is_secret else value
    values[Attribute.KIND] = kind
    return Attributes(kind=kind, values=values)


_HAS: Mapping[DestinationKind, Sequence[tuple[Attribute, bool, bool]]] = {
    kind: [
        (each, each.rules.type is ValueType.BOOLEAN, each.rules.is_secret)
        for each in ATTRIBUTES
        if each in rules.applicable
    ]
    for kind, rules in KINDS.items()
}
"""What a destination of each kind has: the attribute, whether it is a boolean, and whether it is secret."""
