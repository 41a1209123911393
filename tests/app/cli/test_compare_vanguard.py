"""`moorings import vanguard --compare`: both services beside each other, and every store beside its old status."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.gateway.gateway import Gateway
from tests.support.paths import ROOT
from tests.support.proxies.nginx import Nginx
from tests.support.vanguard.stand_in import stand_in
from tests.support.vanguard.vanguard_database import KEY, destination, into_sqlite, sealed, token, user

TOKENS = {"1|" + "a" * 40: 1, "b" * 40: 2}
MANY = 103
"""More than one page of a comparison."""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with an imported database: a store that refuses connections, Spaces, and many local destinations."""
    folder = tmp_path_factory.mktemp("source")
    closed = sealed("http://127.0.0.1:1")
    rows = {
        "users": [user(1), user(2)],
        "personal_access_tokens": [token(1, 1, "a" * 40), token(2, 2, "b" * 40)],
        "backup_destinations": [
            destination(1, 1, "custom_s3", custom_s3_endpoint=closed, path_style_endpoint=True),
            destination(2, 1, "digitalocean_spaces", custom_s3_endpoint=closed, status="unreachable"),
            *(destination(id_, 2, "local", status="unknown") for id_ in range(3, 3 + MANY)),
        ],
    }
    (folder / ".env").write_text(f"APP_KEY={KEY}\n")
    gateway = Gateway(s3_allow="127.0.0.1").start()
    source = into_sqlite(folder / "vanguard.sqlite", rows)
    done = gateway.command("import", "vanguard", source, "--env-file", str(folder / ".env"))
    assert done.returncode == 0, done.stdout + done.stderr
    (gateway.directory / "tokens").write_text("# of two users\n" + "\n".join(TOKENS) + "\n")
    yield gateway
    gateway.close()


async def rows_of(gateway: Gateway) -> dict[str, list[dict[str, Any]]]:
    """What the gateway shows with each token, as the application there would show it."""
    rows: dict[str, list[dict[str, Any]]] = {}
    async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as client:
        for text in TOKENS:
            rows[text] = []
            for page in (1, 2):
                answer = await client.get(
                    f"/api/backup-destinations?per_page=100&page={page}", headers={"Authorization": f"Bearer {text}"}
                )
                rows[text] += answer.json()["data"]
    spaces = rows["1|" + "a" * 40][1]
    spaces.pop("s3_endpoint")
    spaces |= {"type": "digitalocean_spaces", "type_human": "DigitalOcean S3 Spaces"}
    return rows


async def test_two_services_that_show_the_same_differ_in_nothing_but_what_is_agreed(imported: Gateway) -> None:
    rows, tokens = await rows_of(imported), str(imported.directory / "tokens")
    arguments = ("import", "vanguard", "--tokens", tokens, "--gateway", imported.url, "--no-check", "--compare")

    with stand_in(rows) as url:
        done = imported.command(*arguments, url)

        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"{MANY + 2} destinations of 2 tokens were compared.\nNo difference")
        assert "timestamps are without microseconds here" in done.stdout
        assert "destination 1: path style never had an effect there" in done.stdout

        own, other = rows.values()
        own[0] |= {"label": "Another", "path_style_endpoint": 1}
        del other[-1]
        other[100]["updated_at"] = "2024-08-07T02:00:01Z"
        found = imported.command(*arguments, url, "--json")

    assert found.returncode == 1
    differences = {(each["token"], each["id"], each["field"]) for each in json.loads(found.stdout)["differences"]}
    assert differences == {
        (1, 1, "label"),
        (1, 1, "path_style_endpoint"),
        (1, 1, "label of the destination alone"),
        (1, 1, "path_style_endpoint of the destination alone"),
        (2, 103, "updated_at"),
        (2, 105, "the destination"),
        (2, None, "meta.total"),
    }
    assert all(text.partition("|")[2] not in found.stdout for text in TOKENS if "|" in text)


async def test_every_store_is_checked_beside_its_old_status(imported: Gateway) -> None:
    tokens = str(imported.directory / "tokens")
    with stand_in(await rows_of(imported)) as url:
        done = imported.command(
            "import", "vanguard", "--compare", url, "--tokens", tokens, "--gateway", imported.url, "--json"
        )

    checks = {each["id"]: each for each in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1
    assert {
        id_: (each["statusThere"], each["reachable"], each["pathStyleHadNoEffect"]) for id_, each in checks.items()
    } == {
        1: ("reachable", False, True),
        2: ("unreachable", False, False),
    }


def test_a_comparison_without_tokens_or_services_is_refused(imported: Gateway) -> None:
    tokens = str(imported.directory / "tokens")

    none = imported.command("import", "vanguard", "--compare", imported.url)
    away = imported.command("import", "vanguard", "--compare", "http://127.0.0.1:1", "--tokens", tokens)

    assert (none.returncode, away.returncode) == (2, 1)
    assert "--tokens" in none.stderr
    assert away.stderr == "moorings: http://127.0.0.1:1 does not answer.\n"


async def test_the_location_block_of_the_manual_sends_destinations_here_and_everything_else_there(
    imported: Gateway,
) -> None:
    manual = (ROOT / "docs" / "takeover.md").read_text("utf-8")
    (block,) = re.findall(r"```nginx\n(.*?)```", manual, re.DOTALL)
    token_text = next(iter(TOKENS))
    with stand_in({token_text: []}) as vanguard:
        nginx = Nginx(imported.port)
        path = nginx.directory / "nginx.conf"
        configuration = path.read_text("utf-8").replace("proxy_pass http://gateways;", f"proxy_pass {vanguard};")
        here = block.replace("http://127.0.0.1:8000", imported.url)
        path.write_text(configuration.replace("location / {", f"{here}\n        location / {{", 1), "utf-8")
        nginx.start()
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{nginx.port}", timeout=60) as client:
                headers = {"Authorization": f"Bearer {token_text}"}
                listed = await client.get("/api/backup-destinations?per_page=1", headers=headers)
                shown = await client.get("/api/backup-destinations/1", headers=headers)
                other = await client.get("/api/backup-tasks/1", headers=headers)
        finally:
            nginx.close()

    assert (listed.status_code, shown.status_code, other.status_code) == (200, 200, 404)
    assert listed.json()["meta"]["total"] == 2
    assert "/api/backup-destinations?" in listed.json()["links"]["next"]
    assert other.json() == {"error": "Not Found"}
