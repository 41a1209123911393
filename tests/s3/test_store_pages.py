"""Each store's page says the same things in the same order, with sources, and only codes that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.checks.report import CheckCode
from s3.error_codes import CODES
from s3.providers import PROVIDERS
from tests.support.paths import ROOT

FOLDER = ROOT / "docs/stores"
PAGES = sorted(FOLDER.glob("[a-z]*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_the_four_fields_the_traps_and_the_sources(page: Path) -> None:
    text = page.read_text()

    assert re.findall(r"^\| ([a-z ]+) \|", text, re.MULTILINE) == [
        "field",
        "endpoint",
        "region",
        "path style",
        "rights",
    ]
    assert re.findall(r"^## (.*)", text, re.MULTILINE) == ["Known traps", "Sources"]
    assert re.findall(r"^- <(https://[^>]+)>$", text, re.MULTILINE) != []
    named = set(re.findall(r"`([A-Z][A-Z]+_[A-Z_]+|[A-Z][a-z]+[A-Z][A-Za-z]+)`", text))
    assert {word for word in named if word not in (*CheckCode, *CODES)} <= {"MINIO_SITE_REGION", "MINIO_DOMAIN"}


def test_every_page_is_in_the_list_and_every_provider_is_on_a_page() -> None:
    index = (FOLDER / "README.md").read_text()
    texts = "".join(page.read_text() for page in PAGES)

    assert sorted(re.findall(r"\(([a-z0-9-]+)\.md\)", index)) == [page.stem for page in PAGES]
    assert len(PAGES) >= 14
    big = [row.host for row in PROVIDERS if row.host.replace("{}", "REGION").split(".", 1)[-1] in texts]
    assert len(big) >= 10
