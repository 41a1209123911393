"""One broken rule, in domain words. A door adds its own name for the attribute and the kind, and gets the sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

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
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """One rule broken by one attribute; `kind` and `limit` are set where the rule speaks of them."""

    attribute: Attribute
    rule: Rule
    kind: DestinationKind | None = None
    limit: int | None = None

    def sentence(self, field: str, kind: str | None = None) -> str:
        """The sentence for the person, with the door's name of the attribute and of the kind filled in."""
        match self.rule:
            case Rule.REQUIRED:
                return f"The {field} field is required."
            case Rule.REQUIRED_FOR_KIND:
                return f"The {field} field is required when type is {kind}."
            case Rule.REQUIRED_FOR_STORE:
                return f"The {field} field is required when the keys would be sent to another store."
            case Rule.NOT_A_STRING:
                return f"The {field} field must be a string."
            case Rule.TOO_LONG:
                return f"The {field} field must not be greater than {self.limit} characters."
            case Rule.NOT_TEXT:
                return f"The {field} field must be text without NUL characters."
            case Rule.UNKNOWN_KIND:
                return f"The selected {field} is invalid."
            case Rule.NOT_A_BOOLEAN:
                return f"The {field} field must be true or false."
            case Rule.NOT_A_URL:
                return f"The {field} field must be a valid URL."
            case Rule.NOT_APPLICABLE:
                return f"The {field} field does not apply when type is {kind}."
            case _:
                assert_never(self.rule)
