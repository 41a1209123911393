"""One broken rule, in domain words. An API adds its own names of the attribute and the kind, and gets the sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from models.destinations.attributes import Attribute, DestinationKind


class Rule(StrEnum):
    """Which rule was broken."""

    REQUIRED = "required"
    REQUIRED_FOR_KIND = "required_for_kind"
    REQUIRED_FOR_STORE = "required_for_store"
    NOT_A_STRING = "not_a_string"
    TOO_LONG = "too_long"
    NOT_TEXT = "not_text"
    UNKNOWN_KIND = "unknown_kind"
    NOT_A_BOOLEAN = "not_a_boolean"
    NOT_A_URL = "not_a_url"
    NOT_AN_OBJECT_PREFIX = "not_an_object_prefix"
    NOT_CERTIFICATES = "not_certificates"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """One rule broken by one attribute; `kind` and `limit` are set where the rule speaks of them."""

    attribute: Attribute
    rule: Rule
    kind: DestinationKind | None = None
    limit: int | None = None

    def sentence(self, field: str, kind: str | None = None, *, kinds_are: str = "type") -> str:
        """The sentence for a person, with an API's names of the attribute and of the kind, and its word for kinds."""
        return f"The {_SENTENCES[self.rule].format(field=field, kinds_are=kinds_are, kind=kind, limit=self.limit)}"


_SENTENCES: Mapping[Rule, str] = {
    Rule.REQUIRED: "{field} field is required.",
    Rule.REQUIRED_FOR_KIND: "{field} field is required when {kinds_are} is {kind}.",
    Rule.REQUIRED_FOR_STORE: "{field} field is required when the keys would be sent to another store.",
    Rule.NOT_A_STRING: "{field} field must be a string.",
    Rule.TOO_LONG: "{field} field must not be greater than {limit} characters.",
    Rule.NOT_TEXT: "{field} field must be text without NUL characters.",
    Rule.UNKNOWN_KIND: "selected {field} is invalid.",
    Rule.NOT_A_BOOLEAN: "{field} field must be true or false.",
    Rule.NOT_A_URL: "{field} field must be a valid URL.",
    Rule.NOT_AN_OBJECT_PREFIX: "{field} field must be printable, with no slash at its start and no empty, `.` or `..` "
    "part between slashes, at most 900 bytes in UTF-8.",
    Rule.NOT_CERTIFICATES: "{field} field must be certificates in PEM and nothing else, never a private key.",
    Rule.NOT_APPLICABLE: "{field} field does not apply when {kinds_are} is {kind}.",
}
