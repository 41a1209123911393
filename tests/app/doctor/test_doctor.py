"""`moorings doctor` has a line for everything the gateway depends on, with what to do, and changes nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from models.vault.vault import generate_key
from tests.support.databases.databases import unserved
from tests.support.databases.postgres import PostgresServer
from tests.support.databases.redis_server import RedisServer, redis_binary
from tests.support.gateway.gateway import Gateway
from tests.support.ports import free_port

PASSWORD = "hunter22"


@pytest.fixture
def store() -> Iterator[Gateway]:
    """A directory to run in; no gateway serves it."""
    with unserved(None) as gateway:
        yield gateway


def examined(gateway: Gateway, *options: str, **settings: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit status, and the worst finding of each check."""
    done = gateway.command("doctor", "--json", *options, **settings)
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    ranked = sorted(json.loads(done.stdout), key=lambda each: ["ok", "warning", "failure"].index(each["state"]))
    for finding in ranked:
        assert (finding["state"] == "ok") == (finding["remedy"] is None), finding
    return done.returncode, {finding["check"]: finding for finding in ranked}


async def test_a_healthy_gateway_has_no_failure(gateway: Gateway) -> None:
    await gateway.new_user()
    status, found = examined(gateway)

    assert status == 0
    assert {"settings", "database", "migrations", "clock", "keys", "name resolution", "open files"} <= found.keys()
    assert {found[check]["state"] for check in ("database", "migrations", "clock", "keys")} == {"ok"}
    if gateway.engine == "postgresql":
        assert found["pooler"]["message"] == "The gateway is connected to PostgreSQL itself."
        assert {found[check]["state"] for check in ("rights", "connections")} == {"ok"}


def test_it_reads_as_lines_for_people(store: Gateway) -> None:
    store.command("migrate")
    shown = store.command("doctor", "--workers", "4").stdout

    assert "\nok       migrations" in shown
    assert (
        "-> Name a Redis in MOORINGS_RATE_LIMIT_STORAGE."
        in store.command("doctor", "--workers", "4", rate_limit="60/minute").stdout
    )


def test_before_the_first_start_it_makes_nothing(store: Gateway) -> None:
    status, found = examined(store, secret_keys="")

    assert (status, found["database"]["state"]) == (0, "warning")
    assert list(store.directory.iterdir()) == []


def test_a_database_that_cannot_be_reached_is_a_failure_with_its_own_sentence(store: Gateway) -> None:
    status, found = examined(store, database_url=f"postgresql://user:{PASSWORD}@127.0.0.1:{free_port()}/x")

    assert (status, found["database"]["state"]) == (1, "failure")
    assert "nothing listens at 127.0.0.1:" in found["database"]["message"]
    assert found["database"]["remedy"].startswith("Look at host and port in the URL")


def test_a_part_of_a_password_is_never_taken_for_a_host(store: Gateway) -> None:
    """An @ and a / that are not percent-encoded."""
    shown = store.command("doctor", database_url=f"postgresql://user:an@{PASSWORD}/7?b#c@127.0.0.1/x")

    assert (shown.returncode, shown.stderr) == (1, "")
    assert "written percent-encoded" in shown.stdout
    assert PASSWORD not in shown.stdout


def test_keys_that_do_not_fit_the_data_are_a_failure(store: Gateway) -> None:
    store.command("keys", "status")
    key_id, other = store.settings["secret_keys"].partition(":")[0], generate_key().partition(":")[2]
    status, found = examined(store, secret_keys=f"{key_id}:{other}")

    assert (status, found["keys"]["state"]) == (1, "failure")
    assert "does not belong to its id" in found["keys"]["message"]


def test_a_redis_is_asked_and_one_that_is_away_is_a_failure(store: Gateway) -> None:
    store.command("migrate")
    binary = redis_binary()
    assert binary is not None, "install redis-server; the wheel that carries one is not built for this Python"
    redis = RedisServer(binary)
    try:
        status, found = examined(store, rate_limit="60/minute", rate_limit_storage=redis.start().url)
    finally:
        redis.stop()
    assert (status, found["redis"]["state"]) == (0, "ok")

    away = f"redis://:{PASSWORD}@127.0.0.1:{free_port()}"
    status, found = examined(store, rate_limit="60/minute", rate_limit_storage=away)
    assert (status, found["redis"]["state"]) == (1, "failure")
    assert "ConnectionError" in found["redis"]["message"]


def test_settings_that_do_not_fit_each_other_are_found(store: Gateway) -> None:
    store.command("migrate")
    url = f"https://gateway.invalid:{free_port()}"
    status, found = examined(store, public_url=url, trusted_proxies="0.0.0.0/0", log_levle="INFO")

    assert status == 1
    assert found["settings"]["message"].startswith("MOORINGS_LOG_LEVLE")
    assert "trusts every address" in found["proxy headers"]["message"]
    assert found["allowed hosts"]["remedy"] == "Add it to MOORINGS_ALLOWED_HOSTS."
    assert found["name resolution"]["state"] == "failure"


def test_a_key_file_that_everybody_may_read_is_found(store: Gateway) -> None:
    keys = store.directory / "keys"
    keys.write_text(generate_key())
    keys.chmod(0o644)
    _, found = examined(store, secret_keys="", secret_keys_file=str(keys))

    assert found["file permissions"]["state"] == "warning"
    assert str(keys) in found["file permissions"]["message"]


def test_the_public_url_is_asked_and_open_metrics_are_said(site: Gateway) -> None:
    status, found = examined(site, public_url=site.url)

    assert status == 0
    assert found["public URL"]["message"] == "/metrics can be read by everybody."


def test_a_missing_right_is_named_with_its_table(postgres: PostgresServer, tmp_path: Path) -> None:
    name, role = f"doctor-{os.getpid()}", f"reader_{uuid4().hex}"
    postgres.create_database(name)
    try:
        with unserved(postgres.url(name)) as gateway:
            assert gateway.command("migrate").returncode == 0
            postgres.execute(name, f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
            postgres.execute(name, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
            as_reader = postgres.url(name, user=role, password=PASSWORD)

            status, found = examined(gateway, database_url=as_reader)

            assert (status, found["rights"]["state"]) == (1, "failure")
            assert "users: DELETE, INSERT, UPDATE" in found["rights"]["message"]
            refused = gateway.command("user", "create", "--email=a@example.com", "--name=A", database_url=as_reader)
            assert refused.returncode == 1
            assert refused.stderr.startswith("moorings: The database cannot be used: the user in the URL lacks rights")
    finally:
        postgres.drop_database(name)
        postgres.execute("postgres", f"DROP ROLE IF EXISTS {role}")
