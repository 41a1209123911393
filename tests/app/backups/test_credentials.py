"""The operator prints the credentials of a destination where it says so, and the audit says who did."""

from __future__ import annotations

import configparser
import json
import shlex
from collections.abc import Mapping

import pytest

from app.backups.credentials import FORMATS, Credentials
from app.backups.refusals import BackupRefused
from models.audit.operator import os_user
from models.checks.report import ProbeTarget
from models.vault.secret import Secret
from tests.support.gateway.gateway import Gateway
from tests.support.stores.probing import target

SECRET = "se'cr%et #;=/+ key"


def printed(program: str, there: ProbeTarget) -> str:
    return FORMATS[program](Credentials.of(7, there))


def custom(**changes: object) -> ProbeTarget:
    return target("https://store.example:9000/s3", secret_key=Secret(SECRET), **changes)


def test_restics_variables_are_read_by_a_shell_as_they_are() -> None:
    words = shlex.split(printed("restic", custom()), comments=True)

    assert dict(word.partition("=")[::2] for word in words if word != "export") == {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "RESTIC_REPOSITORY": "s3:https://store.example:9000/s3/nightly",
    }


def test_amazons_own_endpoint_is_that_of_the_region() -> None:
    amazon = target(None, region="eu-central-1", path_style=False)

    assert "RESTIC_REPOSITORY=s3:https://s3.eu-central-1.amazonaws.com/nightly" in printed("restic", amazon)
    assert "endpoint" not in printed("rclone", amazon)
    assert "provider = AWS" in printed("rclone", amazon)
    assert "addressing_style = virtual" in printed("aws", amazon)


@pytest.mark.parametrize(("program", "section"), [("rclone", "moorings-7"), ("aws", "profile moorings-7")])
def test_the_files_have_every_value_as_it_is(program: str, section: str) -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(printed(program, custom()))

    values = dict(parser[section])
    assert SECRET in values.values()
    assert "https://store.example:9000/s3" in values.values()


@pytest.mark.parametrize("secret", ["two\nlines", " space", "tab\t"])
def test_what_no_line_can_hold_is_refused(secret: str) -> None:
    with pytest.raises(BackupRefused):
        printed("aws", target("https://store.example", secret_key=Secret(secret)))


async def test_the_command_reveals_when_it_is_asked_to_and_the_audit_says_so(gateways: Mapping[str, Gateway]) -> None:
    gateway = gateways["sqlite"]
    account = await gateway.new_user()
    id_ = await account.create(s3_secret_key=SECRET.replace(" ", "_"))
    local = await account.create("local")

    refused = gateway.command("credentials", str(id_), "--format", "aws")
    revealed = gateway.command("credentials", str(id_), "--format", "aws", "--reveal")
    of_local = gateway.command("credentials", str(local), "--format", "aws", "--reveal")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--reveal" in refused.stderr
    assert (revealed.returncode, revealed.stderr) == (0, "")
    assert f"aws_secret_access_key = {SECRET.replace(' ', '_')}\n" in revealed.stdout
    assert (of_local.returncode, of_local.stdout) == (1, "")
    of_user = f"SELECT * FROM audit WHERE kind = 'credentials_revealed' AND user_id = {account.user_id}"  # noqa: S608 - our own
    entries = await gateway.rows(of_user)
    (entry,) = entries
    assert (entry["actor"], entry["os_user"], entry["subject"]) == ("operator", os_user(), f"destination {id_}")
    assert json.loads(entry["detail"]) == {"format": "aws"}
