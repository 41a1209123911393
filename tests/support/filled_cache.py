"""A program: fills a response cache of so many bytes with answers of many sizes, and prints by how much it grew.

In a process of its own: in another, what was freed before would be used again.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import orjson

from models.accounts.abilities import Ability
from models.accounts.viewer import Protocol, Viewer
from web.cache.cache_key import CacheKey, RequestKey
from web.cache.etags import EntityTags
from web.cache.response_cache import ResponseCache
from web.compression.accept_encoding import Wanted, wanted_by

PAGE_BYTES = 4_096
WARM = 100
"""Answers before anything is measured: what the first of a kind loads."""
HEADERS = ((b"content-type", b"application/json"),)


def resident_bytes() -> int:
    """The memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def add(cache: ResponseCache, rng: random.Random, user_id: int, wanted: Wanted | None) -> None:
    """Put the answer to a list of one user."""
    viewer = Viewer(
        user_id=user_id,
        name="Test",
        email="test@example.com",
        abilities=frozenset({Ability.ALL}),
        protocol=Protocol.REST,
        revision=rng.randrange(300, 1_000_000),
        destination_count=20,
    )
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": "/api/backup-destinations",
        "query_string": b"per_page=15&page=%d" % rng.randrange(1, 100),
        "headers": [(b"host", b"127.0.0.1:8000")],
    }
    rows = [
        {"id": rng.randrange(10**9), "label": f"Nightly dumps {rng.random()}", "endpoint": "https://s3.example.com"}
        for _ in range(rng.choice((1, 3, 15, 15, 15, 40, 100)))
    ]
    key = CacheKey(viewer, RequestKey.of(scope, Protocol.REST))
    cache.put(key, HEADERS, orjson.dumps({"data": rows}), b"", wanted, shows_checks=True)


def main() -> None:
    """Fill a cache of as many bytes as the first argument says, and half of that again, in the coding of the second."""
    max_bytes, coding = int(sys.argv[1]), sys.argv[2].encode()
    wanted = wanted_by([(b"accept-encoding", coding)]) if coding else None
    cache, rng = ResponseCache(max_bytes, EntityTags(public_url=None)), random.Random(7)  # noqa: S311 - the same answers each time
    for user_id in range(WARM):
        add(cache, rng, user_id, wanted)
    before, counted = resident_bytes(), cache.bytes
    user_id = WARM
    while not cache.evictions or cache.evictions < len(cache) // 2:
        add(cache, rng, user_id, wanted)
        user_id += 1
    sys.stdout.write(f"{resident_bytes() - before} {cache.bytes - counted}\n")


if __name__ == "__main__":
    main()
