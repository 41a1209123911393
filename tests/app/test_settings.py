"""Settings come from the environment; an error names the variable and its form, never its value."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import Any

import pytest

from app.settings import PREFIX, Settings, SettingsRefused, load_settings, unknown_variables
from models.vault.secret import Secret
from models.vault.vault import generate_key
from tests.support.gateway.gateway import Gateway
from tests.support.paths import ROOT

EXAMPLE = (ROOT / ".env.example").read_text()

WRONG = [
    ("DATABASE_URL", "oracle://scott:hunter22@db/x", "sqlite:///"),
    ("DATABASE_URL", "hunter22.db", "postgresql://"),
    ("DATABASE_URL", "sqlite:///:memory:hunter22", "sqlite:///"),
    ("PUBLIC_URL", "hunter22.example.com", "https://"),
    ("PUBLIC_URL", "ftp://hunter22.example.com", "https://"),
    ("PUBLIC_URL", "https://example.com/?hunter22", "https://"),
    ("PUBLIC_URL", "https://[hunter22]", "https://"),
    ("ALLOWED_HOSTS", "hunter22:8000", "without port"),
    ("ALLOWED_HOSTS", "https://hunter22", "host names"),
    ("ALLOWED_HOSTS", ",", "separated by commas"),
    ("CORS_ORIGINS", "*", "https://app.example.com"),
    ("CORS_ORIGINS", "https://hunter22/path", "https://app.example.com"),
    ("CORS_ORIGINS", "https://*.hunter22", "two labels"),
    ("CORS_ORIGINS", "https://*", "two labels"),
    ("CORS_ORIGINS", "https://*.*.hunter22.com", "two labels"),
    ("CORS_ORIGINS", "https://app-*.hunter22.com", "two labels"),
    ("CORS_ORIGINS", "https://app.*.hunter22.com", "two labels"),
    ("CORS_ORIGINS", "https://*.2.3.4", "two labels"),
    ("CORS_HEADERS", "*", "X-Tenant"),
    ("CORS_HEADERS", "X hunter22", "X-Tenant"),
    ("TRUSTED_PROXIES", "hunter22", "10.0.0.0/8"),
    ("TOKEN_MAX_LIFETIME", "hunter22", "90s"),
    ("TOKEN_DEFAULT_ABILITIES", "hunter22", "view-backup-destinations"),
    ("SECURITY_CONTACT", "hunter22@example.com", "mailto:"),
    ("SECURITY_CONTACT", "mailto:a@example.com,mailto:hunter22@x\nContact: y", "mailto:"),
    ("HSTS_SECONDS", "hunter22", "integer"),
    ("HSTS_SECONDS", "-1", "0"),
    ("RATE_LIMIT", "hunter22", "600/minute"),
    ("RATE_LIMIT", "0/minute", "600/minute"),
    ("RATE_LIMIT", "-5/minute", "600/minute"),
    ("RATE_LIMIT_STORAGE", "memcached://hunter22", "redis://"),
    ("S3_ALLOW", "http://hunter22", "10.0.0.0/8"),
    ("S3_ALLOW", "10.0.0.1/8", "10.0.0.0/8"),
    ("S3_ALLOW", "10.0.0.5,hunter22:0", "host names"),
    ("S3_ALLOW", "hunter22:65536", "a port"),
    ("S3_CA_FILE", "/nowhere/hunter22.pem", "in PEM"),
    ("S3_CA_FILE", "/etc/hostname", "in PEM"),
    ("MAX_BODY_BYTES", "hunter22", "integer"),
    ("MAX_BODY_BYTES", "1023", "1024"),
    ("MAX_BODY_BYTES", "1073741825", "1073741824"),
    ("RESPONSE_CACHE_BYTES", "hunter22", "integer"),
    ("RESPONSE_CACHE_BYTES", "64 MiB", "integer"),
    ("RESPONSE_CACHE_BYTES", "-1", "0"),
    ("RESPONSE_CACHE_BYTES", "1_024", "integer"),
    ("RESPONSE_CACHE_BYTES", "9" * 5_000, "integer"),
    ("EXPLORER", "hunter22", "true or false"),
    ("GRAPHQL_EXECUTION_SECONDS", "hunter22", "number"),
    ("GRAPHQL_EXECUTION_SECONDS", "nan", "up to 15"),
    ("GRAPHQL_EXECUTION_SECONDS", "0", "above 0"),
    ("IDEMPOTENCY_LIFETIME", "hunter22", "integer"),
    ("IDEMPOTENCY_LIFETIME", "0", "1"),
    ("METRICS_ADDRESS", "hunter22", "127.0.0.1:9100"),
    ("METRICS_DESTINATIONS", "hunter22", "integer"),
    ("ENVIRONMENT", "hunter22", "production or development"),
    ("LOG_LEVEL", "hunter22", "DEBUG"),
    ("LOG_FORMAT", "hunter22", "json"),
]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(("name", "value", "form"), WRONG, ids=[f"{name}={value}" for name, value, _ in WRONG])
def test_an_error_names_the_variable_and_the_form_it_wants_and_never_the_value(
    name: str, value: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PREFIX + name, value)

    with pytest.raises(SettingsRefused) as refused:
        load_settings()

    error = str(refused.value)
    assert error.startswith(f"{PREFIX}{name} ")
    assert form in error
    assert "hunter22" not in error
    assert "\n" not in error


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value, _ in WRONG:
        monkeypatch.setenv(PREFIX + name, value)

    with pytest.raises(SettingsRefused) as refused:
        load_settings()

    named = re.findall(r"MOORINGS_[A-Z0-9_]+", str(refused.value))
    assert sorted(named) == sorted({PREFIX + name for name, _, _ in WRONG})


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

    assert key.partition(":")[2] not in f"{settings!r} {settings}"


def test_nothing_set_is_an_embedded_database_for_this_machine_alone() -> None:
    settings = load_settings()

    assert settings.address.path == Path.cwd() / "moorings.db"
    assert settings.allowed_hosts == ("localhost", "127.0.0.1", "[::1]")
    assert settings.cors_origins == settings.trusted_proxies == ()
    assert settings.rate_limit == "600/minute"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in dataclasses.fields(Settings):
        monkeypatch.setenv(PREFIX + field.name.upper(), "")

    assert load_settings() == Settings()


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
        (
            "cors_origins",
            "https://*.Preview.example.com, https://A.example.com:443,http://b.example.com:80,https://c.example.com:80",
            (
                *("https://*.preview.example.com", "https://a.example.com", "http://b.example.com"),
                "https://c.example.com:80",
            ),
        ),
        ("cors_headers", "X-Tenant, x-b", ("X-Tenant", "x-b")),
        ("trusted_proxies", "10.0.0.0/8, ::1", ("10.0.0.0/8", "::1")),
        ("s3_allow", "10.0.0.0/8, minio.internal:9000,[fd00::5]", ("10.0.0.0/8", "minio.internal:9000", "[fd00::5]")),
        ("public_url", "https://backups.example.com/", "https://backups.example.com"),
        ("rate_limit", "off", "off"),
        ("log_level", "debug", "DEBUG"),
        ("max_body_bytes", "1024", 1024),
        ("response_cache_bytes", "0", 0),
        ("idempotency_lifetime", "3600", 3_600),
        ("explorer", "False", False),
        ("explorer", "off", False),
        ("introspection", "yes", True),
        ("graphql_execution_seconds", "0.5", 0.5),
        ("secret_keys", "a:b", Secret("a:b")),
    ],
)
def test_a_well_formed_value_is_read(name: str, value: str, read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + name.upper(), value)

    assert getattr(load_settings(), name) == read


SECRETS = {
    "secret_keys": ("a:b", Secret("a:b")),
    "database_url": ("postgresql://user:hunter22@db/x", "postgresql://user:hunter22@db/x"),
    "listen_database_url": ("postgresql://user:hunter22@db/x", "postgresql://user:hunter22@db/x"),
    "rate_limit_storage": ("redis://:hunter22@cache:6379", "redis://:hunter22@cache:6379"),
}
"""Every setting that may hold a password or a key, with a text for it and what is read of it."""


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_may_come_from_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Editors end a file with a line end, and some begin it with a mark; none is part of the secret."""
    text, read = SECRETS[name]
    (tmp_path / "secret").write_bytes(b"\xef\xbb\xbf%s\r\n" % text.encode())
    monkeypatch.setenv("MOORINGS_SECRET_KEYS", "a:b")  # PostgreSQL wants them
    monkeypatch.delenv(PREFIX + name.upper(), raising=False)
    monkeypatch.setenv(f"{PREFIX}{name.upper()}_FILE", str(tmp_path / "secret"))

    assert getattr(load_settings(), name) == read
    assert unknown_variables() == []


def test_exactly_these_settings_may_come_from_files() -> None:
    assert {field.name for field in dataclasses.fields(Settings) if field.metadata["is_secret"]} == set(SECRETS)


def test_a_secret_that_is_set_and_in_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("hunter22")
    monkeypatch.setenv("MOORINGS_SECRET_KEYS", "hunter22")
    monkeypatch.setenv("MOORINGS_SECRET_KEYS_FILE", str(tmp_path / "secret"))

    with pytest.raises(SettingsRefused) as refused:
        load_settings()

    assert str(refused.value) == "MOORINGS_SECRET_KEYS and MOORINGS_SECRET_KEYS_FILE are both set; unset one of them."


@pytest.mark.parametrize("content", [None, b"", b" \n", b"hunter22\xff", b"hunter22" * 10_000])
def test_a_file_without_a_readable_secret_is_refused_and_not_shown(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("MOORINGS_SECRET_KEYS_FILE", str(path))

    with pytest.raises(SettingsRefused) as refused:
        load_settings()

    assert str(refused.value).startswith("MOORINGS_SECRET_KEYS_FILE is not right: it wants the path")
    assert "hunter22" not in str(refused.value)


def test_a_file_for_a_setting_that_is_no_secret_is_an_unknown_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORINGS_LOG_LEVEL_FILE", "/run/secrets/level")

    assert unknown_variables() == ["MOORINGS_LOG_LEVEL_FILE"]


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
        (field.metadata["description"], PREFIX + field.name.upper(), _shown(field.default))
        for field in dataclasses.fields(Settings)
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
