"""slowhttptest itself, with a thousand connections in each of its modes: another client notices none of it.

`make hostile` brings the program and runs this; `test_slow_clients.py` imitates it for the gate, from many addresses.
By default a gateway takes 64 connections of one address, and refuses the others.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway.gateway import Gateway
from tests.support.gateway.unharmed import MEBIBYTE, Figure, unharmed
from tests.support.proxies.provide import SLOWHTTPTEST, program

CONNECTIONS = 1_000
CONNECTIONS_PER_S = 200
SECONDS = 15
OVER_S = 40
"""How much longer than it should the program may take to end."""
MAX_WAIT_S = 0.1
MAX_GROWTH_BYTES = 100 * MEBIBYTE
LARGE = "/api/openapi.json"
MODES = {
    "slow headers": ("-H", "-i", "2", "-u", "/api/backup-destinations"),
    "slow body": ("-B", "-i", "2", "-s", "8192", "-u", "/graphql", "-f", "application/json"),
    "ranges": ("-R", "-a", "5", "-b", "3000", "-t", "GET", "-u", LARGE),
    "slow read": ("-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32", "-k", "1", "-u", LARGE),
    "slow read of ten pipelined": ("-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32", "-k", "10", "-u", LARGE),
}
"""The options of each mode; the target is a path. Ranges are answered at once, the others keep their connections."""
HELD = frozenset({"slow body", "slow read", "slow read of ten pipelined"})
"""The modes whose connections are all open at the end, where there is no limit of one address."""
_COUNT = re.compile(r"^(initializing|pending|connected|error|closed):\s+(\d+)", re.MULTILINE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module", params=["64", "5000"], ids=["64 of one address", "all of one address"])
def attacked(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """A gateway with the default limit of connections per address, and one that takes all of them."""
    gateway = Gateway(max_address_connections=request.param).start()
    yield gateway
    gateway.close()


async def slowhttptest(gateway: Gateway, options: tuple[str, ...], directory: Path) -> dict[str, int]:
    """Run the program to its end; returns its last count of connections by state."""
    command = program(SLOWHTTPTEST)
    assert command is not None, "`make hostile` brings slowhttptest: see tests/support/proxies/provide.py"
    at = options.index("-u") + 1
    given = [*options[:at], gateway.url + options[at], *options[at + 1 :]]
    scale = ["-c", str(CONNECTIONS), "-r", str(CONNECTIONS_PER_S), "-l", str(SECONDS), "-p", "5"]
    output = directory / "output"
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            command, *scale, *given, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
        try:
            async with asyncio.timeout(SECONDS + OVER_S):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    text = _COLOUR.sub("", output.read_text(errors="replace"))
    assert "service available:" in text, text[-1_000:]
    return {state: int(count) for state, count in _COUNT.findall(text)}


@pytest.mark.parametrize("mode", MODES)
async def test_slowhttptest_takes_nothing_from_another_client(
    attacked: Gateway, listed: bytes, figure: Figure, tmp_path: Path, mode: str
) -> None:
    """No error, 99 % of the answers within 100 ms, and at most 100 MiB of memory."""
    async with unharmed(attacked, listed, figure, max_wait_s=MAX_WAIT_S, max_growth_bytes=MAX_GROWTH_BYTES):
        counts = await slowhttptest(attacked, MODES[mode], tmp_path)

    assert counts["error"] == 0
    if mode in HELD and attacked.settings["max_address_connections"] == "5000":
        assert counts["connected"] == CONNECTIONS
