"""Stores that behave oddly, after public reports: each gets the right step, code and remedy, and keeps nothing."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest

from models.checks.report import CheckCode
from tests.support.stores import odd
from tests.support.stores.odd.odd_store import OddStore
from tests.support.stores.peers import MemoryStore, listening
from tests.support.stores.probing import failure, prober, target

AMPLE_S = 60.0
FILES = [
    module.name
    for module in pkgutil.walk_packages(odd.__path__, f"{odd.__name__}.")
    if not module.ispkg and not module.name.endswith(".odd_store")
]


def store_of(name: str) -> OddStore:
    store = import_module(name).STORE
    assert isinstance(store, OddStore)
    return store


@pytest.mark.parametrize("name", FILES, ids=lambda name: name.removeprefix(f"{odd.__name__}."))
async def test_an_odd_store_gets_the_right_verdict(name: str) -> None:
    odd_store = store_of(name)
    memory = MemoryStore(odd_store.override, closes=odd_store.closes)
    async with listening(memory.script) as peer:
        report = await prober(deadline_s=AMPLE_S).probe(target(peer.url), odd_store.depth)

    if odd_store.step is None:
        assert report.reachable
        assert memory.objects == {}
        return
    assert failure(report) == (odd_store.step, odd_store.code)
    step = report.step(odd_store.step)
    assert (step.field, step.hint, step.store_code) == (odd_store.field, odd_store.hint, odd_store.store_code)
    assert step.remedy
    assert "hunter22" not in f"{report!r} {report.to_json()} {step.remedy}"
    # One file is about a proxy that lets no DELETE pass.
    assert memory.objects == {} or report.facts.can_delete is False


def test_none_of_them_is_unexpected_and_each_has_a_report() -> None:
    stores = [store_of(name) for name in FILES]

    assert len(stores) >= 35
    assert CheckCode.UNEXPECTED_ANSWER not in {store.code for store in stores}
    assert [store.source for store in stores if not store.source.startswith("https://")] == []
