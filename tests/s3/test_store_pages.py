"""Each store's page says the same things in the same order, with sources, and only codes that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.checks.report import HINTS, REMEDIES, CheckCode, CheckDepth, CheckHint, CheckReport
from s3.error_codes import CODES
from s3.providers import PROVIDERS
from tests.support.paths import ROOT
from tests.support.stores.probing import prober, target

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
    parts = re.findall(r"^## (.*)", text, re.MULTILINE)
    assert [part for part in parts if part != "Grants"] == ["Known traps", "Sources"]
    assert re.findall(r"^- <(https://[^>]+)>$", text, re.MULTILINE) != []
    named = set(re.findall(r"`([A-Z][A-Z]+_[A-Z_]+|[A-Z][a-z]+[A-Z][A-Za-z]+)`", text))
    assert {word for word in named if word not in (*CheckCode, *CODES)} <= {"MINIO_SITE_REGION", "MINIO_DOMAIN"}


def test_every_page_is_in_the_list_and_every_provider_is_on_a_page() -> None:
    index = (FOLDER / "README.md").read_text()

    assert sorted(re.findall(r"\(([a-z0-9-]+)\.md\)", index)) == [page.stem for page in PAGES]
    assert len(PAGES) >= 14
    assert {row.page for row in PROVIDERS} <= {page.stem for page in PAGES}
    for row in PROVIDERS:
        # The page of a provider says its hosts.
        assert row.host.rpartition("{}")[2].split(".", 1)[-1] in (FOLDER / f"{row.page}.md").read_text(), row


@pytest.mark.parametrize(
    ("endpoint", "page"),
    [
        (None, "amazon"),
        ("https://s3.amazonaws.com", "amazon"),
        ("https://nightly.s3.eu-west-1.amazonaws.com", "amazon"),
        ("https://s3.eu-central-2.wasabisys.com", "wasabi"),
        ("https://account.r2.cloudflarestorage.com/nightly", "cloudflare-r2"),
        ("https://us-east-1.linodeobjects.com", "linode"),
        ("https://s3.eu-central-2.wasabisys.com.evil.example", None),
        ("https://minio.example:9000", None),
        ("https://", None),
    ],
)
async def test_a_failed_step_names_the_page_of_the_provider(endpoint: str | None, page: str | None) -> None:
    """Here the host is not found; in stored reports, too."""
    report = await prober().probe(target(endpoint, region="us-east-1"), CheckDepth.FULL)

    again = CheckReport.from_json(report.to_json())
    assert again == report
    pages = [step.documentation for step in again.steps]
    assert pages == [None if page is None else f"docs/stores/{page}.md", *[None] * 8]
    assert page is None or (FOLDER / f"{page}.md").is_file()


def test_every_remedy_is_a_few_plain_sentences_with_the_field_to_change() -> None:
    """The exceptions have no field of a destination to change: something is to be done at the store, or to wait for."""
    remedies = [*REMEDIES.items(), *HINTS.items()]
    for cause, remedy in remedies:
        assert re.fullmatch(r"[A-Z][^<>{}]{20,400}\.", remedy.text), cause
    assert {cause for cause, remedy in remedies if remedy.field is None} == {
        *(CheckCode.CERTIFICATE_EXPIRED, CheckCode.CLOCK_SKEW, CheckCode.ACCOUNT_DISABLED, CheckCode.STORAGE_FULL),
        *(CheckCode.RATE_LIMITED, CheckCode.STORE_UNAVAILABLE, CheckCode.UNEXPECTED_ANSWER),
        CheckCode.NOT_SUPPORTED,
        *(CheckHint.CERTIFICATE_NOT_YET_VALID, CheckHint.INTERMEDIATE_MISSING, CheckHint.RETENTION),
        *(CheckHint.OBJECT_VANISHED, CheckHint.MULTIPART_UNKNOWN, CheckHint.PROXY_LOGIN, CheckHint.REQUESTER_PAYS),
        CheckHint.BUCKET_REFUSES,
    }
