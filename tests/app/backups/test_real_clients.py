"""Programs that are used everywhere: curl with a granted URL, restic and rclone with credentials for them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.gateway.gateway import Account, Gateway
from tests.support.stores.moto_store import MotoStore

DEADLINE_S = 120
CONTENT = b"a backup of some bytes" * 1_000


def run(directory: Path, *command: str, **variables: str) -> str:
    """What a program that succeeds prints."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "LANG": "C.UTF-8", **variables}
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Destination:
    """A destination at a store that verifies signatures, of a user with the ability to use it."""

    def __init__(self, account: Account, id_: int) -> None:
        self.account = account
        self.id = id_

    def credentials(self, program: str) -> str:
        """What `moorings credentials` prints."""
        done = self.account.gateway.command("credentials", str(self.id), "--format", program, "--reveal")
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    async def url(self, operation: str, **fields: object) -> tuple[str, Mapping[str, str]]:
        """A granted URL, and the headers it binds."""
        async with self.account.client() as client:
            body = {"operation": operation, **fields}
            answer = await client.post(f"/api/backup-destinations/{self.id}/grants", json=body)
        (request,) = answer.json()["data"]["requests"]
        return request["url"], request["headers"]


@pytest.fixture
async def there(moto_store: MotoStore, gateways: Mapping[str, Gateway]) -> Destination:
    keys, bucket = moto_store.new_keys("s3:*"), moto_store.new_bucket(f"nightly-{uuid4().hex}")
    account = await gateways["sqlite"].new_user(["use-backup-destinations"])
    id_ = await account.create(
        custom_s3_endpoint=moto_store.url,
        s3_bucket_name=bucket,
        s3_access_key=keys.access_key.reveal(),
        s3_secret_key=keys.secret_key.reveal(),
    )
    return Destination(account, id_)


async def test_restic_backs_up_into_a_destination_and_restores(there: Destination, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/file").write_bytes(CONTENT)
    script = tmp_path / "credentials.sh"
    script.write_text(there.credentials("restic"))
    restic = ". ./credentials.sh && restic -q -o s3.bucket-lookup=path"

    for act in ("init", "backup data", "check", "restore latest --target restored"):
        run(tmp_path, "sh", "-c", f"{restic} {act}", RESTIC_PASSWORD="of the repository")

    assert (tmp_path / "restored/data/file").read_bytes() == CONTENT


async def test_rclone_copies_into_a_destination_and_out_of_it(there: Destination, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    configuration = tmp_path / "rclone.conf"
    configuration.write_text(there.credentials("rclone"))
    remote = configuration.read_text().splitlines()[0].removeprefix("# ")
    rclone = ("rclone", "--config", str(configuration))

    run(tmp_path, *rclone, "copyto", "file", f"{remote}/db/file")
    listed = run(tmp_path, *rclone, "lsf", "-R", remote)
    run(tmp_path, *rclone, "copyto", f"{remote}/db/file", "again")
    run(tmp_path, *rclone, "check", "--one-way", "--include", "file", ".", f"{remote}/db")

    assert set(listed.split()) == {"db/", "db/file"}
    assert (tmp_path / "again").read_bytes() == CONTENT


async def test_curl_stores_a_file_with_a_granted_url_and_gets_it(
    there: Destination, moto_store: MotoStore, tmp_path: Path
) -> None:
    """Against a store that takes any signature, for moto knows those of headers alone; Ceph verifies them elsewhere."""
    (tmp_path / "file").write_bytes(CONTENT)
    moto_store.allow_everything()
    try:
        put, headers = await there.url("put", key="a b/ä+", content_length=len(CONTENT))
        run(tmp_path, "curl", "-sSf", "-T", "file", put)
        get, _ = await there.url("get", key="a b/ä+")
        run(tmp_path, "curl", "-sSf", "-o", "again", get)
    finally:
        moto_store.verify_everything()

    assert headers == {"content-length": str(len(CONTENT))}
    assert (tmp_path / "again").read_bytes() == CONTENT
