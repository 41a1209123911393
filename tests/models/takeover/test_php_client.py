"""The official PHP client runs on tokens that were imported, in both of their forms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases.databases import ENGINES, database_url
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway
from tests.support.vanguard import php_client
from tests.support.vanguard.vanguard_database import KEY, Rows, destination, into_sqlite, token, user

SECRET = "Ab3" * 13 + "x" + "0f0f0f0f"


@pytest.fixture(params=ENGINES)
def served(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A gateway that runs, on an empty database of each engine."""
    gateway = Gateway(database_url(request.param, postgres)).start()
    yield gateway
    gateway.close()


def test_the_client_does_everything_with_a_token_of_the_field(served: Gateway, tmp_path: Path) -> None:
    rows: Rows = {
        "users": [user(1), user(2)],
        "personal_access_tokens": [token(12, 2, SECRET), token(13, 2, "c" * 40, abilities="[]")],
        "backup_destinations": [destination(7, 2), destination(8, 1)],
    }
    env_file = tmp_path / ".env"
    env_file.write_text(f"APP_KEY={KEY}\n")
    source = into_sqlite(tmp_path / "vanguard.sqlite", rows)
    done = served.command("import", "vanguard", source, "--env-file", str(env_file))
    assert done.returncode == 0, done.stderr

    for text in (f"12|{SECRET}", SECRET):
        found = php_client.used(served.url, text)

        assert found["refused"] is None
        assert [(each["id"], each["user_id"], each["s3_bucket_name"]) for each in found["listed"]] == [
            (7, 2, "bucket-7")
        ]
        assert found["got"] == found["made"]
        assert (found["made"]["user_id"], found["made"]["label"], found["made"]["path_style_endpoint"]) == (
            2,
            "Grün & gut",
            True,
        )
        assert found["url"] == "https://php.example.com"
        assert found["updated"]["label"] == "Renamed"
        assert found["invalid"]["class"] == "ValidationException"
        assert "type" in found["invalid"]["errors"]["errors"]
        assert found["gone"]["class"] == "NotFoundException"
    for text in (f"13|{SECRET}", SECRET[:-1] + "1", "13|" + "c" * 40):
        assert php_client.used(served.url, text) == {"refused": {"class": "RuntimeException", "errors": None}}
