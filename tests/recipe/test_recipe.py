"""The recipe of CONTRIBUTING is followed in a copy of the project, with databases that have rows."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.database import migrate
from models.vault.vault import generate_key
from tests.recipe.recipe import ATTRIBUTE, KIND, MOST_FILES, apply
from tests.support.databases.databases import ENGINES, TIMESTAMP, Literals, database_url, insert, unserved, user
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway, environment
from tests.support.paths import ROOT

DEADLINE_S = 600
PARTS = ("app", "models", "rest", "s3", "schema", "web", "tests", "pyproject.toml")
SUITES = (
    "tests/models/destinations/test_attributes.py",
    "tests/models/migrations/test_guards.py",
    "tests/models/reads/test_reads.py",
    "tests/schema/compiler/test_input_objects.py",
    "tests/test_architecture.py",
    "tests/test_added.py",
)
PYTEST = "-m", "pytest", "-q", "-x"
SEALED = "'s1:0123456789ab:c2VhbGVk'"
BUCKET: Literals = {
    "label": "'Nightly'",
    "kind": "'amazon_s3'",
    "bucket_name": "'bucket'",
    "region": "'eu-north-1'",
    "path_style_endpoint": "TRUE",
    "access_key": SEALED,
    "secret_key": SEALED,
    "credentials_set_at": TIMESTAMP,
    "created_at": TIMESTAMP,
    "updated_at": TIMESTAMP,
}
ADDED = '''"""A destination of the new kind, and a prefix, through both APIs."""

import httpx
import pytest

from tests.support.gateway.gateway import EXAMPLES, Gateway

LIST = "/api/backup-destinations"
CREATE = """mutation ($input: CreateBackupDestinationInput!) {
  createBackupDestination(input: $input) { __typename } }"""
QUERY = """{ backupDestinations { edges { node { label kindName createdAt
  ... on AzureBlobDestination { containerName accountName }
  ... on S3CompatibleDestination { bucketName prefix credentialsSetAt }
} } } }"""


async def test_the_kind_and_the_attribute_are_there(gateway: Gateway) -> None:
    account = await gateway.new_user()
    async with account.client() as client:
        azure = {"label": "A", "type": "azure", **EXAMPLES["azure"]}
        bucket = {"label": "B", "type": "s3", **EXAMPLES["s3"], "s3_prefix": "backups/"}
        made = [(await client.post(LIST, json=each)).json()["data"] for each in (azure, bucket)]
        assert list(made[0])[5:-2] == ["azure_container_name", "azure_account_name"]
        assert made[1]["s3_prefix"] == "backups/"
        assert "a-key-of-the-tests" not in str(made)
        listed = (await client.get(LIST)).json()["data"]
        assert listed == made
        lacking = (await client.post(LIST, json={"label": "A", "type": "azure"})).json()["errors"]
        assert list(lacking) == ["azure_container_name", "azure_account_name", "azure_account_key"]
        given = {"label": "C", "containerName": "c", "accountName": "a", "accountKey": "k"}
        body = {"query": CREATE, "variables": {"input": {"azureBlob": given}}}
        answer = (await client.post("/graphql", json=body)).json()
        assert answer["data"]["createBackupDestination"] == {"__typename": "CreateBackupDestinationPayload"}
        page = (await client.post("/graphql", json={"query": QUERY})).json()["data"]["backupDestinations"]
    nodes = [edge["node"] for edge in page["edges"]]
    assert [(node["label"], node.get("containerName"), node.get("prefix")) for node in nodes] == [
        *(("A", "nightly", None), ("B", None, "backups/"), ("C", "c", None))
    ]
'''


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the kind and the attribute added, and the migration that the tools write for them."""
    copy = tmp_path_factory.mktemp("recipe") / "moorings"
    copy.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        else:
            shutil.copy(source, copy / part)
    assert len(apply(KIND, copy)) <= MOST_FILES["kind"]
    assert len(apply(ATTRIBUTE, copy)) <= MOST_FILES["attribute"]
    run(copy, "-c", "from tortoise.cli import main; main()", "makemigrations", "--name", "azure_and_prefix")
    (migration,) = (copy / "models/migrations").glob("*_azure_and_prefix.py")
    text = migration.read_text()
    imported = "from models.destinations.guards import restore_destination_guards\n"
    text = re.sub(r"\nclass Migration", f"\n{imported}\n\nclass Migration", text, count=1)
    migration.write_text(
        re.sub(r"\n    \]\s*\Z", "\n        ops.RunPython(restore_destination_guards),\n    ]\n", text)
    )
    (copy / "tests/test_added.py").write_text(ADDED)
    return copy


def run(copy: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Run Python in the copy, whose own modules come first."""
    environ = {**os.environ, **(env or {}), "PYTHONPATH": str(copy)}
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=copy,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, output[-8_000:]
    return output


async def prepared(gateway: Gateway) -> None:
    """A database of today, with a destination in it and one that is gone."""
    await migrate(gateway.address)
    await gateway.rows(insert("users", user("ada")))
    for number in (1, 2):
        uid = f"'{number:08}-0000-4000-8000-000000000000'"
        await gateway.rows(insert("backup_destinations", BUCKET | {"uid": uid, "user_id": "1"}))
    await gateway.rows("DELETE FROM backup_destinations WHERE id = 1")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_database_with_rows_is_migrated_and_stays_guarded(engine: str, postgres: PostgresServer, copy: Path) -> None:
    """The row is still listed, counted and numbered, and a bad one is still refused."""
    with unserved(database_url(engine, postgres)) as gateway:
        asyncio.run(prepared(gateway))
        url = {"MOORINGS_DATABASE_URL": gateway.address.url or f"sqlite:///{gateway.address.path}"}
        run(
            copy, "-c", "from app.cli import main; main()", "migrate", env=environment(secret_keys=generate_key()) | url
        )

        async def look() -> list[Any]:
            rows = await gateway.rows("SELECT id, label, bucket_name, container_name, prefix FROM backup_destinations")
            await gateway.rows("DELETE FROM backup_destinations")
            return [rows, await gateway.rows("SELECT destination_count AS n FROM users")]

        rows, counted = asyncio.run(look())
        kept = {"id": 2, "label": "Nightly", "bucket_name": "bucket", "container_name": None, "prefix": None}
        assert rows == [kept]
        assert counted == [{"n": 0}]


def test_the_suites_pass_in_the_copy(copy: Path) -> None:
    """What goes over attributes, kinds and guards; and both APIs with the new kind."""
    assert " passed" in run(copy, *PYTEST, *SUITES)
