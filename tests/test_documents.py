"""What the documents name exists: files and folders of this repository, `make` targets, and links to other pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

ROOMS = (
    "app",
    "benchmarks",
    "deploy",
    "docs",
    "examples",
    "explorer",
    "models",
    "rest",
    "s3",
    "schema",
    "tests",
    "web",
)
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        ROOT / "benchmarks/README.md",
        *ROOT.glob("examples/*.md"),
        ROOT / "examples/apollo/README.md",
    ]
)
MADE_HERE = ("explorer/dist", "benchmarks/peers/node_modules")
"""Named by documents, and there only when something was built."""
_PATH = re.compile(rf"(?<![\w/.-])(?:{'|'.join(ROOMS)})/[\w./*-]*[\w*]")
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
_TARGET = re.compile(r"(?:`|^ {4,})make ([a-z][a-z-]*)", re.MULTILINE)


def paths_in(text: str) -> Iterator[str]:
    """Every path from the root that a text names in backquotes or in a block of code."""
    for quoted in re.findall(r"`([^`\n]+)`", text):
        yield from _PATH.findall(quoted)


def is_there(path: str) -> bool:
    """Whether a path, or a module it names, or anything that its pattern matches, exists."""
    return path.startswith(MADE_HERE) or (ROOT / path).exists() or ("*" in path and any(ROOT.glob(path)))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_that_a_document_names_exists(document: str) -> None:
    assert [path for path in paths_in((ROOT / document).read_text()) if not is_there(path)] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_between_documents_leads_somewhere(document: str) -> None:
    folder = (ROOT / document).parent
    links = _LINK.findall((ROOT / document).read_text())

    assert [link for link in links if not (folder / link).resolve().exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_target_that_a_document_names_exists(document: str) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(_TARGET.findall((ROOT / document).read_text())) <= targets


def test_the_architecture_page_names_every_room_and_each_of_their_folders() -> None:
    named = (ROOT / "docs" / "architecture.md").read_text() + (ROOT / "docs" / "architecture.svg").read_text()
    folders = [path for room in ("app", "models", "rest", "s3", "schema", "web") for path in folders_of(ROOT / room)]

    assert len(folders) > 20
    assert [path for path in folders if f"{path}/" not in named and f"{path.rpartition('/')[2]}/" not in named] == []


def folders_of(room: Path) -> Iterator[str]:
    """The sub-rooms of a room, from the root."""
    for path in sorted(room.iterdir()):
        if (path / "__init__.py").exists():
            yield path.relative_to(ROOT).as_posix()


def test_a_path_that_is_gone_is_found() -> None:
    text = "See `models/reads/reads.py`, `models/reads/gone.py`, `tests/nowhere/` and `web/cache/*.py`."

    assert [path for path in paths_in(text) if not is_there(path)] == ["models/reads/gone.py", "tests/nowhere"]
