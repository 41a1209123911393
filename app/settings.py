"""The settings, all from the environment with the prefix MOORINGS_; every complaint names the variable and its form."""

from __future__ import annotations

import ipaddress
import os
import re
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.addresses import AddressPolicy, parse_openings
from app.database import DatabaseAddress, parse_address
from models.accounts import parse_duration
from models.errors import AccountRefused
from schema.allowance import Limits

PREFIX = "MOORINGS_"
_RATE = re.compile(r"[1-9][0-9]{0,8} ?(/|per) ?([1-9][0-9]{0,4} ?)?(second|minute|hour|day)s?")
_METRICS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
TEST_ONLY = frozenset({"MOORINGS_TEST_DATABASE_URL"})

Names = Annotated[tuple[str, ...], NoDecode]


class SettingsRefused(Exception):
    """A setting is malformed, or two do not go together; `str()` names the variable and the form it wants."""


class Settings(BaseSettings):
    """The description of each field is its line in `.env.example`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    database_url: str = Field(
        "sqlite:///moorings.db", description="sqlite:///relative.db, sqlite:////absolute.db or postgresql://…"
    )
    secret_keys: SecretStr | None = Field(
        None, description="id:base64,… newest first; made beside the SQLite file when unset, required with PostgreSQL"
    )
    public_url: str | None = Field(None, description="the base of links, such as https://backups.example.com")
    allowed_hosts: Names = Field(
        ("localhost", "127.0.0.1", "[::1]"), description="names a request may call this gateway, without port; * is any"
    )
    cors_origins: Names = Field((), description="origins whose pages may call the API; none when empty")
    trusted_proxies: Names = Field((), description="addresses or networks whose X-Forwarded-* headers are believed")
    rate_limit: str = Field("600/minute", description="requests per user, such as 60/minute, or off")
    rate_limit_storage: str = Field("memory://", description="memory:// counts per process, redis://… exactly")
    s3_allow: Names = Field(
        (), description="private networks, addresses and hosts that a check may connect to, such as 10.0.0.5:9000"
    )
    check_interval: str = Field(
        "6h", description="how often each destination is checked, such as 6h or 30m, or off for only when asked"
    )
    max_body_bytes: int = Field(1_048_576, ge=1_024, le=1_073_741_824, description="the largest request body, in bytes")
    response_cache_bytes: int = Field(
        67_108_864, ge=0, le=1_099_511_627_776, description="memory of each process for finished answers; 0 is off"
    )
    introspection: bool = Field(True, description="whether GraphQL shows its schema, true or false")
    explorer: bool = Field(True, description="whether there are GraphiQL and the REST reference, true or false")
    graphql_max_depth: int = Field(15, ge=1, le=100, description="levels of fields in one document")
    graphql_max_aliases: int = Field(30, ge=0, le=10_000, description="aliases in one document")
    graphql_max_root_fields: int = Field(20, ge=1, le=10_000, description="fields at the root of one operation")
    graphql_max_directives: int = Field(50, ge=0, le=10_000, description="directives in one document")
    graphql_max_tokens: int = Field(2_000, ge=10, le=1_000_000, description="tokens of one document")
    graphql_max_document_bytes: int = Field(65_536, ge=100, le=10_000_000, description="bytes of one document")
    graphql_max_cost: int = Field(5_000, ge=1, le=10_000_000, description="cost of one operation, a field being 1")
    graphql_execution_seconds: float = Field(10.0, gt=0, le=15, description="time one operation may take")
    graphql_max_subscriptions: int = Field(100, ge=1, le=10_000, description="operations open on one WebSocket")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    log_format: Literal["console", "json"] = Field("console", description="console or json")

    @field_validator("allowed_hosts", "cors_origins", "trusted_proxies", "s3_allow", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.strip().upper() if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _address(cls, value: str) -> str:
        parse_address(value)
        return value

    @field_validator("public_url")
    @classmethod
    def _base(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("it wants an absolute URL such as https://backups.example.com")
        return value.rstrip("/")

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        bad = [host for host in value if not re.fullmatch(r"\*|(\*\.)?[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", host)]
        if bad or not value:
            raise ValueError("it wants host names or addresses without port, separated by commas")
        return tuple(host.lower() for host in value)

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"https?://[^/?#@\s*]+", origin) for origin in value):
            raise ValueError("it wants origins such as https://app.example.com, separated by commas, never *")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in value:
            try:
                ipaddress.ip_network(proxy)
            except ValueError as error:
                raise ValueError("it wants addresses or networks such as 10.0.0.0/8, separated by commas") from error
        return value

    @field_validator("rate_limit")
    @classmethod
    def _limit(cls, value: str) -> str:
        if value != "off" and not _RATE.fullmatch(value):
            raise ValueError("it wants a limit such as 600/minute, or off")
        return value

    @field_validator("check_interval")
    @classmethod
    def _interval(cls, value: str) -> str:
        if value != "off":
            try:
                parse_duration(value)
            except AccountRefused as error:
                raise ValueError("it wants an interval such as 6h, 30m or 90s, or off") from error
        return value

    @field_validator("rate_limit_storage")
    @classmethod
    def _storage(cls, value: str) -> str:
        if not re.fullmatch(r"memory://|rediss?://\S+", value):
            raise ValueError("it wants memory:// or redis://host:port")
        return value

    @field_validator("s3_allow")
    @classmethod
    def _openings(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        parse_openings(value)
        return value

    @property
    def address(self) -> DatabaseAddress:
        """Where the data is."""
        return parse_address(self.database_url)

    @property
    def address_policy(self) -> AddressPolicy:
        """Which addresses a check may connect to."""
        return AddressPolicy(parse_openings(self.s3_allow))

    @property
    def check_every(self) -> timedelta | None:
        """How often each destination is checked; None is only when somebody asks."""
        return None if self.check_interval == "off" else parse_duration(self.check_interval)

    @property
    def graphql_limits(self) -> Limits:
        """What one document and one socket may ask for."""
        return Limits(
            depth=self.graphql_max_depth,
            aliases=self.graphql_max_aliases,
            root_fields=self.graphql_max_root_fields,
            directives=self.graphql_max_directives,
            tokens=self.graphql_max_tokens,
            document_bytes=self.graphql_max_document_bytes,
            cost=self.graphql_max_cost,
            execution_s=self.graphql_execution_seconds,
            subscriptions=self.graphql_max_subscriptions,
        )


def load_settings() -> Settings:
    """Read the environment; raises `SettingsRefused` with one sentence per variable that is wrong."""
    try:
        settings = Settings()
    except ValidationError as error:
        raise SettingsRefused(" ".join(_complaint(item) for item in error.errors())) from None
    if settings.address.engine == "postgresql" and settings.secret_keys is None:
        raise SettingsRefused(
            "MOORINGS_SECRET_KEYS is required with PostgreSQL: it wants id:base64, and `moorings keys generate` "
            "prints one."
        )
    return settings


def unknown_variables() -> list[str]:
    """Variables with our prefix that no setting reads: probably a slip of the pen."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | TEST_ONLY
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)


def share_metrics(directory: str | None) -> None:
    """Let the processes that start from now on count in this directory together; with None each counts by itself.

    It is prometheus-client that reads this variable, when it is imported.
    """
    os.environ.pop(_METRICS_DIRECTORY, None)
    if directory is not None:
        os.environ[_METRICS_DIRECTORY] = directory


def metrics_directory() -> str | None:
    """Where this process counts together with others, if it does."""
    return os.environ.get(_METRICS_DIRECTORY)


def _complaint(item: Any) -> str:
    """One sentence that names the variable; never its value, which may be a secret."""
    variable = PREFIX + str(item["loc"][0]).upper()
    reason = item["msg"].removeprefix("Value error, ")
    return f"{variable} is not right: {reason[:1].lower()}{reason[1:]}."
