"""The image, built from the Dockerfile and run by podman: confined, watched, stopped, made anew and upgraded."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from models import migrations as models_migrations
from models.vault.vault import generate_key
from tests.support.containers import engine
from tests.support.containers.engine import IMAGE, Failed, podman
from tests.support.containers.gateway_container import GatewayContainer, until
from tests.support.gateway.gateway import EXAMPLES

STOPS_WITHIN_S = 15.0
"""It takes 1 s on a machine with nothing else to do."""
TOKEN = "/data/moorings.token"
LATEST = sorted(path.name for path in Path(models_migrations.__path__[0]).glob("0*.py"))[15:]
"""The migrations that the image of the version before does not have: from the sixteenth on."""
ADDING = """
import sqlite3
with sqlite3.connect("/data/moorings.db") as database:
    values = ("ada@example.com", "Ada", "2026-01-01 00:00:00+00:00")
    database.execute("INSERT INTO users (email, name, created_at) VALUES (?, ?, ?)", values)
"""
"""What adds a user to a database of the version before."""


@pytest.fixture
def volume() -> Iterator[str]:
    """A new, empty volume."""
    name = f"volume-{uuid4().hex[:12]}"
    podman("volume", "create", name)
    yield name
    podman("volume", "rm", "--force", name)


@pytest.fixture(scope="module")
def shared() -> Iterator[GatewayContainer]:
    """A gateway on a volume of this module's own, for tests that change nothing of it."""
    name = f"volume-{uuid4().hex[:12]}"
    with GatewayContainer(name) as gateway:
        yield gateway
    podman("volume", "rm", "--force", name)


def test_it_runs_as_a_user_without_rights_and_writes_to_its_volume_alone(shared: GatewayContainer) -> None:
    assert shared.run("id", "--user") == "10001"
    status = shared.run("cat", "/proc/1/status")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    for path in ("/opt/moorings/a", "/etc/a", "/usr/a"):
        with pytest.raises(Failed, match="Read-only file system"):
            shared.run("touch", path)
    assert shared.run("stat", "--format", "%a %U", "/data") == "700 moorings"


def test_its_memory_and_processes_are_bounded(shared: GatewayContainer) -> None:
    limits = shared.run("sh", "-c", "cat /sys/fs/cgroup/pids*/pids.max /sys/fs/cgroup/pids.max 2>/dev/null || true")
    memory = shared.run(
        "sh", "-c", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null || true"
    )
    assert (limits, memory) == ("256", str(512 * 1024 * 1024))


def test_the_first_token_is_in_a_file_that_opens_the_api_and_in_no_log(shared: GatewayContainer) -> None:
    token = shared.run("cat", TOKEN)
    assert stat.S_IMODE(int(shared.run("stat", "--format", "%f", TOKEN), 16)) == 0o600
    with shared.client(token) as client:
        assert client.get("/api/backup-destinations").status_code == httpx.codes.OK
    assert token not in engine.logs(shared.name)


def test_the_health_check_follows_the_port_and_sees_a_gateway_that_hangs(shared: GatewayContainer) -> None:
    """The port is not the image's 8000; SIGSTOP to every process is a gateway that answers nothing."""
    assert shared.port != 8000
    assert engine.inspect(shared.name)["Config"]["Healthcheck"]["Test"][0] == "CMD"
    assert shared.is_healthy()
    podman("pause", shared.name)
    try:
        assert not shared.is_healthy()
    finally:
        podman("unpause", shared.name)
    until(shared.is_healthy, "it is healthy again")


def test_sigterm_ends_it_in_time_though_a_stream_is_open(volume: str) -> None:
    with GatewayContainer(volume) as gateway, gateway.client(gateway.run("cat", TOKEN)) as client:
        query = {"query": "subscription { backupDestinationEvents { id } }"}
        with client.stream("POST", "/graphql", json=query, headers={"Accept": "text/event-stream"}) as stream:
            assert stream.status_code == httpx.codes.OK
            reading = threading.Thread(target=lambda: list(stream.iter_raw()))
            reading.start()
            status, took_s = gateway.stop()
            reading.join(STOPS_WITHIN_S)
        assert (status, reading.is_alive()) == (0, False)
        assert took_s < STOPS_WITHIN_S
        assert "Traceback" not in engine.logs(gateway.name)


def test_a_container_made_anew_on_the_volume_has_everything(volume: str) -> None:
    """The user, the token, the destination, and the key that its credentials are sealed with."""
    with GatewayContainer(volume) as gateway:
        token = gateway.run("cat", TOKEN)
        with gateway.client(token) as client:
            body = {"label": "Kept", "type": "s3", **EXAMPLES["s3"]}
            assert client.post("/api/backup-destinations", json=body).status_code == httpx.codes.CREATED
        gateway.kill()
    with GatewayContainer(volume) as gateway, gateway.client(token) as client:
        (kept,) = client.get("/api/backup-destinations").json()["data"]
        assert kept["label"] == "Kept"
        assert "cannot be" not in gateway.run("moorings", "keys", "status")
        assert "Welcome" not in engine.logs(gateway.name)


def test_secrets_come_as_files_and_a_key_that_is_set_as_well_is_refused(volume: str, tmp_path: Path) -> None:
    key = tmp_path / "secret-keys"
    key.write_text(f"{generate_key()}\n")
    key.chmod(0o444)
    options = (
        "--volume",
        f"{key}:/run/secrets/secret-keys:ro",
        "--env",
        "MOORINGS_SECRET_KEYS_FILE=/run/secrets/secret-keys",
    )
    with GatewayContainer(volume, *options) as gateway:
        gateway.run("test", "-e", TOKEN)
        assert "moorings.key" not in gateway.run("ls", "/data")
        assert key.read_text().strip() not in gateway.run("env")
    with pytest.raises(Failed, match="MOORINGS_SECRET_KEYS"):
        podman("run", "--rm", *options, "--env", f"MOORINGS_SECRET_KEYS={generate_key()}", IMAGE, "moorings", "migrate")


def test_an_older_volume_is_migrated_at_the_first_start_of_the_new_image(volume: str, tmp_path: Path) -> None:
    """The older image is this one without its latest migrations."""
    older = "localhost/moorings:older"
    migrations = "/opt/moorings/lib/python3*/site-packages/moorings/models/migrations"
    removing = " ".join(f"{migrations}/{name}" for name in LATEST)
    (tmp_path / "Containerfile").write_text(f"FROM {IMAGE}\nUSER 0\nRUN rm {removing}\nUSER 10001\n")
    podman("build", "--format", "docker", "--tag", older, tmp_path)
    on_the_volume = ("run", "--rm", "--network", "host", "--volume", f"{volume}:/data")
    podman(*on_the_volume, older, "moorings", "migrate")
    podman(*on_the_volume, older, "python", "-c", ADDING)
    with pytest.raises(Failed, match="0017"):
        podman(*on_the_volume, IMAGE, "moorings", "migrate", "--check")

    with GatewayContainer(volume) as gateway:
        gateway.run("moorings", "migrate", "--check")
        token = gateway.run("moorings", "token", "create", "--email", "ada@example.com").split()[-1]
        with gateway.client(token) as client:
            made = client.post("/api/backup-destinations", json={"label": "A", "type": "local"})
        assert made.status_code == httpx.codes.CREATED
    podman("rmi", "--force", older)


def test_a_port_that_is_taken_is_said_in_a_sentence(shared: GatewayContainer, volume: str) -> None:
    other = GatewayContainer(volume)
    other.port = shared.port
    other.start()
    try:
        assert podman("wait", other.name) == "1"
        assert str(shared.port) in engine.logs(other.name)
        assert "Traceback" not in engine.logs(other.name)
    finally:
        other.__exit__(None, None, None)
