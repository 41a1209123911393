"""A check of keys that may use one prefix only touches nothing beside it."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from models.checks.report import CheckDepth
from tests.support.stores.peers import LISTING, MemoryStore, ReceivedRequest, answer, error, listening
from tests.support.stores.probing import outcomes, prober, target

BUCKET = "/nightly/"


def listed_prefix(asked: ReceivedRequest) -> str | None:
    """The prefix that a listing asks for; None for another request."""
    if asked.method != "GET" or asked.path != "/nightly":
        return None
    return parse_qs(asked.target.partition("?")[2])["prefix"][0]


async def confined(asked: ReceivedRequest) -> bytes | None:
    """A store that denies all that is not below `team-a/`, and every listing of another prefix than exactly this."""
    prefix = listed_prefix(asked)
    inside = prefix == "team-a/" if prefix is not None else asked.path.startswith(f"{BUCKET}team-a/")
    return None if inside else error("403 Forbidden", "AccessDenied")


@pytest.mark.parametrize("prefix", ["team-a", "team-a/"])
async def test_keys_that_may_use_one_prefix_only_pass_every_step(prefix: str) -> None:
    store = MemoryStore(confined)
    async with listening(store.script) as peer:
        without = await prober().probe(target(peer.url), CheckDepth.FULL)
        within = await prober().probe(target(peer.url, check_prefix=prefix), CheckDepth.MULTIPART)

    assert outcomes(without)[:6] == "PPSSSF"
    assert outcomes(within)[:9] == "PPSPPPPPP"
    assert store.objects == {}


@pytest.mark.parametrize("prefix", ["a/b", "ümlaut & co/", "50%/+", "..."])
async def test_every_request_is_below_the_prefix(prefix: str) -> None:
    """At every depth, in the listing of old stores too."""

    async def old(asked: ReceivedRequest) -> bytes | None:
        if listed_prefix(asked) is None:
            return None
        return (
            error("501 Not Implemented", "NotImplemented") if "list-type" in asked.target else answer("200 OK", LISTING)
        )

    store, own = MemoryStore(old), prefix.rstrip("/") + "/"
    async with listening(store.script) as peer:
        await prober().probe(target(peer.url, check_prefix=prefix), CheckDepth.MULTIPART)

    prefixes = [found for asked in store.asked if (found := listed_prefix(asked)) is not None]
    keys = [asked.path for asked in store.asked if listed_prefix(asked) is None]
    assert set(prefixes) == {own}
    assert len(prefixes) >= 2
    assert keys
    assert all(key.startswith(f"{BUCKET}{own}.moorings-check/") for key in keys)


async def test_a_leftover_below_the_prefix_is_deleted_and_backups_beside_it_are_not() -> None:
    """The listing of the prefix shows both; names come with the entities of XML."""
    left, backup = f"a & b/.moorings-check/{'1' * 32}", "a & b/.moorings-checks"
    shown = "<Contents><Key>{}</Key><LastModified>2024-01-02T03:04:05.000Z</LastModified></Contents>"
    entries = "".join(shown.format(key.replace("&", "&amp;")) for key in (left, backup))

    async def listing(asked: ReceivedRequest) -> bytes | None:
        body = f"<ListBucketResult>{entries}</ListBucketResult>".encode()
        return answer("200 OK", body) if listed_prefix(asked) is not None else None

    store = MemoryStore(listing)
    store.objects = {BUCKET + left: b"", BUCKET + backup: b""}
    async with listening(store.script) as peer:
        report = await prober().probe(target(peer.url, check_prefix="a & b"), CheckDepth.FULL)

    assert report.reachable
    assert set(store.objects) == {BUCKET + backup}
