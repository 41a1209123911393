"""The texts of moments: the same as the JSON library's, in UTC, found again, and no more than are remembered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.bounded_cache import MOST
from models.timestamps import WrittenMoments

_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS
_ZONES = st.builds(lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-1_439, 1_439))


@given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.one_of(st.just(UTC), _ZONES)))  # noqa: DTZ001 - hypothesis adds the zone
def test_a_moment_is_written_as_the_json_library_writes_it_in_utc(moment: datetime) -> None:
    """Whatever zone it came in; a fraction of a second is cut off."""
    expected = orjson.dumps(moment.astimezone(UTC), option=_OPTIONS).decode().strip('"')

    written = WrittenMoments()

    assert [written[moment], written[moment]] == [expected] * 2


def test_one_moment_in_two_zones_is_one_text() -> None:
    written = WrittenMoments()
    moment = datetime(2024, 8, 7, 12, tzinfo=UTC)
    elsewhere = moment.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert written[elsewhere] == written[moment] == "2024-08-07T12:00:00Z"


def test_what_is_no_moment_has_no_text() -> None:
    with pytest.raises(AttributeError):
        WrittenMoments()[None]  # type: ignore[index]  # an empty column


def test_no_more_are_remembered_than_there_is_room_for() -> None:
    written, first = WrittenMoments(), datetime(2024, 8, 7, tzinfo=UTC)

    for second in range(MOST + 10):
        _ = written[first + timedelta(seconds=second)]

    assert len(written) <= MOST
    assert written[first] == "2024-08-07T00:00:00Z"
