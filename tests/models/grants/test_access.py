"""What access may be asked for: one object, or objects below a prefix and its list, for a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.grants.access import (
    MAX_REQUESTS,
    Access,
    AccessFault,
    AccessField,
    AccessInvalid,
    Granted,
    GrantOperation,
    parse_access,
)

MD5 = "1B2M2Y8AsgTpgAmY7PhCfg=="
REQUIRED, MALFORMED = AccessFault.REQUIRED, AccessFault.MALFORMED
TOO_LONG, NOT_APPLICABLE = AccessFault.TOO_LONG, AccessFault.NOT_APPLICABLE

ODD_KEYS = [
    *(
        "a+b",
        " a b ",
        "ä/漢/🔑",
        "a?b=c&d",
        "a#b",
        "100%",
        "%2e%2e/a",
        "/a",
        "a//b",
        "a/",
        "...",
        "a/..b",
        "~'\"<>{}\\",
    ),
    *("k" * 1_024, "ä" * 512, "\u202e", "-rf", ".hidden"),
]
NO_KEYS = {
    "a/../b": MALFORMED,
    "../b": MALFORMED,
    "..": MALFORMED,
    "a/.": MALFORMED,
    "./a": MALFORMED,
    "a\x00b": MALFORMED,
    "a\nb": MALFORMED,
    "a\x7fb": MALFORMED,
    "a\ud800": MALFORMED,
    "k" * 1_025: TOO_LONG,
    "ä" * 513: TOO_LONG,
}
"""A path with `.` or `..` is resolved by clients and proxies; the rest no list in XML can have, or no store takes."""


def parsed(**raw: Any) -> Access:
    return parse_access({AccessField(name): value for name, value in raw.items()})


def faults(**raw: Any) -> dict[str, str]:
    with pytest.raises(AccessInvalid) as refused:
        parsed(**raw)
    return {violation.field.value: violation.fault for violation in refused.value.violations}


def test_one_object_is_granted_for_a_quarter_of_an_hour() -> None:
    assert parsed(operations=["put"], key="db.dump") == Access(
        operations=(GrantOperation.PUT,), keys=("db.dump",), lifetime=timedelta(minutes=15)
    )


def test_a_form_may_say_the_same() -> None:
    """It has no lists and no numbers."""
    said = parsed(operations="put", key="a", expires_in="60", content_length="5", part_numbers="")

    assert (said.operations, said.lifetime.total_seconds(), said.content_length) == ((GrantOperation.PUT,), 60, 5)


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_key_is_taken_as_it_is(key: str) -> None:
    """Nothing is trimmed or resolved: it is the name of an object."""
    assert parsed(operations=["get"], key=key).keys == (key,)


@pytest.mark.parametrize("key", NO_KEYS)
def test_what_names_no_object_or_may_lead_to_another_is_refused(key: str) -> None:
    assert faults(operations=["get"], key=key) == {"key": NO_KEYS[key]}
    assert faults(operations=["get"], prefix="a", keys=[key])["keys"] == NO_KEYS[key]
    assert faults(operations=["list"], prefix=key) == {"prefix": NO_KEYS[key]}


def test_the_objects_of_a_prefix_are_named_and_below_it() -> None:
    assert parsed(operations=["list", "get"], prefix="db/", keys=["db/a", "db/b", "db/a"]).keys == ("db/a", "db/b")
    assert faults(operations=["get"], prefix="db/", keys=["db/a", "dbs"]) == {"keys": MALFORMED}
    assert faults(operations=["get"], prefix="db/", key="other") == {"key": MALFORMED}
    assert faults(operations=["get"], prefix="db/") == {"keys": REQUIRED}
    assert faults(operations=["get"], keys=["db/a"]) == {"prefix": REQUIRED}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({}, {"operations": REQUIRED}),
        ({"operations": [], "key": "a"}, {"operations": REQUIRED}),
        ({"operations": ["copy"], "key": "a"}, {"operations": MALFORMED}),
        ({"operations": ["PUT"], "key": "a"}, {"operations": MALFORMED}),
        ({"operations": {"put": 1}, "key": "a"}, {"operations": MALFORMED}),
        ({"operations": ["put"]}, {"key": REQUIRED}),
        ({"operations": ["put"], "key": ""}, {"key": REQUIRED}),
        ({"operations": ["put"], "key": 5}, {"key": MALFORMED}),
        ({"operations": ["put"], "key": "a", "keys": ["b"]}, {"keys": NOT_APPLICABLE}),
        ({"operations": ["put"], "prefix": "a", "keys": "ab"}, {"keys": MALFORMED}),
        ({"operations": ["list"], "key": "a"}, {"key": NOT_APPLICABLE}),
        ({"operations": ["put"], "key": "a", "expires_in": 0}, {"expires_in": MALFORMED}),
        ({"operations": ["put"], "key": "a", "expires_in": 86_401}, {"expires_in": MALFORMED}),
        ({"operations": ["put"], "key": "a", "expires_in": "1h"}, {"expires_in": MALFORMED}),
        ({"operations": ["put"], "key": "a", "expires_in": True}, {"expires_in": MALFORMED}),
        ({"operations": ["put"], "key": "a", "expires_in": 1.5}, {"expires_in": MALFORMED}),
        ({"operations": ["put"], "key": "a", "content_length": -1}, {"content_length": MALFORMED}),
        ({"operations": ["put"], "key": "a", "content_length": 5 * 1024**3 + 1}, {"content_length": MALFORMED}),
        ({"operations": ["get"], "key": "a", "content_length": 1}, {"content_length": NOT_APPLICABLE}),
        ({"operations": ["put"], "key": "a", "content_type": "a\r\nb: c"}, {"content_type": MALFORMED}),
        ({"operations": ["put"], "key": "a", "content_md5": "MD5"}, {"content_md5": MALFORMED}),
        ({"operations": ["upload_part"], "key": "a"}, {"upload_id": REQUIRED, "part_numbers": REQUIRED}),
        (
            {"operations": ["upload_part"], "key": "a", "upload_id": "u v", "part_numbers": [0]},
            {"upload_id": MALFORMED, "part_numbers": MALFORMED},
        ),
        (
            {"operations": ["upload_part"], "key": "a", "upload_id": "u", "part_numbers": [10_001]},
            {"part_numbers": MALFORMED},
        ),
        ({"operations": ["put"], "key": "a", "upload_id": "u"}, {"upload_id": NOT_APPLICABLE}),
        ({"operations": ["get"], "key": "a", "delimiter": "/"}, {"delimiter": NOT_APPLICABLE}),
        ({"operations": ["list"], "max_keys": 1_001}, {"max_keys": MALFORMED}),
        (
            {"operations": ["upload_part"], "key": "a", "upload_id": "u", "part_numbers": list(range(1, 102))},
            {"part_numbers": TOO_LONG},
        ),
        ({"operations": ["get"], "prefix": "k", "keys": ["k" * n for n in range(1_000, 1_017)]}, {"keys": TOO_LONG}),
        (
            {"operations": ["get", "head"], "prefix": "a", "keys": [f"a{n}" for n in range(MAX_REQUESTS // 2 + 1)]},
            {"keys": TOO_LONG},
        ),
    ],
)
def test_everything_that_is_wrong_is_said_at_once(raw: dict[str, Any], expected: dict[str, str]) -> None:
    assert faults(**raw) == expected


def test_the_bound_of_the_operator_holds_for_what_is_asked_and_for_what_is_not() -> None:
    raw = {AccessField.OPERATIONS: ["get"], AccessField.KEY: "a"}

    assert parse_access(raw, longest=timedelta(seconds=90)).lifetime == timedelta(seconds=90)
    with pytest.raises(AccessInvalid):
        parse_access({**raw, AccessField.EXPIRES_IN: 91}, longest=timedelta(seconds=90))


def test_the_size_the_type_and_the_digest_of_an_object_can_be_bound() -> None:
    said = parsed(operations=["put"], key="a", content_length=5.0, content_type="text/plain", content_md5=MD5)

    assert (said.content_length, said.content_type, said.content_md5) == (5, "text/plain", MD5)


def test_what_an_event_says_of_a_grant_is_read_as_it_was_stored() -> None:
    granted = Granted(
        operations=(GrantOperation.GET, GrantOperation.LIST),
        keys=("ä/+",),
        prefix="ä/",
        expires_at=datetime(2024, 8, 7, tzinfo=UTC),
    )

    assert Granted.from_json(granted.to_json()) == granted
