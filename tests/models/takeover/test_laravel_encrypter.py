"""Laravel's own encrypter opens what is sealed here, and what it seals opens here."""

from __future__ import annotations

from models.takeover.laravel import LaravelKeys
from models.vault.secret import Secret
from tests.support.vanguard import laravel_encrypter
from tests.support.vanguard.vanguard_database import KEY

TEXTS = ("", "a", "x" * 15, "x" * 16, "ünïcode ☂", 'quote" \\ / slash', "x" * 3_000)


def test_laravel_and_the_gateway_open_each_others_payloads() -> None:
    keys = LaravelKeys(KEY)

    assert laravel_encrypter.opened(KEY, [keys.seal(Secret(text)) for text in TEXTS]) == list(TEXTS)
    assert [keys.open(payload).secret.reveal() for payload in laravel_encrypter.sealed(KEY, TEXTS)] == list(TEXTS)
