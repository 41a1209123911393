"""The OpenAPI document says what is so: of the code, of the document, and of every answer schemathesis can provoke."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from models.accounts.abilities import Ability
from models.text import cleaned
from rest.openapi.document import ability_of, describe
from tests.api.document import reading
from tests.app.cli.test_command_line import moorings
from tests.support import figures
from tests.support.api.destinations import TYPES, draft
from tests.support.gateway.gateway import Gateway

DOCUMENT = describe()
OPERATIONS = [
    (method, path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
]
DOCUMENTED = [each for each in OPERATIONS if each[2]["operationId"] != "grant_access"]
"""The operations of the legacy document."""
SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
HOOKS = Path(__file__).with_name("fresh_keys.py")
EXAMPLES = figures.amount(5, 50)
DEADLINE_S = figures.amount(400, 900)


def validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """A schema of the document, with the components its references point to."""
    return jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything an operation says it takes or gives: for which status, or None, and of what form."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield "", content
    for status, response in operation["responses"].items():
        for content in response.get("content", {}).values():
            yield status, content


def test_the_five_endpoints_are_those_of_the_document_under_its_headings() -> None:
    described = [(method.upper(), path, operation["summary"]) for method, path, operation in DOCUMENTED]

    assert [(method, path) for method, path, _ in described] == [(e.method, e.path) for e in reading.examples()]
    assert all(f"\n{summary}\n" in reading.TEXT for _, _, summary in described)


def test_the_examples_are_the_documents_own() -> None:
    for (_, _, operation), example in zip(DOCUMENTED, reading.examples(), strict=True):
        shown = [
            (status, content["examples"]["document"]["value"])
            for status, content in contents(operation)
            if "document" in content["examples"]
        ]
        assert [value for status, value in shown if status] == [example.answer]
        assert next((value for status, value in shown if not status), None) == example.body
    sentences = [
        given["value"]
        for _, _, operation in OPERATIONS
        for _, content in contents(operation)
        for given in content["examples"].values()
    ]
    assert all(error in sentences for error in reading.errors().values())


def test_every_example_is_of_the_form_it_is_an_example_of() -> None:
    for _, _, operation in OPERATIONS:
        for status, content in contents(operation):
            assert content["examples"], status
            for example in content["examples"].values():
                validator(content["schema"]).validate(example["value"])


def test_every_schema_is_one() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


@pytest.mark.parametrize("kind", TYPES)
def test_what_the_tests_create_fits_and_without_any_required_field_it_does_not(kind: str) -> None:
    new = validator({"$ref": "#/components/schemas/NewDestination"})
    body = draft(kind)
    required = [name for name in body if name != "custom_s3_region" or kind == "s3"]

    assert new.is_valid(body)
    for name in required:
        assert not new.is_valid({**body, name: None}), name
        assert not new.is_valid({**body, name: [body[name]]}), name


def test_a_required_text_is_one_of_which_something_is_left_when_it_is_trimmed() -> None:
    label = validator(DOCUMENT["components"]["schemas"]["NewLocalDestination"]["properties"]["label"])

    for code in range(0xD800):
        assert label.is_valid(chr(code)) == (code != 0 and cleaned(chr(code)) is not None), hex(code)


async def test_a_token_needs_the_ability_an_operation_names_and_no_other(gateway: Gateway) -> None:
    """Each is tried with its ability alone, and with all the others."""
    for method, path, operation in OPERATIONS:
        ability = ability_of(path, method.upper())
        assert operation["security"] == [{"bearer": [ability]}]
        others = [other for other in Ability if other not in (ability, Ability.ALL)]
        for abilities, allowed in (([ability], True), (others, False)):
            account = await gateway.new_user(abilities)
            id_ = await account.create("local")
            async with account.client() as client:
                answer = await client.request(method, path.format(id=id_), json=draft("local"))
            # A local destination has no store that a granted request could go to.
            is_taken = answer.status_code == 409 if ability is Ability.USE else answer.is_success
            assert is_taken == allowed, (method, path, abilities)
            if not allowed:
                shown = operation["responses"]["403"]["content"]["application/json"]["examples"]["ability missing"]
                assert answer.json() == shown["value"]


def test_the_command_prints_the_document(tmp_path: Path) -> None:
    printed = moorings(tmp_path, "openapi")

    assert (printed.returncode, printed.stderr) == (0, "")
    assert json.loads(printed.stdout) == DOCUMENT


async def test_the_document_is_served_without_a_token_and_says_where_the_gateway_is() -> None:
    gateway = Gateway(public_url="https://backups.example.com/moorings", allowed_hosts="127.0.0.1").start()
    try:
        account = await gateway.new_user()
        async with account.client(authorization="") as client:
            served = (await client.get("/api/openapi.json")).json()
    finally:
        gateway.close()

    assert served == describe("/moorings")


async def test_schemathesis_finds_no_answer_that_is_not_as_described(gateway: Gateway) -> None:
    """All its phases and checks, with one seed: what the document calls valid is taken, and what is not is refused."""
    account = await gateway.new_user(["*", "use-backup-destinations"])
    command = [SCHEMATHESIS, "--config-file", str(CONFIGURATION), "run", f"{gateway.url}/api/openapi.json"]
    options = ["--header", f"Authorization: Bearer {account.token}", "--seed", "1", "--max-examples", f"{EXAMPLES}"]

    run = await asyncio.create_subprocess_exec(
        *(*command, *options, "--no-shrink"),
        cwd=gateway.directory,
        env={**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(DEADLINE_S):
        sentences = (await run.communicate())[0].decode()

    assert run.returncode == 0, sentences
    assert "Tested: 6" in sentences
