"""Encrypted columns of Laravel: its own payloads open, ours are as its own, and nothing else passes for one."""

from __future__ import annotations

import base64
import json

import pytest

from models.takeover.laravel import AppKeyRefused, LaravelKeys, Oddity, PayloadRefused, is_payload
from models.vault.secret import Secret
from tests.support.paths import ROOT
from tests.support.vanguard.vanguard_database import KEY, OTHER_KEY, PREVIOUS_KEY, sealed

CASES = json.loads((ROOT / "tests" / "support" / "vanguard" / "vectors.json").read_text())
KEYS = LaravelKeys(CASES["key"], CASES["previous"])


@pytest.mark.parametrize("case", CASES["vectors"], ids=lambda case: case["text"][:12])
def test_payloads_of_laravels_own_encrypter_open(case: dict[str, str]) -> None:
    opened = KEYS.open(case["payload"])

    assert opened.secret.reveal() == case["text"]
    assert (Oddity.PREVIOUS_KEY in opened.oddities) == (case.get("key") == "previous")
    assert (Oddity.SERIALIZED in opened.oddities) == ("note" in case)


def test_what_is_sealed_here_opens_again_and_has_the_form_of_laravels() -> None:
    for text in ("", "a", "x" * 16, "ünïcode ☂", 'quote" \\ / slash', "x" * 5_000):
        payload = KEYS.seal(Secret(text))
        parts = json.loads(base64.b64decode(payload))

        assert KEYS.open(payload).secret.reveal() == text
        assert list(parts) == list(json.loads(base64.b64decode(CASES["vectors"][0]["payload"])))
        assert (len(base64.b64decode(parts["iv"])), parts["tag"]) == (16, "")
    assert KEYS.seal(Secret("a")) != KEYS.seal(Secret("a"))


def test_a_payload_that_was_encrypted_again_opens_up_to_three_layers() -> None:
    payload = "inside"
    for layers in range(1, 4):
        payload = sealed(payload)
        opened = LaravelKeys(KEY).open(payload)
        assert opened.secret.reveal() == "inside"
        assert (Oddity.TWICE in opened.oddities) == (layers > 1)
    with pytest.raises(PayloadRefused):
        LaravelKeys(KEY).open(sealed(payload))


@pytest.mark.parametrize("text", ["AKIAEXAMPLE", "https://s3.example.com", "eyJhIjoxfQ==", "W10=", "", "bnVsbA==", "é"])
def test_a_text_that_is_no_payload_is_taken_as_it_is(text: str) -> None:
    opened = LaravelKeys(KEY).open(text)

    assert (opened.secret.reveal(), opened.oddities) == (text, frozenset({Oddity.PLAIN}))
    assert not is_payload(text)


def test_a_payload_of_another_key_or_with_one_changed_letter_is_refused_and_says_nothing_of_itself() -> None:
    keys, payload = LaravelKeys(KEY, PREVIOUS_KEY), sealed("a-secret")
    parts = json.loads(base64.b64decode(payload))
    others = [sealed("a-secret", OTHER_KEY)]
    for name in ("iv", "value", "mac"):
        text = parts[name]
        changed = text[:3] + ("A" if text[3] != "A" else "B") + text[4:]
        others.append(base64.b64encode(json.dumps({**parts, name: changed}).encode()).decode())

    for other in others:
        with pytest.raises(PayloadRefused) as refused:
            keys.open(other)
        assert "a-secret" not in str(refused.value)
        assert (is_payload(other), keys.fits(other)) == (True, False)


def test_what_is_left_of_a_payload_is_refused_and_not_taken_for_a_plain_text() -> None:
    keys, payload = LaravelKeys(KEY), sealed("AKIAEXAMPLE")
    for at in range(10, len(payload) - 60, 7):
        pieces = (payload[:at], payload[at:], payload[:at] + payload[at + 1 :], payload[:at] + "A" + payload[at:])
        for damaged in (*pieces, payload[:at] + "!" + payload[at + 1 :], payload[:at] + "é" + payload[at:]):
            with pytest.raises(PayloadRefused):
                keys.open(damaged)


def test_gcm_is_refused_by_its_name() -> None:
    with pytest.raises(PayloadRefused, match="GCM"):
        KEYS.open(CASES["gcm"]["payload"])


@pytest.mark.parametrize("key", ["", "base64:", "base64:AAAA", KEY.removeprefix("base64:"), KEY + "AAAA", "base64:é"])
def test_a_key_in_another_form_is_refused_without_a_byte_of_it(key: str) -> None:
    for arguments in ((key, ""), (KEY, key or "x")):
        with pytest.raises(AppKeyRefused) as refused:
            LaravelKeys(*arguments)
        assert len(key) < 20 or key[10:] not in str(refused.value)
