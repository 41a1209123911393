"""A real OpenStack Swift for tests, with its S3 API: the four servers in one process, from Debian's `python3-swift`."""

from __future__ import annotations

import subprocess
import time
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from botocore.session import get_session

from models.vault.secret import Secret
from tests.support.ports import free_port
from tests.support.stores.moto_store import Keys

START_DEADLINE_S = 60
STOP_DEADLINE_S = 30
OWNER = Keys(Secret("test:owner"), Secret("of-the-owner"))
STRANGER = Keys(Secret("test:stranger"), Secret("of-a-stranger"))
"""A user of the same account without any rights."""

_PYTHON = Path("/usr/bin/python3")
_S3API = Path("/usr/lib/python3/dist-packages/swift/common/middleware/s3api")
_STORAGE = """
[DEFAULT]
swift_dir = {directory}
devices = {directory}/devices
mount_check = false
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""
_PROXY = """
[DEFAULT]
swift_dir = {directory}
[pipeline:main]
pipeline = catch_errors cache listing_formats s3api tempauth slo dlo versioned_writes symlink proxy-server
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
storage_domain = store.test
[filter:tempauth]
use = egg:swift#tempauth
user_test_owner = of-the-owner .admin
user_test_stranger = of-a-stranger
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
"""
_PROGRAM = """
import sys
import swift.common.utils
swift.common.utils.HASH_PATH_SUFFIX = b"moorings"
import eventlet, eventlet.wsgi
eventlet.monkey_patch()
from swift.common.ring import RingBuilder
from swift.common.wsgi import SwiftHttpProtocol, loadapp

directory, ports = sys.argv[1], dict(zip(("account", "container", "object", "proxy"), map(int, sys.argv[2:])))
for kind in ("account", "container", "object"):
    ring, here = RingBuilder(1, 1, 0), {"ip": "127.0.0.1", "port": ports[kind]}
    ring.add_dev({"id": 0, "region": 1, "zone": 1, "device": "disk", "weight": 1.0, **here,
                  "replication_ip": here["ip"], "replication_port": here["port"]})
    ring.rebalance()
    ring.get_ring().save(f"{directory}/{kind}.ring.gz")
pool = eventlet.GreenPool()
for kind, port in ports.items():
    app = loadapp(f"{directory}/{kind}.conf", global_conf={"log_name": kind})
    listener = eventlet.listen(("127.0.0.1", port))
    pool.spawn(eventlet.wsgi.server, listener, app, protocol=SwiftHttpProtocol, log_output=False)
pool.waitall()
"""
"""Runs with the system's Python, for which Debian packages Swift."""


def is_installed() -> bool:
    """Whether Swift and its S3 API are there."""
    return _PYTHON.exists() and _S3API.exists()


class SwiftStore:
    """Swift on free ports of 127.0.0.1; everything is gone when it stops."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its endpoint, in path style."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> SwiftStore:
        """Start the servers and wait until a bucket can be made."""
        (self._directory / "devices/disk").mkdir(parents=True)
        for kind in ("account", "container", "object"):
            text = _STORAGE.format(directory=self._directory, kind=kind)
            (self._directory / f"{kind}.conf").write_text(text)
        (self._directory / "proxy.conf").write_text(_PROXY.format(directory=self._directory))
        ports = [free_port(), free_port(), free_port(), self.port]
        with (self._directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(_PYTHON), "-c", _PROGRAM, str(self._directory), *map(str, ports)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        deadline = time.monotonic() + START_DEADLINE_S
        while not self._responds():
            assert time.monotonic() < deadline, (self._directory / "log").read_text()[-2_000:]
            time.sleep(0.1)
        self.new_bucket()
        return self

    def stop(self) -> None:
        """Stop the servers."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_DEADLINE_S)

    @cache  # noqa: B019 - a store lives as long as the process of its tests
    def client(self) -> Any:
        """botocore's client of S3 with the keys of the owner."""
        return get_session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id=OWNER.access_key.reveal(),
            aws_secret_access_key=OWNER.secret_key.reveal(),
        )

    def new_bucket(self) -> str:
        """Make an empty bucket of the owner's; returns its name."""
        name = f"nightly-{uuid4().hex}"
        self.client().create_bucket(Bucket=name)
        return name

    def versions_in(self, bucket: str) -> list[str]:
        """The keys of all objects in a bucket, of every version and delete marker."""
        listed = self.client().list_object_versions(Bucket=bucket)
        return [entry["Key"] for part in ("Versions", "DeleteMarkers") for entry in listed.get(part, [])]

    def _responds(self) -> bool:
        try:
            return httpx.get(f"{self.url}/", timeout=5, trust_env=False).status_code > 0
        except httpx.TransportError:
            return False
