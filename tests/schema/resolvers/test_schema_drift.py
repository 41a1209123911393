"""The schema is the same wherever it is shown, every part of it is described, and it breaks no client unawares."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    build_client_schema,
    build_schema,
    get_introspection_query,
    is_introspection_type,
    is_specified_scalar_type,
    print_schema,
)

from schema.resolvers.definition import make_schema, possible_types, print_sdl
from tests.app.cli.test_command_line import moorings
from tests.support.gateway.gateway import Gateway
from tests.support.graphql.graphql_client import ask
from tests.support.graphql.schema_changes import Change, Severity, breaking, changes
from tests.support.paths import ROOT

FOLDER = ROOT / "schema"
COMMITTED = FOLDER / "schema.graphql"
RELEASED = FOLDER / "released.graphql"
POSSIBLE_TYPES = FOLDER / "possibleTypes.json"

ACKNOWLEDGED = frozenset({"Field AmazonS3Destination.region changed type from String! to String."})
"""Sentences of the breaking changes since the release that are meant; a release empties it with `released.graphql`."""

OLD = """
interface Place { name: String! }
type Harbour implements Place { name: String!, depth: Int, berths(first: Int): [String!]! }
type Missing { message: String! }
union Found = Harbour | Missing
enum State { OPEN CLOSED }
input Wanted { name: String!, state: State }
type Query { found(wanted: Wanted): Found, place: Place, state: State }
"""

PLANTED = [
    ("depth: Int, ", "", Severity.BREAKING, "Field Harbour.depth was removed."),
    ("depth: Int,", "depth: String,", Severity.BREAKING, "Field Harbour.depth changed type from Int to String."),
    ("type Harbour implements Place", "type Harbour", Severity.BREAKING,
     "Harbour no longer implements interface Place."),
    ("OPEN CLOSED", "OPEN", Severity.BREAKING, "Enum value State.CLOSED was removed."),
    ("name: String!, state", "name: String!, depth: Int!, state", Severity.BREAKING,
     "A required field Wanted.depth was added."),
    ("(first: Int)", "(first: Int!)", Severity.BREAKING,
     "Argument Harbour.berths(first:) has changed type from Int to Int!."),
    ("(first: Int)", "", Severity.BREAKING, "Argument Harbour.berths(first:) was removed."),
    ("Harbour | Missing", "Harbour", Severity.BREAKING, "Missing was removed from union type Found."),
    ("OPEN CLOSED", "OPEN CLOSED BUILT", Severity.DANGEROUS, "Enum value State.BUILT was added."),
    ("(first: Int)", "(first: Int, last: Int)", Severity.DANGEROUS,
     "An optional argument Harbour.berths(last:) was added."),
    ("type Query", "type Pier implements Place { name: String! } type Query", Severity.DANGEROUS,
     "Pier was added to interface type Place."),
    ("Harbour | Missing", "Harbour | Missing | Pier type Pier { name: String! }", Severity.DANGEROUS,
     "Pier was added to union type Found."),
]  # fmt: skip

HARMLESS = [
    ("depth: Int,", "depth: Int, width: Int,"),
    ("type Query", "type Pier { name: String! } type Query"),
    ("place: Place", 'place: Place @deprecated(reason: "There is another.")'),
    ("depth: Int,", '"How deep." depth: Int!,'),
]


def undescribed(sdl: str) -> Iterator[str]:
    """Every type, field, argument, input field and enum value of ours that has no description."""
    for name, type_ in build_schema(sdl).type_map.items():
        if is_introspection_type(type_) or is_specified_scalar_type(type_):
            continue
        described: dict[str, str | None] = {name: type_.description}
        match type_:
            case GraphQLObjectType() | GraphQLInterfaceType():
                for field, definition in type_.fields.items():
                    described[f"{name}.{field}"] = definition.description
                    described |= {f"{name}.{field}({a})": arg.description for a, arg in definition.args.items()}
            case GraphQLInputObjectType():
                described |= {f"{name}.{f}": definition.description for f, definition in type_.fields.items()}
            case GraphQLEnumType():
                described |= {f"{name}.{v}": value.description for v, value in type_.values.items()}
        yield from (place for place, text in described.items() if not (text or "").strip())


def test_the_committed_schema_has_no_drift_from_the_code() -> None:
    """`moorings schema > schema/schema.graphql` writes it anew."""
    assert COMMITTED.read_text("utf-8") == print_sdl()


async def test_the_committed_schema_has_no_drift_from_what_a_gateway_shows(gateway: Gateway) -> None:
    """Introspection tells all that the file tells: descriptions, one-of inputs, the specification of a scalar."""
    account = await gateway.new_user()
    query = get_introspection_query(specified_by_url=True, input_value_deprecation=True, one_of=True)

    shown = await ask(account, query)

    assert "errors" not in shown
    assert print_schema(build_client_schema(shown["data"])) + "\n" == COMMITTED.read_text("utf-8")


def test_the_command_prints_the_schema_alone_and_without_drift(tmp_path: Path) -> None:
    """It needs no database and leaves nothing behind."""
    printed = moorings(tmp_path, "schema", database_url="postgresql://127.0.0.1:1/nowhere")

    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout == COMMITTED.read_text("utf-8")
    assert list(tmp_path.iterdir()) == []


def test_the_committed_possible_types_have_no_drift_from_the_schema() -> None:
    """Sorted, so that a new type is one new line."""
    text = json.dumps(possible_types(), indent=2, sort_keys=True) + "\n"

    assert POSSIBLE_TYPES.read_text("utf-8") == text


def test_every_part_of_the_schema_is_described() -> None:
    assert list(undescribed(COMMITTED.read_text("utf-8"))) == []


def test_a_part_of_a_schema_without_description_is_found() -> None:
    sdl = '"q" type Query { "f" one(two: Int): Int three: Int } enum E { "v" A B } "i" input I { f: Int }'

    assert set(undescribed(sdl)) == {"Query.one(two)", "Query.three", "E", "E.B", "I.f"}


def test_the_scalars_of_the_schema_say_where_they_are_specified() -> None:
    types = build_schema(COMMITTED.read_text("utf-8")).type_map.values()
    scalars = [t for t in types if isinstance(t, GraphQLScalarType) and not is_specified_scalar_type(t)]

    assert [scalar.name for scalar in scalars] == ["DateTime"]
    assert all((scalar.specified_by_url or "").startswith("https://") for scalar in scalars)


def test_the_schema_breaks_no_client_of_the_last_release_unawares() -> None:
    """An acknowledged change that is not there any more is a stale one."""
    assert breaking(RELEASED.read_text("utf-8"), COMMITTED.read_text("utf-8")) == ACKNOWLEDGED


def test_a_field_has_one_type_in_every_type_under_one_interface() -> None:
    """Fragments on two of them may then select it side by side (FieldsInSetCanMerge)."""
    schema = build_schema(COMMITTED.read_text("utf-8"))
    interfaces = [type_ for type_ in schema.type_map.values() if isinstance(type_, GraphQLInterfaceType)]
    found = []
    for interface in interfaces:
        types: dict[str, set[str]] = {}
        members: list[GraphQLInterfaceType | GraphQLObjectType] = [interface, *schema.get_possible_types(interface)]
        for member in members:
            for name, field in member.fields.items():
                types.setdefault(name, set()).add(str(field.type))
        found += [(interface.name, name, sorted(each)) for name, each in types.items() if len(each) > 1]

    assert {interface.name for interface in interfaces} >= {"Node", "BackupDestination", "S3CompatibleDestination"}
    assert found == []


@pytest.mark.parametrize(("old", "new", "severity", "sentence"), PLANTED)
def test_a_planted_schema_change_is_found(old: str, new: str, severity: Severity, sentence: str) -> None:
    """Each is told once, however many rules see it."""
    found = changes(OLD, OLD.replace(old, new, 1))

    assert found.count(Change(severity=severity, sentence=sentence)) == 1


@pytest.mark.parametrize(("old", "new"), HARMLESS)
def test_a_schema_change_that_no_client_feels_is_none(old: str, new: str) -> None:
    assert changes(OLD, OLD.replace(old, new, 1)) == []


def test_a_field_that_several_types_under_one_interface_have_can_be_selected_on_an_interface() -> None:
    """Beside each other, fields of one name must be of one type (5.3.2), so one interface of theirs has to have it."""
    schema = build_schema(COMMITTED.read_text())
    missing = []
    for interface in [type_ for type_ in schema.type_map.values() if isinstance(type_, GraphQLInterfaceType)]:
        types = schema.get_possible_types(interface)
        for name in sorted({name for type_ in types for name in type_.fields}):
            having = [type_ for type_ in types if name in type_.fields]
            shared = [i for i in having[0].interfaces if all(i in type_.interfaces for type_ in having)]
            disagree = len({str(type_.fields[name].type) for type_ in having}) > 1
            if disagree and not any(name in one.fields for one in shared):
                missing.append(f"{interface.name}: {name} of {', '.join(type_.name for type_ in having)}")

    assert missing == []


def test_directives_have_only_locations_of_the_released_specification() -> None:
    """Clients on graphql-core up to 3.2.10 know no others, and could not load the schema."""
    released = (
        "QUERY MUTATION SUBSCRIPTION FIELD FRAGMENT_DEFINITION FRAGMENT_SPREAD INLINE_FRAGMENT VARIABLE_DEFINITION "
        "SCHEMA SCALAR OBJECT FIELD_DEFINITION ARGUMENT_DEFINITION INTERFACE UNION ENUM ENUM_VALUE INPUT_OBJECT "
        "INPUT_FIELD_DEFINITION"
    )

    found = {location.name for directive in make_schema()._schema.directives for location in directive.locations}

    assert "FIELD_DEFINITION" in found
    assert found <= set(released.split())
