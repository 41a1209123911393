"""The JSON Schemas of what crosses this wire, made from the tables that the code itself goes by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.destinations.attributes import (
    KINDS,
    MAX_LENGTHS,
    SECRET_ATTRIBUTES,
    Attribute,
    DestinationKind,
    ValueType,
)
from models.destinations.row import PlainRow
from models.grants.access import AccessField
from models.pagination import Page
from rest.envelope import paged
from rest.wire import ALIASES, FIELDS, TYPES, represent

Schema = dict[str, Any]

_BOOLEAN_SPELLINGS = [0, 1, "0", "1"]
_TIMESTAMP: Schema = {"type": "string", "format": "date-time", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}
_ID: Schema = {"type": "integer", "minimum": 1}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_POSITION: Schema = {"type": ["integer", "null"], "minimum": 1}
_LINK: Schema = {"type": "string", "format": "uri"}
_SOME_TEXT = r"^[^\u0000]*[^\s\u0000\u001c-\u001f\u0085\u200b\u200e\ufeff][^\u0000]*$"
"""No NUL, and something that is not trimmed away."""
_HTTP_URL = r"^(?!.*/\.{1,2}(/|$))https?://(\[[0-9A-Fa-f:.]+\]|[^\s/:?#@\[\]]{1,253})(:[0-9]{1,5})?(/[^\s?#]*)?$"
_ANSWERED = {name: attribute for attribute, name in (FIELDS | ALIASES).items()}


def _also_called(attribute: Attribute) -> str:
    return f" Answers call it `{ALIASES[attribute]}`." if attribute in ALIASES else ""


_DESCRIPTIONS = {attribute: attribute.rules.description + _also_called(attribute) for attribute in FIELDS}


def component(kind: DestinationKind) -> str:
    """The name of a kind in names of schemas, such as `AmazonS3`."""
    return KINDS[kind].human_name.replace(" ", "")


def reference(name: str) -> Schema:
    """Points to a schema among the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def answers() -> dict[str, Schema]:
    """What comes back: a destination of each kind, any destination, one under `data`, and a page."""
    shown = {f"{component(kind)}Destination": _shown(kind) for kind in DestinationKind}
    mapping = {TYPES[kind]: reference(f"{component(kind)}Destination")["$ref"] for kind in DestinationKind}
    return shown | {
        "Destination": {
            "oneOf": [reference(name) for name in shown],
            "discriminator": {"propertyName": FIELDS[Attribute.KIND], "mapping": mapping},
        },
        "OneDestination": _whole({"data": reference("Destination")}),
        "PageOfDestinations": _page(),
    }


def requests(*, form: bool) -> dict[str, Schema]:
    """What is sent: a new destination of each kind, any of them, and changes; `form` for forms instead of JSON."""
    suffix = "Form" if form else ""
    new = {f"New{component(kind)}Destination{suffix}": _new(kind, form=form) for kind in DestinationKind}
    return new | {
        f"NewDestination{suffix}": {"anyOf": [reference(name) for name in new]},
        f"DestinationChanges{suffix}": _changes(form=form),
    }


def problems() -> dict[str, Schema]:
    """What a refusal looks like; one of the rules has sentences by field besides."""
    properties = {
        "error": {"type": "string", "description": "The phrase of the status."},
        "message": {"type": "string", "description": "A sentence for the person."},
    }
    sentences = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    of_fields = {
        "ValidationProblem": [*FIELDS.values(), "idempotency_key"],
        "GrantValidationProblem": [name.value for name in AccessField],
    }
    errors = {
        problem: {
            "type": "object",
            "description": "Every broken rule, by the field of the request; a reused Idempotency-Key alone.",
            "properties": dict.fromkeys(fields, sentences),
            "minProperties": 1,
            "additionalProperties": False,
        }
        for problem, fields in of_fields.items()
    }
    invalid = {problem: _whole({**properties, "errors": each}) for problem, each in errors.items()}
    return {"Problem": _whole(properties), **invalid}


def _shown(kind: DestinationKind) -> Schema:
    """A destination as `represent` shows it, so that the keys and their order are its own."""
    row = PlainRow.of(stored_kind=kind.value)
    return _whole({name: _shown_field(name, value) for name, value in represent(row).items()})


def _shown_field(name: str, value: object) -> Schema:
    match name:
        case "id" | "user_id":
            return _ID
        case "type" | "type_human":
            return {"const": value}
        case "created_at" | "updated_at":
            return _TIMESTAMP
        case _:
            return _text_or_boolean(_ANSWERED[name])


def _text_or_boolean(attribute: Attribute) -> Schema:
    """An attribute that is there: what is trimmed to nothing is not."""
    if attribute not in MAX_LENGTHS:
        return {"type": "boolean"}
    schema: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_LENGTHS[attribute], "pattern": _SOME_TEXT}
    return schema | ({"format": "uri", "pattern": _HTTP_URL} if attribute.rules.type is ValueType.URL else {})


def _field(attribute: Attribute, *, form: bool) -> Schema:
    """A field that must be given. A form has no booleans; JSON takes them in the spellings of forms too."""
    if attribute is Attribute.KIND:
        schema: Schema = {"enum": list(TYPES.values())}
    elif attribute in MAX_LENGTHS:
        schema = _text_or_boolean(attribute)
    elif form:
        schema = {"enum": ["0", "1"]}
    else:
        schema = {"anyOf": [{"type": "boolean"}, {"enum": _BOOLEAN_SPELLINGS}]}
    hidden = {"writeOnly": True} if attribute in SECRET_ATTRIBUTES else {}
    return {**schema, **hidden, "description": _DESCRIPTIONS[attribute]}


def _field_or_empty(attribute: Attribute, *, form: bool) -> Schema:
    """A field that may be left out, blank or null (which a form cannot say); well-formed otherwise."""
    bare = _field(attribute, form=form)
    description = bare.pop("description")
    blank: Schema = {"type": "string", "pattern": r"^\s*$", "maxLength": 255}
    empty = [blank] if form else [blank, {"type": "null"}]
    return {"anyOf": [bare, *empty], "description": description}


def _new(kind: DestinationKind, *, form: bool) -> Schema:
    """A field the kind does not have is ignored if it is well-formed."""
    required = KINDS[kind].required
    properties = {
        name: (_field if attribute in required else _field_or_empty)(attribute, form=form)
        for attribute, name in FIELDS.items()
    }
    properties[FIELDS[Attribute.KIND]] = {"const": TYPES[kind], "description": _DESCRIPTIONS[Attribute.KIND]}
    names = [name for attribute, name in FIELDS.items() if attribute in required]
    return {"title": KINDS[kind].human_name, **_fields(properties, form=form), "required": names}


def _changes(*, form: bool) -> Schema:
    always = (Attribute.LABEL, Attribute.KIND)
    properties = {
        name: (_field if attribute in always else _field_or_empty)(attribute, form=form)
        for attribute, name in FIELDS.items()
    }
    return _fields(properties, form=form)


def _fields(properties: Schema, *, form: bool) -> Schema:
    """Fields of other names are ignored, but a form may repeat none."""
    others = {"additionalProperties": {"type": "string"}} if form else {}
    return {"type": "object", "properties": properties, **others}


def _page() -> Schema:
    """A page as `paged` writes it."""
    empty: Page[Any] = Page(rows=(), number=1, size=15, total=0)
    envelope = paged(empty, dict, url="http://example.com/api/backup-destinations", keep_size=False)
    link_or_null = {**_LINK, "type": ["string", "null"]}
    links = {name: _LINK if name in ("first", "last") else link_or_null for name in envelope["links"]}
    of_meta = {"from": _POSITION, "to": _POSITION, "total": _COUNT, "path": _LINK}
    meta = {name: of_meta.get(name, _ID) for name in envelope["meta"]}
    rows = {"type": "array", "items": reference("Destination")}
    return _whole({"data": rows, "links": _whole(links), "meta": _whole(meta)})


def _whole(properties: Mapping[str, Schema]) -> Schema:
    """An object that has all of these and nothing else."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
