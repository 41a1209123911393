"""The table of error codes: what it says is complete, has sources, and is what a check reports."""

from __future__ import annotations

import re

import pytest

from models.checks.report import CheckCode, CheckDepth, CheckHint, CheckOutcome, CheckStepName
from s3.error_codes import CODES, HOST_STYLE_ONLY, LISTING_UNKNOWN, PHRASES
from s3.providers import PROVIDERS, is_same_provider, region_of
from tests.support.stores.peers import always, answer, error, listening
from tests.support.stores.probing import prober, target

FORMS = {
    "XML": "<Error><Code>{}</Code></Error>",
    "prefixed XML": "<?xml version='1.0'?><s3:Error xmlns:s3='x'><s3:Code> {} </s3:Code></s3:Error>",
    "JSON": '{{"code": "{}", "message": "hunter22"}}',
}


def test_every_row_has_a_source_and_no_code_is_only_a_class_of_http() -> None:
    assert len(CODES) >= 150
    assert len(PHRASES) >= 12
    rows = [*CODES.values(), *(phrase.meaning for phrase in PHRASES)]
    assert [row for row in rows if not row.source.startswith("https://")] == []
    assert [code for code in CODES if not re.fullmatch(r"[A-Z][A-Za-z0-9]*(\.[A-Za-z0-9]+)?", code)] == []
    assert [phrase for phrase in PHRASES if phrase.text != phrase.text.lower()] == []
    assert CODES.keys() >= HOST_STYLE_ONLY | LISTING_UNKNOWN


@pytest.mark.parametrize("form", FORMS)
async def test_every_code_is_reported_as_the_table_says_in_every_form(form: str) -> None:
    for store_code, meaning in CODES.items():
        said = answer("403 Forbidden", FORMS[form].format(store_code).encode())
        async with listening(always(said)) as peer:
            report = await prober().probe(target(peer.url), CheckDepth.READ_ONLY)

        step = next(step for step in report.steps if step.outcome is CheckOutcome.FAILED)
        assert (step.name, step.code) == (meaning.step or CheckStepName.AUTHENTICATE, meaning.code), store_code
        host_style = CheckHint.HOST_STYLE_NEEDED if store_code in HOST_STYLE_ONLY else None
        assert (step.store_code, step.hint) == (store_code, host_style or meaning.hint)


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.text.decode())
async def test_a_phrase_says_more_than_the_code_it_comes_with(phrase: object) -> None:
    row = next(row for row in PHRASES if row is phrase)
    message = f"Sorry: {row.text.decode().upper()} hunter22."
    said = answer("403 Forbidden", f"<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>".encode())
    async with listening(always(said)) as peer:
        report = await prober().probe(target(peer.url), CheckDepth.READ_ONLY)

    step = next(step for step in report.steps if step.outcome is CheckOutcome.FAILED)
    assert (step.name, step.code) == (row.meaning.step or CheckStepName.AUTHENTICATE, row.meaning.code)
    assert "hunter22" not in report.to_json()


async def test_a_code_that_is_not_in_the_table_is_not_shown() -> None:
    async with listening(always(error("400 Bad Request", "HunterTwentyTwo"))) as peer:
        report = await prober().probe(target(peer.url), CheckDepth.READ_ONLY)

    step = report.step(CheckStepName.AUTHENTICATE)
    assert (step.code, step.store_code) == (CheckCode.UNEXPECTED_ANSWER, None)
    assert "Hunter" not in report.to_json()


@pytest.mark.parametrize(
    ("said", "step", "code"),
    [
        (answer("403 Forbidden", x_amz_request_id="1"), CheckStepName.LIST, CheckCode.ACCESS_DENIED),
        (answer("404 Not Found", x_amz_request_id="1"), CheckStepName.BUCKET, CheckCode.NO_SUCH_BUCKET),
        (answer("401 Unauthorized", x_amz_id_2="1"), CheckStepName.AUTHENTICATE, CheckCode.INVALID_ACCESS_KEY),
        (answer("400 Bad Request", x_amz_request_id="1"), CheckStepName.AUTHENTICATE, CheckCode.REQUEST_REFUSED),
        (
            answer("403 Forbidden", x_minio_error_code="SignatureDoesNotMatch"),
            CheckStepName.AUTHENTICATE,
            CheckCode.SIGNATURE_MISMATCH,
        ),
        (answer("507 Full"), CheckStepName.AUTHENTICATE, CheckCode.STORAGE_FULL),
        (answer("402 Pay"), CheckStepName.AUTHENTICATE, CheckCode.ACCOUNT_DISABLED),
        (answer("502 Bad Gateway", b"<html>"), CheckStepName.AUTHENTICATE, CheckCode.STORE_UNAVAILABLE),
        (answer("599 Odd", x_amz_request_id="1"), CheckStepName.AUTHENTICATE, CheckCode.STORE_UNAVAILABLE),
        (answer("499 Odd", x_amz_request_id="1"), CheckStepName.AUTHENTICATE, CheckCode.NOT_S3),
        (
            error("400 Bad Request", "InvalidRequest", "<Region>eu-west-1</Region>"),
            CheckStepName.BUCKET,
            CheckCode.WRONG_REGION,
        ),
        (
            error("400 Bad Request", "InvalidRequest", "<Region>us-east-1</Region>"),
            CheckStepName.AUTHENTICATE,
            CheckCode.REQUEST_REFUSED,
        ),
    ],
)
async def test_a_response_without_a_telling_code_is_read_by_its_status_and_headers(
    said: bytes, step: CheckStepName, code: CheckCode
) -> None:
    async with listening(always(said)) as peer:
        report = await prober().probe(target(peer.url), CheckDepth.READ_ONLY)

    failed = next(step for step in report.steps if step.outcome is CheckOutcome.FAILED)
    assert (failed.name, failed.code) == (step, code)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("account.r2.cloudflarestorage.com", "auto"),
        ("space.compat.objectstorage.eu-frankfurt-1.oraclecloud.com", "eu-frankfurt-1"),
        ("s3.eu-central-2.wasabisys.com", "eu-central-2"),
        ("s3.us-west-004.backblazeb2.com", "us-west-004"),
        ("s3.fr-par.scw.cloud", "fr-par"),
        ("nightly.fra1.digitaloceanspaces.com", "fra1"),
        ("fsn1.your-objectstorage.com", "fsn1"),
        ("s3.gra.io.cloud.ovh.net", "gra"),
        ("s3-fips.dualstack.us-east-2.amazonaws.com", "us-east-2"),
        ("evil.example", None),
        ("wasabisys.com.evil.example", None),
        ("s3.eu-central-2.wasabisys.com.evil.example", None),
    ],
)
def test_a_providers_host_says_its_region(host: str, region: str | None) -> None:
    assert region_of(host) == region


def test_keys_are_sent_to_another_host_of_the_same_provider_only() -> None:
    assert is_same_provider("s3.us-east-1.wasabisys.com", "s3.eu-central-1.wasabisys.com")
    assert not is_same_provider("s3.us-east-1.wasabisys.com", "s3.eu-central-1.wasabisys.com.evil.example")
    assert not is_same_provider("s3.us-east-1.wasabisys.com", "s3.us-west-004.backblazeb2.com")
    assert not is_same_provider("evil.example", "evil.example")
    assert [row for row in PROVIDERS if not row.source.startswith("https://")] == []
