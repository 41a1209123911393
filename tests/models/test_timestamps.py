"""Timestamps are written in UTC and whole seconds, and the JSON library writes the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import orjson
from hypothesis import given
from hypothesis import strategies as st

from models.timestamps import JSON_TIMESTAMPS, formatted

_ZONES = st.builds(lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-1_439, 1_439))
_FIRST, _LAST = datetime(1, 1, 3), datetime(9999, 12, 29)  # noqa: DTZ001 - hypothesis adds the zone


@given(st.datetimes(_FIRST, _LAST, timezones=st.one_of(st.just(UTC), _ZONES)))
def test_a_timestamp_is_written_in_utc_and_whole_seconds_as_orjson_writes_it(timestamp: datetime) -> None:
    in_utc = timestamp.astimezone(UTC)

    assert orjson.dumps(in_utc, option=JSON_TIMESTAMPS).decode() == f'"{formatted(timestamp)}"'
    assert datetime.fromisoformat(formatted(timestamp)) == in_utc.replace(microsecond=0)


def test_one_instant_in_two_zones_is_one_text() -> None:
    instant = datetime(2024, 8, 7, 12, tzinfo=UTC)
    elsewhere = instant.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert formatted(elsewhere) == formatted(instant) == "2024-08-07T12:00:00Z"
