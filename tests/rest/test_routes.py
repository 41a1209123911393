"""The addresses of the REST API: how it is called, by which methods, and that it speaks JSON whatever happens."""

from __future__ import annotations

import httpx
import pytest

from tests.support.api.destinations import (
    FORBIDDEN,
    LIST,
    MISSING,
    NOT_FOUND,
    assert_refused,
    at,
    data_of,
    draft,
    stored,
)
from tests.support.gateway.gateway import Gateway

BROKEN = b'{"label": '
ITEM_METHODS = ("GET", "PUT", "DELETE")
ODD_IDS = [
    *(
        "0",
        "-1",
        "+1",
        "01",
        "1.0",
        "1e0",
        "0x1",
        "abc",
        "null",
        "%201",
        "1%20",
        "1%00",
        "%0a1",
        "1;2",
        "1,2",
        "%D9%A1",
    ),
    *(
        "%EF%BC%91",
        "%F0%9D%9F%8F",
        "%ff",
        "true",
        "2147483648",
        "9223372036854775807",
        "9223372036854775808",
        "1" * 5000,
    ),
]
NOWHERE = ["/api", "/api/", "/api/nothing", "/api/backup-destinations/1/2", "/api/Backup-Destinations", "/api//"]
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def test_head_answers_as_get_without_a_body(gateway: Gateway) -> None:
    """The same status and the same headers, on the list, on a row, and where there is none."""
    account = await gateway.new_user()
    own = await account.create()

    async with account.client() as client:
        for path, status in ((LIST, 200), (at(own), 200), (at(MISSING), 404), (at("abc"), 404)):
            get, head = await client.get(path), await client.head(path)
            assert (get.status_code, head.status_code, head.content) == (status, status, b"")
            for name in ("content-type", "content-length", "cache-control"):
                assert head.headers[name] == get.headers[name], path


@pytest.mark.parametrize("form", ["/backup-destinations", "/api/backup-destinations/", "/backup-destinations/"])
async def test_every_operation_works_under_every_form_of_the_address(gateway: Gateway, form: str) -> None:
    """Without the prefix, which the official PHP client does not send, and with a slash at the end."""
    account = await gateway.new_user()
    base, slash = form.rstrip("/"), "/" * form.endswith("/")

    async with account.client() as client:
        client.follow_redirects = True
        created = data_of(await client.post(form, json=draft("local")), 201)
        address = f"{base}/{created['id']}{slash}"
        assert data_of(await client.get(address)) == created
        assert (await client.get(form)).json()["data"] == [created]
        assert data_of(await client.put(address, json={"label": "Renamed"}))["label"] == "Renamed"
        assert (await client.delete(address)).status_code == 200
        assert_refused(await client.get(address), 404, NOT_FOUND)


async def test_what_is_nowhere_is_a_404_in_json(gateway: Gateway) -> None:
    """Under `/api` there is never a page, with a token or without."""
    account = await gateway.new_user()

    async with account.client() as client, httpx.AsyncClient(timeout=60, base_url=gateway.url) as anonymous:
        for path in NOWHERE:
            for caller in (client, anonymous):
                assert_refused(await caller.get(path, headers=BROWSER), 404)
                assert_refused(await caller.post(path, json={}), 404)


@pytest.mark.parametrize(
    ("path", "methods", "allowed"),
    [
        (LIST, ("PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"), "GET, HEAD, POST"),
        (at(1), ("POST", "PATCH", "OPTIONS", "PROPFIND"), "DELETE, GET, HEAD, PUT"),
    ],
)
async def test_another_method_is_a_405_that_names_the_allowed_ones(
    gateway: Gateway, path: str, methods: tuple[str, ...], allowed: str
) -> None:
    """In the `Allow` header, which RFC 9110 requires."""
    account = await gateway.new_user()

    async with account.client() as client:
        for method in methods:
            answer = await client.request(method, path)
            assert_refused(answer, 405)
            assert answer.headers["allow"] == allowed


async def test_a_method_override_is_not_obeyed(gateway: Gateway) -> None:
    """A POST that would like to be a DELETE, in a header, in the query or in a form, deletes nothing."""
    account = await gateway.new_user()
    own = await account.create("local")

    async with account.client() as client:
        assert_refused(await client.post(at(own), headers={"x-http-method-override": "DELETE"}), 405)
        assert_refused(await client.post(at(own), params={"_method": "DELETE"}), 405)
        assert_refused(await client.post(at(own), data={"_method": "DELETE"}), 405)
        data_of(await client.get(at(own)))


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*", "application/json;q=0", "nonsense"])
async def test_every_answer_is_json_whatever_the_client_accepts(gateway: Gateway, accept: str) -> None:
    """Success, refusal and missing token; no page, no redirect to a login."""
    account = await gateway.new_user()

    async with account.client(accept=accept) as client:
        listed, invalid = await client.get(LIST), await client.post(LIST, json={})
        absent = await client.get(at(MISSING))
        anonymous = await client.get(LIST, headers={"authorization": ""})

    assert (listed.status_code, listed.headers["content-type"]) == (200, "application/json")
    assert_refused(invalid, 422)
    assert_refused(absent, 404, NOT_FOUND)
    assert_refused(anonymous, 401)


async def test_every_answer_carries_the_security_headers(gateway: Gateway) -> None:
    """Refusals of every status too, and the probes."""
    account, stranger = await gateway.new_user(), await gateway.new_user()
    own, other, foreign = await account.create(), await account.create(), await stranger.create()

    async with account.client() as client:
        answers = [
            await client.get(LIST),
            await client.post(LIST, json=draft("local")),
            await client.delete(at(other), headers={"prefer": "return=minimal"}),
            await client.post(LIST, content=BROKEN, headers={"content-type": "application/json"}),
            await client.get(LIST, headers={"authorization": "Bearer nobody"}),
            await client.get(at(foreign)),
            await client.get(at(MISSING)),
            await client.patch(LIST),
            await client.post(LIST, content=b" " * 1_048_577, headers={"content-type": "application/json"}),
            await client.post(LIST, content=b"<a/>", headers={"content-type": "text/xml"}),
            await client.put(at(own), json={"label": 1}),
            await client.get("/api/nothing"),
            await client.get("/healthz"),
            await client.get("/readyz"),
            await client.get(LIST, headers={"host": "evil.example"}),
        ]

    statuses = [200, 201, 204, 400, 401, 403, 404, 405, 413, 415, 422, 404, 200, 200, 400]
    assert [answer.status_code for answer in answers] == statuses
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] in ("no-store", "private, max-age=0, must-revalidate")
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert not {"server", "x-powered-by", "set-cookie", "access-control-allow-origin"} & set(answer.headers)


async def test_an_id_that_is_no_plain_positive_integer_is_not_found(gateway: Gateway) -> None:
    """The document's 404, on every method and even with a broken body; never a 400 and never another row."""
    account = await gateway.new_user()

    async with account.client() as client:
        for id_ in ODD_IDS:
            for method in ITEM_METHODS:
                answer = await client.request(method, at(id_), content=BROKEN if method == "PUT" else None)
                assert_refused(answer, 404, NOT_FOUND)


async def test_a_destination_of_another_user_is_forbidden_whatever_the_body_says(gateway: Gateway) -> None:
    """Whose row it is comes before the body: a broken, an invalid, a strange and a good one are refused alike."""
    account, stranger = await gateway.new_user(), await gateway.new_user()
    foreign = await stranger.create("s3")
    before = await stored(gateway, foreign)

    async with account.client(**{"content-type": "application/json"}) as client:
        for method in ITEM_METHODS:
            for body in (b"", BROKEN, b'{"label": 5}', b'{"label": "Mine now"}', b"[" * 100_000):
                assert_refused(await client.request(method, at(foreign), content=body), 403, FORBIDDEN)
        assert_refused(await client.put(at(foreign), content=b"x", headers={"content-type": "a/b"}), 403, FORBIDDEN)
        assert (await client.head(at(foreign))).status_code == 403

    assert await stored(gateway, foreign) == before


async def test_a_missing_destination_is_not_found_whatever_the_body_says(gateway: Gateway) -> None:
    """Also one that was deleted just before: its id does not come back."""
    account = await gateway.new_user()
    gone = await account.create("local")

    async with account.client(**{"content-type": "application/json"}) as client:
        await client.delete(at(gone))
        assert await account.create("local") > gone
        for method in ITEM_METHODS:
            for id_ in (gone, MISSING):
                assert_refused(await client.request(method, at(id_), content=BROKEN), 404, NOT_FOUND)
