"""A Vanguard database is taken over, on each engine and from each: what is in it, and what is odd about it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from models.accounts import accounts
from models.accounts.token import Token
from models.accounts.user import User
from models.accounts.viewer import Protocol, on_behalf_of
from models.destinations.attributes import Attribute, DestinationKind
from models.destinations.table import BackupDestination
from models.takeover.importing import LOCK, ImportRunning, PruneRefused
from models.takeover.preparing import WrongKey
from models.takeover.report import Report
from models.takeover.source_rows import SourceRefused
from tests.support.databases.databases import unserved
from tests.support.databases.postgres import PostgresServer
from tests.support.databases.services import service_of
from tests.support.databases.templates import planted
from tests.support.vanguard.takeover import NOW, PLAIN_ROWS, VAULT, Takeover
from tests.support.vanguard.vanguard_database import (
    LATER,
    OTHER_KEY,
    PREVIOUS_KEY,
    TABLES,
    Rows,
    changed,
    destination,
    into_postgresql,
    into_sqlite,
    sealed,
    token,
    user,
    without,
)

DEADLINE_S = 30


def codes(report: Report, *, refused: bool | None = None) -> dict[tuple[str, int], set[str]]:
    """The codes of the findings of each row."""
    found: dict[tuple[str, int], set[str]] = {}
    for each in report.findings:
        if refused is None or each.is_refused is refused:
            found.setdefault((each.table, each.id), set()).add(each.code)
    return found


async def test_users_tokens_and_destinations_keep_their_ids_owners_times_and_secrets(here: Takeover) -> None:
    source = await here.source(PLAIN_ROWS, backup_destinations=41, users=12, personal_access_tokens=70)

    report = await here.run(source)

    assert report.is_clean
    users = await here.rows("users")
    assert [(each["id"], each["email"], each["destination_count"]) for each in users] == [
        (1, "user1@example.com", 1),
        (2, "ada@example.com", 2),
        (9, "user9@example.com", 0),
    ]
    assert [str(each["created_at"]) for each in users] == ["2024-08-07 00:00:00+00:00"] * 2 + [
        "2026-01-02 03:04:05+00:00"
    ]
    tokens = await here.rows("tokens")
    assert [(each["id"], each["imported_id"], each["user_id"], each["abilities"]) for each in tokens] == [
        (5, 5, 1, "*"),
        (70, 70, 2, "*"),
    ]
    assert [each["expires_at"] for each in tokens] == [None, "2030-01-01 00:00:00+00:00"]
    rows = await here.rows("backup_destinations")
    assert [(each["id"], each["user_id"], each["kind"], each["label"]) for each in rows] == [
        (3, 1, "amazon_s3", "Destination 3"),
        (4, 2, "custom_s3", "Destination 4"),
        (8, 2, "local", "Destination 8"),
    ]
    assert {(each["created_at"], each["updated_at"]) for each in rows} == {
        ("2024-08-07 00:00:00+00:00", "2024-08-07 02:00:00+00:00")
    }
    assert [each["credentials_set_at"] for each in rows] == ["2024-08-07 02:00:00+00:00"] * 2 + [None]
    assert [(each["bucket_name"], each["endpoint"], each["region"]) for each in rows] == [
        ("bucket-3", None, "us-west-2"),
        ("bucket-4", "https://s3.example.com", None),
        (None, None, None),
    ]
    assert await here.secrets(4) == ("AKIA4", "secret-4")
    assert await here.rows("events") == []
    audit = await here.rows("audit")
    assert [(each["kind"], each["actor"], each["subject"]) for each in audit] == [
        ("command_run", "operator", "moorings import vanguard")
    ]
    created = await here.gateway.new_user()
    async with here.gateway.models():
        made = await BackupDestination.create(
            uid="6f2c1b0a-0000-4000-8000-000000000001",
            user_id=created.user_id,
            label="new",
            kind="local",
            created_at=NOW,
            updated_at=NOW,
        )
    assert (created.user_id, made.id) == (13, 42)


async def test_a_dry_run_says_the_same_and_changes_nothing_and_a_second_run_finds_nothing_to_do(here: Takeover) -> None:
    rows = changed(PLAIN_ROWS, "backup_destinations", 3, s3_secret_key=sealed("x", OTHER_KEY))
    source, before = await here.source(rows), await here.everything()

    dry = await here.run(source, is_dry=True)
    assert await here.everything() == before
    first = await here.run(source)
    after = await here.everything()
    second = await here.run(source)

    assert (dry.counts, dry.findings) == (first.counts, first.findings)
    assert codes(first, refused=True) == codes(second) == {("backup_destinations", 3): {"not_opened"}}
    assert [second.counts[table].added + second.counts[table].changed for table in second.counts] == [0, 0, 0]
    again = await here.everything()
    assert len(again.pop("audit")) == len(after.pop("audit")) + 1
    assert again == after


EDGES: dict[str, tuple[dict[str, Any], str | None, dict[str, Any]]] = {
    # what is stored there, the code of the finding, and what is stored here; {} for a row that is refused
    "spaces": ({"type": "digitalocean_spaces", "custom_s3_endpoint": sealed("https://fra1.digitaloceanspaces.com")},
               "spaces", {"kind": "custom_s3", "endpoint": "https://fra1.digitaloceanspaces.com"}),
    "plain text": ({"s3_bucket_name": "old-bucket", "s3_access_key": "AKIAOLD"}, "plain_text",
                   {"bucket_name": "old-bucket"}),
    "twice": ({"s3_bucket_name": sealed(sealed("twice"))}, "encrypted_twice", {"bucket_name": "twice"}),
    "three times": ({"s3_bucket_name": sealed(sealed(sealed("thrice")))}, "encrypted_twice", {"bucket_name": "thrice"}),
    "previous key": ({"s3_bucket_name": sealed("old", PREVIOUS_KEY)}, "previous_key", {"bucket_name": "old"}),
    "no key": ({"s3_access_key": sealed("x", OTHER_KEY)}, "not_opened", {}),
    "leftovers": ({"type": "local", "s3_access_key": sealed("x", OTHER_KEY)}, "leftovers",
                  {"kind": "local", "bucket_name": None, "region": None}),
    "empty credential": ({"s3_secret_key": sealed("")}, "invalid", {}),
    "empty column": ({"s3_access_key": ""}, "invalid", {}),
    "null credential": ({"s3_secret_key": None}, "invalid", {}),
    "no scheme": ({"type": "custom_s3", "custom_s3_endpoint": sealed("s3.example.com:9000")}, "no_scheme", {}),
    "no region": ({"custom_s3_region": None}, "region_missing", {}),
    "long key": ({"s3_access_key": sealed("x" * 256)}, "invalid", {}),
    "key with spaces": ({"s3_secret_key": sealed(" x ")}, "spaces_around", {}),
    "label with spaces": ({"label": "  My label "}, "trimmed", {"label": "My label"}),
    "empty label": ({"label": " "}, "invalid", {}),
    "no created_at": ({"created_at": None}, "no_created_at", {"created_at": "2026-01-02 03:04:05+00:00"}),
    "path style": ({"type": "custom_s3", "custom_s3_endpoint": sealed("https://s3.example.com"),
                    "path_style_endpoint": True}, "path_style", {"path_style_endpoint": True}),
    "unknown type": ({"type": "ftp"}, "unknown_type", {}),
    "missing user": ({"user_id": 77}, "user_missing", {}),
    "great id": ({"id": 2**31}, "id_out_of_range", {}),
}  # fmt: skip


async def test_every_edge_case_of_a_destination_is_decided_and_reported(here: Takeover) -> None:
    names = list(EDGES)
    rows = [{**destination(number, 1), **EDGES[name][0]} for number, name in enumerate(names, start=100)]

    report = await here.run({**PLAIN_ROWS, "backup_destinations": [destination(3, 1), *rows]})

    found, stored = codes(report), {each["id"]: each for each in await here.rows("backup_destinations")}
    for number, name in enumerate(names, start=100):
        id_, (_, code, expected) = EDGES[name][0].get("id", number), EDGES[name]
        assert code in found[("backup_destinations", id_)], name
        assert (id_ in stored) == bool(expected), name
        if expected:
            row = stored[id_]
            row["path_style_endpoint"] = (
                None if row["path_style_endpoint"] is None else bool(row["path_style_endpoint"])
            )
            assert {column: row[column] for column in expected} == expected, name
    assert not report.is_clean
    created = await here.gateway.new_user()
    assert created.user_id == 10
    sequence = await here.gateway.rows("SELECT max(id) AS n FROM backup_destinations")
    assert sequence[0]["n"] < 2**31 - 1


async def test_a_huge_id_leaves_the_next_ids_behind_all_that_can_be_one(here: Takeover) -> None:
    huge = 2**31 - 1
    refused = destination(60, 2, s3_access_key=sealed("x", OTHER_KEY))
    rows: Rows = {**PLAIN_ROWS, "users": [*PLAIN_ROWS["users"], user(50, name=""), user(huge)]}
    rows["backup_destinations"] = [*rows["backup_destinations"], refused, destination(huge, 2)]

    report = await here.run(rows)

    assert [each.sentence.rsplit(" ", 1)[1] for each in report.findings if each.code == "next_id"] == ["50.", "60."]
    assert codes(report, refused=True)[("users", huge)] == {"id_out_of_range"}
    account = await here.gateway.new_user()
    async with here.gateway.models():
        made = await service_of(VAULT).create(
            on_behalf_of(account.user_id, Protocol.COMMAND_LINE),
            {Attribute.LABEL: "Made", Attribute.KIND: DestinationKind.LOCAL},
        )
    assert (account.user_id, made.id) == (51, 61)


async def test_a_row_that_is_not_utf_8_is_refused_and_the_others_go_on(stored: Takeover) -> None:
    """SQLite stores whatever bytes it is given as a text."""
    path = stored.gateway.directory / "damaged"
    source = into_sqlite(path, PLAIN_ROWS)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE backup_destinations SET label = CAST(X'41FF' AS TEXT) WHERE id = 3")
        database.execute("UPDATE personal_access_tokens SET name = CAST(X'FF' AS TEXT) WHERE id = 5")

    report = await stored.run(source)

    assert codes(report, refused=True) == {
        ("personal_access_tokens", 5): {"malformed"},
        ("backup_destinations", 3): {"malformed"},
    }
    assert [each["id"] for each in await stored.rows("backup_destinations")] == [4, 8]


async def test_an_endpoint_without_a_scheme_gets_https_where_the_operator_says_so(here: Takeover) -> None:
    row = destination(3, 1, "custom_s3", custom_s3_endpoint=sealed("s3.example.com:9000"))

    report = await here.run({**PLAIN_ROWS, "backup_destinations": [row]}, assume_https=True)

    assert codes(report)[("backup_destinations", 3)] == {"assumed_https"}
    assert (await here.rows("backup_destinations"))[0]["endpoint"] == "https://s3.example.com:9000"


async def test_every_edge_case_of_users_and_tokens_is_decided_and_reported(here: Takeover) -> None:
    rows: Rows = {
        "users": [
            user(1),
            user(2, email="USER1@example.com"),
            user(3, name=""),
            user(4),
            user(5),
            user(6),
            user(7, name=" 👩\u200d💻 Ada\n"),
            user(2**31),
        ],
        "user_suspensions": [
            {"id": 1, "user_id": 4, "suspended_at": "2025-05-05 00:00:00", "suspended_until": None, "lifted_at": None},
            {
                "id": 2,
                "user_id": 5,
                "suspended_at": "2025-05-05 00:00:00",
                "suspended_until": "2025-06-05 00:00:00",
                "lifted_at": None,
            },
            {
                "id": 3,
                "user_id": 6,
                "suspended_at": "2025-05-05 00:00:00",
                "suspended_until": None,
                "lifted_at": "2025-05-06 00:00:00",
            },
        ],
        "personal_access_tokens": [
            token(1, 1, "a" * 40, abilities='["view-backup-destinations", "manage-tags", "view-backup-tasks"]'),
            token(2, 1, "b" * 40, abilities='["manage-tags"]'),
            token(3, 1, "c" * 40, abilities=None),
            token(4, 1, "d" * 40, tokenable_type="App\\Models\\Team"),
            token(5, 2, "e" * 40),
            token(6, 99, "f" * 40),
            token(2**31, 1, "g" * 40),
            token(8, 1, "h" * 40, name=" Phone "),
            token(9, 1, "i" * 40, abilities='{"0": "view-backup-destinations", "2": "delete-backup-destinations"}'),
            token(10, 1, "j" * 40, abilities='{"0": {}}'),
        ],
        "backup_destinations": [destination(1, 1), destination(2, 2)],
    }

    report = await here.run(rows)

    assert codes(report, refused=True) == {
        ("users", 2): {"email_twice"},
        ("users", 3): {"invalid"},
        ("users", 2**31): {"id_out_of_range"},
        ("personal_access_tokens", 4): {"not_of_a_user"},
        ("personal_access_tokens", 5): {"user_refused"},
        ("personal_access_tokens", 6): {"user_missing"},
        ("personal_access_tokens", 10): {"invalid"},
        ("personal_access_tokens", 2**31): {"id_out_of_range"},
        ("backup_destinations", 2): {"user_refused"},
    }
    assert "user 1" in next(each.sentence for each in report.findings if each.code == "email_twice")
    assert codes(report, refused=False) == {
        ("users", 4): {"suspended"},
        ("users", 7): {"trimmed"},
        ("personal_access_tokens", 1): {"abilities_left_out"},
        ("personal_access_tokens", 2): {"abilities_left_out"},
        ("personal_access_tokens", 3): {"no_abilities"},
        ("personal_access_tokens", 8): {"trimmed"},
        ("users", 2**31): {"next_id"},
        ("personal_access_tokens", 2**31): {"next_id"},
    }
    users = {each["id"]: each["disabled_at"] for each in await here.rows("users")}
    assert users == {1: None, 4: "2025-05-05 00:00:00+00:00", 5: None, 6: None, 7: None}
    assert (await here.rows("users"))[-1]["name"] == "👩💻 Ada"
    tokens = {each["id"]: (each["name"], each["abilities"]) for each in await here.rows("tokens")}
    assert tokens == {
        1: ("token 1", "view-backup-destinations"),
        2: ("token 2", ""),
        3: ("token 3", ""),
        8: ("Phone", "*"),
        9: ("token 9", "delete-backup-destinations view-backup-destinations"),
    }


async def test_the_id_of_a_token_that_was_removed_here_is_given_to_no_other(stored: Takeover) -> None:
    """The audit names it; an imported token with the same number there gets another here."""
    async with stored.gateway.models():
        owner = await accounts.create_user(email="here@example.com", name="Here")
        texts = [await accounts.issue_token(owner, name="gone") for _ in range(2)]
        gone = [int(text.partition("|")[0]) for text in texts]
        for id_ in gone:
            await accounts.revoke_token(id_)
        await Token.filter(id__in=gone).delete()
    rows = PLAIN_ROWS | {
        "users": [user(70)],
        "personal_access_tokens": [token(id_, 70, f"{id_}" * 40) for id_ in (*gone, gone[-1] + 1)],
        "backup_destinations": [],
    }

    report = await stored.run(rows)

    assert report.is_clean
    imported = {each["imported_id"]: each["id"] for each in await stored.rows("tokens")}
    assert set(imported) == {*gone, gone[-1] + 1}
    assert not set(imported.values()) & set(gone)
    assert imported[gone[-1] + 1] == gone[-1] + 1


async def test_suspended_users_keep_the_use_of_their_tokens_where_the_operator_says_so(here: Takeover) -> None:
    suspension = {"id": 1, "user_id": 1, "suspended_at": LATER, "suspended_until": None, "lifted_at": None}

    report = await here.run({**PLAIN_ROWS, "user_suspensions": [suspension]}, disable_suspended=False)

    assert codes(report)[("users", 1)] == {"suspended"}
    assert (await here.rows("users"))[0]["disabled_at"] is None


async def test_timestamps_are_of_the_applications_time_zone(here: Takeover) -> None:
    await here.run(PLAIN_ROWS, zone="America/New_York")

    assert (await here.rows("backup_destinations"))[0]["updated_at"] == "2024-08-07 06:00:00+00:00"


async def test_a_wrong_key_ends_the_import_at_once(here: Takeover) -> None:
    before = await here.everything()

    for is_dry in (True, False):
        with pytest.raises(WrongKey):
            await here.run(PLAIN_ROWS, keys=(OTHER_KEY, ""), is_dry=is_dry)

    assert await here.everything() == before


async def test_rows_here_that_were_not_imported_are_refused_to_be_replaced(here: Takeover) -> None:
    account = await here.gateway.new_user()
    assert account.user_id == 1

    report = await here.run({**PLAIN_ROWS, "users": [user(1), user(2, email=account.email), user(9)]})

    refused = codes(report, refused=True)
    assert refused[("users", 1)] == {"id_taken"}
    assert refused[("users", 2)] == {"email_taken"}
    assert refused[("backup_destinations", 3)] == {"user_refused"}
    assert [each["email"] for each in await here.rows("users")] == [account.email, "user9@example.com"]
    assert len(await here.rows("tokens")) == 2


async def test_the_user_of_the_first_start_makes_room_and_its_token_still_works(here: Takeover) -> None:
    async with here.gateway.models():
        first = await accounts.create_user(email="admin@localhost", name="Admin")
        await accounts.issue_token(first, name="first start")

    report = await here.run({**PLAIN_ROWS, "personal_access_tokens": [token(1, 1, "a" * 40)]})

    assert report.is_clean
    assert codes(report)[("users", 1)] == {"first_user_moved"}
    users = {each["id"]: each["email"] for each in await here.rows("users")}
    assert users == {1: "user1@example.com", 2: "ada@example.com", 9: "user9@example.com", 10: "admin@localhost"}
    tokens = [(each["user_id"], each["imported_id"]) for each in await here.rows("tokens")]
    assert sorted(tokens, key=str) == [(1, 1), (10, None)]


async def test_a_source_that_goes_on_is_followed(here: Takeover) -> None:
    await here.run(PLAIN_ROWS)
    async with here.gateway.models():
        here_changed = await BackupDestination.get(id=4)
        here_changed.label, here_changed.version = "Changed here", here_changed.version + 1
        await here_changed.save()
    rows = changed(PLAIN_ROWS, "backup_destinations", 3, label="Moved", s3_secret_key=sealed("new"), updated_at=LATER)
    rows = changed(rows, "backup_destinations", 4, label="Changed there")
    rows = changed(rows, "users", 1, name="Renamed")
    rows["users"] = [*rows["users"], user(11)]
    rows["personal_access_tokens"] = [token(71, 11, "c" * 40), rows["personal_access_tokens"][1]]
    rows["backup_destinations"] = [each for each in rows["backup_destinations"] if each["id"] != 8]
    source, before = await here.source(rows), await here.everything()

    plain = await here.run(source)
    assert codes(plain)[("backup_destinations", 3)] == {"changed_there"}
    assert (await here.rows("backup_destinations"))[:2] == before["backup_destinations"][:2]
    report = await here.run(source, is_sync=True)
    assert codes(report) == {
        ("personal_access_tokens", 5): {"gone_there"},
        ("backup_destinations", 4): {"changed_on_both"},
        ("backup_destinations", 8): {"gone_there"},
    } | {key: value for key, value in codes(report).items() if value == {"path_style"}}
    assert report.counts["users"].changed == report.counts["backup_destinations"].changed == 1
    assert len(await here.rows("backup_destinations")) == 3
    pruned = await here.run(source, is_sync=True, is_pruning=True)

    assert [pruned.counts[table].removed for table in pruned.counts] == [0, 1, 1]
    assert [each["name"] for each in await here.rows("users")] == ["Renamed", "User 2", "User 9", "User 11"]
    assert [each["revoked_at"] is not None for each in await here.rows("tokens")] == [True, False, False]
    rows_here = await here.rows("backup_destinations")
    assert [(each["id"], each["label"]) for each in rows_here] == [(3, "Moved"), (4, "Changed here")]
    assert await here.secrets(3) == ("AKIA3", "new")
    assert rows_here[0]["uid"] == before["backup_destinations"][0]["uid"]
    assert (await here.run(without(rows, "backup_destinations", 4), is_sync=True, is_pruning=True)).counts[
        "backup_destinations"
    ].refused == 1


async def test_a_prune_by_an_incomplete_source_changes_nothing(stored: Takeover) -> None:
    many: Rows = {**PLAIN_ROWS, "backup_destinations": [destination(id_, 1, "local") for id_ in range(1, 21)]}
    await stored.run(many)
    before = await stored.everything()
    half, less = (without(many, "backup_destinations", *range(1, 1 + gone)) for gone in (10, 11))

    for rows, sentence in (
        ({**many, "users": [], "personal_access_tokens": [], "backup_destinations": []}, "3 of the 3 .* users"),
        ({**many, "personal_access_tokens": []}, "2 of the 2 .* personal_access_tokens .* 0 rows"),
        (less, "11 of the 20 .* backup_destinations .* 9 rows"),
    ):
        for is_dry in (True, False):
            with pytest.raises(PruneRefused, match=sentence):
                await stored.run(rows, is_sync=True, is_pruning=True, is_dry=is_dry)
    assert await stored.everything() == before

    assert (await stored.run(half, is_sync=True, is_pruning=True)).counts["backup_destinations"].removed == 10
    nothing: Rows = {**many, "backup_destinations": []}
    report = await stored.run(nothing, is_sync=True, is_pruning=True, is_pruning_all=True)
    assert report.counts["backup_destinations"].removed == 10


async def test_what_the_operator_ended_stays_so_when_its_row_is_back(stored: Takeover) -> None:
    suspension = {"id": 1, "user_id": 9, "suspended_at": LATER, "suspended_until": None, "lifted_at": None}
    rows: Rows = {
        **PLAIN_ROWS,
        "users": [*PLAIN_ROWS["users"], user(10), user(11)],
        "user_suspensions": [suspension, {**suspension, "id": 2, "user_id": 11}],
    }
    await stored.run(rows)
    async with stored.gateway.models():
        await accounts.revoke_token(5)
        for email in ("ada@example.com", "user11@example.com"):
            await accounts.disable_user(email, disabled=True)
    gone = without(without(without(rows, "users", 2, 10), "personal_access_tokens", 5, 70), "backup_destinations", 4, 8)
    gone["personal_access_tokens"] = [token(71, 1, "c" * 40)]
    await stored.run(gone, is_sync=True, is_pruning=True)
    assert [each["revoked_at"] is None for each in await stored.rows("tokens")] == [False, False, True]
    back = {**rows, "user_suspensions": []}

    dry = await stored.run(back, is_sync=True, is_dry=True)
    report = await stored.run(back, is_sync=True)

    expected = {
        ("users", 2): {"stays_ended"},
        ("users", 9): {"valid_again"},
        ("users", 10): {"valid_again"},
        ("users", 11): {"stays_ended"},
        ("personal_access_tokens", 5): {"stays_ended"},
        ("personal_access_tokens", 70): {"valid_again"},
    }
    for found in (codes(dry), codes(report)):
        decided = {key: value & {"valid_again", "stays_ended"} for key, value in found.items()}
        assert {key: value for key, value in decided.items() if value} == expected
    tokens = {each["id"]: each["revoked_at"] is None for each in await stored.rows("tokens")}
    assert (tokens[5], tokens[70]) == (False, True)
    users = {each["id"]: each["disabled_at"] is None for each in await stored.rows("users")}
    assert users == {1: True, 2: False, 9: True, 10: True, 11: False}
    # A suspension that comes and goes there does not enable what the operator disabled here.
    ada = [{**suspension, "user_id": 2}]
    await stored.run({**rows, "user_suspensions": ada}, is_sync=True)
    await stored.run(back, is_sync=True)
    assert next(each["disabled_at"] for each in await stored.rows("users") if each["id"] == 2) is not None


async def test_what_a_prune_ended_and_then_the_operator_stays_so_however_often_its_row_is_back(
    stored: Takeover,
) -> None:
    """Both in one second: the times alone do not tell them apart."""
    source: Rows = {**PLAIN_ROWS, "users": [*PLAIN_ROWS["users"], user(10)], "backup_destinations": []}
    await stored.run(source)
    gone = without(without(source, "personal_access_tokens", 70), "users", 10)
    await stored.run(gone, is_sync=True, is_pruning=True)
    async with stored.gateway.models():
        await accounts.revoke_token(70)
        await accounts.revoke_token(70)
        await accounts.disable_user("user10@example.com", disabled=True)
        await User.filter(id=10).update(disabled_at=NOW)
    acts = await stored.gateway.rows("SELECT kind FROM audit WHERE kind = 'token_revoked'")
    assert len(acts) == 1

    for _ in range(2):
        report = await stored.run(source, is_sync=True)

        assert codes(report)[("personal_access_tokens", 70)] == codes(report)[("users", 10)] == {"stays_ended"}
        assert [each["revoked_at"] is None for each in await stored.rows("tokens")] == [True, False]
        assert [each["disabled_at"] is None for each in await stored.rows("users")] == [True, True, True, False]
        await stored.run(gone, is_sync=True, is_pruning=True)


async def test_a_revocation_while_a_prune_runs_stays_so(postgres: PostgresServer) -> None:
    """On SQLite one of the two waits for the other's turn."""
    url = planted(postgres)
    with unserved(url) as gateway:
        here = Takeover(gateway, postgres, "sqlite")
        await here.run(PLAIN_ROWS)
        gone = without(PLAIN_ROWS, "personal_access_tokens", 70)
        other, watching = await asyncpg.connect(url), await asyncpg.connect(url)
        try:
            revoking = other.transaction()
            await revoking.start()
            await other.execute("UPDATE tokens SET revoked_at = '2026-01-01' WHERE id = 70")
            pruning = asyncio.create_task(here.run(gone, is_sync=True, is_pruning=True))
            waiting = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            async with asyncio.timeout(DEADLINE_S):
                while not await watching.fetchval(waiting):
                    assert not pruning.done()
            await revoking.commit()
            await pruning
        finally:
            await other.close()
            await watching.close()

        report = await here.run(PLAIN_ROWS, is_sync=True)

        assert codes(report)[("personal_access_tokens", 70)] == {"stays_ended"}
        assert [each["revoked_at"] for each in await here.rows("tokens")] == [None, "2026-01-01 00:00:00+00:00"]


async def test_a_source_that_is_locked_is_refused_in_a_sentence(stored: Takeover) -> None:
    source = await stored.source(PLAIN_ROWS)
    if source.startswith("sqlite"):
        with closing(sqlite3.connect(source.removeprefix("sqlite:///"), isolation_level=None)) as database:
            database.execute("BEGIN EXCLUSIVE")
            with pytest.raises(SourceRefused, match="locked by another process"):
                await stored.run(source)
    else:
        connection = await asyncpg.connect(source)
        try:
            async with connection.transaction():
                await connection.execute("LOCK TABLE personal_access_tokens")
                with pytest.raises(SourceRefused, match="locked by another process"):
                    await stored.run(source)
        finally:
            await connection.close()

    assert (await stored.run(source)).is_clean


async def test_a_source_that_is_none_is_refused_in_a_sentence(here: Takeover, postgres: PostgresServer) -> None:
    with pytest.raises(SourceRefused):
        await here.run(here.gateway.database_url)
    if here.gateway.engine == "sqlite":
        with pytest.raises(SourceRefused, match="no file"):
            await here.run(f"sqlite:///{here.gateway.directory}/gone.db")
    else:
        with pytest.raises(SourceRefused, match="no database"):
            await here.run(postgres.url("gone"))


async def test_a_reader_of_another_schema_needs_the_sequences_too(postgres: PostgresServer) -> None:
    """They say which ids were given; without them ids would come back."""
    there_name, reader = (f"{kind}_{uuid4().hex}" for kind in ("vanguard", "reader"))
    postgres.create_database(there_name)
    source = await into_postgresql(postgres.url(there_name), PLAIN_ROWS, highest={"users": 12})
    statements = [f"ALTER TABLE {table} SET SCHEMA vanguard" for table in TABLES]
    statements += [f"CREATE ROLE {reader} LOGIN PASSWORD 'r'", f"GRANT USAGE ON SCHEMA vanguard TO {reader}"]
    for statement in (
        "CREATE SCHEMA vanguard",
        *statements,
        f"GRANT SELECT ON ALL TABLES IN SCHEMA vanguard TO {reader}",
    ):
        postgres.execute(there_name, statement)
    read = f"{postgres.url(there_name, user=reader, password='r')}&search_path=vanguard"
    with unserved(planted(postgres)) as gateway:
        here = Takeover(gateway, postgres, "postgresql")
        with pytest.raises(SourceRefused, match="no Vanguard database"):
            await here.run(source)
        with pytest.raises(SourceRefused, match="too few rights there: permission denied for sequence users_id_seq"):
            await here.run(read)
        postgres.execute(there_name, f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA vanguard TO {reader}")

        assert (await here.run(read)).is_clean
        assert (await gateway.new_user()).user_id == 13
    postgres.execute(there_name, f"DROP OWNED BY {reader}")
    postgres.execute(there_name, f"DROP ROLE {reader}")


async def test_an_import_while_another_one_runs_is_refused_and_changes_nothing(postgres: PostgresServer) -> None:
    """On SQLite the second one waits for the writer's turn."""
    url = planted(postgres)
    with unserved(url) as gateway:
        here = Takeover(gateway, postgres, "sqlite")
        other = await asyncpg.connect(url)
        await other.execute("SELECT pg_advisory_lock($1)", LOCK)
        try:
            with pytest.raises(ImportRunning):
                await here.run(PLAIN_ROWS)
        finally:
            await other.close()

        assert await here.rows("users") == []
        assert (await here.run(PLAIN_ROWS)).is_clean
