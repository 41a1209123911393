"""Conditional requests over HTTP: which answers carry a tag, and when the answer is a 304 without a body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from models.accounts.abilities import Ability
from schema.types.ids import NodeType, global_id
from tests.support.api.destinations import LIST, MISSING, assert_refused, at, draft
from tests.support.gateway.gateway import Gateway
from tests.support.gateway.in_process import running

CACHING = "private, max-age=0, must-revalidate"
QUERY = {"query": "{ backupDestinations { totalCount } }"}
RENAME = """mutation($id: ID!) {
  updateBackupDestination(id: $id, input: {label: "By GraphQL"}) { __typename }
}"""
JSON_FORMS = ("application/json", "application/graphql-response+json")
SECURITY = ("x-content-type-options", "referrer-policy", "content-security-policy")


def forms_of(path: str) -> list[str]:
    """Every form of an address of REST."""
    bare = path.removeprefix("/api")
    return [path, path + "/", bare, bare + "/"]


def tagged(answer: httpx.Response, status: int = 200, vary: str = "Authorization") -> str:
    """The tag of an answer that has one, with what tells a client how to use it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["cache-control"] == CACHING
    assert answer.headers["vary"] == f"{vary}, Accept-Encoding"  # which httpx sends
    tag = answer.headers["etag"]
    assert tag.startswith('"')
    assert tag.endswith('"')
    return str(tag)


def having(tag: str) -> dict[str, str]:
    """The header of a client that has the answer of this tag."""
    return {"if-none-match": tag}


async def test_every_read_of_rest_is_tagged_and_answered_304_to_who_has_it(gateway: Gateway) -> None:
    """List and row, in every form of their address, GET and HEAD alike; the 304 has no body and the same headers."""
    account = await gateway.new_user()
    own = await account.create()

    async with account.client() as client:
        tags = []
        for path in [*forms_of(LIST), *forms_of(at(own)), f"{LIST}?page=2&per_page=1"]:
            get, head = await client.get(path), await client.head(path)
            tags.append(tag := tagged(get))
            assert tagged(head) == tag
            assert head.headers["content-length"] == get.headers["content-length"]
            for unchanged in (
                await client.get(path, headers=having(tag)),
                await client.head(path, headers=having(tag)),
            ):
                assert tagged(unchanged, 304) == tag
                assert unchanged.content == b""
                assert "content-type" not in unchanged.headers
                assert all(unchanged.headers[name] == get.headers[name] for name in SECURITY)

    assert len(set(tags)) == len(tags), "each address has its own"


async def test_a_change_through_either_api_makes_a_new_tag_and_a_new_answer(gateway: Gateway) -> None:
    """Of everything that is the user's, through both APIs."""
    account = await gateway.new_user()
    own = await account.create("local")

    async with account.client() as client:
        for label, change in (
            ("By REST", client.put(at(own), json={"label": "By REST"})),
            ("By GraphQL", client.post("/graphql", json={"query": RENAME, "variables": {"id": _global_id(own)}})),
        ):
            before = {path: tagged(await client.get(path)) for path in (LIST, at(own))}
            assert (await change).status_code == 200

            for path, tag in before.items():
                answer = await client.get(path, headers=having(tag))
                assert tagged(answer) != tag
                assert label in answer.text


def _global_id(id_: int) -> str:
    return global_id(NodeType.DESTINATION, id_)


async def test_what_is_no_successful_read_has_no_tag(gateway: Gateway) -> None:
    """Refusals of every sort, writes, and what is not of a user."""
    account = await gateway.new_user(abilities=[Ability.VIEW, Ability.CREATE, Ability.UPDATE])
    stranger = await gateway.new_user()
    foreign, own = await stranger.create("local"), await account.create("local")

    async with account.client() as client:
        answers = [
            await client.get(at(MISSING)),
            await client.get(at(foreign)),
            await client.get(LIST, headers={"authorization": "Bearer nobody"}),
            await client.post(LIST, json=draft("local")),
            await client.put(at(own), json={"label": "Changed"}),
            await client.delete(at(own)),
            await client.get("/healthz"),
        ]

    assert [answer.status_code for answer in answers] == [404, 403, 401, 201, 200, 403, 200]
    for answer in answers:
        assert "etag" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"


async def test_a_star_is_unchanged_where_there_is_something_and_not_found_where_there_is_nothing(
    gateway: Gateway,
) -> None:
    account = await gateway.new_user()
    own = await account.create()

    async with account.client() as client:
        for path in (LIST, at(own)):
            assert [(await client.get(path, headers=having("*"))).status_code for _ in range(2)] == [304, 304]
        assert_refused(await client.get(at(MISSING), headers=having("*")), 404)


async def test_a_query_by_get_is_tagged_for_each_form_of_its_answer(gateway: Gateway) -> None:
    account = await gateway.new_user()
    await account.create()

    async with account.client() as client:
        tags = []
        for form in JSON_FORMS:
            answer = await client.get("/graphql", params=QUERY, headers={"accept": form})
            tags.append(tag := tagged(answer, vary="Authorization, Accept"))
            unchanged = await client.get("/graphql", params=QUERY, headers={"accept": form, **having(tag)})
            assert tagged(unchanged, 304, vary="Authorization, Accept") == tag
            assert unchanged.content == b""
        crossed = await client.get("/graphql", params=QUERY, headers={"accept": JSON_FORMS[0], **having(tags[1])})

    assert tags[0] != tags[1]
    assert tagged(crossed, vary="Authorization, Accept") == tags[0]


async def test_a_query_with_errors_a_post_and_a_stream_have_no_tag(gateway: Gateway) -> None:
    account = await gateway.new_user(abilities=[Ability.CREATE])
    named: dict[str, Any] = {"query": "{ viewer { name } }"}
    refused: dict[str, Any] = {"query": "{ viewer { name } backupDestinations { totalCount } }"}

    async with account.client() as client:
        answers = [
            await client.get("/graphql", params=refused),
            await client.get("/graphql", params={"query": "{ nothing }"}),
            await client.post("/graphql", json=named),
            await client.get("/graphql", params=named, headers={"accept": "text/event-stream"}),
        ]
    async with httpx.AsyncClient(timeout=60, base_url=gateway.url) as anonymous:
        answers.append(await anonymous.get("/graphql", params={"query": "{ __typename }"}))

    assert [answer.status_code for answer in answers] == [200] * 5
    for answer in answers:
        assert "etag" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"


async def test_a_body_that_is_not_said_to_be_json_is_refused_though_its_answer_is_kept(gateway: Gateway) -> None:
    """The form of another site's page does not get what a front end has asked for."""
    account = await gateway.new_user()

    async with account.client() as client:
        good = [await client.post("/graphql", json=QUERY) for _ in range(2)]
        content = good[0].request.content
        bad = [
            await client.post("/graphql", content=content, headers={"content-type": form})
            for form in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1")
        ]

    assert good[0].content == good[1].content
    assert [answer.status_code for answer in bad] == [415] * 3


async def test_the_tag_of_one_user_or_ability_is_nothing_to_another(gateway: Gateway) -> None:
    """It neither shows nor hides anything."""
    account, stranger = await gateway.new_user(), await gateway.new_user(abilities=[Ability.CREATE])
    await account.create("local")
    async with account.client() as client:
        tag = tagged(await client.get(LIST))

    async with stranger.client(**having(tag)) as client:
        assert_refused(await client.get(LIST), 403)
        full = {"authorization": f"Bearer {stranger.full_token}"}
        assert tagged(await client.get(LIST, headers=full)) != tag


async def test_conditional_requests_work_without_a_cache(gateway: Gateway) -> None:
    """Nothing is kept, and a 304 is said all the same."""
    account = await gateway.new_user()
    own = await account.create()
    async with running(gateway, response_cache_bytes=0) as (open_connection, _):

        async def get(path: str, **headers: str) -> Mapping[str, Any]:
            connection = open_connection("http", account.token, headers, path=path, method="GET", scheme="http")
            connection.put("http.request")
            start = await connection.take("http.response.start")
            await connection.take("http.response.body")
            return {"status": start["status"], **{name.decode(): value.decode() for name, value in start["headers"]}}

        for path in (LIST, at(own)):
            first = await get(path)
            unchanged = await get(path, **having(first["etag"]))
            assert (first["status"], unchanged["status"]) == (200, 304)
