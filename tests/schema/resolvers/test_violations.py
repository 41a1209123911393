"""Inputs that break rules: each broken rule with its path, its code and a sentence, all of them at once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api.destinations import events_of, stored
from tests.support.gateway.gateway import Gateway
from tests.support.graphql.graphql_client import ask, code_of, data_of
from tests.support.graphql.graphql_documents import CREATE, CREDENTIALS, UPDATE, destination_id, draft

LONG = "x" * 256
Broken = dict[tuple[str, ...], tuple[str, str]]
"""Path to code and sentence."""

REFUSED_CREATES: list[tuple[str, dict[str, Any], Broken]] = [
    ("local", {"label": " "}, {("label",): ("REQUIRED", "The label field is required.")}),
    ("local", {"label": "🗄" * 256},
     {("label",): ("TOO_LONG", "The label field must not be greater than 255 characters.")}),
    ("local", {"label": "a\0b"}, {("label",): ("MALFORMED", "The label field must be text without NUL characters.")}),
    ("amazonS3", {"region": "", "bucketName": LONG},
     {("bucketName",): ("TOO_LONG", "The bucket name field must not be greater than 255 characters."),
      ("region",): ("REQUIRED", "The region field is required when the kind is AMAZON_S3.")}),
    ("customS3", {"endpoint": "ftp://s3.example.com"},
     {("endpoint",): ("MALFORMED", "The endpoint field must be a valid URL.")}),
    ("customS3", {"endpoint": ""},
     {("endpoint",): ("REQUIRED", "The endpoint field is required when the kind is CUSTOM_S3.")}),
    ("customS3", {"endpoint": "https://s3.example.com/" + "p" * 2026},
     {("endpoint",): ("TOO_LONG", "The endpoint field must not be greater than 255 characters.")}),
    ("customS3", {"label": "", "credentials": {"accessKey": " ", "secretKey": LONG}},
     {("label",): ("REQUIRED", "The label field is required."),
      ("credentials", "accessKey"): ("REQUIRED", "The access key field is required when the kind is CUSTOM_S3."),
      ("credentials", "secretKey"): ("TOO_LONG", "The secret key field must not be greater than 255 characters.")}),
    ("customS3", {"region": LONG},
     {("region",): ("TOO_LONG", "The region field must not be greater than 255 characters.")}),
]  # fmt: skip

REFUSED_UPDATES: list[tuple[str, dict[str, Any], Broken]] = [
    ("local", {"label": None}, {("label",): ("REQUIRED", "The label field is required.")}),
    ("local", {"bucketName": "b", "pathStyleEndpoint": False, "credentials": CREDENTIALS},
     {("credentials", "accessKey"): ("NOT_APPLICABLE", "The access key field does not apply when the kind is LOCAL."),
      ("credentials", "secretKey"): ("NOT_APPLICABLE", "The secret key field does not apply when the kind is LOCAL."),
      ("bucketName",): ("NOT_APPLICABLE", "The bucket name field does not apply when the kind is LOCAL."),
      ("pathStyleEndpoint",):
          ("NOT_APPLICABLE", "The path style endpoint field does not apply when the kind is LOCAL.")}),
    ("amazonS3", {"endpoint": "https://s3.example.com", "label": LONG},
     {("label",): ("TOO_LONG", "The label field must not be greater than 255 characters."),
      ("endpoint",): ("NOT_APPLICABLE", "The endpoint field does not apply when the kind is AMAZON_S3.")}),
    ("amazonS3", {"region": None, "bucketName": " ", "pathStyleEndpoint": None, "credentials": None},
     {("credentials", "accessKey"): ("REQUIRED", "The access key field is required when the kind is AMAZON_S3."),
      ("credentials", "secretKey"): ("REQUIRED", "The secret key field is required when the kind is AMAZON_S3."),
      ("bucketName",): ("REQUIRED", "The bucket name field is required when the kind is AMAZON_S3."),
      ("region",): ("REQUIRED", "The region field is required when the kind is AMAZON_S3."),
      ("pathStyleEndpoint",): ("REQUIRED", "The path style endpoint field is required when the kind is AMAZON_S3.")}),
    ("customS3", {"endpoint": "https://user:pass@s3.example.com", "credentials": {"accessKey": "a", "secretKey": ""}},
     {("credentials", "secretKey"): ("REQUIRED", "The secret key field is required when the kind is CUSTOM_S3."),
      ("endpoint",): ("MALFORMED", "The endpoint field must be a valid URL.")}),
]  # fmt: skip

UNFIT: list[tuple[str, dict[str, Any]]] = [
    ("amazonS3", {"endpoint": "https://s3.example.com"}),
    ("local", {"bucketName": "nightly"}),
    ("local", {"label": 7}),
    ("local", {"label": None}),
    ("local", {"label": ["A"]}),
    ("customS3", {"endpoint": ...}),
    ("customS3", {"pathStyleEndpoint": "true"}),
    ("customS3", {"pathStyleEndpoint": 1}),
    ("customS3", {"credentials": {"accessKey": "canary"}}),
    ("customS3", {"credentials": {"accessKey": "canary", "secretKey": 7}}),
    ("customS3", {"credentials": "canary"}),
    ("customS3", {"databaseId": 1}),
]
"""What the types rule out."""


def expected_of(broken: Broken, *prefix: str) -> dict[str, Any]:
    """The problem with these violations, in their order."""
    violations: list[dict[str, Any]] = [
        {"path": [*prefix, *path], "code": code, "message": text} for path, (code, text) in broken.items()
    ]
    more = len(violations) - 1
    summary: str = violations[0]["message"]
    summary += f" (and {more} more error{'s' if more > 1 else ''})" if more else ""
    return {"__typename": "ValidationProblem", "message": summary, "violations": violations}


@pytest.mark.parametrize(("kind", "changes", "broken"), REFUSED_CREATES)
async def test_a_create_that_breaks_rules_names_them_all(
    gateway: Gateway, kind: str, changes: dict[str, Any], broken: Broken
) -> None:
    """The path leads through the kind to the field, and nothing is stored."""
    account = await gateway.new_user()

    result = (await data_of(account, CREATE, {"input": draft(kind, **changes)}))["result"]

    assert result == expected_of(broken, kind)
    assert await events_of(gateway, account.user_id) == []


@pytest.mark.parametrize(("kind", "changes", "broken"), REFUSED_UPDATES)
async def test_an_update_that_breaks_rules_names_them_all(
    gateway: Gateway, kind: str, changes: dict[str, Any], broken: Broken
) -> None:
    """The path leads to the field of the input, and the row stays as it was."""
    account = await gateway.new_user()
    made = (await data_of(account, CREATE, {"input": draft(kind)}))["result"]["backupDestination"]
    before = await stored(gateway, made["databaseId"])

    result = (await data_of(account, UPDATE, {"id": made["id"], "input": changes}))["result"]

    assert result == expected_of(broken)
    assert await stored(gateway, made["databaseId"]) == before


@pytest.mark.parametrize(("kind", "changes"), UNFIT)
async def test_what_the_types_rule_out_is_refused_before_execution(
    gateway: Gateway, kind: str, changes: dict[str, Any]
) -> None:
    """The variable is named; what was sent is not repeated, since it may be a secret."""
    account = await gateway.new_user()

    answer = await ask(account, CREATE, {"input": draft(kind, **changes)})

    assert "data" not in answer
    assert code_of(answer) == "BAD_USER_INPUT"
    assert answer["errors"][0]["message"].startswith("Variable '$input' at '")
    assert "canary" not in str(answer)


async def test_a_malformed_id_is_the_clients_mistake(gateway: Gateway) -> None:
    """A top-level error: no client asks with one on purpose."""
    account = await gateway.new_user()

    for id_ in ("", "1", f"User:{account.user_id}", "BackupDestination:0", destination_id(1) + " "):
        for query in (
            UPDATE,
            "mutation ($id: ID!) { result: deleteBackupDestination(id: $id) { __typename } }",
        ):
            variables = {"id": id_, "input": {"label": "A"}} if query is UPDATE else {"id": id_}
            answer = await ask(account, query, variables)
            assert answer["data"] is None
            assert code_of(answer) == "BAD_USER_INPUT"
