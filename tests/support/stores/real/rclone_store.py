"""`rclone serve s3` for tests: buckets are directories. The rclone is that of the environment."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import httpx
from botocore.session import get_session

from models.vault.secret import Secret
from tests.support.ports import free_port
from tests.support.stores.moto_store import Keys

START_DEADLINE_S = 60
STOP_DEADLINE_S = 30
OWNER = Keys(Secret("OWNEREXAMPLE"), Secret("of-the-owner"))
_PROGRAM = str(Path(sys.executable).with_name("rclone"))


class RcloneStore:
    """rclone on a free port of 127.0.0.1, over a directory."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.port = free_port()
        self.directory = directory
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its endpoint, in path style."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> RcloneStore:
        """Start it and wait until it responds."""
        keys = f"{OWNER.access_key.reveal()},{OWNER.secret_key.reveal()}"
        serve = [
            _PROGRAM,
            "serve",
            "s3",
            "--config",
            "/dev/null",
            "--addr",
            f"127.0.0.1:{self.port}",
            "--auth-key",
            keys,
        ]
        self._process = subprocess.Popen(
            [*serve, *self._options, str(self.directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_DEADLINE_S
        while not self._responds():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_DEADLINE_S)

    def new_bucket(self) -> str:
        """Make an empty bucket; returns its name."""
        name = f"nightly-{uuid4().hex}"
        client = get_session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id=OWNER.access_key.reveal(),
            aws_secret_access_key=OWNER.secret_key.reveal(),
        )
        client.create_bucket(Bucket=name)
        return name

    def files_in(self, bucket: str) -> list[str]:
        """The names of all files of a bucket."""
        return sorted(path.name for path in (self.directory / bucket).rglob("*") if path.is_file())

    def _responds(self) -> bool:
        try:
            return httpx.get(self.url, timeout=5, trust_env=False).status_code > 0
        except httpx.TransportError:
            return False
