"""Both APIs do the same: random operations of three users through either, and the sentences of every refusal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from models.accounts.abilities import Ability
from tests.support.api.destinations import MISSING
from tests.support.api.operations import lacking
from tests.support.api.parity import Api, GraphQLApi, Outcome, RestApi, Values
from tests.support.api.parity_model import ALLOWED, ENDPOINTS, REQUIRED, TEXTS, Model, agrees
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import NO_TLS

Apis = tuple[RestApi, GraphQLApi]
KINDS = tuple(REQUIRED)
USERS = st.sampled_from((0, 0, 0, 1, 2))
TARGETS = st.integers(0, 30)
APIS = st.integers(0, 1)
GOOD: dict[str, Any] = {
    "label": "Nightly",
    "access_key": "a",
    "secret_key": "s",
    "bucket_name": "nightly",
    "region": "us-west-2",
    "endpoint": "https://s3.example.com",
    "path_style_endpoint": True,
}
VALUES: dict[str, st.SearchStrategy[Any]] = {attribute: st.sampled_from(TEXTS) for attribute in GOOD}
VALUES |= {"endpoint": st.sampled_from(ENDPOINTS), "path_style_endpoint": st.booleans()}
SOME_VALUES = st.fixed_dictionaries({}, optional={a: values | st.none() for a, values in VALUES.items()})
FEW_VALUES = st.lists(st.sampled_from(sorted(GOOD)), max_size=2, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: VALUES[name] for name in names})
)


@contextmanager
def apis_of(accounts: Sequence[Account]) -> Iterator[list[Apis]]:
    """Both APIs for each user."""
    with ExitStack() as stack:
        apis = []
        for account in accounts:
            headers = {"authorization": f"Bearer {account.token}"}
            client = httpx.Client(base_url=account.gateway.url, headers=headers, verify=NO_TLS, timeout=30)
            stack.enter_context(client)
            apis.append((RestApi(client), GraphQLApi(client)))
        yield apis


class Lives(RuleBasedStateMachine):
    """Three users act on their own rows, on each other's and on none; both APIs must show what the model has."""

    def __init__(self, apis: list[Apis]) -> None:
        super().__init__()
        self.apis = apis
        self.model = Model()
        self.gone = [MISSING]
        self.last = 0

    def target(self, user: int, number: int) -> int:
        """Mostly the id of a row of the user's; else of any there is or was, or of none."""
        own = [row["id"] for row in self.model.listed(user)]
        ids = own if own and number < 22 else [*sorted(self.model.rows), *self.gone[-2:]]
        return ids[number % len(ids)]

    def api(self, user: int, number: int) -> Api:
        """One of the user's APIs; its list is compared afterwards."""
        self.last = user
        return self.apis[user][number]

    @initialize(api=APIS, kinds=st.permutations(KINDS))
    def begin(self, api: int, kinds: list[str]) -> None:
        for user, kind in (*((0, kind) for kind in kinds), (1, kinds[0])):
            self.create(user, api, kind, {})

    @rule(user=USERS, api=APIS, kind=st.sampled_from(KINDS), few=FEW_VALUES)
    def create(self, user: int, api: int, kind: str, few: Values) -> None:
        values = {a: v for a, v in {**GOOD, **few}.items() if a in ALLOWED[kind]}
        made = self.api(user, api).create(kind, values)
        self.must(made, self.model.create(user, kind, values, made))

    @rule(user=USERS, api=APIS, number=TARGETS, values=SOME_VALUES | FEW_VALUES)
    def update(self, user: int, api: int, number: int, values: Values) -> None:
        id_ = self.target(user, number)
        given = fitting(values, self.model.rows.get(id_, {}).get("kind"))
        answer = self.api(user, api).update(id_, given)
        self.must(answer, self.model.update(user, id_, given, strict=api == 1))

    @rule(user=USERS, number=TARGETS, kind=st.sampled_from(KINDS), values=FEW_VALUES, whole=st.booleans())
    def change_kind(self, user: int, number: int, kind: str, values: Values, whole: bool) -> None:
        """Only REST can."""
        id_ = self.target(user, number)
        given = {**(GOOD if whole else {}), **values, "kind": kind}
        answer = self.api(user, 0).update(id_, given)
        self.must(answer, self.model.update(user, id_, given, strict=False))

    @precondition(lambda self: len(self.model.rows) > 2)
    @rule(user=USERS, api=APIS, number=TARGETS)
    def delete(self, user: int, api: int, number: int) -> None:
        id_ = self.target(user, number)
        answer = self.api(user, api).delete(id_)
        self.must(answer, self.model.delete(user, id_))
        if id_ not in self.model.rows:
            self.gone.append(id_)

    @rule(user=USERS, number=TARGETS)
    def show(self, user: int, number: int) -> None:
        id_ = self.target(user, number)
        refusal = self.model.refusal(user, id_)
        rest, graphql = (api.show(id_) for api in self.apis[user])
        self.must(rest, refusal or self.model.shown(id_))
        self.must(graphql, "null" if refusal else self.model.shown(id_))
        if isinstance(rest, dict) and isinstance(graphql, dict):
            assert (rest["created"], rest["updated"]) == (graphql["created"], graphql["updated"])

    @invariant()
    def both_apis_show_what_there_is(self) -> None:
        expected = self.model.listed(self.last)
        for api in self.apis[self.last]:
            shown = api.list()
            assert len(shown) == len(expected)
            for one, other in zip(shown, expected, strict=True):
                self.must(one, other)

    def must(self, answer: Outcome, expected: Outcome) -> None:
        assert agrees(answer, expected), f"{answer} is not {expected}"


def fitting(values: Values, kind: str | None) -> dict[str, Any]:
    """The values as both APIs can express them: both keys or neither, and nothing malformed where it does not apply."""
    given = dict(values)
    keys = given.keys() & {"access_key", "secret_key"}
    if keys and (len(keys) == 1 or None in (given["access_key"], given["secret_key"])):
        given |= dict.fromkeys(("access_key", "secret_key"), None if None in map(given.get, keys) else "k")
    for attribute in given.keys() - (ALLOWED[kind] if kind else given.keys()):
        if isinstance(given[attribute], str):
            given[attribute] = GOOD[attribute]
    return given


def test_random_lives_through_either_api_are_what_both_apis_show(gateway: Gateway) -> None:
    """What one API stores or refuses, the other would have too, and shows."""

    async def three_users() -> list[Account]:
        return [await gateway.new_user() for _ in range(3)]

    accounts = asyncio.run(three_users())
    users = ", ".join(str(account.user_id) for account in accounts)
    lives = settings(max_examples=20, stateful_step_count=20, derandomize=True, deadline=None, database=None)
    # To shrink a life takes minutes, and the message of a failure says what was answered in place of what.
    lives = settings(lives, phases=[Phase.generate])

    with apis_of(accounts) as apis:

        class FreshLives(Lives):
            def __init__(self) -> None:
                asyncio.run(gateway.rows(f"DELETE FROM backup_destinations WHERE user_id IN ({users})"))  # noqa: S608 - our own integers
                super().__init__(apis)

        run_state_machine_as_test(FreshLives, settings=lives)


REFUSED: list[tuple[str, Values]] = [
    ("local", {"label": None}),
    ("local", {"label": "x" * 256}),
    ("local", {"label": "a\0b"}),
    ("amazon_s3", {"region": "", "bucket_name": " "}),
    ("amazon_s3", {"access_key": "", "secret_key": "x" * 256}),
    ("custom_s3", {"endpoint": "s3.example.com", "region": "é" * 256}),
    ("custom_s3", {"endpoint": "https://s3.example.com/" + "p" * 2026, "label": ""}),
    ("custom_s3", {"endpoint": "\x00", "bucket_name": "\x00"}),
]


@pytest.mark.parametrize(("kind", "values"), REFUSED)
async def test_both_apis_refuse_an_act_in_the_same_words(gateway: Gateway, kind: str, values: Values) -> None:
    """Create and update, of one's own; a foreign and a missing row are refused before the values are looked at."""
    account, stranger = await gateway.new_user(), await gateway.new_user()
    own = await account.create({"amazon_s3": "s3"}.get(kind, kind))
    foreign = await stranger.create("local")
    whole = {a: v for a, v in {**GOOD, **values}.items() if a in ALLOWED[kind]}

    def act(api: Api) -> list[Outcome]:
        creates = [] if None in values.values() else [api.create(kind, whole)]
        return creates + [api.update(id_, values) for id_ in (own, foreign, MISSING)]

    with apis_of([account]) as ((rest, graphql),):
        refused = await asyncio.to_thread(act, rest)
        assert refused == await asyncio.to_thread(act, graphql)
        assert [type(outcome) for outcome in refused[-3:]] == [dict, str, str]
        assert "" in refused[0]


async def test_both_apis_refuse_a_token_in_the_same_words(gateway: Gateway) -> None:
    """One that lacks the ability, and one that is none."""
    account = await gateway.new_user(abilities=[Ability.VIEW])
    stranger = replace(account, token="nobody")
    own = await account.create("local")

    def act(api: Api) -> list[Outcome]:
        return [api.create("local", {"label": ""}), api.update(own, {"label": ""}), api.delete(own)]

    with apis_of([account, stranger]) as (known, unknown):
        for api in known:
            assert act(api) == [lacking(ability) for ability in (Ability.CREATE, Ability.UPDATE, Ability.DELETE)]
        for api in unknown:
            assert act(api) == ["Unauthenticated."] * 3
