"""`moorings import vanguard` and `export vanguard` as an operator runs them, beside a running gateway."""

from __future__ import annotations

import json
import re
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.database import migration_names
from tests.support.databases.databases import ENGINES, database_url
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import MOORINGS, Gateway, environment
from tests.support.paths import ROOT
from tests.support.proxies.nginx import Nginx
from tests.support.vanguard.stand_in import stand_in
from tests.support.vanguard.vanguard_database import (
    KEY,
    OTHER_KEY,
    PREVIOUS_KEY,
    destination,
    into_sqlite,
    sealed,
    token,
    user,
)

SECRET = "Ab3" * 13 + "x"
LIST = "/api/backup-destinations"


@pytest.fixture(params=ENGINES)
def served(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A gateway that runs, on an empty database of each engine."""
    gateway = Gateway(database_url(request.param, postgres)).start()
    yield gateway
    gateway.close()


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A source with a destination that cannot be opened, and its `.env`, as an editor of Windows leaves it."""
    lines = (f'APP_KEY="{KEY}"', "# APP_KEY=none", "APP_NAME=Café", "export APP_TIMEZONE=Europe/Berlin # ours")
    mark, text = "\ufeff".encode(), "\r\n".join(lines)
    (tmp_path / ".env").write_bytes(mark + text.encode("latin-1"))
    rows = {
        "users": [user(1)],
        "personal_access_tokens": [token(12, 1, SECRET)],
        "backup_destinations": [
            destination(7, 1),
            destination(8, 1, s3_secret_key=sealed("x", OTHER_KEY)),
            destination(9, 1, "digitalocean_spaces", custom_s3_endpoint=sealed("https://fra1.example.com")),
        ],
    }
    return into_sqlite(tmp_path / "vanguard.sqlite", rows)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_dry_run_makes_no_database_and_no_table(
    engine: str, postgres: PostgresServer, source: str, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    url = database_url(engine, postgres) or f"sqlite:///{target}/moorings.db"
    variables = environment(database_url=url)
    if engine == "postgresql":
        variables["MOORINGS_SECRET_KEYS"] = f"a:{b64encode(bytes(32)).decode()}"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [MOORINGS, *arguments], env=variables, cwd=target, capture_output=True, text=True, timeout=60, check=False
        )

    dry = run("import", "vanguard", source, "--env-file", str(tmp_path / ".env"), "--dry-run", "--json")

    assert dry.stderr == "moorings: there is no database yet, and none is made: the dry run uses a temporary one.\n"
    assert json.loads(dry.stdout)["tables"]["users"]["added"] == 1
    assert list(target.iterdir()) == []
    assert f"{len(migration_names())} migrations of the database are missing" in run("migrate", "--check").stderr


async def used_as_by_php(client: httpx.AsyncClient, token: str) -> list[int]:
    """How requests are answered that the official PHP client makes: forms to addresses without the prefix.

    The client itself runs in `make takeover`.
    """
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "User-Agent": "GuzzleHttp/7"}
    of_json = {**headers, "Content-Type": "application/json"}
    made = await client.post("/backup-destinations", headers=headers, data={"label": "Grün & gut", "type": "local"})
    address = f"/backup-destinations/{made.json()['data']['id']}"
    answers = [
        made,
        await client.get(address, headers=of_json),
        await client.put(address, headers=headers, data={"label": "Renamed"}),
        await client.delete(address, headers=of_json),
        await client.get(address, headers=of_json),
    ]
    return [answer.status_code for answer in answers]


async def test_a_running_gateway_serves_what_is_imported_and_gives_back_what_changes(
    served: Gateway, source: str, tmp_path: Path
) -> None:
    env_file = str(tmp_path / ".env")

    done = served.command("import", "vanguard", source, "--env-file", env_file, "--json")

    report = json.loads(done.stdout)
    refused = [(each["id"], each["code"]) for each in report["findings"] if each["decision"] == "refused"]
    assert (done.returncode, refused, report["tables"]["backup_destinations"]["added"]) == (1, [(8, "not_opened")], 2)
    async with httpx.AsyncClient(base_url=served.url, timeout=60) as client:
        statuses = []
        for text in (f"12|{SECRET}", SECRET, f"13|{SECRET}", SECRET[:-1] + "y"):
            answer = await client.get(LIST, headers={"Authorization": f"Bearer {text}"})
            statuses.append(answer.status_code)
        headers = {"Authorization": f"Bearer 12|{SECRET}"}
        first, second = (await client.get(LIST, headers=headers)).json()["data"]
        put = await client.put(f"{LIST}/7", headers=headers, json={"label": "Renamed"})
        as_php = [await used_as_by_php(client, text) for text in (f"12|{SECRET}", SECRET)]
    assert as_php == [[201, 200, 200, 200, 404]] * 2
    assert statuses == [200, 200, 401, 401]
    assert (first["id"], first["user_id"], first["created_at"]) == (7, 1, "2024-08-06T22:00:00Z")
    assert (second["type"], second["s3_endpoint"]) == ("custom_s3", "https://fra1.example.com")
    assert put.status_code == httpx.codes.OK
    exported = served.command("export", "vanguard", source, "--env-file", env_file)
    assert (exported.returncode, exported.stdout) == (0, "1 written: 7\n0 removed\n")
    again = served.command("import", "vanguard", source, "--sync", "--prune", "--env-file", env_file)
    assert "not_opened" not in again.stdout
    assert again.returncode == 1
    for printed in (done, exported, again):
        for key in (KEY, KEY.removeprefix("base64:"), "secret-7", "AKIA7"):
            assert key not in printed.stdout + printed.stderr


async def test_the_documented_location_block_switches_the_endpoints_and_leaves_the_rest(
    source: str, tmp_path: Path
) -> None:
    """Without it, as after going back, all is Vanguard's."""
    (block,) = re.findall(r"^```nginx\n(.*?)^```$", (ROOT / "docs/takeover.md").read_text(), re.MULTILINE | re.DOTALL)
    assert block.count("http://127.0.0.1:8000") == 1
    row = {"id": 7, "user_id": 1, "label": "There", "type": "local", "type_human": "Local"}
    text = f"12|{SECRET}"
    address = "https://vanguard.example.com"
    gateway = Gateway(public_url=address, allowed_hosts="vanguard.example.com", trusted_proxies="127.0.0.1").start()
    headers = {"Authorization": f"Bearer {text}", "Host": "vanguard.example.com"}
    try:
        gateway.command("import", "vanguard", source, "--env-file", str(tmp_path / ".env"))
        with stand_in({text: [row]}) as vanguard:
            port = int(vanguard.rpartition(":")[2])
            for locations in (block.replace("127.0.0.1:8000", f"127.0.0.1:{gateway.port}"), ""):
                nginx = Nginx(port, locations=locations).start()
                try:
                    async with httpx.AsyncClient(timeout=60, headers=headers) as client:
                        front = f"http://127.0.0.1:{nginx.port}"
                        listed = (await client.get(f"{front}{LIST}")).json()
                        rest = await client.get(f"{front}/api/user")
                        assert rest.json() == (await client.get(f"{vanguard}/api/user")).json()
                        (await client.get(f"{front}{LIST}/7")).raise_for_status()
                finally:
                    nginx.close()
                switched = bool(locations)
                assert [each["label"] for each in listed["data"]] == (
                    ["Destination 7", "Destination 9"] if switched else ["There"]
                )
                if switched:
                    assert listed["links"]["first"].startswith(f"{address}{LIST}?")
    finally:
        gateway.close()


def test_wrong_arguments_end_with_2_and_what_cannot_be_done_with_1(source: str, tmp_path: Path) -> None:
    gateway = Gateway()
    other = tmp_path / "other.env"
    other.write_text(f"APP_KEY={PREVIOUS_KEY}\n")
    env = ("--env-file", str(tmp_path / ".env"))

    outcomes = {
        arguments: gateway.command(*arguments)
        for arguments in (
            ("import", "vanguard", source),
            ("import", "vanguard", "mysql://root@localhost/vanguard", *env),
            ("import", "vanguard", source.removeprefix("sqlite:///"), *env),
            ("import", "vanguard", source, "--prune", *env),
            ("import", "vanguard", source, "--timezone", "Mars/Base", *env),
            ("export", "vanguard", source),
            ("import", "vanguard", source, "--env-file", str(other)),
            ("import", "vanguard", "sqlite:////nowhere/at/all.db", *env),
            ("import", "vanguard", "postgresql://reader@127.0.0.1:99999/vanguard", *env),
            ("import", "vanguard", source, *env),
            ("export", "vanguard", source, "--env-file", str(other)),
            ("export", "vanguard", "--sql", str(tmp_path / "statements.sql"), "--env-file", str(other)),
            ("export", "vanguard", "--sql", str(tmp_path / "statements.sql"), "--dry-run", *env),
        )
    }

    assert [done.returncode for done in outcomes.values()] == [2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 0]
    assert not (tmp_path / "statements.sql").exists()
    spoken = [done.stderr for done in outcomes.values() if done.returncode and not done.stdout]
    assert [text for text in spoken if not text or "Traceback" in text] == []
    assert sum("Nothing was written" in text for text in spoken) == 2
