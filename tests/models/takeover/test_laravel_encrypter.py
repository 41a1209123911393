"""Laravel's own encrypter opens what is sealed here, and what it seals opens here: a whole source of twelve."""

from __future__ import annotations

from models.takeover.laravel import LaravelKeys
from models.vault.secret import Secret
from tests.support.vanguard import laravel_encrypter
from tests.support.vanguard.takeover import PLAIN_ROWS, Takeover
from tests.support.vanguard.vanguard_database import KEY, OTHER_KEY, PREVIOUS_KEY, Rows, destination

TEXTS = ("", "a", "x" * 15, "x" * 16, "ünïcode ☂", 'quote" \\ / slash', "x" * 3_000)


def test_laravel_and_the_gateway_open_each_others_payloads() -> None:
    keys = LaravelKeys(KEY)

    assert laravel_encrypter.opened(KEY, [keys.seal(Secret(text)) for text in TEXTS]) == list(TEXTS)
    assert [keys.open(payload).secret.reveal() for payload in laravel_encrypter.sealed(KEY, TEXTS)] == list(TEXTS)


async def test_a_source_that_laravel_encrypted_is_taken_over_but_for_the_three_that_cannot_be(stored: Takeover) -> None:
    names = ("AKIAÜ", "geheim ☂", "nightly", "https://s3.example.com", "", "https://fra1.digitaloceanspaces.com")
    access, secret, bucket, endpoint, empty, spaces = laravel_encrypter.sealed(KEY, names)
    (twice,) = laravel_encrypter.sealed(KEY, [bucket])
    (old,), (foreign,) = (laravel_encrypter.sealed(key, ["AKIAOLD"]) for key in (PREVIOUS_KEY, OTHER_KEY))
    kept = {"s3_access_key": access, "s3_secret_key": secret, "s3_bucket_name": bucket}
    of_custom = {**kept, "custom_s3_endpoint": endpoint}
    rows: Rows = {
        **PLAIN_ROWS,
        "backup_destinations": [
            destination(1, 1, **kept),
            destination(2, 1, "custom_s3", **of_custom),
            destination(3, 1, "digitalocean_spaces", **{**kept, "custom_s3_endpoint": spaces}),
            destination(4, 1, "local", **of_custom),
            destination(5, 2, **{**kept, "s3_bucket_name": "plain-bucket"}),
            destination(6, 2, **{**kept, "s3_bucket_name": twice}),
            destination(7, 2, **{**kept, "s3_access_key": old}),
            destination(8, 2, "custom_s3", **of_custom, path_style_endpoint=True),
            destination(9, 2, **kept, label="  Mine "),
            destination(10, 2, **{**kept, "s3_access_key": foreign}),
            destination(11, 2, **{**kept, "s3_secret_key": empty}),
            destination(12, 2, **kept, custom_s3_region=None),
        ],
    }

    first = await stored.run(rows)
    again = await stored.run(rows)

    for report in (first, again):
        refused = [(each.id, each.code) for each in report.sorted_findings() if each.is_refused]
        assert refused == [(10, "not_opened"), (11, "invalid"), (12, "region_missing")]
    counts = first.counts["backup_destinations"], again.counts["backup_destinations"]
    assert [(each.added, each.changed, each.unchanged, each.refused) for each in counts] == [(9, 0, 0, 3), (0, 0, 9, 3)]
    here = {each["id"]: each for each in await stored.rows("backup_destinations")}
    assert list(here) == list(range(1, 10))
    assert (here[3]["kind"], here[3]["endpoint"]) == ("custom_s3", "https://fra1.digitaloceanspaces.com")
    assert (here[5]["bucket_name"], here[6]["bucket_name"], here[9]["label"]) == ("plain-bucket", "nightly", "Mine")
    assert [await stored.secrets(id_) for id_ in (2, 7)] == [("AKIAÜ", "geheim ☂"), ("AKIAOLD", "geheim ☂")]
