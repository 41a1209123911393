"""The arrows of the architecture hold, and the checker that says so sees when they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.architecture import ROOMS, broken_rules, imported, sources
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
    ("models/x.py", DOC + "import app.settings", "models does not import app"),
    ("models/x.py", DOC + "from rest.wire import FIELDS", "models does not import rest"),
    ("models/x.py", DOC + "def f():\n    from schema import types", "models does not import schema"),
    ("models/x.py", DOC + "from tests import gateway", "models does not import tests"),
    ("rest/x.py", DOC + "from schema.types import X", "rest does not import schema"),
    ("schema/x.py", DOC + "import rest", "schema does not import rest"),
    ("schema/x.py", DOC + "if TYPE_CHECKING:\n    from app.main import X", "schema does not import app"),
    ("rest/deep/x.py", DOC + "import app", "rest does not import app"),
    ("rest/x.py", DOC + "import strawberry.types", "strawberry is imported only in schema/"),
    ("app/cli/x.py", DOC + "from tortoise import Tortoise", "tortoise is imported only in models/, app/database.py"),
    ("app/bootstrap.py", DOC + "import tortoise as t", "tortoise is imported only in models/, app/database.py"),
    (
        "models/x.py",
        DOC + "from starlette.requests import Request",
        "starlette is imported only in app/, rest/, schema/, web/",
    ),
    ("models/x.py", DOC + "import cryptography.fernet", "cryptography is imported only in models/vault/vault.py"),
    ("app/x.py", DOC + "import os\nprint(os.environ['HOME'])", "the environment is read only in app/settings.py"),
    ("models/x.py", DOC + "from os import path, getenv", "the environment is read only in app/settings.py"),
    ("rest/x.py", "import json", "every module says what it is for"),
    ("rest/x.py", "", "every module says what it is for"),
    ("models/utils.py", DOC, "a module is named for what it holds"),
    ("app/common/__init__.py", DOC, "a module is named for what it holds"),
    ("rest/x.py", DOC + MATCH + COMPARE, "a room looks at the kind in one function"),
]

ALLOWED = [
    ("models/x.py", DOC + "import tortoise.fields\nfrom models.kinds import KINDS\nfrom .kinds import KINDS"),
    ("models/vault/vault.py", DOC + "from cryptography.exceptions import InvalidTag"),
    ("app/database.py", DOC + "import tortoise"),
    ("app/settings.py", DOC + "import os\nprint(os.environ)"),
    ("app/x.py", DOC + "import os, starlette, rest, schema, models, web, s3\nos.fsync(1)"),
    ("schema/x.py", DOC + "import strawberry, starlette.requests, models.service"),
    ("rest/x.py", DOC + MATCH),
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
    assert "models.errors" in {name for source in found for name in imported(source)}


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
    plant(tmp_path, "models/deep/x.py", DOC + "from ...rest import wire")

    assert broken_rules(tmp_path) == ["models does not import rest: models/deep/x.py imports rest"]


def test_two_files_of_one_room_that_look_at_the_kind_are_both_named(tmp_path: Path) -> None:
    plant(tmp_path, "rest/one.py", DOC + MATCH)
    plant(tmp_path, "rest/two.py", DOC + COMPARE)

    assert broken_rules(tmp_path) == [
        "a room looks at the kind in one function: rest does in rest/one.py show, rest/two.py also"
    ]
