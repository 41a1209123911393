"""Hostile requests to the REST API: refused as the contract says, alike on both databases, and without a trace."""

import asyncio
from collections import Counter
from collections.abc import Mapping

import pytest

from tests.hostile.rest import THEMES
from tests.hostile.rest.case import CANARY, Case
from tests.hostile.rest.stage import Stage
from tests.hostile.rest.verdict import alike, complaints
from tests.hostile.rest.wire import NoAnswerError
from tests.support.gateway.gateway import Gateway

AT_ONCE = 8


@pytest.fixture
async def stages(gateways: Mapping[str, Gateway]) -> dict[str, Stage]:
    """The people of the corpus on every database; new ones for every theme, so that no theme answers for another."""
    return {database: await Stage.set_up(gateway) for database, gateway in gateways.items()}


async def verdict(case: Case, stages: Mapping[str, Stage]) -> list[str]:
    """Play a case on every database and say what is wrong with the answers."""
    try:
        exchanges = {database: await stage.play(case) for database, stage in stages.items()}
    except NoAnswerError as error:
        return [f"{case.name}: {error}"]
    found = [
        f"{case.name}: on {database}, {complaint}"
        for database, exchange in exchanges.items()
        for complaint in complaints(exchange, stages[database].secrets)
    ]
    first, *others = exchanges.values()
    return found + [f"{case.name}: {complaint}" for other in others for complaint in alike(first, other)]


def leaks(stage: Stage) -> list[str]:
    """Say whose secrets the gateway wrote into its log so far, and whether it stumbled."""
    log = stage.gateway.log_text()
    logged = set(CANARY.findall(log))
    cases = (case for cases in THEMES.values() for case in cases) if logged else ()
    found = [f"the log holds a secret of {case.name!r}" for case in cases if case.canaries & logged]
    found += ["the log holds a live token"] if any(secret in log for secret in stage.secrets) else []
    return found + (["the log holds a stack trace"] if "Traceback" in log else [])


@pytest.mark.parametrize("theme", THEMES)
async def test_hostile_requests_are_refused_alike_and_leave_no_trace(theme: str, stages: dict[str, Stage]) -> None:
    """A refused request changes no row, tells no secret, and is refused in the same words by both databases."""
    before = {database: await stage.rows() for database, stage in stages.items()}
    turns = asyncio.Semaphore(AT_ONCE)

    async def take_turn(case: Case) -> list[str]:
        async with turns:
            return await verdict(case, stages)

    verdicts = await asyncio.gather(*map(take_turn, THEMES[theme]))

    found = [complaint for complaints_ in verdicts for complaint in complaints_]
    for database, stage in stages.items():
        found += [f"on {database}, {leak}" for leak in leaks(stage)]
        after = await stage.rows()
        found += [f"on {database}, a row is new or changed: {row}" for row in after if row not in before[database]]
        found += [f"on {database}, a row is gone or was: {row}" for row in before[database] if row not in after]
    if found:
        pytest.fail("\n".join([f"{len(found)} complaints", *found]), pytrace=False)


def test_every_case_has_a_name_of_its_own() -> None:
    """A complaint names the case, so a name must lead to one."""
    names = Counter(case.name for cases in THEMES.values() for case in cases)

    assert [name for name, times in names.items() if times > 1] == []


def test_no_two_cases_send_the_same_request() -> None:
    """Every case probes something of its own: without its credentials, no request occurs twice."""
    requests: dict[object, str] = {}
    twins = []
    for case in (case for cases in THEMES.values() for case in cases):
        body = CANARY.sub("canary", case.body.decode("latin-1"))
        request = (case.method, case.path, case.headers, body, case.authenticated, case.version, case.omitted)
        twins += [(requests[request], case.name)] if request in requests else []
        requests[request] = case.name

    assert twins == []
