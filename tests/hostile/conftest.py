"""The gateway that is attacked, and what a well-behaved client asks of it meanwhile.

slowhttptest runs in full only, where it is installed: see `make hostile`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.figures import FULL
from tests.support.gateway.gateway import Gateway
from tests.support.proxies.provide import SLOWHTTPTEST, program
from tests.web.fast_path.test_fast_path import LIST, wire

collect_ignore = [] if FULL and program(SLOWHTTPTEST) is not None else ["test_slowhttptest.py"]


@pytest.fixture(scope="module")
def attacked() -> Iterator[Gateway]:
    """A gateway of one module's own."""
    gateway = Gateway().start()
    yield gateway
    gateway.close()


@pytest.fixture
async def listed(attacked: Gateway) -> bytes:
    """The well-behaved client's request: its list of destinations."""
    account = await attacked.new_user()
    return wire("GET", LIST, account.token, "Connection: close")
