"""A file or a stream that was put comes back as it was, also after a kill; what cannot be is said in one sentence."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner

from app.cli.backups.backup import commands
from tests.support.gateway.backup_job import BackupJob
from tests.support.gateway.gateway import Gateway
from tests.support.stores.moto_store import MotoStore

PART = 5 << 20
LARGE = random.Random(7).randbytes(2 * PART + 12_345)  # noqa: S311 - repeatable content, no secret
ODD = "nightly/ä +?&%25.dump"


@pytest.fixture(scope="module")
def store() -> Iterator[MotoStore]:
    """A store that verifies no signatures: moto knows those of headers alone."""
    store = MotoStore()
    try:
        store.start().allow_everything()
        yield store
    finally:
        store.stop()


@pytest.fixture
def bucket(store: MotoStore) -> str:
    """An empty bucket; to make it, every request is verified for a while."""
    name = store.new_bucket(f"nightly-{uuid4().hex}")
    store.allow_everything()
    return name


@pytest.fixture
async def job(store: MotoStore, bucket: str, gateways: dict[str, Gateway], tmp_path: Path) -> BackupJob:
    """A job with a bucket of its own."""
    account = await gateways["sqlite"].new_user(["use-backup-destinations"])
    destination = await account.create(custom_s3_endpoint=store.url, s3_bucket_name=bucket)
    return BackupJob(tmp_path, account, destination)


def etag_of(content: bytes) -> str:
    """The ETag of an object that was put in parts of `PART` bytes."""
    digests = [
        hashlib.md5(content[at : at + PART], usedforsecurity=False).digest() for at in range(0, len(content), PART)
    ]
    return f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"


async def test_a_small_file_is_put_and_comes_back_under_its_name(job: BackupJob, tmp_path: Path) -> None:
    (tmp_path / "db.dump").write_bytes(b"backup")

    put = job.done("put", "db.dump")
    (tmp_path / "db.dump").unlink()
    got = job.run("get", "db.dump")

    assert {**put, "seconds": 0} == {
        "key": "db.dump",
        "bytes": 6,
        "etag": hashlib.md5(b"backup", usedforsecurity=False).hexdigest(),
        "parts": 1,
        "resumedParts": 0,
        "verified": True,
        "seconds": 0,
    }
    assert (got.returncode, got.stderr) == (0, b"moorings: 6 bytes of db.dump came, verified.\n")
    assert (tmp_path / "db.dump").read_bytes() == b"backup"


async def test_a_large_file_goes_in_parts_under_any_name_and_is_listed(job: BackupJob, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(LARGE)

    put = job.done("put", "large", "--key", ODD, "--part-size", "5MiB")
    listed = json.loads(job.run("ls", "nightly/", "--json").stdout)
    got = job.done("get", ODD, "again")

    assert (put["parts"], put["verified"], put["etag"]) == (3, True, etag_of(LARGE))
    assert [(each["key"], each["size"]) for each in listed] == [(ODD, len(LARGE))]
    assert (got["verified"], (tmp_path / "again").read_bytes()) == (True, LARGE)
    assert job.run("ls", "other/").stdout == b""
    assert not list((tmp_path / "state").rglob("*.json"))


async def test_a_stream_of_unknown_length_is_put_and_got(job: BackupJob) -> None:
    put = job.done("put", "-", "--key", "stream", "--part-size", "5MiB", content=LARGE)
    empty = job.done("put", "-", "--key", "empty", "--allow-empty", content=b"")
    got = job.run("get", "stream", "-")

    assert (put["parts"], put["bytes"], put["etag"]) == (3, len(LARGE), etag_of(LARGE))
    assert (empty["parts"], empty["bytes"]) == (1, 0)
    assert (got.returncode, got.stdout) == (0, LARGE)


async def test_an_empty_standard_input_is_refused_and_the_object_stays(job: BackupJob) -> None:
    """What `false | moorings backup put -` sends."""
    job.done("put", "-", "--key", "dump", content=b"good")

    refused = job.run("put", "-", "--key", "dump", content=b"")
    missing = job.run("put", "-", "--key", "new", content=b"")

    for run in (refused, missing):
        assert (run.returncode, run.stdout) == (1, b"")
        assert (
            run.stderr == b"moorings: The standard input is empty, and nothing was stored; --allow-empty stores it.\n"
        )
    assert job.run("get", "dump", "-").stdout == b"good"
    assert [each["key"] for each in json.loads(job.run("ls", "--json").stdout)] == ["dump"]


async def test_a_killed_upload_goes_on_with_the_parts_that_are_missing(
    job: BackupJob, store: MotoStore, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    command = ("put", "large", "--part-size", "5MiB", "--parallel", "1")

    _kill_after_a_part(job, store, *command)
    assert store.uploads_in(bucket) == 1
    store.allow_everything()
    put = job.done(*command)

    assert (put["parts"], put["verified"], put["etag"]) == (3, True, etag_of(LARGE))
    assert put["resumedParts"] >= 1


async def test_an_upload_of_another_content_or_that_is_gone_is_begun_anew_and_nothing_is_left(
    job: BackupJob, store: MotoStore, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    command = ("put", "large", "--part-size", "5MiB", "--parallel", "1")

    _kill_after_a_part(job, store, *command)
    (tmp_path / "large").write_bytes(bytes(reversed(LARGE)))
    put = job.done(*command)

    assert (put["resumedParts"], put["etag"]) == (0, etag_of(bytes(reversed(LARGE))))
    assert store.uploads_in(bucket) == 0
    store.allow_everything()


async def test_a_killed_download_goes_on_with_what_is_missing(job: BackupJob, store: MotoStore, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    job.done("put", "large", "--part-size", "5MiB")
    (tmp_path / "large").unlink()
    command = ("get", "large", "--parallel", "1")

    _kill_after_a_part(job, store, *command)
    assert not (tmp_path / "large").exists()
    got = job.done(*command)

    assert (got["verified"], (tmp_path / "large").read_bytes()) == (True, LARGE)
    assert got["resumedBytes"] >= PART
    assert not (tmp_path / ".large.moorings-part").exists()


def _kill_after_a_part(job: BackupJob, store: MotoStore, *command: str) -> None:
    """Kill a transfer between its first part, which is noted, and its end, which a store that stands still prevents."""
    process = job.start(*command)
    deadline = time.monotonic() + 60
    while not job.noted_parts():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    store.signal(signal.SIGSTOP)
    try:
        assert process.poll() is None
        process.kill()
        process.wait()
    finally:
        store.signal(signal.SIGCONT)


async def test_a_file_that_was_there_stays_until_the_object_is_whole(job: BackupJob, tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"before")

    refused = job.run("get", "missing", "kept")

    assert (refused.returncode, refused.stdout) == (1, b"")
    assert refused.stderr == b"moorings: The store refused (HTTP 404): there is no such object.\n"
    assert (tmp_path / "kept").read_bytes() == b"before"


async def test_what_cannot_be_is_said_in_one_sentence(job: BackupJob, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")

    refused = job.run("put", "file", "--key", "a/../b")

    assert (refused.returncode, refused.stdout) == (1, b"")
    sentence = "moorings: The gateway refused: The key field must have no `.` or `..` part"
    assert refused.stderr.decode().startswith(sentence)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("put", "-", "--destination", "1"), "What comes from the standard input needs a --key."),
        (("put", __file__, "--destination", "1", "--part-size", "1MiB"), "A part has at least 5MiB."),
        (("put", __file__, "--destination", "x"), "It wants the id of a destination"),
        (("put", __file__), "Missing option '--destination'"),
        (("put", "nowhere", "--destination", "1"), "File 'nowhere' does not exist."),
        (("put", "/", "--destination", "1"), "File '/' is a directory."),
        (("get", "a", "-", "--destination", "BackupDestination:1", "--json"), "--json does not go together"),
        (("get", "a", ".", "--destination", "1"), "FILE is a folder"),
    ],
)
async def test_bad_usage_ends_with_two_before_anything_is_asked(arguments: tuple[str, ...], sentence: str) -> None:
    ended = CliRunner().invoke(commands, arguments)

    assert ended.exit_code == 2
    assert sentence in ended.output


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "MOORINGS_URL and MOORINGS_TOKEN are needed"),
        ({"MOORINGS_URL": "http://127.0.0.1:9"}, "MOORINGS_URL and MOORINGS_TOKEN are needed"),
        ({"MOORINGS_TOKEN": "1|mrg_x"}, "MOORINGS_URL and MOORINGS_TOKEN are needed"),
        ({"MOORINGS_URL": "127.0.0.1:9", "MOORINGS_TOKEN": "1|mrg_x"}, "MOORINGS_URL is not the URL of a gateway"),
        ({"MOORINGS_URL": "http://127.0.0.1:9", "MOORINGS_TOKEN_FILE": "/nowhere"}, "MOORINGS_TOKEN_FILE is not right"),
    ],
)
@pytest.mark.parametrize("command", [("ls",), ("put", __file__), ("get", "a")])
async def test_without_a_url_and_a_token_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], variables: dict[str, str], sentence: str
) -> None:
    for name in ("MOORINGS_URL", "MOORINGS_TOKEN", "MOORINGS_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    ended = CliRunner().invoke(commands, [*command, "--destination", "1"])

    assert ended.exit_code == 2
    assert sentence in ended.output


async def test_the_gateway_is_named_when_it_is_the_reason(gateways: dict[str, Gateway], tmp_path: Path) -> None:
    """A token without the ability, one that is unknown, a destination that is not there, a gateway that is not."""
    account = await gateways["sqlite"].new_user()
    local = await account.create("local")
    (tmp_path / "file").write_bytes(b"x")
    sentences = {
        BackupJob(tmp_path, account, local): "Required token ability scopes: use-backup-destinations",
        BackupJob(
            tmp_path, dataclasses.replace(account, token="1|mrg_nonsense"), local
        ): "does not know the token in MOORINGS_TOKEN",
    }
    allowed = await gateways["sqlite"].new_user(["use-backup-destinations"])
    sentences |= {
        BackupJob(tmp_path, allowed, await allowed.create("local")): "A local destination has no store",
        BackupJob(tmp_path, allowed, 2_000_000_001): "Backup destination not found",
    }

    for job, sentence in sentences.items():
        refused = job.run("put", "file")
        assert (refused.returncode, refused.stdout) == (1, b"")
        assert sentence in refused.stderr.decode()
