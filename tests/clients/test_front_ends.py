"""The examples that the manual gives to front ends, pasted into one program and run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.checks.report import REMEDIES, CheckCode
from schema.resolvers.definition import print_sdl
from tests.support.browser.front_ends import check_types, examples, make_program, recipes
from tests.support.browser.node import install_clients, run_script
from tests.support.gateway.gateway import Gateway
from tests.support.graphql.graphql_operations import NOT_CHECKABLE
from tests.support.paths import ROOT

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md"), *ROOT.glob("examples/*/*.md")]

# Old Nodes have no WebSocket as browsers do; what the examples log is told as JSON.
PRELUDE = """
import WebSocket from 'ws';
globalThis.WebSocket ??= WebSocket;
console.log = (...values) => process.stdout.write(`${JSON.stringify({ logged: values })}\\n`);
"""


@pytest.fixture(scope="module", autouse=True)
def _clients() -> None:
    install_clients()


async def test_the_examples_for_front_ends_do_what_the_manual_says(gateway: Gateway, tmp_path: Path) -> None:
    """All of them, one behind the other, as they stand there but for the address."""
    account = await gateway.new_user()
    for label, kind in {"Beta": "local", "Alpha": "custom_s3", "Gamma": "s3"}.items():
        await account.create(kind, label=label)
    script = await make_program(tmp_path, print_sdl(), PRELUDE)
    program = script.read_text("utf-8").replace("http://127.0.0.1:8000", gateway.url)
    script.write_text(program, "utf-8")

    lines = await run_script(script, account, TOKEN=account.token)

    listed, refused, made, codes, local, denied, heard, streamed = (line["logged"] for line in lines)
    assert listed == [["Alpha: nightly", "Beta: a directory", "Gamma: nightly"]]
    assert refused == [{"local.label": "The label field is required."}]
    assert made[0].items() >= {"label": "Cellar", "__typename": "LocalDestination"}.items()
    assert codes == [["BAD_USER_INPUT"]]
    assert local == [NOT_CHECKABLE]
    assert denied == [f"RESOLVE: {REMEDIES[CheckCode.ENDPOINT_NOT_ALLOWED].text}"]
    assert heard == ["BackupDestinationCreated", "Attic"]
    assert streamed == ["Shed"]


async def test_the_examples_for_front_ends_pass_a_strict_compiler_with_generated_types(tmp_path: Path) -> None:
    """All of them in one project, with the manual's settings of the code generator: what is read is selected."""
    await check_types(tmp_path, print_sdl())


def test_no_example_of_a_front_end_escapes_the_compiler() -> None:
    """None is on another page, in JavaScript, or in the manual without being one of those that are compiled."""
    fences = {
        page.name: re.findall(r"^```((?:js|ts)x?|javascript|typescript)$", page.read_text("utf-8"), re.MULTILINE)
        for page in PAGES
    }
    found = {name: languages for name, languages in fences.items() if languages}

    assert set(found) == {"graphql.md"}
    assert set(found["graphql.md"]) == {"ts", "tsx"}
    assert len(found["graphql.md"]) == len(examples("ts")) + len(recipes())
