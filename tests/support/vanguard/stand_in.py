"""A service that answers as the legacy document and a Vanguard application do: for comparisons with the gateway."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PATH = "/api/backup-destinations"
Rows = Mapping[str, list[dict[str, Any]]]
"""The rows as REST shows them, by the token that may see them."""


@contextmanager
def stand_in(rows: Rows) -> Iterator[str]:
    """Serve rows on loopback; yields the URL. What is changed in `rows` meanwhile is served from then on."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(rows))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(rows: Rows) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            own = rows.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
            if own is None:
                self._answer(401, {"message": "Unauthenticated."})
            elif parts.path == PATH:
                query = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
                self._answer(200, _page(own, query.get("page", 1), query.get("per_page", 15)))
            else:
                row = next((row for row in own if parts.path == f"{PATH}/{row['id']}"), None)
                self._answer(*((404, {"error": "Not Found"}) if row is None else (200, {"data": _shown(row)})))

        def _answer(self, status: int, body: Any) -> None:
            encoded = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    return Handler


def _page(rows: list[dict[str, Any]], number: int, size: int) -> dict[str, Any]:
    start = (number - 1) * size
    some = rows[start : start + size]
    last = max(1, -(-len(rows) // size))
    meta = {
        "current_page": number,
        "from": start + 1 if some else None,
        "last_page": last,
        "links": [{"url": None, "label": "&laquo; Previous", "active": False}],
        "path": f"http://vanguard.example.com{PATH}",
        "per_page": size,
        "to": start + len(some) if some else None,
        "total": len(rows),
    }
    return {"data": [_shown(row) for row in some], "links": {"first": "…", "last": "…"}, "meta": meta}


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its keys in another order, and its times with microseconds, as Laravel writes them."""
    shown = dict(sorted(row.items()))
    return {
        name: value.replace("Z", ".000000Z") if name.endswith("_at") and isinstance(value, str) else value
        for name, value in shown.items()
    }
