"""A gateway whose connections to PostgreSQL go through a proxy that delays and cuts them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.support.databases.postgres import PostgresServer
from tests.support.databases.tcp_proxy import TcpProxy, proxied
from tests.support.databases.templates import planted
from tests.support.gateway.gateway import Gateway


class BehindProxy(NamedTuple):
    """The gateway, the proxy, and the URL of the database that does not lead through it."""

    gateway: Gateway
    proxy: TcpProxy
    url: str


@contextmanager
def behind_proxy(postgres: PostgresServer) -> Iterator[BehindProxy]:
    """A gateway that serves, on a database of its own."""
    url = planted(postgres)
    with proxied(postgres.url("postgres")) as proxy:
        gateway = Gateway(proxy.url(url)).start()
        try:
            yield BehindProxy(gateway, proxy, url)
        finally:
            gateway.close()
