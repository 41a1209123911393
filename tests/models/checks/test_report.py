"""A report has its steps in order, is stored and read again, and is read across versions."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from models.checks.report import (
    HINTS,
    REMEDIES,
    CheckCode,
    CheckDepth,
    CheckHint,
    CheckOutcome,
    CheckReport,
    CheckStep,
    CheckStepName,
    CheckSuggestion,
    all_steps,
)
from tests.support.paths import ROOT

DOCUMENTATION = (ROOT / "docs/check.md").read_text(encoding="utf-8")
AT = datetime(2024, 8, 7, 1, 2, 3, tzinfo=UTC)
SUGGESTION = CheckSuggestion(region="eu-west-1", path_style_endpoint=True)


def passed(*names: CheckStepName) -> dict[CheckStepName, CheckStep]:
    return {name: CheckStep(name=name, outcome=CheckOutcome.PASSED, duration_ms=7) for name in names}


def failed(name: CheckStepName, code: CheckCode) -> dict[CheckStepName, CheckStep]:
    return {name: CheckStep(name=name, outcome=CheckOutcome.FAILED, code=code, duration_ms=1)}


def report(found: dict[CheckStepName, CheckStep], suggestion: CheckSuggestion | None = None) -> CheckReport:
    return CheckReport(checked_at=AT, steps=all_steps(found), suggestion=suggestion)


def test_every_code_has_a_remedy_that_is_a_sentence() -> None:
    assert REMEDIES.keys() == set(CheckCode)
    assert HINTS.keys() == set(CheckHint)
    texts = [remedy.text for remedy in (*REMEDIES.values(), *HINTS.values())]
    assert [text for text in texts if not (text[0].isupper() and text.endswith("."))] == []
    assert len(set(texts)) == len(texts)
    assert "MOORINGS_S3_ALLOW" in REMEDIES[CheckCode.ENDPOINT_NOT_ALLOWED].text


def test_the_documentation_explains_every_step_and_every_code() -> None:
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \|", DOCUMENTATION, re.MULTILINE)

    assert rows == [*CheckStepName, *CheckCode]


def test_steps_that_were_not_reached_are_skipped_and_keep_their_place() -> None:
    steps = report(passed(CheckStepName.RESOLVE)).steps

    assert [step.name for step in steps] == list(CheckDepth.FULL.steps)
    assert {step.outcome for step in steps[1:]} == {CheckOutcome.SKIPPED}


def test_reachable_is_a_report_in_which_something_passed_and_nothing_failed() -> None:
    assert report(passed(*CheckDepth.FULL.steps)).reachable
    assert report(passed(CheckStepName.RESOLVE, CheckStepName.CONNECT)).reachable
    assert not report({}).reachable
    assert not report(passed(CheckStepName.RESOLVE) | failed(CheckStepName.CONNECT, CheckCode.TIMEOUT)).reachable


@pytest.mark.parametrize(
    "suggestion", [None, SUGGESTION, CheckSuggestion(endpoint="https://s3.eu-west-1.amazonaws.com")]
)
@pytest.mark.parametrize("code", CheckCode)
def test_what_is_stored_is_read_again(code: CheckCode, suggestion: CheckSuggestion | None) -> None:
    stored = report(passed(CheckStepName.RESOLVE) | failed(CheckStepName.BUCKET, code), suggestion)

    assert CheckReport.from_json(stored.to_json()) == stored


def test_what_is_stored_is_short_and_holds_no_remedy() -> None:
    text = report(passed(*CheckDepth.FULL.steps), SUGGESTION).to_json()

    assert len(text) < 400
    assert " " not in text


def test_only_a_failed_step_has_a_remedy() -> None:
    steps = report(passed(CheckStepName.RESOLVE) | failed(CheckStepName.CONNECT, CheckCode.CONNECT_FAILED)).steps

    assert [step.remedy for step in steps[:3]] == [None, REMEDIES[CheckCode.CONNECT_FAILED].text, None]


def test_words_of_a_newer_version_are_read_as_the_least_they_say() -> None:
    document = json.loads(report(passed(*CheckDepth.FULL.steps)).to_json())
    document["steps"][0] = ["RESOLVE", "FAILED", "DNSSEC_BOGUS", 3, "more"]
    document["steps"][1] = ["CONNECT", "HALFWAY", None, 3]
    document["steps"].append(["RESTORE", "PASSED", None, 9])
    document["more"] = {"of": "it"}

    read = CheckReport.from_json(json.dumps(document))

    assert [step.name for step in read.steps] == list(CheckDepth.FULL.steps)
    assert [step.code for step in read.steps[:3]] == [CheckCode.UNEXPECTED_ANSWER, CheckCode.UNEXPECTED_ANSWER, None]
    assert not read.reachable


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"at":1}', '{"at":"x","steps":[],"suggestion":null}', "{"])
def test_what_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the JSON parser says
        CheckReport.from_json(text)


def test_a_report_covers_the_depths_up_to_its_own_and_a_failed_one_covers_all() -> None:
    for depth in CheckDepth:
        read = report(passed(*depth.steps))
        assert [other for other in CheckDepth if read.covers(other)] == list(CheckDepth)[
            : list(CheckDepth).index(depth) + 1
        ]
    assert all(report(failed(CheckStepName.CONNECT, CheckCode.TIMEOUT)).covers(depth) for depth in CheckDepth)
