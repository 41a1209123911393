"""Questions about the schema that are asked too deep, too often, or of nobody's business."""

from __future__ import annotations

from tests.hostile.operations.case import INVALID, LIMIT, operations

_FIELD = "name description isDeprecated args { name description type { name kind ofType { name } } } type { name kind }"
_TYPE = (
    "{ name kind description fields { " + _FIELD + " } inputFields { name type { name kind } } enumValues { name } }"
)

CYCLES = {
    "types of fields of types of fields": "{ __schema { types { fields { type { fields { type { fields { type "
    "{ name } } } } } } } } }",
    "fields of fields of a type": '{ __type(name: "A") { fields { type { fields { type { fields { name } } } } } } }',
    "possible types of their own": '{ __type(name: "A") { possibleTypes { interfaces { possibleTypes { name } } } } }',
    "input fields of input fields": '{ __type(name: "CreateBackupDestinationInput") { inputFields { type { inputFields '
    "{ type { inputFields { name } } } } } } }",
    "fields through fragments": "{ __schema { types { ...A } } } fragment A on __Type { fields { type { ...B } } } "
    "fragment B on __Type { fields { type { ...C } } } fragment C on __Type { fields { name } }",
    "fields through inline fragments": "{ __schema { types { ... { fields { type { ... { fields { type { ... "
    "{ fields { name } } } } } } } } } } }",
    "fields that are none": "{ __schema { types { secrets } } }",
    "a schema in a viewer": "{ viewer { __schema { types { name } } } }",
    "a type without a name": "{ __type { name } }",
    "a subscription to the schema": "subscription { __schema { types { name } } }",
    "a subscription to a type name": "subscription { __typename }",
}  # fmt: skip
TOO_MUCH = {
    "the schema six times": "{ " + " ".join(f"a{n}: __schema {{ types {_TYPE} }}" for n in range(6)) + " }",
    "the schema twenty times through a fragment": "{ " + " ".join(f"a{n}: __schema {{ ...F }}" for n in range(20))
    + " } fragment F on __Schema { types " + _TYPE + " }",
    "all types thirty times": "{ __schema { " + " ".join(f"a{n}: types {{ ...F }}" for n in range(30))
    + " } } fragment F on __Type " + _TYPE,
    "all fields thirty times": "{ __schema { types { " + " ".join(f"a{n}: fields {{ ...F }}" for n in range(30))
    + " } } } fragment F on __Field { " + _FIELD + " }",
    "sixteen types of types": "{ __schema { types { " + "ofType { " * 16 + "name" + " }" * 16 + " } } }",
}  # fmt: skip

CASES = (*operations(INVALID, CYCLES), *operations(LIMIT, TOO_MUCH))
