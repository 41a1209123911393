"""A secret in the clear hides itself from everybody who does not ask it to reveal itself."""

from __future__ import annotations

import copy
import io
import json
import logging
import pickle
from collections.abc import Callable

import pytest

from models.destinations.attributes import Attribute, DestinationKind
from models.destinations.validation import parse
from models.vault.secret import Secret

TEXT = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SECRET = Secret(TEXT)


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        ascii,
        "{}".format,
        "{:>99}".format,
        lambda secret: f"{secret}",
        lambda secret: f"{secret!r:.20}",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - logging formats so
        lambda secret: str([secret, {"secret": secret}]),
        lambda secret: json.dumps({"secret": secret}, default=str),
    ],
)
def test_a_secret_hides_itself_however_it_is_shown(show: Callable[[Secret], str]) -> None:
    assert TEXT[:5] not in show(SECRET)
    assert "Secret(…)" in show(SECRET) or "Secret(\\u2026)" in show(SECRET)


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy, vars, json.dumps])
def test_a_secret_is_not_taken_apart(take: Callable[[Secret], object]) -> None:
    with pytest.raises(TypeError) as refused:
        take(SECRET)
    assert TEXT not in str(refused.value)


def test_a_secret_hides_itself_in_a_log_even_with_its_traceback() -> None:
    written = io.StringIO()
    logger = logging.getLogger("tests.secret")
    handler = logging.StreamHandler(written)
    logger.addHandler(handler)

    try:
        raise ValueError(SECRET)
    except ValueError:
        logger.exception("failed with %s and %r", SECRET, {"secret": SECRET})
    finally:
        logger.removeHandler(handler)

    assert "Secret(…)" in written.getvalue()
    assert TEXT not in written.getvalue()


def test_checked_attributes_do_not_show_the_credentials_they_carry() -> None:
    raw = {
        Attribute.LABEL: "Nightly",
        Attribute.KIND: DestinationKind.AMAZON_S3,
        Attribute.ACCESS_KEY: f"A{TEXT}",
        Attribute.SECRET_KEY: TEXT,
        Attribute.BUCKET_NAME: "nightly",
        Attribute.REGION: "eu-west-1",
        Attribute.PATH_STYLE_ENDPOINT: False,
    }

    attributes = parse(raw)

    assert attributes[Attribute.SECRET_KEY] == SECRET
    assert TEXT not in repr(attributes)


def test_secrets_are_equal_when_their_texts_are() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
