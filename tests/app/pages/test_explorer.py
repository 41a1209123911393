"""How the explorer is served: to those who want a page, under a strict policy, and never in the way of the API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from schema.resolvers.definition import print_sdl
from schema.transport.negotiation import prefers_page
from tests.support.browser.explorer import FOLDER
from tests.support.gateway.gateway import NO_TLS, Gateway

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
JSON = "application/json"
PAGES = {"/graphql": "GraphiQL", "/api/docs": "REST reference", "/": "Moorings"}


@pytest.fixture
def client(site: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.url, verify=NO_TLS, headers={"accept": BROWSER}) as client:
        yield client


@pytest.fixture
def without(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client of a gateway that has the setting turned off that the test names."""
    settings: Any = {request.param: "off"}
    gateway = Gateway(**settings).start()
    with httpx.Client(base_url=gateway.url, verify=NO_TLS, headers={"accept": BROWSER}) as client:
        yield client
    gateway.close()


def directives(answer: httpx.Response) -> dict[str, list[str]]:
    """The content policy of an answer, its sources by what they are for."""
    parts = (part.split() for part in answer.headers["content-security-policy"].split(";") if part.strip())
    return {name: sources for name, *sources in parts}


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("application/json;q=0.9, text/html", True),
        ("text/html, application/json", True),
        ("application/json, text/html", False),
        ("text/html;q=0.5, application/json", False),
        ("text/html;q=0, */*", False),
        ("*/*", False),
        ("*/*, text/html", False),
        ("text/*", False),
        ("application/graphql-response+json, text/html;q=0.9", False),
        ("text/event-stream", False),
        ("", False),
        (None, False),
    ],
)
def test_a_page_is_for_those_who_like_it_better_than_json(accept: str | None, *, page: bool) -> None:
    assert prefers_page(accept) is page


@pytest.mark.parametrize("path", PAGES)
def test_a_page_lets_in_nothing_from_elsewhere_and_no_script_that_is_written_into_it(
    client: httpx.Client, path: str
) -> None:
    answer = client.get(path)
    policy = directives(answer)

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert f"<title>{PAGES[path]}" in answer.text
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy.get("script-src", ["'self'"]) == policy.get("worker-src", ["'self'"]) == ["'self'"]
    assert "'unsafe-inline'" not in policy["style-src"]
    assert "unsafe-eval" not in answer.headers["content-security-policy"]
    assert set(policy.get("connect-src", [])) <= {
        "'self'",
        *(f"{s}://{client.base_url.netloc.decode()}" for s in ("ws", "wss")),
    }
    assert not re.search(r"<script(?![^>]* src=)|\son\w+=|(src|href)=\"(https?:)?//", answer.text)
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"


def test_the_nonce_of_graphiql_is_another_every_time(client: httpx.Client) -> None:
    """And it is in the page and in the policy alike."""
    nonces = set()
    for _ in range(2):
        answer = client.get("/graphql")
        (source,) = (source for source in directives(answer)["style-src"] if source.startswith("'nonce-"))
        nonce = source.removeprefix("'nonce-").removesuffix("'")
        assert f'nonce="{nonce}"' in answer.text
        nonces.add(nonce)

    assert len(nonces) == 2
    assert "CSP-NONCE" not in answer.text


def test_assets_are_kept_for_ever_and_come_compressed_as_the_client_likes(client: httpx.Client) -> None:
    (script,) = re.findall(r'<script[^>]* src="([^"]+)"', client.get("/graphql").text)
    answers = {
        coding: client.get(f"/{script}", headers={"accept-encoding": coding})
        for coding in ("br", "gzip", "identity", "br;q=0, gzip;q=0.5", "gzip, br;q=0.000")
    }

    assert re.fullmatch(r"explorer/assets/graphiql-[\w-]{8}\.js", script)
    assert [answer.headers.get("content-encoding") for answer in answers.values()] == [
        "br",
        "gzip",
        None,
        "gzip",
        "gzip",
    ]
    for answer in answers.values():
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"].startswith("text/javascript")
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert answers["gzip"].text == answers["identity"].text
    assert int(answers["br"].headers["content-length"]) < int(answers["identity"].headers["content-length"]) / 2


def test_every_asset_carries_a_hash_and_every_text_among_them_is_compressed_beforehand(client: httpx.Client) -> None:
    """And each is served as what it is and kept for ever, also those that a page asks for later."""
    names = {path.name for path in (FOLDER / "dist" / "assets").iterdir()}
    plain = {name for name in names if not name.endswith((".br", ".gz"))}

    assert {name.rpartition(".")[2] for name in plain} == {"js", "css", "ttf", "woff2"}
    for name in plain:
        answer = client.get(f"/explorer/assets/{name}", headers={"accept-encoding": "gzip, br"})
        texts = not name.endswith(".woff2")  # which is compressed in itself
        assert re.fullmatch(r"[\w.-]+-[\w-]{8}\.\w+", name)
        assert ({f"{name}.br", f"{name}.gz"} <= names) == texts, name
        assert answer.headers.get("content-encoding") == ("br" if texts else None), name
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert not answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("name", ["nothing.js", "..%2f.built", "..%2f..%2fpackage.json", "%2e%2e/graphiql.html"])
def test_nothing_but_the_assets_of_the_build_is_served(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/explorer/assets/{name}")

    assert (answer.status_code, answer.headers["content-type"]) == (404, JSON)


def test_an_answer_of_the_api_keeps_its_own_policy(client: httpx.Client) -> None:
    for path in ("/healthz", "/api/backup-destinations", "/api/openapi.json", "/graphql?query={__typename}"):
        answer = client.get(path, headers={"accept": JSON})
        assert directives(answer) == {"default-src": ["'none'"], "frame-ancestors": ["'none'"]}
        assert answer.headers["content-type"].startswith(JSON)


def test_the_schema_is_at_addresses_of_its_own_and_not_sent_twice(client: httpx.Client) -> None:
    sdl, types = client.get("/schema.graphql"), client.get("/possibleTypes.json")
    again = client.get("/schema.graphql", headers={"if-none-match": sdl.headers["etag"]})

    assert (sdl.text, sdl.headers["content-type"]) == (print_sdl(), "text/plain; charset=utf-8")
    assert types.json()["S3CompatibleDestination"] == ["AmazonS3Destination", "CustomS3Destination"]
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("without", ["explorer"], indirect=True)
def test_without_the_explorer_a_browser_is_told_so_and_the_rest_works(without: httpx.Client) -> None:
    """A plain 406 and 404; the front page stays, with no link that leads nowhere."""
    graphiql, reference, front = (without.get(path) for path in ("/graphql", "/api/docs", "/"))

    assert (graphiql.status_code, reference.status_code, front.status_code) == (406, 404, 200)
    assert graphiql.json()["message"] == reference.json()["message"] == "The explorer is turned off here."
    assert 'href="./graphql"' not in front.text
    assert 'href="./api/docs"' not in front.text
    assert 'href="./api/openapi.json"' in front.text
    assert without.get("/graphql?query={__typename}", headers={"accept": JSON}).json()["data"]["__typename"] == "Query"
    assert without.get("/api/openapi.json").json()["openapi"] == "3.1.0"


@pytest.mark.parametrize("without", ["introspection"], indirect=True)
def test_without_introspection_the_schema_is_not_shown_elsewhere_either(without: httpx.Client) -> None:
    assert [without.get(path).status_code for path in ("/schema.graphql", "/possibleTypes.json")] == [404, 404]
    assert "/schema.graphql" not in without.get("/").text
