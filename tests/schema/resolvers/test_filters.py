"""Filters of the list: kinds, reachability and text in labels, alone and together, and the count with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unicodedata import normalize

import pytest

from tests.support.databases.many_rows import plant_destinations
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import ask, code_of, data_of

FILTERED = """
query ($filter: BackupDestinationFilter, $first: Int, $after: String, $orderBy: BackupDestinationOrder) {
  backupDestinations(filter: $filter, first: $first, after: $after, orderBy: $orderBy) {
    totalCount pageInfo { hasNextPage endCursor } edges { node { label } }
  }
}
"""
LABELS = (
    *("100% sure", "100 percent", "a_b", "axb", "back\\slash", "back/slash", "it's", 'say "hi"', "[a-z]*?"),
    *("ÉCLAIR", "éclair", "e\u0301clair", "Straße", "STRASSE", "İstanbul", "ıstanbul", "istanbul", "\u212aelvin"),
    *("ÄRGER", "Ärger im Büro", "A\u0308RGER", "Strasse", "STRAẞE", "ﬁle", "ΣΟΦΟΣ", "σοφος", "ᾳ", "ǅ", "ſharp"),
    *("日本語", "🗄 archive", "🗄️", "%", "_", "\\", "%_\\", "Ünïcödé", "nbsp\u00a0here", "kelvin", "' OR 1=1 --"),
)
NEEDLES = (
    *("%", "_", "\\", "\\%", "%%", "_b", "100", "a_", "\\s", "/", "'", '"', "[", "*", "?", "--", " OR ", "$1"),
    *("e", "E", "É", "é", "ß", "ss", "SS", "i", "I", "İ", "ı", "k", "K", "\u212a", "本", "🗄", "\ufe0f", "\u0301"),
    *(
        "ärger",
        "ÄRGER",
        "a\u0308rger",
        "büro",
        "ẞ",
        "Ss",
        "stra\u00dfe",
        "FI",
        "σ",
        "ς",
        "αι",
        "ι",
        "ǆ",
        "S",
        "RGER IM",
    ),
    *("Ü", "ü", "CÖ", "cö", "\u00a0", "ISTANBUL", "x" * 255, "x" * 256, "%" * 255, "🗄" * 255, "no such label"),
)


def folded(text: str) -> str:
    """A text as a search compares it, told anew: full case folding, and one letter for every i."""
    return text.replace("İ", "i").replace("ı", "i").replace("ᾳ", "\ue000").casefold()


def contains(label: str, needle: str) -> bool:
    """The rule, told anew: case is ignored, no character is a pattern, and accents may be characters of their own."""
    return any(folded(normalize(form, needle)) in folded(label) for form in ("NFC", "NFD"))


async def labels_of(account: Account, filter_: Mapping[str, Any] | None) -> list[str]:
    """The labels that a filter lets through; the count agrees with them."""
    found = (await data_of(account, FILTERED, {"filter": filter_, "first": 100}))["backupDestinations"]
    labels = [edge["node"]["label"] for edge in found["edges"]]
    assert found["totalCount"] == len(labels)
    return labels


async def one_of_each(gateway: Gateway) -> Account:
    """A user with a destination of every kind and reachability there is."""
    account = await gateway.new_user()
    await account.create("local", label="local")
    for type_ in ("s3", "custom_s3"):
        for found in ("unknown", "checking", "reachable", "unreachable"):
            await account.create(type_, label=f"{type_} {found}")
    found_by_label = "replace(replace(label, 'custom_s3 ', ''), 's3 ', '')"
    await gateway.rows(
        f"UPDATE backup_destinations SET reachability = {found_by_label} "  # noqa: S608 - our own values
        f"WHERE user_id = {account.user_id} AND kind <> 'local'"
    )
    return account


async def test_a_text_in_the_label_is_found_as_it_is(gateway: Gateway) -> None:
    """The characters that are patterns to SQL, quotes and every script; the same on both databases."""
    account = await gateway.new_user()
    await plant_destinations(gateway, account.user_id, LABELS)

    for needle in NEEDLES:
        expected = [label for label in LABELS if contains(label, needle)]
        assert await labels_of(account, {"labelContains": needle}) == expected, needle


@pytest.mark.parametrize("nothing", [None, {}, {"labelContains": ""}, {"labelContains": None}, {"kinds": None}])
async def test_a_filter_of_nothing_lets_everything_through(gateway: Gateway, nothing: dict[str, Any] | None) -> None:
    """Left out, null and empty text."""
    account = await one_of_each(gateway)

    assert len(await labels_of(account, nothing)) == 9


async def test_a_text_that_no_label_can_have_is_in_none(gateway: Gateway) -> None:
    """Not an error: there is nothing that contains it."""
    account = await gateway.new_user()
    await plant_destinations(gateway, account.user_id, LABELS)

    for needle in ("\x00", "a\x00b", "y" * 10_000):
        assert await labels_of(account, {"labelContains": needle}) == []


async def test_only_the_kinds_asked_for_come(gateway: Gateway) -> None:
    """Of no kind there is none."""
    account = await one_of_each(gateway)
    everything = await labels_of(account, None)
    kinds = {"AMAZON_S3": "s3", "CUSTOM_S3": "custom_s3", "LOCAL": "local"}

    for wanted in ([], ["LOCAL"], ["AMAZON_S3"], ["CUSTOM_S3", "LOCAL"], ["LOCAL", "LOCAL"], list(kinds)):
        types = {kinds[kind] for kind in wanted}
        expected = [label for label in everything if label.partition(" ")[0] in types]
        assert await labels_of(account, {"kinds": wanted}) == expected


async def test_only_the_reachability_asked_for_comes_and_never_a_local_destination(gateway: Gateway) -> None:
    """A local one has none, whatever its column holds."""
    account = await one_of_each(gateway)
    everything = await labels_of(account, None)

    for wanted in ([], ["UNKNOWN"], ["REACHABLE", "UNREACHABLE"], ["UNKNOWN", "CHECKING", "REACHABLE", "UNREACHABLE"]):
        names = {name.lower() for name in wanted}
        expected = [label for label in everything if label.partition(" ")[2] in names]
        assert await labels_of(account, {"reachability": wanted}) == expected


async def test_conditions_hold_together(gateway: Gateway) -> None:
    """Every one of them must let a destination through."""
    account = await one_of_each(gateway)
    filters: list[tuple[dict[str, Any], list[str]]] = [
        ({"kinds": ["AMAZON_S3", "LOCAL"], "reachability": ["UNKNOWN"]}, ["s3 unknown"]),
        ({"kinds": ["LOCAL"], "reachability": ["UNKNOWN"]}, []),
        ({"labelContains": "REACH", "kinds": ["CUSTOM_S3"]}, ["custom_s3 reachable", "custom_s3 unreachable"]),
        ({"labelContains": "un", "reachability": ["UNREACHABLE"], "kinds": ["AMAZON_S3"]}, ["s3 unreachable"]),
    ]

    for filter_, expected in filters:
        assert await labels_of(account, filter_) == expected


STORES = {
    "HTTPS://Minio.Example.com:9000": "minio 9000",
    "http://minio.example.com": "minio",
    "https://minio.example.com/base/path": "minio base",
    "https://xminio.example.com": "other",
    "https://minio.example.com.org": "longer",
    "https://minio%example.com": "no host",
    "http://[2001:DB8::1]:9000/a": "six",
    "https://bücher.example:443": "books",
    "https://xn--bcher-kva.example": "books in ASCII",
    "https://a_b.example": "underscore",
    "https://axb.example": "no underscore",
    "https://dot.example.:443/": "dot",
    "http://dot.example": "no dot",
    "https://dot.example:8443": "dot elsewhere",
    "http://dot.example:/a": "empty port",
    "https://[2001:db8:0:0:0:0:0:2]": "long six",
}
HOSTS: Mapping[str, set[str]] = {
    "minio.example.com": {"minio 9000", "minio", "minio base"},
    "MINIO.Example.COM:9000": {"minio 9000"},
    "minio.example.com:900": set(),
    "2001:db8::1": {"six"},
    "[2001:db8::1]": {"six"},
    "[2001:DB8::1]:9000": {"six"},
    "bücher.example": {"books", "books in ASCII"},
    "xn--bcher-kva.example": {"books", "books in ASCII"},
    "bücher.example:443": {"books", "books in ASCII"},
    "bücher.example:80": set(),
    "minio.example.com:80": {"minio"},
    "minio.example.com:443": {"minio base"},
    "dot.example": {"dot", "no dot", "dot elsewhere", "empty port"},
    "Dot.Example.": {"dot", "no dot", "dot elsewhere", "empty port"},
    "dot.example:443": {"dot"},
    "dot.example.:0443": {"dot"},
    "dot.example:80": {"no dot", "empty port"},
    "dot.example:": {"dot", "no dot", "dot elsewhere", "empty port"},
    "2001:DB8:0::2": {"long six"},
    "2001:db8:0:0:0:0:0:2": {"long six"},
    "a_b.example": {"underscore"},
}
NO_HOSTS = ("example.com", "minio", "https://minio.example.com", "", "%", "a\0b", "[::1", "minio%", ":")


async def test_destinations_are_found_by_the_host_of_their_endpoint(gateway: Gateway) -> None:
    """Whatever its case, its port and its path; a part of a host is another host."""
    account = await gateway.new_user()
    await account.create("s3", label="amazon")
    for endpoint, label in STORES.items():
        made = await account.create("custom_s3", label=label)
        await gateway.rows(f"UPDATE backup_destinations SET endpoint = '{endpoint}' WHERE id = {made}")  # noqa: S608

    for host, expected in [*HOSTS.items(), *((host, set[str]()) for host in NO_HOSTS)]:
        assert set(await labels_of(account, {"endpointHost": host})) == expected, host


async def test_destinations_are_found_by_bucket_and_region(gateway: Gateway) -> None:
    """As they are written: both tell case."""
    account = await gateway.new_user()
    await account.create("local", label="local")
    for label, bucket, region in (("a", "one", "eu-1"), ("b", "One", "eu-1"), ("c", "one", "eu-2")):
        await account.create("s3", label=label, s3_bucket_name=bucket, custom_s3_region=region)

    assert await labels_of(account, {"bucketName": "one"}) == ["a", "c"]
    assert await labels_of(account, {"region": "eu-1"}) == ["a", "b"]
    assert await labels_of(account, {"region": "eu-1", "bucketName": "one"}) == ["a"]
    for nothing in ("", "eu", "a\0b", "x" * 300):
        assert await labels_of(account, {"region": nothing}) == await labels_of(account, {"bucketName": nothing}) == []


async def test_destinations_are_found_by_their_times(gateway: Gateway) -> None:
    """The earlier end belongs to a range, the later does not; offsets and fractions of a second are understood."""
    account = await gateway.new_user()
    local, *ids = [await account.create(type_, label=type_) for type_ in ("local", "s3", "custom_s3")]
    for hour, id_ in enumerate((local, *ids)):
        at = f"'2024-08-07 0{hour}:00:00+00:00'"
        checked = "NULL" if id_ == local else at
        await gateway.rows(
            f"UPDATE backup_destinations SET created_at = {at}, updated_at = {at}, checked_at = {checked} "  # noqa: S608
            f"WHERE id = {id_}"
        )
    never = await account.create("s3", label="never")
    await gateway.rows(f"UPDATE backup_destinations SET created_at = '2030-01-01 00:00:00+00:00' WHERE id = {never}")  # noqa: S608

    for name in ("created", "updated"):
        since, until = f"{name}Since", f"{name}Until"
        assert await labels_of(account, {since: "2024-08-07T01:00:00Z", until: "2024-08-07T02:00:00Z"}) == ["s3"]
        assert await labels_of(account, {until: "2024-08-07T03:00:00+02:00"}) == ["local"]
        assert (await labels_of(account, {since: "2024-08-07T01:00:00.000001Z"}))[0] == "custom_s3"
    assert await labels_of(account, {"checkedSince": "2024-08-07T02:00:00Z"}) == ["custom_s3"]
    assert await labels_of(account, {"notCheckedSince": "2024-08-07T02:00:00Z"}) == ["s3", "never"]
    assert await labels_of(account, {"checkedSince": "0001-01-01T00:00:00Z"}) == ["s3", "custom_s3"]
    assert await labels_of(account, {"notCheckedSince": "9999-12-31T23:59:59Z"}) == ["s3", "custom_s3", "never"]
    for malformed in ("2024-08-07", "yesterday", 1, "2024-08-07T00:00:00"):
        assert code_of(await ask(account, FILTERED, {"filter": {"createdSince": malformed}})) == "BAD_USER_INPUT"


async def test_a_filtered_list_is_paged_like_any_other(gateway: Gateway) -> None:
    """The count is of all pages, and a page beyond the last is empty."""
    account = await gateway.new_user()
    await plant_destinations(gateway, account.user_id, [f"{'odd' if n % 2 else 'even'} {n:02}" for n in range(40)])
    order = {"field": "LABEL", "direction": "DESC"}
    found, cursor, more = [], None, True

    while more:
        variables = {"filter": {"labelContains": "ODD"}, "first": 7, "after": cursor, "orderBy": order}
        page = (await data_of(account, FILTERED, variables))["backupDestinations"]
        assert page["totalCount"] == 20
        found += [edge["node"]["label"] for edge in page["edges"]]
        cursor, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]

    assert found == [f"odd {n:02}" for n in range(39, 0, -2)]
    beyond = {"filter": {"labelContains": "odd"}, "after": cursor, "orderBy": order}
    assert (await data_of(account, FILTERED, beyond))["backupDestinations"]["edges"] == []


async def test_a_condition_that_is_none_is_refused(gateway: Gateway) -> None:
    """An unknown kind is no kind."""
    account = await gateway.new_user()

    for filter_ in ({"kinds": ["S3"]}, {"kinds": [None]}, {"reachability": ["local"]}, {"labelContains": 1}, {"id": 1}):
        assert code_of(await ask(account, FILTERED, {"filter": filter_})) == "BAD_USER_INPUT"
