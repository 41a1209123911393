"""Settings come from the environment; whatever is wrong with one is told with its name and form, never its value."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from app.database import parse_address
from app.settings import PREFIX, Settings, SettingsRefused, load_settings, unknown_variables
from models.vault import generate_key
from tests.gateway import Gateway

EXAMPLE = (Path(__file__).parent.parent / ".env.example").read_text()

WRONG = [
    ("DATABASE_URL", "oracle://scott:hunter22@db/x", "sqlite:///"),
    ("DATABASE_URL", "hunter22.db", "postgresql://"),
    ("DATABASE_URL", "sqlite:///:memory:hunter22", "sqlite:///"),
    ("PUBLIC_URL", "hunter22.example.com", "https://"),
    ("PUBLIC_URL", "ftp://hunter22.example.com", "https://"),
    ("PUBLIC_URL", "https://example.com/?hunter22", "https://"),
    ("ALLOWED_HOSTS", "hunter22:8000", "without port"),
    ("ALLOWED_HOSTS", "https://hunter22", "host names"),
    ("ALLOWED_HOSTS", ",", "separated by commas"),
    ("CORS_ORIGINS", "*", "https://app.example.com"),
    ("CORS_ORIGINS", "https://hunter22/path", "https://app.example.com"),
    ("TRUSTED_PROXIES", "hunter22", "10.0.0.0/8"),
    ("RATE_LIMIT", "hunter22", "600/minute"),
    ("RATE_LIMIT", "0/minute", "600/minute"),
    ("RATE_LIMIT", "-5/minute", "600/minute"),
    ("RATE_LIMIT_STORAGE", "memcached://hunter22", "redis://"),
    ("S3_ALLOW", "http://hunter22", "10.0.0.0/8"),
    ("S3_ALLOW", "10.0.0.1/8", "10.0.0.0/8"),
    ("S3_ALLOW", "10.0.0.5,hunter22:0", "host names"),
    ("S3_ALLOW", "hunter22:65536", "a port"),
    ("MAX_BODY_BYTES", "hunter22", "integer"),
    ("MAX_BODY_BYTES", "1023", "1024"),
    ("MAX_BODY_BYTES", "1073741825", "1073741824"),
    ("RESPONSE_CACHE_BYTES", "hunter22", "integer"),
    ("RESPONSE_CACHE_BYTES", "64 MiB", "integer"),
    ("RESPONSE_CACHE_BYTES", "-1", "0"),
    ("LOG_LEVEL", "hunter22", "DEBUG"),
    ("LOG_FORMAT", "hunter22", "json"),
]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(("name", "value", "form"), WRONG, ids=[f"{name}={value}" for name, value, _ in WRONG])
def test_a_complaint_names_the_variable_and_the_form_it_wants_and_never_the_value(
    name: str, value: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PREFIX + name, value)

    with pytest.raises(SettingsRefused) as refused:
        load_settings()

    complaint = str(refused.value)
    assert complaint.startswith(f"{PREFIX}{name} ")
    assert form in complaint
    assert "hunter22" not in complaint
    assert "\n" not in complaint


def test_every_wrong_variable_is_complained_about_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value, _ in WRONG:
        monkeypatch.setenv(PREFIX + name, value)

    with pytest.raises(SettingsRefused) as refused:
        load_settings()

    told = re.findall(r"MOORINGS_[A-Z0-9_]+", str(refused.value))
    assert sorted(told) == sorted({PREFIX + name for name, _, _ in WRONG})


def test_postgresql_without_secret_keys_is_refused_with_what_makes_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORINGS_DATABASE_URL", "postgresql://user:hunter22@127.0.0.1/x")

    with pytest.raises(SettingsRefused) as refused:
        load_settings()

    assert str(refused.value).startswith("MOORINGS_SECRET_KEYS is required with PostgreSQL")
    assert "moorings keys generate" in str(refused.value)
    assert "hunter22" not in str(refused.value)


def test_settings_do_not_show_the_secret_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    key = generate_key()
    monkeypatch.setenv("MOORINGS_SECRET_KEYS", key)

    settings = load_settings()

    assert key.partition(":")[2] not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


def test_nothing_set_is_an_embedded_database_for_this_machine_alone() -> None:
    settings = load_settings()

    assert settings.address.path == Path.cwd() / "moorings.db"
    assert settings.allowed_hosts == ("localhost", "127.0.0.1", "[::1]")
    assert settings.cors_origins == settings.trusted_proxies == ()
    assert settings.rate_limit == "600/minute"


def test_a_variable_that_is_empty_is_as_good_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(PREFIX + name.upper(), "")

    assert load_settings().model_dump() == Settings.model_construct().model_dump()


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        (
            "allowed_hosts",
            " Backups.Example.com , *.example.org,[::1]",
            ("backups.example.com", "*.example.org", "[::1]"),
        ),
        (
            "cors_origins",
            "https://a.example.com,http://localhost:5173",
            ("https://a.example.com", "http://localhost:5173"),
        ),
        ("trusted_proxies", "10.0.0.0/8, ::1", ("10.0.0.0/8", "::1")),
        ("s3_allow", "10.0.0.0/8, minio.internal:9000,[fd00::5]", ("10.0.0.0/8", "minio.internal:9000", "[fd00::5]")),
        ("public_url", "https://backups.example.com/", "https://backups.example.com"),
        ("rate_limit", "off", "off"),
        ("log_level", "debug", "DEBUG"),
        ("max_body_bytes", "1024", 1024),
        ("response_cache_bytes", "0", 0),
    ],
)
def test_a_well_formed_value_is_read(name: str, value: str, read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + name.upper(), value)

    assert getattr(load_settings(), name) == read


def _examples() -> list[tuple[str, str, str]]:
    """Description, name and default of every setting in `.env.example`."""
    return re.findall(r"^# (.+)\n#([A-Z0-9_]+)=(.*)$", EXAMPLE, re.MULTILINE)


def _shown(default: object) -> str:
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    return ",".join(default) if isinstance(default, tuple) else str(default)


def test_the_example_file_is_what_the_settings_say() -> None:
    said = [
        (field.description, PREFIX + name.upper(), _shown(field.default))
        for name, field in Settings.model_fields.items()
    ]

    assert _examples() == said


def test_the_example_file_sets_nothing_until_a_line_is_uncommented() -> None:
    assert [line for line in EXAMPLE.splitlines() if line and not line.startswith("#")] == []


def test_uncommenting_the_whole_example_file_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    unset = load_settings()
    for _, name, default in _examples():
        monkeypatch.setenv(name, default)

    assert load_settings() == unset


def test_a_variable_that_is_no_setting_is_found_and_a_setting_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORINGS_LOG_LEVEL", "INFO")
    monkeypatch.setenv("MOORINGS_TEST_DATABASE_URL", "postgresql://127.0.0.1/postgres")
    monkeypatch.setenv("MOORINGS_LOG_LEVLE", "DEBUG")
    monkeypatch.setenv("MOORINGS_SECRET_KEY", "hunter22")

    assert unknown_variables() == ["MOORINGS_LOG_LEVLE", "MOORINGS_SECRET_KEY"]


def test_a_misspelt_variable_is_warned_about_at_the_start_without_its_value() -> None:
    gateway = Gateway(secret_key="hunter22")
    try:
        gateway.start()
        assert "MOORINGS_SECRET_KEY is not a setting; is it misspelt?" in gateway.log_text()
        assert "hunter22" not in gateway.log_text()
    finally:
        gateway.close()


def test_the_url_of_a_relative_file_is_read_from_the_working_directory() -> None:
    assert parse_address("sqlite:///moorings.db").path == Path.cwd() / "moorings.db"
    assert parse_address("sqlite:///data/moorings.db").path == Path.cwd() / "data/moorings.db"


def test_the_url_of_an_absolute_file_is_read_with_four_slashes_and_with_three(tmp_path: Path) -> None:
    assert parse_address(f"sqlite:///{tmp_path}/moorings.db").path == tmp_path / "moorings.db"
    assert parse_address(f"sqlite://{tmp_path}/moorings.db").path == tmp_path / "moorings.db"


def test_three_slashes_before_a_directory_that_is_here_are_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tmp").mkdir()

    assert parse_address("sqlite:///tmp/moorings.db").path == tmp_path / "tmp/moorings.db"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_the_url_of_a_postgresql_goes_to_the_driver_as_it_is(scheme: str) -> None:
    url = f"{scheme}://user:p%40ss@one:5432,two:5433/moorings?sslmode=require"
    address = parse_address(url)

    assert (address.engine, address.url, address.path) == ("postgresql", url, None)
    assert "p%40ss" not in address.origin


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "moorings.db",
            "sqlite:",
            "sqlite://",
            "sqlite:///",
            "sqlite:////",
            "sqlite://:memory:",
            "sqlite:///x?a=b",
        ),
        *("sqlite3:///x.db", "mysql://h/x", "postgresql:h/x", "postgresql+asyncpg://h/x", "file:///x.db", "//x.db"),
    ],
)
def test_any_other_address_is_refused_with_the_forms_there_are(url: str) -> None:
    with pytest.raises(ValueError, match=r"sqlite:///relative\.db.*sqlite:////absolute\.db.*postgresql://"):
        parse_address(url)
