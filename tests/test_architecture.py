"""The arrows of the architecture hold, and the checker that says so sees when they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.architecture import ROOMS, WITHIN, broken_rules, cycles, imported, rows_without_a_part, sources
from tests.support.paths import ROOT

DOC = '"""What it is for."""\n'
MATCH = """
def show(kind):
    match kind:
        case DestinationKind.LOCAL:
            return 1
"""
COMPARE = """
def also(row):
    return row.kind in (models.kinds.DestinationKind.LOCAL,)
"""

PLANTED = [
    ("models/clock.py", DOC + "import app.settings", "models does not import app"),
    ("models/clock.py", DOC + "from rest.wire import FIELDS", "models does not import rest"),
    ("models/clock.py", DOC + "def f():\n    from schema import types", "models does not import schema"),
    ("models/clock.py", DOC + "from tests import gateway", "models does not import tests"),
    ("web/http/x.py", DOC + "import s3.prober", "web does not import s3"),
    ("s3/steps.py", DOC + "from web.http import media_type", "s3 does not import web"),
    ("rest/wire.py", DOC + "from schema.types import X", "rest does not import schema"),
    ("schema/types/x.py", DOC + "import rest", "schema does not import rest"),
    ("schema/types/x.py", DOC + "if TYPE_CHECKING:\n    from app.main import X", "schema does not import app"),
    ("rest/openapi/x.py", DOC + "import app", "rest does not import app"),
    ("models/clock.py", DOC + "from models.reads import reads", "models.clock does not import models.reads"),
    ("models/vault/x.py", DOC + "from models import service", "models.vault does not import models.service"),
    ("models/vault/x.py", DOC + "from ..writes.write import X", "models.vault does not import models.writes"),
    ("schema/types/x.py", DOC + "import schema.compiler.compiler", "schema.types does not import schema.compiler"),
    ("app/logs.py", DOC + "if TYPE_CHECKING:\n    from app.cli import X", "app.logs does not import app.cli"),
    ("web/problem.py", DOC + "from web.request_state import X", "web.problem does not import web.request_state"),
    ("web/auth/x.py", DOC + "from models.destinations.row import X", "web does not import models.destinations"),
    ("web/auth/x.py", DOC + "from models import checks", "web does not import models.checks"),
    ("s3/steps.py", DOC + "from models.reads.reads import X", "s3 does not import models.reads"),
    ("s3/steps.py", DOC + "from models.destinations.table import X", "s3 does not import models.destinations"),
    ("models/news.py", DOC, "every part of a room has a row in WITHIN"),
    ("web/news/x.py", DOC, "every part of a room has a row in WITHIN"),
    ("rest/wire.py", DOC + "import strawberry.types", "strawberry is imported only in schema/"),
    ("app/cli/x.py", DOC + "from tortoise import Tortoise", "tortoise is imported only in models/, app/database.py"),
    ("app/first_run.py", DOC + "import tortoise as t", "tortoise is imported only in models/, app/database.py"),
    ("models/clock.py", DOC + "from starlette.requests import Request", "starlette is imported only in app/main.py,"),
    ("schema/types/x.py", DOC + "from starlette.requests import Request", "starlette is imported only in app/main.py,"),
    ("app/settings.py", DOC + "import click", "click is imported only in app/cli/"),
    ("models/clock.py", DOC + "import cryptography.fernet", "cryptography is imported only in models/vault/vault.py"),
    ("app/logs.py", DOC + "import os\nprint(os.environ['HOME'])", "the environment is read only in app/settings.py"),
    ("models/clock.py", DOC + "from os import path, getenv", "the environment is read only in app/settings.py"),
    ("rest/wire.py", "import json", "every module says what it is for"),
    ("rest/wire.py", "", "every module says what it is for"),
    ("rest/wire.py", DOC + "scope['viewer']", "a scope holds ASGI's own keys"),
    ("rest/wire.py", DOC + "request.scope['reading'] = 1", "a scope holds ASGI's own keys"),
    ("rest/wire.py", DOC + "del self._scope['moorings']", "a scope holds ASGI's own keys"),
    ("rest/wire.py", DOC + "scope.get('viewer', None)", "a scope holds ASGI's own keys"),
    ("rest/wire.py", DOC + "http_scope.setdefault('viewer', 1)", "a scope holds ASGI's own keys"),
    ("rest/wire.py", DOC + "if 'viewer' in scope: pass", "a scope holds ASGI's own keys"),
    ("rest/wire.py", DOC + "scope.update({'path': '/', 'viewer': 1})", "a scope holds ASGI's own keys"),
    ("rest/wire.py", DOC + "scope.update(viewer=1)", "a scope holds ASGI's own keys"),
    ("rest/wire.py", DOC + "scope.update(ours)", "a scope holds ASGI's own keys"),
    ("rest/wire.py", DOC + "x = {**scope, 'viewer': 1}", "a scope holds ASGI's own keys"),
    ("rest/wire.py", DOC + "scope[KEY]", "a scope holds ASGI's own keys"),
    ("models/reads/utils.py", DOC, "a module is named for what it holds"),
    ("app/cli/common/__init__.py", DOC, "a module is named for what it holds"),
    ("rest/wire.py", DOC + MATCH + COMPARE, "a room looks at the kind in one function"),
]

ALLOWED = [
    ("models/reads/x.py", DOC + "import tortoise.fields\nfrom models.batcher import X\nfrom .reads import X"),
    ("models/vault/vault.py", DOC + "from cryptography.exceptions import InvalidTag"),
    ("app/database.py", DOC + "import tortoise"),
    ("app/settings.py", DOC + "import os\nprint(os.environ)"),
    (
        "app/main.py",
        DOC + "import os, starlette, rest.wire, schema.types, models.reads, web.http, s3.steps\nos.fsync(1)",
    ),
    ("schema/transport/x.py", DOC + "import strawberry, starlette.requests, models.service"),
    ("web/request_state.py", DOC + "if TYPE_CHECKING:\n    from web.auth.authenticator import Authenticator"),
    ("web/request_state.py", DOC + "scope['moorings'] = scope.get(KEY)"),
    ("rest/wire.py", DOC + "scope['path'] = {**scope, 'method': 'GET'}['type']\n'state' in scope\ntelescope['x']"),
    ("rest/wire.py", DOC + MATCH),
    ("tests/x.py", "import app, tortoise, os\nos.environ"),
]


def plant(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_the_sources_keep_every_rule_of_the_architecture() -> None:
    assert broken_rules(ROOT) == []


def test_the_checker_reads_every_room() -> None:
    found = sources(ROOT, *ROOMS)

    assert {source.room for source in found} == set(ROOMS)
    assert "models.errors.Refusal" in {name for source in found for name in imported(source)}


@pytest.mark.parametrize(("path", "text", "rule"), PLANTED)
def test_a_planted_violation_is_caught_with_its_rule_and_its_file(
    path: str, text: str, rule: str, tmp_path: Path
) -> None:
    plant(tmp_path, path, text)

    (sentence,) = broken_rules(tmp_path)

    assert sentence.startswith(rule)
    assert path in sentence


@pytest.mark.parametrize(("path", "text"), ALLOWED)
def test_what_is_allowed_is_not_complained_about(path: str, text: str, tmp_path: Path) -> None:
    plant(tmp_path, path, text)

    assert broken_rules(tmp_path) == []


def test_a_relative_import_across_rooms_is_caught(tmp_path: Path) -> None:
    plant(tmp_path, "models/reads/x.py", DOC + "from ...rest import wire")

    assert broken_rules(tmp_path) == ["models does not import rest: models/reads/x.py imports rest.wire"]


def test_modules_that_import_each_other_are_named_together(tmp_path: Path) -> None:
    plant(tmp_path, "models/reads/a.py", DOC + "from models.reads.b import B")
    plant(tmp_path, "models/reads/b.py", DOC + "def f():\n    from models.reads import c")
    plant(tmp_path, "models/reads/c.py", DOC + "if TYPE_CHECKING:\n    from models.reads.a import A")
    plant(tmp_path, "models/reads/d.py", DOC + "from models.reads.a import A")

    assert broken_rules(tmp_path) == [
        "modules do not import each other in a circle: models/reads/a.py, models/reads/b.py, models/reads/c.py"
    ]


def test_a_folder_with_too_many_files_is_named(tmp_path: Path) -> None:
    for number in range(15):
        plant(tmp_path, f"schema/types/x{number}.py", DOC)

    assert broken_rules(tmp_path) == ["a folder holds at most 14 files: schema/types holds 15"]


def test_the_tables_name_nothing_that_is_gone() -> None:
    assert rows_without_a_part(ROOT) == []


@pytest.mark.parametrize("room", ROOMS)
def test_the_parts_of_a_room_are_in_layers(room: str) -> None:
    assert cycles({part: row.split() for part, row in WITHIN[room].items()}) == []


def test_two_files_of_one_room_that_look_at_the_kind_are_both_named(tmp_path: Path) -> None:
    plant(tmp_path, "rest/bodies.py", DOC + MATCH)
    plant(tmp_path, "rest/wire.py", DOC + COMPARE)

    assert broken_rules(tmp_path) == [
        "a room looks at the kind in one function: rest does in rest/bodies.py show, rest/wire.py also"
    ]
