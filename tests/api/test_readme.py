"""The README's commands, pasted: what a newcomer does first works."""

from __future__ import annotations

import json
import re
import select
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.gateway.gateway import MOORINGS, Gateway, environment
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
SHOWN_KEYS = ["id", "user_id", "label", "type", "type_human"]
BUCKET_KEYS = ["s3_bucket_name", "path_style_endpoint"]
TIMESTAMPS = ["created_at", "updated_at"]


@pytest.fixture
def first_start() -> Iterator[tuple[Gateway, str]]:
    """A gateway that found an empty embedded database, and the token it made."""
    gateway = Gateway().start()
    yield gateway, (gateway.directory / "moorings.token").read_text().strip()
    gateway.close()


def pasted(block: str, gateway: Gateway, token: str) -> Any:
    """What a block of the README prints when it is pasted into a shell."""
    script = block.replace("http://127.0.0.1:8000", gateway.url)
    done = subprocess.run(
        ["sh", "-c", script],
        env=environment() | {"TOKEN": token},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_the_curl_lines_give_the_documents_json(first_start: tuple[Gateway, str]) -> None:
    curls = [block for block in BLOCKS if block.startswith("curl") and "/graphql" not in block]
    amazon, custom, local, listed, shown, changed, deleted = (pasted(block, *first_start) for block in curls)

    assert list(amazon["data"]) == [*SHOWN_KEYS, *BUCKET_KEYS, "s3_region", *TIMESTAMPS]
    assert amazon["data"]["type_human"] == "Amazon S3"
    assert list(custom["data"]) == [*SHOWN_KEYS, *BUCKET_KEYS, "s3_endpoint", *TIMESTAMPS]
    assert custom["data"]["path_style_endpoint"] is True
    assert list(local["data"]) == [*SHOWN_KEYS, *TIMESTAMPS]
    assert listed["data"] == [amazon["data"], custom["data"], local["data"]]
    assert list(listed) == ["data", "links", "meta"]
    assert listed["meta"]["total"] == 3
    assert shown == amazon
    assert changed["data"] | {"updated_at": ""} == amazon["data"] | {
        "label": "Updated S3 Backup",
        "s3_bucket_name": "new-backups",
        "updated_at": "",
    }
    assert deleted == {"message": "Backup destination successfully deleted"}


def test_one_act_through_both_apis_gives_the_same_row(first_start: tuple[Gateway, str]) -> None:
    gateway, token = first_start
    document = re.search(r"```graphql\n(.*?)```", README, re.DOTALL)
    body = re.search(r"```http\nPOST (\S+)\n\n(.*?)```", README, re.DOTALL)
    assert document is not None
    assert body is not None
    headers = {"Authorization": f"Bearer {token}"}

    asked = httpx.post(f"{gateway.url}/graphql", json={"query": document[1]}, headers=headers).json()
    posted = httpx.post(gateway.url + body[1], json=json.loads(body[2]), headers=headers).json()["data"]

    created = asked["data"]["createBackupDestination"]["backupDestination"]
    shown = httpx.get(f"{gateway.url}{body[1]}/{created['databaseId']}", headers=headers).json()["data"]
    varying = {"id": 0, "created_at": "", "updated_at": ""}
    assert shown | varying == posted | varying
    assert created["kindName"] == posted["type_human"]


def test_the_graphql_lines_list_and_listen(first_start: tuple[Gateway, str]) -> None:
    listing, listening = (block for block in BLOCKS if "/graphql" in block and "check" not in block)

    answer = pasted(listing, *first_start)
    stream = subprocess.Popen(
        ["sh", "-c", "exec " + listening.replace("http://127.0.0.1:8000", first_start[0].url)],
        env=environment() | {"TOKEN": first_start[1]},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert stream.stdout is not None
        while not select.select([stream.stdout], [], [], 0.5)[0]:  # events before its subscription are not sent
            pasted(next(b for b in BLOCKS if "type=local" in b), *first_start)
        lines = iter(stream.stdout.readline, b"")
        heard = json.loads(next(line for line in lines if line.startswith(b"data: {"))[6:])
    finally:
        stream.kill()
        stream.communicate()

    assert answer["data"]["backupDestinations"]["totalCount"] == 0
    assert heard["data"]["backupDestinationEvents"]["__typename"] == "BackupDestinationCreated"


def test_the_line_about_the_check_says_which_step_broke(first_start: tuple[Gateway, str]) -> None:
    """Of a store at an address that is not allowed, so that no store is needed."""
    gateway, token = first_start
    headers = {"Authorization": f"Bearer {token}"}
    fields: dict[str, object] = {
        "label": "Here",
        "type": "custom_s3",
        "s3_bucket_name": "b",
        "custom_s3_endpoint": "http://127.0.0.1:9",
    }
    fields |= {"s3_access_key": "k", "s3_secret_key": "s", "path_style_endpoint": True}
    created = httpx.post(f"{gateway.url}/api/backup-destinations", json=fields, headers=headers).json()["data"]
    line = next(block for block in BLOCKS if "checkBackupDestination" in block)

    answer = pasted(line.replace("BackupDestination:2", f"BackupDestination:{created['id']}"), *first_start)

    first = answer["data"]["checkBackupDestination"]["report"]["steps"][0]
    assert (first["name"], first["code"]) == ("RESOLVE", "ENDPOINT_NOT_ALLOWED")
    assert "MOORINGS_S3_ALLOW" in first["remedy"]


def test_the_commands_about_users_and_tokens_work(first_start: tuple[Gateway, str]) -> None:
    gateway, _ = first_start
    block = next(block for block in BLOCKS if "token create" in block)
    script = "set -e\n" + block.replace(".venv/bin/moorings", MOORINGS)
    done = subprocess.run(
        ["sh", "-c", script],
        env=environment(**gateway.settings),
        cwd=gateway.directory,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "2|mrg_" in done.stdout
    assert "3|mrg_" in done.stdout
    assert "token 2 is revoked" in done.stderr


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = re.findall(r"^make (\w+)", BLOCKS[0], re.MULTILINE)

    assert commands == ["run", "test"]
    assert all(f"\n{command}:" in makefile for command in commands)
