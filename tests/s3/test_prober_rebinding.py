"""Names of a real name server, and where the connections of checks really go: to the address that was judged.

On a machine of the test's own, where the operating system resolves and every address answers, and on this one.
"""

from __future__ import annotations

from collections import Counter

import pytest

from s3.address_policy import read_address
from tests.support.stores.address_table import VERDICTS, Verdict
from tests.support.stores.probing import PUBLIC
from tests.support.stores.watched_checks import PASSED, READABLE, REFUSED, TURNS, UNKNOWN, played

PLACES = pytest.mark.parametrize("alone", [True, False], ids=["alone", "here"])
CONNECTIONS = 4
"""Of a check that passes where the store hangs up after every answer."""


@PLACES
async def test_a_name_that_changes_its_address_never_leads_to_a_private_one(alone: bool) -> None:
    """Many checks, half of which get a public address, of a store that closes after every response."""
    seen = await played("turning", alone=alone)

    ended = Counter(end for _, end in seen.ended)
    assert ended.keys() == {PASSED, UNKNOWN}
    assert (ended.total(), seen.asked) == (TURNS, TURNS)
    assert seen.arrived == {PUBLIC: CONNECTIONS * ended[PASSED]}


@PLACES
async def test_a_denied_address_costs_no_packet_and_any_other_is_dialled_exactly(alone: bool) -> None:
    """All of the table, as they stand and behind names."""
    seen = await played("table", alone=alone)

    public = Counter(str(read_address(text)) for text, verdict in VERDICTS.items() if verdict is Verdict.PUBLIC)
    ended = Counter(end for _, end in seen.ended)
    denied = len(READABLE) - public.total()
    assert ended == {PASSED: 2 * public.total(), REFUSED: denied, UNKNOWN: denied}
    assert {host for host, end in seen.ended if end == PASSED} & READABLE.keys() == {
        text for text, verdict in READABLE.items() if verdict is Verdict.PUBLIC
    }
    assert (seen.begun, seen.packets) == (0, 0)
    assert seen.arrived == {address: 2 * CONNECTIONS * times for address, times in public.items()}
    assert seen.asked == len(READABLE)
