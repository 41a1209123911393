"""A real gateway for tests: `moorings serve` as a process on a real database, and accounts on it."""

from __future__ import annotations

import asyncio
import http.client
import os
import shutil
import signal
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from app.database import DatabaseAddress, open_database, parse_address
from models.accounts import accounts
from models.errors import DatabaseUnavailable
from models.vault.vault import generate_key
from tests.support.databases.templates import plant
from tests.support.gateway import forked
from tests.support.gateway.processes import children
from tests.support.ports import free_port

# Every client would load the machine's certificates anew, and no gateway here speaks TLS.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
MOORINGS = str(Path(sys.executable).with_name("moorings"))
START_DEADLINE_S = 60
STOP_DEADLINE_S = 60
LOGGED_DEADLINE_S = 30
CONNECTS = 3
CREDENTIALS = {"s3_access_key": "AKIATESTTESTTESTTEST", "s3_secret_key": "a-secret-key-of-the-tests"}
EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "s3": {"s3_bucket_name": "nightly", "custom_s3_region": "us-west-2", "path_style_endpoint": False, **CREDENTIALS},
    "custom_s3": {
        "s3_bucket_name": "nightly",
        "custom_s3_endpoint": "https://s3.example.com",
        "path_style_endpoint": True,
        **CREDENTIALS,
    },
    "local": {},
}
"""What a create request of each type carries beside label and type."""


class GatewayDidNotStart(Exception):
    """The process ended or did not answer; the message is what it wrote."""


def environment(**settings: str) -> dict[str, str]:
    """The machine's environment without settings of its own, and with these."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MOORINGS_")}
    quiet = {"check_interval": "off"}  # rows of long ago would be checked at once
    return inherited | {f"MOORINGS_{name.upper()}": value for name, value in (quiet | settings).items()}


class Gateway:
    """`moorings serve` on a free port of 127.0.0.1, in a directory of its own."""

    def __init__(
        self, database_url: str | None = None, *, workers: int = 1, program: str = MOORINGS, **settings: str
    ) -> None:
        """On PostgreSQL at `database_url`, or on an embedded database; `settings` are MOORINGS_ names in lower case.

        `program` is the command `moorings` of another environment. An embedded database without users is there before
        the first start, unless the gateway has no keys, which are made with the database.
        """
        self.directory = Path(tempfile.mkdtemp(prefix="moorings-test-"))
        self.database_url = database_url or f"sqlite:///{self.directory}/moorings.db"
        self.workers = workers
        self.program = program
        self.variables: Mapping[str, str] = {}
        """Of its environment when it serves, besides the settings."""
        defaults = {"database_url": self.database_url, "rate_limit": "off", "secret_keys": generate_key()}
        self.settings = defaults | settings
        has_keys = bool(self.settings["secret_keys"])
        self._is_planted = database_url is None and program == MOORINGS and has_keys
        self.url = ""
        self._process: subprocess.Popen[bytes] | forked.Forked | None = None
        self._lock = asyncio.Lock()

    @property
    def address(self) -> DatabaseAddress:
        """Where its data is."""
        return parse_address(self.database_url)

    @property
    def engine(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.address.engine

    @property
    def host(self) -> str:
        """The address it listens on."""
        return "127.0.0.1"

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.url.rpartition(":")[2])

    @property
    def pid(self) -> int:
        """The process to send signals to."""
        assert self._process is not None
        return self._process.pid

    @property
    def worker_pid(self) -> int:
        """The process that serves, of a gateway with one worker that is not restarted."""
        return next(iter(children(self.pid)))

    @property
    def log_path(self) -> Path:
        """The file that everything the process writes goes to."""
        return self.directory / "gateway.log"

    def log_text(self) -> str:
        """Everything the process wrote so far."""
        return self.log_path.read_text(errors="replace")

    async def logged(self, text: str) -> str:
        """The log once it has a text: the supervisor writes what its workers report, maybe after a response."""
        deadline = time.monotonic() + LOGGED_DEADLINE_S
        while text not in (log := self.log_text()):
            assert time.monotonic() < deadline, f"{text!r} is not in the log:\n{log}"
            await asyncio.sleep(0.02)
        return log

    def start(self, *, inherits: bool = False) -> Gateway:
        """Start the process and wait until it is ready; it `inherits` what a filter or limit of this thread says."""
        port = int(self.url.rpartition(":")[2]) if self.url else free_port()
        self.url = f"http://127.0.0.1:{port}"
        if self._is_planted:
            self._is_planted = False
            path = self.address.path
            if path is not None and path.parent.is_dir() and not path.exists():
                plant(path)
        with self.log_path.open("ab") as log:
            command = [self.program, "serve", "--port", str(port), "--workers", str(self.workers)]
            env = {**environment(**self.settings), **self.variables}
            if self.program == MOORINGS and not self.variables and not inherits:
                with forked.NOTHING.open("rb") as nothing:
                    self._process = forked.Forked(command, env, self.directory, (nothing, log, log))
            else:
                self._process = subprocess.Popen(
                    command, env=env, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
        deadline = time.monotonic() + START_DEADLINE_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise GatewayDidNotStart(self.log_text())
            time.sleep(0.05)
        return self

    def _is_ready(self) -> bool:
        """Asked without httpx, whose clients cost more than the wait."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=START_DEADLINE_S)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def stop(self, sent: signal.Signals = signal.SIGTERM) -> int:
        """Stop the process and return its exit status."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(sent)
        return self._process.wait(STOP_DEADLINE_S)

    def kill(self) -> None:
        """End every process at once, as a machine without power would."""
        processes = [self.pid, *children(self.pid)]
        for pid in processes:
            os.kill(pid, signal.SIGKILL)
        self.stop()

    def close(self) -> None:
        """Stop, and remove the directory."""
        self.stop()
        shutil.rmtree(self.directory)

    def environment(self) -> dict[str, str]:
        """That of a command beside the gateway."""
        return environment(**self.settings)

    def command(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a `moorings` command beside the gateway, on the same database."""
        command, env = [self.program, *arguments], environment(**(self.settings | settings))
        if self.program == MOORINGS:
            return forked.run(command, env=env, cwd=self.directory, timeout=STOP_DEADLINE_S)
        return subprocess.run(
            command, env=env, cwd=self.directory, capture_output=True, text=True, timeout=STOP_DEADLINE_S, check=False
        )

    @asynccontextmanager
    async def models(self) -> AsyncIterator[None]:
        """The models of this process, connected to the gateway's database.

        A busy machine may take longer to connect than a gateway waits, which would try again then, too.
        """
        async with self._lock, AsyncExitStack() as stack:
            for attempt in range(CONNECTS):
                try:
                    await stack.enter_async_context(open_database(self.address))
                    break
                except DatabaseUnavailable:
                    if attempt == CONNECTS - 1:
                        raise
            yield

    async def new_user(self, abilities: Iterable[str] = ("*",)) -> Account:
        """A new user, with one token of these abilities and one of all."""
        async with self.models():
            user = await accounts.create_user(email=f"{uuid4().hex}@example.com", name="Test")
            token = await accounts.issue_token(user, name="test", abilities=abilities)
            full = await accounts.issue_token(user, name="full")
        return Account(self, user.id, user.email, token, full)

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        """What a raw statement on its database answers; a change is committed."""
        if self.address.url is not None:
            connection = await asyncpg.connect(self.address.url)
            try:
                return [dict(row) for row in await connection.fetch(sql)]
            finally:
                await connection.close()
        return await asyncio.to_thread(self._embedded_rows, sql)  # a transaction of this process may have to end first

    def _embedded_rows(self, sql: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(str(self.address.path), timeout=10)) as database, database:
            database.row_factory = sqlite3.Row
            database.execute("PRAGMA foreign_keys = ON")
            return [dict(row) for row in database.execute(sql)]


@dataclass(frozen=True, slots=True)
class Account:
    """A user of a gateway; `token` has the abilities that were asked for, `full_token` all."""

    gateway: Gateway
    user_id: int
    email: str
    token: str
    full_token: str

    def client(self, **headers: str) -> httpx.AsyncClient:
        """An HTTP client that carries the token."""
        return httpx.AsyncClient(
            base_url=self.gateway.url,
            headers={"Authorization": f"Bearer {self.token}", **headers},
            timeout=60,
            verify=NO_TLS,
            limits=httpx.Limits(max_connections=50),
        )

    async def create(self, kind: str = "custom_s3", **overrides: Any) -> int:
        """Make a destination of a type of the document and return its id; needs no ability."""
        body = {"label": f"A {kind} destination", "type": kind, **EXAMPLES[kind], **overrides}
        async with httpx.AsyncClient(timeout=60, base_url=self.gateway.url, verify=NO_TLS) as client:
            headers = {"Authorization": f"Bearer {self.full_token}"}
            answer = await client.post("/api/backup-destinations", json=body, headers=headers)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return int(answer.json()["data"]["id"])
