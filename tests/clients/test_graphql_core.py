"""Python clients on older releases of graphql-core load the schema: from introspection, and from the SDL."""

from __future__ import annotations

import asyncio
import json

from tests.support.gateway.gateway import Gateway
from tests.support.graphql.graphql_core_releases import PINS, run_with

# As a release asks by itself, and with every option that it has, but for one of 3.1 that asks by the name of a draft.
PROGRAM = """
import inspect, json, sys, urllib.request
from graphql import __version__, build_client_schema, build_schema, get_introspection_query, parse, print_schema
from graphql import validate, validate_schema

url, document = sys.argv[1:]
options = dict.fromkeys(inspect.signature(get_introspection_query).parameters, True)
options.pop("type_depth", None)
is_old = __version__.startswith("3.1.")
if is_old:
    del options["specified_by_url"]

def fetch(address, **given):
    body = json.dumps(given).encode() if given else None
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()

def faults_of(schema):
    return [*map(str, validate_schema(schema)), *map(str, validate(schema, parse(document)))]

seen = {}
for name, chosen in {"default": {}, "all": options}.items():
    query = get_introspection_query(**chosen)
    schema = build_client_schema(json.loads(fetch(url + "/graphql", query=query))["data"])
    seen[f"introspection, {name} options"] = faults_of(schema)
    seen[f"printed, {name} options"] = faults_of(build_schema(print_schema(schema)))
# `@oneOf` is younger than 3.1.
seen["SDL"] = faults_of(build_schema(fetch(url + "/schema.graphql"), assume_valid_sdl=is_old))
print(json.dumps({"version": __version__, "seen": seen}))
"""
DOCUMENT = """query List($filter: BackupDestinationFilter) {
  backupDestinations(filter: $filter) { nodes { __typename id ... on S3CompatibleDestination { bucketName region } } }
}
mutation Create($input: CreateBackupDestinationInput!) {
  createBackupDestination(input: $input) { ... on Problem { message } }
}"""


async def test_releases_of_graphql_core_load_the_schema() -> None:
    """By their own introspection queries, by what they print of it, and from `/schema.graphql`."""
    gateway = Gateway().start()
    try:
        runs = [run_with(release, PROGRAM, gateway.url, DOCUMENT) for release in PINS]
        seen = [json.loads(written) for written in await asyncio.gather(*runs)]
    finally:
        gateway.close()

    assert [each["version"] for each in seen] == list(PINS)
    for each in seen:
        assert len(each["seen"]) == 5
        assert not any(each["seen"].values()), each
