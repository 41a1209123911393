"""Which requests begin, in which order, and which are refused."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import pytest

from models.accounts.viewer import Protocol, Viewer
from web.admission import admission as rules
from web.admission.admission import Admission, Place, UserKey
from web.request_state import RequestState

DEADLINE_S = 10


class _Cycle:
    """A request whose response has not begun."""

    response_started = False


def enter(admission: Admission, key: UserKey, *, always: bool = False) -> Place | None:
    """A request of a user that begins, or would have to wait."""
    return admission.enter(key, None, RequestState(), _Cycle(), always=always)


def wait(admission: Admission, key: UserKey, begun: list[UserKey | Place]) -> Place | None:
    """Let a request wait; its place is added when it begins, and its user's name when it is refused."""
    places: list[Place] = []
    place = admission.wait(
        key,
        None,
        RequestState(),
        _Cycle(),
        start=lambda: begun.append(places[0]),
        refuse=lambda: begun.append(f"{key} refused"),
    )
    if place is not None:
        places.append(place)
    return place


def taken(admission: Admission, key: UserKey = "the others") -> list[Place]:
    """All places, taken by one user."""
    places = [enter(admission, key, always=True) for _ in range(rules.FEWEST)]
    return [place for place in places if place is not None]


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(DEADLINE_S):
        while not is_so():  # noqa: ASYNC110 - ticks pass
            await asyncio.sleep(rules.TICK_S)


async def test_users_take_turns() -> None:
    """One with many requests that wait is passed by one with a single request behind them."""
    admission, begun = Admission(max_wait_s=10), list[UserKey | Place]()
    places = taken(admission)
    for key in ("many",) * 10 + ("one",):
        assert enter(admission, key) is None
        assert wait(admission, key, begun) is not None

    for place in places[:3]:
        admission.leave(place)

    assert [place.key for place in begun if isinstance(place, Place)] == ["many", "one", "many"]
    assert (admission.running, admission.waiting) == (rules.FEWEST, 8)


async def test_a_user_has_a_share_only_while_others_are_there_and_the_process_is_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Alone it may have all places; beside others on a busy process it begins few at the same time, and more
    by and by once it is no longer busy.
    """
    monkeypatch.setattr(rules, "AGED_S", 1_000)
    monkeypatch.setattr(rules, "AGED_BUSY_S", 1_000)
    monkeypatch.setattr(rules, "SHARED_S", 1_000)
    admission = Admission(max_wait_s=10)
    alone = [enter(admission, 1) for _ in range(3 * rules.USER_FEWEST)]
    assert None not in alone
    monkeypatch.setattr(rules, "BUSY", -1.0)
    await asyncio.sleep(2 * rules.TICK_S)
    assert enter(admission, 1) is not None
    assert enter(admission, 2) is not None
    assert enter(admission, 1) is None
    beside = [enter(admission, 2) for _ in range(rules.USER_FEWEST)]
    assert sum(place is not None for place in beside) == rules.USER_FEWEST - 1
    monkeypatch.setattr(rules, "BUSY", 1_000.0)
    monkeypatch.setattr(rules, "LAG_S", 1_000.0)
    await until(lambda: enter(admission, 1) is not None)
    begun = [enter(admission, 1) for _ in range(3 * rules.USER_FEWEST)]
    assert begun[-1] is None


async def test_a_burst_of_one_user_beside_others_begins_with_few_after_a_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A calm before it is no reason to begin all of it: the others' requests would wait for all of that."""
    monkeypatch.setattr(rules, "SHARED_S", 1_000)
    admission = Admission(max_wait_s=10)
    for key in (1, 2):
        place = enter(admission, key)
        assert place is not None
        admission.leave(place)

    burst = [enter(admission, 1) for _ in range(3 * rules.USER_FEWEST)]

    assert sum(place is not None for place in burst) <= rules.USER_FEWEST + 1
    assert enter(admission, 2) is not None


async def test_what_would_wait_too_long_is_refused_and_what_waited_too_long_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each refusal is written soon; the log has one line for the beginning of the overload, and one for its end."""
    monkeypatch.setattr(rules, "CALM_S", 0.1)
    caplog.set_level(logging.INFO, rules.logger.name)
    admission, begun = Admission(max_wait_s=0.05), list[UserKey | Place]()
    places = taken(admission)
    assert enter(admission, "a") is None
    while wait(admission, "a", begun) is not None:
        pass
    waiting = admission.waiting
    assert waiting == rules.FIRST_RATE * 0.05 * rules.PROMISED
    await until(lambda: begun.count("a refused") > waiting)
    assert (admission.refused, admission.waiting, admission.is_overloaded) == (waiting + 1, 0, True)

    for place in places:
        admission.leave(place)
    await until(lambda: not admission.is_overloaded)
    assert enter(admission, "a") is not None
    first, last = (record.getMessage() for record in caplog.records)
    assert "refused with 503" in first
    assert f"{waiting + 1} requests were refused" in last


async def test_the_last_of_a_queue_are_refused_once_it_turns_out_that_their_turn_would_come_too_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Long before their wait is over; those before them go on waiting."""
    monkeypatch.setattr(rules, "MEASURED_S", 0.02)
    monkeypatch.setattr(rules, "BURST_S", 1_000)
    monkeypatch.setattr(rules, "LEAST_RATE", 1.0)
    monkeypatch.setattr(rules, "AGED_S", 1_000)
    monkeypatch.setattr(rules, "AGED_BUSY_S", 1_000)
    admission, begun = Admission(max_wait_s=100), list[UserKey | Place]()
    places = taken(admission)
    assert enter(admission, "a") is None
    waiting = [wait(admission, "a", begun) for _ in range(200)]

    await until(lambda: len(begun) >= 100)

    assert {*begun} == {"a refused"}
    assert (admission.waiting, admission.running) == (200 - admission.refused, rules.FEWEST)
    assert admission.refused < 110
    for place in places[:3]:
        admission.leave(place)
    assert begun[-3:] == waiting[:3]


async def test_refusals_are_written_at_a_bounded_rate_and_none_is_held_back_long() -> None:
    """Clients that ask again at once do not take the process."""
    admission, begun = Admission(max_wait_s=1e-9), list[UserKey | Place]()
    places = taken(admission)
    loop = asyncio.get_running_loop()
    started, refused = loop.time(), 1_000
    for _ in range(refused):
        assert wait(admission, "a", begun) is None
    assert not begun
    await until(lambda: bool(begun))
    assert len(begun) < refused or loop.time() - started > rules.REFUSED_WITHIN_S / 2  # less on a late event loop
    await until(lambda: len(begun) == refused)
    for place in places:
        admission.leave(place)


async def test_what_waits_for_something_else_counts_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check of a store may take seconds, and a stream hours, in which the process is free."""
    monkeypatch.setattr(rules, "AGED_S", 0.05)
    monkeypatch.setattr(rules, "AGED_BUSY_S", 0.05)
    admission, begun = Admission(max_wait_s=10), list[UserKey | Place]()
    taken(admission)
    assert enter(admission, "a") is None
    wait(admission, "a", begun)
    await until(lambda: bool(begun))

    monkeypatch.setattr(rules, "AGED_S", 1_000)
    streams = Admission(max_wait_s=10)
    for place in taken(streams):
        place.cycle.response_started = True
    await asyncio.sleep(rules.TICK_S)
    assert enter(streams, "a") is not None


async def test_on_a_busy_machine_no_more_begin_behind_requests_that_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are slow because there are many of them; what would begin meanwhile is refused after its wait."""
    monkeypatch.setattr(rules, "AGED_S", 0.0)
    monkeypatch.setattr(rules, "BUSY", -1.0)
    admission, begun = Admission(max_wait_s=0.1), list[UserKey | Place]()
    taken(admission)
    await asyncio.sleep(5 * rules.TICK_S)
    assert enter(admission, "a") is None
    wait(admission, "a", begun)

    await until(lambda: bool(begun))

    assert begun == ["a refused"]
    assert admission.running == rules.FEWEST


async def test_how_late_the_event_loop_was_is_known() -> None:
    admission, late_s = Admission(max_wait_s=10), 5 * rules.TICK_S
    taken(admission)
    assert admission.lag_s == 0.0
    await asyncio.sleep(0)
    time.sleep(late_s + rules.TICK_S)  # noqa: ASYNC251 - the loop is to be late
    await until(lambda: admission.lag_s > 0.0)
    assert late_s <= admission.lag_s < DEADLINE_S


async def test_a_request_that_leaves_while_it_waits_leaves_nothing() -> None:
    admission, begun = Admission(max_wait_s=10), list[UserKey | Place]()
    places = taken(admission)
    assert enter(admission, "a") is None
    first, second = (wait(admission, "a", begun) for _ in range(2))
    assert first is not None
    admission.leave(first)
    admission.leave(first)
    admission.leave(places[0])
    assert begun == [second]
    assert (admission.running, admission.waiting) == (rules.FEWEST, 0)


async def test_a_token_is_known_by_the_user_it_came_to() -> None:
    """Before, its requests take their turn with the address's."""
    admission, state = Admission(max_wait_s=10), RequestState()
    header = b"Bearer 1|secret"
    key, token = admission.user_of(header, "192.0.2.1")
    assert key == "192.0.2.1"
    place = admission.enter(key, token, state, _Cycle())
    assert place is not None
    state.viewer = Viewer(
        user_id=7,
        name="",
        email="",
        abilities=frozenset(),
        protocol=Protocol.REST,
        revision=0,
        destination_count=0,
    )
    admission.leave(place)
    assert admission.user_of(header, "192.0.2.1")[0] == 7
    assert admission.user_of(None, "192.0.2.1") == ("192.0.2.1", None)
