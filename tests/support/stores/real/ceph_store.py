"""A real Ceph for tests: a monitor, one OSD in memory and a RADOS gateway, from Debian's `radosgw` and `ceph-osd`."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from botocore.session import get_session

from models.vault.secret import Secret
from tests.support.ports import free_port
from tests.support.stores.moto_store import Keys

PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "monmaptool")
START_DEADLINE_S = 60
STARTS = 3
STOP_DEADLINE_S = 30
_CONFIGURATION = """
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{mon_port}
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data avail crit = 1
mon data = {directory}/mon
osd data = {directory}/osd
osd objectstore = memstore
memstore device bytes = {memory_bytes}
run dir = {directory}
admin socket =
log file = {directory}/$name.log
public addr = 127.0.0.1
ms bind msgr2 = false
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw dns name = store.test
rgw user quota bucket sync interval = 1
rgw bucket quota ttl = 0
"""


def is_installed() -> bool:
    """Whether all programs are on the PATH."""
    return all(shutil.which(program) is not None for program in PROGRAMS)


class _NotInTime(Exception):
    """A daemon is not where it should be within `START_DEADLINE_S`."""


class CephStore:
    """`radosgw` on a free port of 127.0.0.1, with all that it needs; everything is gone when it stops."""

    def __init__(self, directory: Path, *, memory_bytes: int = 256 << 20) -> None:
        """`memory_bytes` is what all objects together may take."""
        self.port = free_port()
        self._directory = directory
        self._memory_bytes = memory_bytes
        self._processes: list[subprocess.Popen[bytes]] = []
        self._session = get_session()
        self._clients: dict[tuple[str, str], Any] = {}

    @property
    def url(self) -> str:
        """Its endpoint, in path style."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> CephStore:
        """Start the three daemons, one after the other, and wait until the gateway responds.

        A daemon that has lost its peer in the first seconds (an election, a machine that stands still) may wait for
        ever, so all of it is started anew, twice at most; then AssertionError says what the daemons wrote.
        """
        home, wrote = self._directory, list[str]()
        for attempt in range(STARTS):
            self._directory = home / str(attempt)
            self._directory.mkdir(parents=True)
            try:
                self._start()
            except (_NotInTime, subprocess.TimeoutExpired):
                self.stop()
                logs = sorted(self._directory.glob("*.log")) + sorted(self._directory.glob("*.out"))
                wrote += [f"{path}:\n{path.read_text(errors='replace')[-1_500:]}" for path in logs]
            else:
                return self
        raise AssertionError("\n".join(wrote))

    def _start(self) -> None:
        fsid, mon_port = str(uuid4()), free_port()
        values = {"fsid": fsid, "mon_port": mon_port, "directory": self._directory, "port": self.port}
        values |= {"memory_bytes": self._memory_bytes}
        (self._directory / "ceph.conf").write_text(_CONFIGURATION.format(**values))
        (self._directory / "mon").mkdir()
        (self._directory / "osd").mkdir()
        monmap = str(self._directory / "monmap")
        self._run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v1:127.0.0.1:{mon_port}]", monmap)
        self._run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monmap)
        self._serve("ceph-mon", "-i", "a")
        self._run("ceph-osd", "-i", "0", "--mkfs")
        osd = (self._directory / "osd/fsid").read_text().strip()
        _until(lambda: self._answer("ceph", "osd", "new", osd, "0") is not None)  # the same again changes nothing
        self._serve("ceph-osd", "-i", "0")
        _until(lambda: json.loads(self._answer("ceph", "osd", "stat", "--format=json") or "{}").get("num_up_osds") == 1)
        self._serve("radosgw", "-n", "client.rgw")
        _until(self._responds)
        self._make_pools()

    def stop(self) -> None:
        """Stop the daemons, the last one first."""
        while self._processes:
            process = self._processes.pop()
            process.kill()
            process.wait(STOP_DEADLINE_S)

    def new_keys(self) -> Keys:
        """The keys of a new user, who may do everything with their own buckets."""
        name = f"user-{uuid4().hex}"
        made = json.loads(self.admin("user", "create", f"--uid={name}", "--display-name=A user"))
        return Keys(Secret(made["keys"][0]["access_key"]), Secret(made["keys"][0]["secret_key"]))

    def user_of(self, keys: Keys) -> str:
        """The name of the user with these keys."""
        shown = json.loads(self.admin("user", "info", f"--access-key={keys.access_key.reveal()}"))
        return str(shown["user_id"])

    def admin(self, *arguments: str) -> str:
        """Run `radosgw-admin`."""
        return self._run("radosgw-admin", *arguments)

    def client(self, keys: Keys) -> Any:
        """botocore's client of S3, one for each pair of keys: making one takes longer than most tests."""
        access_key, secret_key = keys.access_key.reveal(), keys.secret_key.reveal()
        if (access_key, secret_key) not in self._clients:
            self._clients[access_key, secret_key] = self._session.create_client(
                "s3",
                region_name="us-east-1",
                endpoint_url=self.url,
                aws_access_key_id=access_key,
                aws_secret_access_key=secret_key,
            )
        return self._clients[access_key, secret_key]

    def versions_in(self, keys: Keys, bucket: str) -> list[str]:
        """The keys of all objects in a bucket, of every version and delete marker."""
        listed = self.client(keys).list_object_versions(Bucket=bucket)
        return [entry["Key"] for part in ("Versions", "DeleteMarkers") for entry in listed.get(part, [])]

    def _make_pools(self) -> None:
        """Use each kind of data once: Ceph makes a pool at its first use, which takes seconds."""
        client, bucket = self.client(self.new_keys()), f"first-{uuid4().hex}"
        client.create_bucket(Bucket=bucket)
        client.put_object(Bucket=bucket, Key="first", Body=b"first")
        upload = client.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
        client.upload_part(Bucket=bucket, Key="parts", PartNumber=1, UploadId=upload, Body=b"part")
        client.abort_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload)
        client.delete_object(Bucket=bucket, Key="first")

    def _responds(self) -> bool:
        try:
            return "ListAllMyBucketsResult" in httpx.get(self.url, timeout=5, trust_env=False).text
        except httpx.TransportError:
            return False

    def _run(self, program: str, *arguments: str) -> str:
        done = self._done(program, *arguments)
        assert done.returncode == 0, (program, arguments, done.stderr[-2_000:])
        return done.stdout

    def _answer(self, program: str, *arguments: str) -> str | None:
        """What a command prints; None while the monitor, which has just started, takes none (`EPERM`)."""
        done = self._done(program, *arguments)
        return done.stdout if done.returncode == 0 else None

    def _done(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [program, *arguments]
        if program != "monmaptool":
            command += ["-c", str(self._directory / "ceph.conf")]
        return subprocess.run(command, capture_output=True, text=True, timeout=START_DEADLINE_S, check=False)

    def _serve(self, program: str, *arguments: str) -> None:
        command = [program, *arguments, "-f", "-c", str(self._directory / "ceph.conf")]
        with (self._directory / f"{program}.out").open("wb") as out:
            self._processes.append(subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL))


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_DEADLINE_S
    while not holds():
        if time.monotonic() > deadline:
            raise _NotInTime
        time.sleep(0.2)
