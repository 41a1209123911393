"""One nginx in front of the contenders: as Debian configures it, with connections kept to the servers."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.machine import BenchmarkRefused
from tests.support.ports import free_port, listens
from tests.support.proxies.provide import ADVICE, program

START_DEADLINE_S = 20.0
_STOP_DEADLINE_S = 10.0
_HTTP = """daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
events {{ worker_connections 768; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    gzip on;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{servers}
}}
"""
_SERVER = """    upstream server_{server} {{ server 127.0.0.1:{server}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{port};
        keepalive_requests 1000000000;
        location / {{
            proxy_pass http://server_{server};
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}"""


@contextmanager
def proxied(servers: Iterable[int]) -> Iterator[Mapping[int, int]]:
    """The port in front of each port of a server, until the block ends; raises `BenchmarkRefused` without an nginx."""
    nginx = program()
    if nginx is None:
        raise BenchmarkRefused(f"There is no nginx for the loads of browsers: {ADVICE}.")
    ports = {server: free_port() for server in servers}
    with tempfile.TemporaryDirectory(prefix="moorings-benchmarks-nginx-") as directory:
        blocks = "\n".join(_SERVER.format(server=server, port=port) for server, port in ports.items())
        configuration = Path(directory, "nginx.conf")
        configuration.write_text(_HTTP.format(directory=directory, servers=blocks), encoding="utf-8")
        log = Path(directory, "error.log")
        process = subprocess.Popen(
            [nginx, "-p", directory, "-c", str(configuration), "-e", str(log)], stdin=subprocess.DEVNULL
        )
        try:
            deadline = time.monotonic() + START_DEADLINE_S
            while not all(map(listens, ports.values())):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise BenchmarkRefused(f"nginx did not start:\n{log.read_text() if log.exists() else ''}")
                time.sleep(0.02)
            yield ports
        finally:
            process.terminate()
            process.wait(_STOP_DEADLINE_S)
