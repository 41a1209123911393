"""The benchmarks count only right answers, compute what they say, and notice when the gateway has become slower."""

from __future__ import annotations

import asyncio
import gzip
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from xml.etree import ElementTree

import orjson
import pytest

from benchmarks.before import extract
from benchmarks.chart import Bar, Panel, draw
from benchmarks.contenders import CONTENDERS
from benchmarks.dialects import Caller
from benchmarks.embedded import EmbeddedStage
from benchmarks.figures import Figures, median, medians, percentile
from benchmarks.load import Expected, Request, Run, load
from benchmarks.machine import BenchmarkRefused
from benchmarks.processes import cpu_seconds, resident_bytes
from benchmarks.quick import RECORDED, fallen
from benchmarks.rounds import Rendered
from benchmarks.scenarios import Scenario, scenarios
from web.compression.codings import zstd

SVG = "{http://www.w3.org/2000/svg}"
ASKED = [Request(wire=b"GET /%d HTTP/1.1\r\n\r\n" % n, expected=Expected(marker=b'"label"', count=2)) for n in range(3)]
GOOD = b'[{"label": 1}, {"label": 2}]'
CALLER = Caller(user_id=1, token="1|secret", total=20, destination_ids=tuple(range(1, 101)))
FIGURES = Figures(
    requests_per_s=1_000,
    p50_ms=1,
    p99_ms=2,
    server_us=100,
    database_us=50,
    generator_us=20,
    resident_mb=80,
)
CLOSE = b"close the connection"
Answers = Callable[[int], Sequence[bytes]]
"""The pieces in which the answer to the n-th request of a connection is sent."""


def http_answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nDate: now\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


@asynccontextmanager
async def serving(answers: Answers, seen: list[bytes]) -> AsyncIterator[int]:
    """A server that notes what it is asked; yields its port."""
    talks: list[asyncio.Task[None]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            for number in count():
                seen.append((await reader.readuntil(b"\r\n\r\n")).split()[1])
                for piece in answers(number):
                    if piece is CLOSE:
                        return
                    writer.write(piece)
                    await asyncio.sleep(0)

    async def talk_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            await talk(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.create_task(talk_and_close(reader, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*talks)


async def loaded(answers: Answers, seen: list[bytes] | None = None) -> Run:
    async with serving(answers, [] if seen is None else seen) as port:
        return await load(port, ASKED, seconds=0.1, connections=4)


async def test_every_answer_is_counted_once_and_has_a_latency() -> None:
    seen: list[bytes] = []

    run = await loaded(lambda _: [http_answer(GOOD)], seen)

    assert run.errors == {}
    assert run.requests == len(run.latencies_s) == len(seen) > len(ASKED)
    assert set(seen) == {b"/0", b"/1", b"/2"}
    assert all(0 < latency < run.seconds for latency in run.latencies_s)
    assert run.rate == run.requests / run.seconds


async def test_an_answer_that_comes_in_pieces_is_put_together() -> None:
    whole = http_answer(GOOD)

    run = await loaded(lambda _: [whole[:10], whole[10:45], whole[45:]])

    assert run.errors == {}
    assert run.requests > 0


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (http_answer(GOOD, b"500 Internal Server Error"), "status 500 instead of 200"),
        (http_answer(b'[{"label": 1}]'), '1 × "label" instead of 2'),
        (http_answer(GOOD) + b"more", "more bytes than the content length says"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "an answer without a content length"),
    ],
)
async def test_a_wrong_answer_is_an_error_and_never_a_success(answer: bytes, error: str) -> None:
    run = await loaded(lambda _: [answer])

    assert run.requests == 0
    assert set(run.errors) == {error}


@pytest.mark.parametrize(("coding", "compress"), [(b"gzip", gzip.compress), (b"ZSTD", zstd.compress)])
async def test_what_a_compressed_answer_holds_is_counted_too(coding: bytes, compress: Callable[[bytes], bytes]) -> None:
    def answer(body: bytes) -> bytes:
        return http_answer(compress(body)).replace(b"\r\n", b"\r\nContent-Encoding: %s\r\n" % coding, 1)

    good, wrong = await loaded(lambda _: [answer(GOOD)]), await loaded(lambda _: [answer(b"[]")])

    assert (good.errors, wrong.requests) == ({}, 0)
    assert good.requests > 0
    assert set(wrong.errors) == {'0 × "label" instead of 2'}


async def test_a_truncated_answer_is_an_error_of_its_connection() -> None:
    run = await loaded(lambda number: [http_answer(GOOD)] if number < 2 else [http_answer(GOOD)[:-5], CLOSE])

    assert run.requests == 4 * 2
    assert run.errors == {"the connection was closed before the answer was whole": 4}


async def test_wrong_answers_do_not_hide_among_right_ones() -> None:
    seen: list[bytes] = []

    run = await loaded(lambda number: [http_answer(GOOD if number % 2 else b"[]")], seen)

    assert run.requests > 0
    assert run.requests + sum(run.errors.values()) == len(seen)


def test_percentiles_are_by_nearest_rank() -> None:
    values = [float(n) for n in range(100, 0, -1)]

    assert [percentile(values, share) for share in (0, 0.5, 0.99, 1)] == [1, 50, 99, 100]
    assert percentile([7.0], 0.99) == 7


def test_the_median_is_the_middle_or_between_the_two_in_the_middle() -> None:
    assert median([3, 1, 2]) == 2
    assert median([4, 1, 2, 3]) == 2.5


@pytest.mark.parametrize("figure", [median, lambda values: percentile(values, 0.5)])
def test_of_nothing_there_is_no_figure(figure: Callable[[list[float]], float]) -> None:
    with pytest.raises(ValueError, match="of nothing"):
        figure([])


def test_the_medians_of_rounds_are_taken_figure_by_figure() -> None:
    rounds = [replace(FIGURES, p50_ms=p50, server_us=cpu) for p50, cpu in ((1, 300), (2, 200), (9, 100))]

    assert medians(rounds) == replace(FIGURES, p50_ms=2, server_us=200)


def test_the_cpu_time_of_a_child_that_has_ended_is_not_lost() -> None:
    burn = "import time\nwhile time.process_time() < 0.15: pass"
    before = cpu_seconds(os.getpid())

    subprocess.run([sys.executable, "-S", "-c", burn], check=True)

    assert cpu_seconds(os.getpid()) - before >= 0.1
    assert resident_bytes(os.getpid()) > 1 << 20


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda scenario: str(scenario.name))
def test_everybody_who_takes_part_in_a_scenario_is_asked_the_whole_of_it(scenario: Scenario) -> None:
    taking_part = scenario.contenders()

    assert {one.is_ours for one in taking_part} == {True, False}
    for contender in taking_part:
        for request in islice(scenario.requests(contender, [CALLER]), 100):
            head, _, body = request.wire.partition(b"\r\n\r\n")
            assert b"\r\nAuthorization: Bearer 1|secret\r\n" in head + b"\r\n"
            assert (b"\r\nContent-Length: %d" % len(body) in head) == bool(body)


def test_the_mix_writes_once_in_twenty_requests_and_never_the_same_label_twice_in_a_row() -> None:
    (mix,) = [scenario for scenario in scenarios() if scenario.name == "rest-mix"]
    (contender,) = [one for one in CONTENDERS if one.name == "moorings"]

    methods = [request.wire.split()[0] for request in islice(mix.requests(contender, [CALLER] * 40), 1_600)]

    assert methods.count(b"GET") == 19 * len(methods) / 20
    assert methods.count(b"PUT") == methods.count(b"POST") == len(methods) / 40


def requests_of(name: str, callers: Sequence[Caller], number: int) -> list[Request]:
    """The first requests of a scenario to the gateway."""
    (scenario,) = [scenario for scenario in scenarios() if scenario.name == name]
    (contender,) = [one for one in CONTENDERS if one.name == "moorings"]
    return list(islice(scenario.requests(contender, callers), number))


@pytest.fixture
def people() -> list[Caller]:
    return [replace(CALLER, user_id=n, token=f"{n}|secret") for n in range(5_000)]


def test_the_requests_of_a_contender_go_on_from_round_to_round_with_those_rendered_ahead_and_those_after_them() -> None:
    made: list[int] = []

    def requests() -> Iterator[Request]:
        for number in count():
            made.append(number)
            yield ASKED[number % len(ASKED)]

    rendered = Rendered(requests())

    first = list(islice(rendered.ahead(3), 2))
    assert len(made) == 3
    second = list(islice(rendered.ahead(2), 4))
    assert len(made) == 6
    assert [*first, *second] == ASKED * 2


def test_a_hot_load_has_a_thousand_users_and_one_of_many_has_each_once(people: list[Caller]) -> None:
    hot, many = requests_of("rest-hot", people, 5_000), requests_of("rest-many", people, 5_000)

    assert len({request.wire for request in hot}) == 1_000
    assert len({request.wire for request in many}) == 5_000
    assert many != requests_of("rest-many", people, 10_000)[5_000:]


def test_users_by_zipf_are_few_again_and_again_and_many_once(people: list[Caller]) -> None:
    """Of 5,000 users the first has a ninth of all requests, by the harmonic number."""
    asked = Counter(request.wire for request in requests_of("graphql-zipf", people, 20_000))
    (_, most), *_ = asked.most_common()

    assert most / 20_000 == pytest.approx(1 / 9.1, rel=0.1)
    assert sum(number == 1 for number in asked.values()) > 500


@pytest.mark.parametrize("name", ["graphql-varied", "rest-varied", "graphql-literals"])
def test_no_two_requests_of_a_load_of_different_ones_are_alike(name: str, people: list[Caller]) -> None:
    requests = requests_of(name, people, 5_000)

    assert len({request.wire for request in requests}) == 5_000
    assert {len(request.ids) for request in requests} == ({15} if name == "graphql-literals" else set(range(5, 20)))


def test_a_document_with_values_is_another_for_each_row() -> None:
    """What a cache by the document's text would need to know."""
    callers = [replace(CALLER, destination_ids=tuple(range(n, n + 20))) for n in range(0, 2_000, 20)]

    documents = {request.wire.partition(b"\r\n\r\n")[2] for request in requests_of("graphql-literals", callers, 100)}

    assert len(documents) == 100


def test_the_chart_is_well_formed_and_as_long_as_the_values() -> None:
    bars = [Bar("<Ours & ours>", 2_000, is_ours=True), Bar("theirs", 1_000), Bar("nothing", 0)]

    root = ElementTree.fromstring(draw([Panel("first & <best>", bars), Panel("no bars", [])]))  # noqa: S314 - our own

    assert [text.text for text in root.iter(f"{SVG}text")][:3] == ["first & <best>", "<Ours & ours>", "2,000"]
    drawn = [float(bar.get("width", "0")) for bar in root.iter(f"{SVG}rect") if "bar" in str(bar.get("class"))]
    assert drawn[0] == pytest.approx(2 * drawn[1])
    assert drawn[1] > drawn[2] > 0


@pytest.mark.parametrize(("name", "kept"), [("GraphQL, cached, server", 2.01), ("GraphQL, cached, database", 1.51)])
def test_a_ratio_may_lose_a_third_of_its_recorded_value_the_databases_half_and_no_more(name: str, kept: float) -> None:
    recorded = {name: 3.0, "REST, cached, server": 6.0}

    assert fallen(recorded, {name: kept, "REST, cached, server": 60}) == []
    (sentence,) = fallen(recorded, {name: kept - 0.02, "REST, cached, server": 6})
    assert sentence.startswith(f"{name} fell: {kept - 0.02:.2f} ")


def test_a_ratio_that_was_never_recorded_is_complained_about() -> None:
    (sentence,) = fallen({}, {"REST, cached, server": 6.0})

    assert "make bench-quick ARGS=--record" in sentence


def test_every_ratio_has_a_recorded_value() -> None:
    recorded = orjson.loads(RECORDED.read_bytes())

    assert len(recorded) == 16
    assert fallen(recorded, recorded) == []


def test_an_earlier_version_makes_its_own_file(tmp_path: Path) -> None:
    """Its sources come before those that are installed."""
    (tmp_path / "moorings").mkdir()
    (tmp_path / "moorings" / "__init__.py").write_text("def main():\n    raise SystemExit(93)\n")

    with pytest.raises(subprocess.CalledProcessError) as caught:
        EmbeddedStage(tmp_path, tmp_path).migrate()

    assert caught.value.returncode == 93


def test_a_commit_that_is_not_there_is_refused_with_a_sentence(tmp_path: Path) -> None:
    """Nothing is measured then."""
    with pytest.raises(BenchmarkRefused, match=r"The sources of no-such-commit are not here: .+"):
        extract("no-such-commit", tmp_path)
