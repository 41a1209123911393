"""The counts in memory: each window begins with its first hit, ends after its length, and is forgotten then."""

from __future__ import annotations

import pytest

from web.rate_limit.memory_counter import MAX_WINDOWS, FixedWindows

LENGTH_S = 60.0


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def windows(clock: Clock) -> FixedWindows:
    return FixedWindows(LENGTH_S, now=clock)


def test_a_window_begins_with_the_first_hit_and_has_a_fixed_length(clock: Clock, windows: FixedWindows) -> None:
    """Later hits do not make it longer."""
    counted = []
    for now in (1_000.0, 1_030.0, 1_059.0, 1_060.0, 1_061.0):
        clock.now = now
        counted.append(windows.hit("ada"))

    assert counted == [(1, 60.0), (2, 30.0), (3, 1.0), (1, 60.0), (2, 59.0)]


def test_keys_do_not_share_a_window(clock: Clock, windows: FixedWindows) -> None:
    windows.hit("ada")
    clock.now += 10

    assert windows.hit("bob") == (1, 60.0)
    assert windows.hit("ada") == (2, 50.0)


def test_windows_that_have_ended_are_forgotten_when_another_begins(clock: Clock, windows: FixedWindows) -> None:
    """A million users that came once are not remembered; those whose window is open are."""
    for number in range(1_000):
        windows.hit(number)
    clock.now += LENGTH_S / 2
    windows.hit("open")
    assert len(windows) == 1_001

    clock.now += LENGTH_S / 2
    windows.hit("new")

    assert len(windows) == 2
    assert windows.hit("open") == (2, 30.0)


def test_hits_beyond_any_limit_are_counted_too(windows: FixedWindows) -> None:
    """So that whoever keeps knocking sees the same end of the window."""
    assert [windows.hit("ada")[0] for _ in range(5)] == [1, 2, 3, 4, 5]


def test_however_many_keys_come_the_windows_are_bounded(windows: FixedWindows) -> None:
    """Those that end first make room; the latest count on."""
    for number in range(MAX_WINDOWS + 10):
        windows.hit(number)

    assert len(windows) <= MAX_WINDOWS
    assert windows.hits(0) == 0
    assert windows.hit(MAX_WINDOWS + 9)[0] == 2
