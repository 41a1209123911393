"""A real S3-speaking server for tests: moto, which verifies signatures and rights."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from models.vault.secret import Secret
from tests.support.gateway.gateway import environment
from tests.support.ports import free_port

START_DEADLINE_S = 60
_MANY = "1000000"


@dataclass(frozen=True, slots=True)
class Keys:
    """A pair of keys that the server knows."""

    access_key: Secret
    secret_key: Secret


class MotoStore:
    """`moto_server` on a free port of 127.0.0.1; everything in it is gone when it stops."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._users = 0

    @property
    def url(self) -> str:
        """Its endpoint, in path style."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> MotoStore:
        """Start the server and wait until it answers; from then on it verifies every signature."""
        program = str(Path(sys.executable).with_name("moto_server"))
        self._process = subprocess.Popen(
            [program, "-H", "127.0.0.1", "-p", str(self.port)],
            env=environment() | {"AWS_DEFAULT_REGION": "us-east-1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_DEADLINE_S
        while True:
            try:
                self._verify("0")
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.02)
            else:
                return self

    def stop(self) -> None:
        """Stop the server."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(START_DEADLINE_S)

    def signal(self, sent: int) -> None:
        """Send a signal to the server."""
        assert self._process is not None
        self._process.send_signal(sent)

    def allow_everything(self) -> None:
        """Verify no signature from now on."""
        self._verify(_MANY)

    def verify_everything(self) -> None:
        """Verify every signature from now on, as at the start."""
        self._verify("0")

    def new_bucket(self, name: str) -> str:
        """Make an empty bucket."""
        with self._unguarded():
            self._ask("PUT", f"/{name}")
        return name

    def keys_in(self, bucket: str) -> list[str]:
        """The names of all objects in a bucket, of every version."""
        with self._unguarded():
            return re.findall(r"<Key>(.*?)</Key>", self._ask("GET", f"/{bucket}?versions"))

    def uploads_in(self, bucket: str) -> int:
        """How many uploads in parts have begun in a bucket, and were neither completed nor aborted."""
        with self._unguarded():
            return self._ask("GET", f"/{bucket}?uploads").count("<UploadId>")

    def keep_versions(self, bucket: str) -> None:
        """Let the bucket keep what is deleted or overwritten."""
        body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        with self._unguarded():
            self._ask("PUT", f"/{bucket}?versioning", body)

    def new_keys(self, *actions: str) -> Keys:
        """The keys of a new user who may do these things everywhere, such as `s3:ListBucket`."""
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        return self.keys_with(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    def keys_with(self, policy: str) -> Keys:
        """The keys of a new user with a policy, as JSON."""
        self._users += 1
        user = f"user{self._users}"
        with self._unguarded():
            self._iam("CreateUser", user)
            self._iam("PutUserPolicy", user, PolicyName="rights", PolicyDocument=policy)
            made = self._iam("CreateAccessKey", user)
        found = [re.search(rf"<{name}>(.*?)</{name}>", made) for name in ("AccessKeyId", "SecretAccessKey")]
        access_key, secret_key = (Secret(match[1]) for match in found if match is not None)
        return Keys(access_key, secret_key)

    def _iam(self, action: str, user: str, **fields: str) -> str:
        form = {"Action": action, "Version": "2010-05-08", "UserName": user, **fields}
        return self._ask("POST", "/", urlencode(form), service="iam")

    @contextmanager
    def _unguarded(self) -> Iterator[None]:
        """Let anybody do anything for a while."""
        self._verify(_MANY)
        try:
            yield
        finally:
            self._verify("0")

    def _verify(self, after: str) -> None:
        self._ask("POST", "/moto-api/reset-auth", after)

    def _ask(self, method: str, path: str, body: str = "", *, service: str = "s3") -> str:
        """Ask without a valid signature; moto only looks for the service in it."""
        headers = {
            "authorization": f"AWS4-HMAC-SHA256 Credential=root/20240807/us-east-1/{service}/aws4_request",
            "content-type": "application/x-www-form-urlencoded" if service == "iam" else "text/plain",
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_DEADLINE_S)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        assert response.status < http.client.BAD_REQUEST, text
        return text
