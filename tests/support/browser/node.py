"""Node for the tests, the one that builds the explorer; and what `tests/clients` and `examples/apollo` install.

Nothing is written outside the project: npm's cache and logs are in `.cache/npm`, the packages in `node_modules` beside
each package.json.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from explorer import build
from explorer.build import Node
from tests.support.gateway.gateway import Account
from tests.support.paths import ROOT

CACHE = ROOT / ".cache"
CLIENTS = ROOT / "tests" / "clients"
SCRIPTS = CLIENTS / "src"
PACKAGES = CLIENTS / "node_modules"
INSTALL_DEADLINE_S = 600
SCRIPT_DEADLINE_S = 60
SCRIPT_WITH_ACTS_DEADLINE_S = 120


class ScriptFailed(Exception):
    """A program ended badly or not in time; the message is what it wrote."""


@cache
def find_node() -> Node:
    """The Node that builds the explorer, looked for once; raises `explorer.build.CannotBuild`."""
    return build.find_node()


def install_clients() -> None:
    """Install the packages of `tests/clients`."""
    install_packages(CLIENTS)


def install_packages(directory: Path) -> None:
    """Run `npm ci` in a directory unless that is what was installed last; one process at a time."""
    wanted = hashlib.sha256((directory / "package-lock.json").read_bytes()).hexdigest()
    stamp = directory / "node_modules" / ".installed"
    with one_at_a_time():
        if not (stamp.is_file() and stamp.read_text() == wanted):
            run_npm(directory, "ci", "--cache", str(CACHE / "npm"), "--no-progress")
            stamp.write_text(wanted)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold what only one process may do at a time with packages and what is built of them."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "clients.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run_npm(directory: Path, *arguments: str) -> None:
    """Run npm in a directory; raises `ScriptFailed` with what it wrote."""
    node = find_node()
    done = subprocess.run(
        [str(node.program), str(node.npm), *arguments],
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=INSTALL_DEADLINE_S,
        check=False,
    )
    if done.returncode != 0:
        raise ScriptFailed(done.stdout + done.stderr)


async def run_script(script: Path, account: Account, **extra: str) -> list[dict[str, Any]]:
    """Run a script on the account's gateway and return the JSON objects it printed, one a line."""
    written = await run_node(script, cwd=script.parent, **(variables_of(account) | extra))
    return [json.loads(line) for line in written.splitlines()]


async def run_script_with_acts(
    script: Path, account: Account, acts: Mapping[str, Callable[[], Awaitable[object]]]
) -> list[dict[str, Any]]:
    """As `run_script`, for a script that has the test do something in between, by the names of `acts`."""
    process = await asyncio.create_subprocess_exec(
        str(find_node().program),
        str(script),
        cwd=script.parent,
        env=environment(variables_of(account)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    complaints, lines = asyncio.create_task(process.stderr.read()), list[dict[str, Any]]()
    try:
        async with asyncio.timeout(SCRIPT_WITH_ACTS_DEADLINE_S):
            async for written in process.stdout:
                line = json.loads(written)
                if "act" in line:
                    await acts[line["act"]]()
                    process.stdin.write(b"\n")
                else:
                    lines.append(line)
            await process.wait()
    except TimeoutError:
        lines.append({"took longer than": f"{SCRIPT_WITH_ACTS_DEADLINE_S} s"})
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    if process.returncode != 0:
        raise ScriptFailed(f"{script.name} ended with {process.returncode}\n{lines}\n{(await complaints).decode()}")
    return lines


def variables_of(account: Account) -> dict[str, str]:
    """What a script has to know about the gateway."""
    return {"GATEWAY_URL": account.gateway.url, "GATEWAY_TOKEN": account.token}


async def run_node(script: Path, *arguments: str, cwd: Path, **variables: str) -> str:
    """Run a script and return what it wrote to standard output; raises `ScriptFailed`."""
    process = await asyncio.create_subprocess_exec(
        str(find_node().program),
        str(script),
        *arguments,
        cwd=cwd,
        env=environment(variables),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SCRIPT_DEADLINE_S):
            written, complaints = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
        raise ScriptFailed(f"{script.name} took longer than {SCRIPT_DEADLINE_S} s") from None
    if process.returncode != 0:
        raise ScriptFailed(f"{script.name} ended with {process.returncode}\n{written.decode()}\n{complaints.decode()}")
    return written.decode()


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """The machine's environment for a program of Node, which finds `node` on the PATH and does not phone home."""
    path = os.pathsep.join((str(find_node().program.parent), os.environ.get("PATH", os.defpath)))
    # relay-compiler would otherwise leave a watch behind in a watchman that runs on the machine.
    return {**os.environ, "PATH": path, "NO_UPDATE_NOTIFIER": "1", "FORCE_NO_WATCHMAN": "1", **(variables or {})}
