"""No secret that is sent, however it is sent and whatever goes wrong, is found anywhere afterwards but in the vault."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
from collections.abc import Iterator

import pytest

from models.checks.report import CheckCode
from models.vault.vault import generate_key
from tests.support.databases.stoppable_postgres import StoppablePostgres, own_postgres
from tests.support.figures import FULL
from tests.support.gateway.gateway import Account, Gateway
from tests.support.secrecy.canary import LENGTH, Canaries, Finder, spellings
from tests.support.secrecy.canary_checks import fire_checks
from tests.support.secrecy.canary_grants import fire_grants, without_urls
from tests.support.secrecy.canary_requests import LIST, REFUSED_BY_DATABASE, Shot, good_fields, shots
from tests.support.secrecy.canary_streams import converse, stream_shots
from tests.support.telemetry.trace_receiver import TraceReceiver, receiving

TALKATIVE = {"log_statement": "all", "log_min_duration_statement": "0", "log_error_verbosity": "verbose"}
TABLES = ("users", "tokens", "backup_destinations", "events", "vault_keys", "audit", "access_grants")
FORMS = ("sqlite console", "sqlite json", "postgresql console", "postgresql json")
"""Each engine and each form of the log once, in the short form."""
AT_ONCE = 8
ENOUGH_FAILURES = 200
REFUSE = {
    "sqlite": "CREATE TRIGGER refuse_{act} BEFORE {act} ON backup_destinations WHEN NEW.label = '{label}' "
    "BEGIN SELECT RAISE(ABORT, 'refused'); END",
    "postgresql": "ALTER TABLE backup_destinations ADD CONSTRAINT refuse_{act} CHECK (label <> '{label}')",
}


@pytest.fixture(scope="module")
def postgres_telling_all() -> Iterator[StoppablePostgres]:
    """A PostgreSQL that logs every statement with its parameters."""
    with own_postgres(**TALKATIVE) as server:
        server.create_database("canary_console")
        server.create_database("canary_json")
        yield server


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[TraceReceiver]:
    """What the gateway of a test exports its traces to."""
    with receiving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        yield receiver


@pytest.fixture(params=FORMS if FULL else FORMS[1:3])
def talkative(
    request: pytest.FixtureRequest, postgres_telling_all: StoppablePostgres, receiver: TraceReceiver
) -> Iterator[Gateway]:
    """A gateway that logs and traces all it can, in each form, on each engine; its environment has a known variable."""
    engine, form = request.param.split()
    url = None if engine == "sqlite" else postgres_telling_all.url(f"canary_{form}")
    logging = {"log_level": "DEBUG", "log_format": form, "s3_allow": "127.0.0.1"}
    workers = 2 if form == "json" else 1
    gateway = Gateway(url, workers=workers, max_body_bytes="8192", secret_keys=generate_key(), **logging)
    yield gateway
    gateway.close()


async def fire(gateway: Gateway, request: bytes) -> bytes:
    """Everything that is answered to some bytes, headers included."""
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
    try:
        writer.write(request)
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def interrupted(account: Account, shot: Shot, statement: str) -> bytes:
    """The answer to a request during whose body a statement changes the database."""
    gateway, request = account.gateway, shot.encoded(account.full_token)
    head, _, body = request.partition(b"\r\n\r\n")
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
    writer.write(head + b"\r\nExpect: 100-continue\r\n\r\n")
    assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")
    await gateway.rows(statement)
    writer.write(body)
    answer = await reader.read()
    writer.close()
    return answer


async def fire_all(gateway: Gateway, canaries: Canaries) -> list[bytes]:
    """The answers to everything there is to send."""
    account, stranger = await gateway.new_user(), await gateway.new_user()
    own, foreign = await account.create("custom_s3"), await stranger.create("s3")
    for act in ("INSERT", "UPDATE"):
        await gateway.rows(REFUSE[gateway.engine].format(act=act, label=REFUSED_BY_DATABASE))
    turns = asyncio.Semaphore(AT_ONCE)

    async def take_turn(shot: Shot) -> bytes:
        async with turns:
            return await fire(gateway, shot.encoded(account.full_token))

    token_id = account.token.partition("|")[0]
    all_shots = [*shots(canaries, own=own, foreign=foreign, token_id=token_id), *stream_shots(canaries.new)]
    answers = await asyncio.gather(*map(take_turn, all_shots))
    for garbage in (b"%s\r\n\r\n", b"GET / HTTP/1.1\r\n%s\r\n\r\n", b"\x16\x03\x01%s", b"GET /%s HTTP/9.9\r\n\r\n"):
        answers.append(await fire(gateway, garbage % canaries.new().encode()))

    body = json.dumps(good_fields(canaries.new)[0]).encode()
    put, post = Shot(method="PUT", path=f"{LIST}/{own}", body=body), Shot(method="POST", path=LIST, body=body)
    lost_row = await interrupted(account, put, f"DELETE FROM backup_destinations WHERE id = {own}")  # noqa: S608
    lost_user = await interrupted(account, post, f"DELETE FROM users WHERE id = {account.user_id}")  # noqa: S608
    assert lost_row.startswith(b"HTTP/1.1 404 ")
    assert re.match(rb"HTTP/1\.1 [45]", lost_user)
    return [*answers, lost_row, lost_user]


async def remains(gateway: Gateway, server: StoppablePostgres) -> dict[str, bytes]:
    """Everything that a gateway and its database have written, while it runs."""
    found = {"the gateway's log": gateway.log_path.read_bytes()}
    found["the metrics"] = await fire(gateway, b"GET /metrics HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n")
    assert b"moorings_requests_total{" in found["the metrics"]
    for table in TABLES:
        found[f"the table {table}"] = repr(await gateway.rows(f"SELECT * FROM {table}")).encode()  # noqa: S608
    if gateway.engine == "sqlite":
        files = list(gateway.directory.glob("moorings.db*"))
    else:
        await gateway.rows("CHECKPOINT")
        found["PostgreSQL's log"] = server.log_path.read_bytes()
        files = [path for path in (server.directory / "data").rglob("*") if path.is_file()]
    return found | {f"the file {path.name}": path.read_bytes() for path in files}


def found_in(places: dict[str, bytes], finder: Finder) -> list[str]:
    """Where a secret was found, and how it was spelt."""
    return [f"{place}: {hit}" for place, content in places.items() for hit in finder.hits(content)]


async def test_no_secret_is_found_anywhere_afterwards(
    talkative: Gateway, postgres_telling_all: StoppablePostgres, receiver: TraceReceiver
) -> None:
    canaries, shown, spoken, in_urls = Canaries(), Canaries(), Canaries(), Canaries()
    talkative.settings[shown.mark] = "an unknown variable, to be named in the log"
    talkative.start()
    key = talkative.settings["secret_keys"].partition(":")[2]

    answers = await fire_all(talkative, canaries)
    witness = await talkative.new_user()
    checks = await fire_checks(await talkative.new_user(), fire, canaries, spoken)
    talks = await converse(await talkative.new_user(), canaries)
    answers += [*checks, *talks]
    grantee = await talkative.new_user(["use-backup-destinations"])
    granted, others = await fire_grants(grantee, fire, canaries, in_urls)
    await witness.create("local", label=shown.new())
    places = await remains(talkative, postgres_telling_all)
    traced = receiver.wait(lambda spans: {"authenticate", "check store"} <= {span.name for span in spans})
    places["the spans"] = b"".join(receiver.bodies)
    assert len(traced) > ENOUGH_FAILURES
    sent = {f"answer {number}": answer for number, answer in enumerate(answers)}

    failures = [answer for answer in answers if re.match(rb"HTTP/1\.1 [45]", answer)]
    assert len(failures) >= ENOUGH_FAILURES
    assert any(answer.startswith(b"HTTP/1.1 500 ") for answer in failures), "the database refused some"
    assert any(answer.startswith(b"HTTP/1.1 201 ") for answer in answers), "and some were accepted"
    found_by_checks = {code for code in CheckCode if any(f'"{code}"'.encode() in answer for answer in checks)}
    assert found_by_checks >= {CheckCode.ACCESS_DENIED, CheckCode.SIGNATURE_MISMATCH, CheckCode.NOT_S3}
    assert any(b'"reachable":true' in answer for answer in checks)
    assert sum(b"connection_ack" in talk for talk in talks) > len(talks) / 3, "some conversations began"
    assert any(b'"BackupDestination:' in talk for talk in talks), "and one made a destination"
    assert any(b"Forbidden" in talk for talk in talks), "and some were refused"
    assert spoken.made > len(checks) / 2
    assert found_in(places | sent, Finder([canaries.mark, spoken.mark, key])) == []
    grants = {f"grant {number}": answer for number, answer in enumerate(granted)}
    bare = {name: without_urls(answer) for name, answer in grants.items()}
    signatures = [found.decode() for answer in granted for found in re.findall(rb"X-Amz-Signature=(\w{64})", answer)]
    assert len(granted) == 5
    assert all(found_in({name: answer}, Finder([in_urls.mark])) for name, answer in grants.items())
    assert found_in(grants, Finder([canaries.mark])) == []
    assert found_in(places | sent | bare | {"other answers": others}, Finder([in_urls.mark, *signatures])) == []
    tokens = [token.partition("|")[2] for token in (witness.token, witness.full_token)]
    assert (
        found_in({place: places[place] for place in places if not place.startswith("the file")}, Finder(tokens)) == []
    )
    assert b"Traceback" not in places["the gateway's log"]

    # What may be seen is seen in the same places: the finder does look into them.
    seen = {place.partition(":")[0] for place in found_in(places, Finder([shown.mark]))}
    own_log = {"sqlite": {"the file moorings.db-wal"}, "postgresql": {"PostgreSQL's log"}}[talkative.engine]
    assert seen >= {"the gateway's log", "the table backup_destinations", "the table events"} | own_log
    assert talkative.engine == "sqlite" or any(re.fullmatch(r"the file \d+", place) for place in seen)


@pytest.mark.parametrize("spelling", spellings("x" * LENGTH))
def test_the_finder_finds_a_canary_in_any_spelling_wherever_it_stands(spelling: str) -> None:
    for _ in range(50):
        canaries = Canaries()
        canary = canaries.new()
        spelt = spellings(canary)[spelling]

        haystack = secrets.token_bytes(secrets.randbelow(99)) + spelt + secrets.token_bytes(secrets.randbelow(99))

        assert list(Finder([canaries.mark]).hits(haystack))


@pytest.mark.parametrize("before", range(6))
def test_the_finder_finds_a_canary_inside_something_encoded(before: int) -> None:
    canaries = Canaries()
    hidden = (b"x" * before + canaries.new().encode() + b"x" * 5).join([b"{", b"}"])

    for encoded in (base64.b64encode(hidden), base64.urlsafe_b64encode(hidden), hidden.hex().encode()):
        assert list(Finder([canaries.mark]).hits(b"log: " + encoded))


@pytest.mark.parametrize("part", [slice(0, 12), slice(0, 20), slice(28, 40), slice(15, 40)])
def test_the_finder_finds_the_beginning_and_the_end_of_a_canary(part: slice) -> None:
    canaries = Canaries()

    assert list(Finder([canaries.mark]).hits(f"it began with {canaries.new()[part]}…".encode()))


def test_the_finder_finds_nothing_where_nothing_is() -> None:
    canaries, others = Canaries(), Canaries()

    assert len({canaries.new() for _ in range(99)} | {others.new()}) == 100
    assert {len(canary) for canary in (canaries.new(), others.new())} == {LENGTH}
    assert list(Finder([canaries.mark]).hits(others.new().encode() * 99)) == []
