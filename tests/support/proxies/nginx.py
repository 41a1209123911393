"""An nginx of this test's own in front of gateways, configured as the manual says."""

from __future__ import annotations

from tests.support.proxies.listening_program import ListeningProgram
from tests.support.proxies.provide import program

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    {more}
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    upstream gateways {{
        {servers}
        keepalive 16;
    }}
    server {{
        listen 127.0.0.1:{port};
        {locations}
        location / {{
            proxy_pass http://gateways;
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
}}
"""
COMPRESSING = "gzip on; gzip_types application/json; gzip_min_length 20; gzip_proxied any;"


class Nginx(ListeningProgram):
    """`nginx` on a free port, which deals requests out to gateways."""

    def __init__(self, *ports: int, compresses: bool = False, locations: str = "") -> None:
        """`ports` are those of the gateways, on this machine; one that `compresses` does so with all JSON.

        `locations` are blocks before the one for all else.
        """
        super().__init__("nginx")
        servers = "\n        ".join(f"server 127.0.0.1:{port} max_fails=0;" for port in ports)
        more = COMPRESSING if compresses else ""
        configuration = self.directory / "nginx.conf"
        values = {"directory": self.directory, "servers": servers, "port": self.port, "more": more}
        configuration.write_text(CONFIGURATION.format(**values, locations=locations), encoding="utf-8")

    def start(self) -> Nginx:
        """Start, and wait until it listens."""
        nginx = program()
        assert nginx is not None, "`make test` brings nginx: see tests/support/proxies/provide.py"
        self.run([nginx, "-p", str(self.directory), "-c", "nginx.conf", "-e", str(self.directory / self.log_name)])
        return self
