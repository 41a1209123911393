"""Who may call the REST API: tokens that are none, the hosts it answers to, and the pages of other origins."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.support.api.destinations import LIST, assert_refused, draft
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.configured import configured
from tests.support.gateway.gateway import Account, Gateway

ORIGIN = "https://app.example.com"
HOSTS = "backups.example.com, *.example.org, 127.0.0.1"
PREFLIGHT = {"access-control-request-method": "PUT", "access-control-request-headers": "authorization, content-type"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A gateway with names of its own that pages of another origin may call."""
    origins = f"{ORIGIN}, http://localhost:5173"
    with configured(request.param, postgres, cors_origins=origins, allowed_hosts=HOSTS) as gateway:
        yield gateway


def not_tokens(account: Account) -> dict[str, str | None]:
    """Authorization headers that are close to the account's and yet belong to no user."""
    id_, _, secret = account.token.partition("|")
    other_id = account.full_token.partition("|")[0]
    return {
        "no header": None,
        "an empty one": "",
        "another scheme": f"Basic {account.token}",
        "no scheme": account.token,
        "no text": "Bearer",
        "junk": "Bearer junk",
        "the id alone": f"Bearer {id_}|",
        "the secret of another id": f"Bearer {other_id}|{secret}",
        "a missing id": f"Bearer 2000000000|{secret}",
        "an id beyond the column": f"Bearer 9999999999|{secret}",
        "one letter less": f"Bearer {account.token[:-1]}",
        "one letter changed": f"Bearer {account.token[:-1]}{'a' if account.token[-1] != 'a' else 'b'}",
        "capitals": f"Bearer {id_}|{secret.upper()}",
        "something behind it": f"Bearer {account.token} {account.token}",
    }


def assert_nobody(answer: httpx.Response) -> None:
    """The refusal of who is not known."""
    assert_refused(answer, 401, "Unauthenticated.")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_without_a_valid_token_every_operation_is_a_401(gateway: Gateway) -> None:
    """With `WWW-Authenticate`, on every method, whatever else is wrong with the request."""
    async with httpx.AsyncClient(timeout=60, base_url=gateway.url) as client:
        for method, path in (("GET", LIST), ("POST", LIST), ("GET", f"{LIST}/1"), ("PUT", f"{LIST}/abc")):
            assert_nobody(await client.request(method, path, content=b"{"))
        assert_nobody(await client.delete("/backup-destinations/1/"))
        head = await client.head(LIST)
    assert (head.status_code, head.headers["www-authenticate"]) == (401, "Bearer")


async def test_what_is_only_close_to_a_token_stands_for_nobody(gateway: Gateway) -> None:
    """All refused in the same words, so that nothing can be learned from them."""
    account = await gateway.new_user()

    async with httpx.AsyncClient(timeout=60, base_url=gateway.url) as client:
        for value in not_tokens(account).values():
            assert_nobody(await client.get(LIST, headers={} if value is None else {"authorization": value}))
        both = [("authorization", f"Bearer {account.token}")] * 2
        assert_nobody(await client.get(LIST, headers=both))


async def test_a_token_is_accepted_without_its_id_and_in_any_case_of_the_scheme(gateway: Gateway) -> None:
    """`Bearer <secret>` as older clients send it."""
    account = await gateway.new_user()
    secret = account.token.partition("|")[2]

    async with httpx.AsyncClient(timeout=60, base_url=gateway.url) as client:
        for value in (f"Bearer {secret}", f"bearer {account.token}", f"BEARER {account.token}"):
            assert (await client.get(LIST, headers={"authorization": value})).status_code == 200


async def test_a_token_in_the_query_or_the_body_is_no_token(gateway: Gateway) -> None:
    """Addresses end up in logs."""
    account = await gateway.new_user()

    async with httpx.AsyncClient(timeout=60, base_url=gateway.url) as client:
        for name in ("access_token", "api_token", "token"):
            assert_nobody(await client.get(LIST, params={name: account.token}))
            assert_nobody(await client.post(LIST, data={name: account.token, **draft("local")}))


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE tokens SET revoked_at = created_at WHERE user_id = {}",
        "UPDATE tokens SET expires_at = created_at WHERE user_id = {}",
        "UPDATE users SET disabled_at = created_at WHERE id = {}",
        "DELETE FROM tokens WHERE user_id = {}",
    ],
)
async def test_a_token_that_ended_is_refused_at_once(gateway: Gateway, ending: str) -> None:
    """Revoked, expired, of a disabled user, or gone: from the next request on."""
    account = await gateway.new_user()

    async with account.client() as client:
        assert (await client.get(LIST)).status_code == 200
        await gateway.rows(ending.format(account.user_id))
        assert_nobody(await client.get(LIST))


async def test_a_host_that_is_not_the_gateways_is_a_400(shared: Gateway) -> None:
    """Before anybody asks who calls; the probes answer by any name."""
    account = await shared.new_user()

    async with account.client() as client:
        for host in ("evil.example", "example.org", "localhost", "backups.example.com.evil.example", "127.0.0.1:x"):
            refused = assert_refused(await client.get(LIST, headers={"host": host}), 400)
            assert "MOORINGS_ALLOWED_HOSTS" in refused["message"]
        assert (await client.get("/healthz", headers={"host": "10.0.0.7"})).status_code == 200


async def test_an_allowed_host_is_called_in_any_case_on_any_port(shared: Gateway) -> None:
    """A name with a star stands for everything below it; links use the name that was called."""
    account = await shared.new_user()

    async with account.client() as client:
        for host in ("backups.example.com", "BACKUPS.example.com:8443", "a.example.org", "b.a.example.org:1"):
            answer = await client.get(LIST, headers={"host": host})
            assert answer.status_code == 200
            assert answer.json()["meta"]["path"].lower() == f"http://{host.lower()}{LIST}"


async def test_a_configured_origin_may_call_and_read_the_answer(shared: Gateway) -> None:
    """Its own name comes back, never `*` and never with cookies; refusals can be read too."""
    account = await shared.new_user()

    async with account.client(origin=ORIGIN) as client:
        answers = [await client.get(LIST), await client.post(LIST, json={})]
        answers.append(await client.get(LIST, headers={"authorization": "Bearer nobody"}))
        preflight = await client.options(f"{LIST}/1", headers=PREFLIGHT)

    assert [answer.status_code for answer in answers] == [200, 422, 401]
    assert preflight.status_code in (200, 204)
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    assert {"authorization", "content-type"} <= set(
        preflight.headers["access-control-allow-headers"].lower().split(", ")
    )
    for answer in (*answers, preflight):
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "origin" in answer.headers["vary"].lower()
        assert "access-control-allow-credentials" not in answer.headers


async def test_a_kept_answer_names_an_origin_only_to_a_page_of_that_origin(shared: Gateway) -> None:
    """The page may see its tag and send it back, and no other client gets what was added for the page."""
    account = await shared.new_user()

    async with account.client() as program, account.client(origin=ORIGIN) as page:
        first, shown, again = await program.get(LIST), await page.get(LIST), await program.get(LIST)
        unchanged = await page.get(LIST, headers={"if-none-match": shown.headers["etag"]})
        preflight = await page.options(LIST, headers=PREFLIGHT)

    assert first.content == shown.content == again.content
    assert {answer.headers["vary"] for answer in (first, shown, again, unchanged)} == {
        "Authorization, Origin, Accept-Encoding"
    }
    assert not [name for name in (*first.headers, *again.headers) if name.startswith("access-control")]
    for answer in (shown, unchanged):
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "etag" in answer.headers["access-control-expose-headers"].lower()
    assert unchanged.status_code == 304
    assert "if-none-match" in preflight.headers["access-control-allow-headers"].lower()


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{ORIGIN}.evil.example", ORIGIN.upper()])
async def test_another_origin_is_not_let_in(shared: Gateway, origin: str) -> None:
    """Its page gets no permission to read anything."""
    account = await shared.new_user()

    async with account.client(origin=origin) as client:
        answers = [await client.get(LIST), await client.options(LIST, headers=PREFLIGHT)]

    assert not [answer for answer in answers if "access-control-allow-origin" in answer.headers]


async def test_no_origin_is_let_in_unless_configured(gateway: Gateway) -> None:
    """CORS is off by default: a preflight is a method like any other that is not there."""
    account = await gateway.new_user()

    async with account.client(origin=ORIGIN) as client:
        answer, preflight = await client.get(LIST), await client.options(LIST, headers=PREFLIGHT)

    assert answer.status_code == 200
    assert_refused(preflight, 405)
    assert not {name for name in (*answer.headers, *preflight.headers) if name.startswith("access-control")}
