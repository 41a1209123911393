"""The settings, all from the environment with the prefix MOORINGS_; errors name the variable and the form it wants."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from app import setting_types as types
from app.database import POOL_SIZE, DatabaseAddress, parse_address
from models.accounts.accounts import parse_duration
from models.vault.secret import Secret
from s3.address_policy import AddressPolicy, parse_allow_rules
from schema.limits import Limits
from schema.trusted_documents import NO_DOCUMENTS, TrustedDocuments, TrustRules, load_documents, parse_rules

PREFIX = "MOORINGS_"
LARAVEL = ("APP_KEY", "APP_PREVIOUS_KEYS", "APP_TIMEZONE")
FILE = "_FILE"
"""Behind the name of a secret setting: the variable names a file that holds the value, as Docker and Kubernetes do."""
CONFIG_FILE = "MOORINGS_CONFIG_FILE"
"""Names a TOML file of settings, by their names in lower case without the prefix; the environment wins over it."""
HIDDEN = "(hidden)"
_METRICS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
_OTEL = (
    *("OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"),
    *("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"),
)
"""The variables of OpenTelemetry that decide whether there are traces; its SDK reads the others."""
_OTLP_PROTOCOL = "http/protobuf"
TEST_ONLY = frozenset({"MOORINGS_TEST_DATABASE_URL"})
_CLIENTS_URL, _CLIENTS_TOKEN = "MOORINGS_URL", "MOORINGS_TOKEN"
CLIENT_ONLY = frozenset({_CLIENTS_URL, _CLIENTS_TOKEN, _CLIENTS_TOKEN + FILE})
"""Of `moorings backup`, which may run where there is no gateway."""


class SettingsRefused(Exception):
    """A setting is malformed, or two do not go together; `str()` names the variable and the form it wants."""


def _setting(default: Any, description: str, read: Callable[[str], Any], *, is_secret: bool = False) -> Any:
    """`is_secret`: the variable may hold a password or a key, so that `…_FILE` may name a file with its value."""
    return field(default=default, metadata={"description": description, "read": read, "is_secret": is_secret})


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The description of each field is its line in `.env.example`; `read` makes its value of a variable's text."""

    environment: str = _setting(
        "development", "production refuses to start without a database that is named, else development", types.stage
    )
    database_url: str = _setting(
        "sqlite:///moorings.db",
        "sqlite:///relative.db, sqlite:////absolute.db or postgresql://…",
        types.database_url,
        is_secret=True,
    )
    listen_database_url: str | None = _setting(
        None,
        "postgresql://… past a pooler in transaction mode, for the connection that listens for events",
        types.postgresql_url,
        is_secret=True,
    )
    secret_keys: Secret | None = _setting(  # noqa: RUF009 - it makes a field
        None,
        "id:base64,… newest first; made beside the SQLite file when unset, required with PostgreSQL",
        Secret,
        is_secret=True,
    )
    key_service: str | None = _setting(
        None, "what unwraps MOORINGS_SECRET_KEYS, such as aws-kms:alias/moorings", types.key_service
    )
    key_service_cache: str = _setting(
        "5m", "how long unwrapped keys are used without the key service, such as 5m", types.duration
    )
    file_permissions: str = _setting(
        "warn",
        "what happens when every user may read a file of keys or data: warn, refuse or ignore",
        types.permission_rule,
    )
    public_url: str | None = _setting(None, "the base of links, such as https://backups.example.com", types.base_url)
    allowed_hosts: tuple[str, ...] = _setting(
        ("localhost", "127.0.0.1", "[::1]"),
        "names in the Host header of requests, without port; * allows any",
        types.host_names,
    )
    cors_origins: tuple[str, ...] = _setting(
        (),
        "origins whose pages may call the API, such as https://*.preview.example.com; none when empty",
        types.origins,
    )
    cors_headers: tuple[str, ...] = _setting(
        (), "headers that those pages may send beside the usual ones, such as X-Tenant", types.request_headers
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (), "addresses or networks whose X-Forwarded-* headers are trusted", types.networks
    )
    hsts_seconds: int = _setting(
        31_536_000,
        "seconds for which browsers that came over HTTPS use nothing else (HSTS); 0 is off",
        types.integer(0, 100_000_000),
    )
    rate_limit: str = _setting("600/minute", "requests per user, such as 60/minute, or off", types.rate)
    rate_limit_storage: str = _setting(
        "memory://", "memory:// counts per process, redis://… exactly", types.count_storage, is_secret=True
    )
    s3_allow: tuple[str, ...] = _setting(
        (),
        "private networks, addresses and hosts that a check may connect to, such as 10.0.0.5:9000",
        types.allow_rules,
    )
    s3_ca_file: str | None = _setting(
        None,
        "PEM file of authorities that a check trusts beside the system's, such as /etc/ssl/own.pem",
        types.certificates,
    )
    check_interval: str = _setting(
        "6h", "how often each destination is checked, such as 6h or 30m, or off for only on request", types.interval
    )
    checks_per_host: int = _setting(
        6, "checks by the clock that begin at one host in a minute, over all users", types.integer(1, 100_000)
    )
    check_history: int = _setting(
        50, "checks of each destination that are kept to be read, the newest", types.integer(0, 10_000)
    )
    max_connections: int = _setting(
        4_096, "connections of each process; further ones are answered with 503", types.integer(1, 1_000_000)
    )
    max_address_connections: int = _setting(
        64, "connections of one client address to each process", types.integer(1, 1_000_000)
    )
    overload_wait: float = _setting(
        0.4,
        "seconds that a request may have to wait in a burst; beyond it is answered with 503",
        types.number_up_to(10),
    )
    max_buffered_bytes: int = _setting(
        67_108_864,
        "bytes of responses that clients of a process have not read yet; beyond it the slowest are cut off",
        types.integer(1_048_576, 1_099_511_627_776),
    )
    max_body_bytes: int = _setting(131_072, "the largest request body, in bytes", types.integer(1_024, 1_073_741_824))
    response_cache_bytes: int = _setting(
        67_108_864, "memory of each process for cached responses; 0 is off", types.integer(0, 1_099_511_627_776)
    )
    compression: bool = _setting(
        True, "whether answers are compressed for clients that accept it (gzip, zstd), true or false", types.truth
    )
    grant_max_age: str = _setting(
        "24h", "how long access that is granted to a backup job is valid at most, up to 24h", types.grant_lifetime
    )
    in_use_for: str = _setting(
        "30d", "how long after its last grant a destination counts as in use, such as 30d", types.duration
    )
    token_max_lifetime: str = _setting(
        "off", "how long a new token is valid at most, and without --expires-in, such as 90d, or off", types.interval
    )
    token_expiry_required: bool = _setting(False, "whether a new token must have an end, true or false", types.truth)
    token_default_abilities: tuple[str, ...] = _setting(
        ("*",), "what a new token allows without --ability, separated by commas", types.abilities
    )
    wildcard_includes_use: bool = _setting(
        False, "whether a token's * allows to use destinations too, with their keys, true or false", types.truth
    )
    audit_retention: str = _setting(
        "365d", "how long entries of the audit are kept, at least 1d, or off for all of them", types.retention
    )
    events_retention: str = _setting(
        "off", "how long events of destinations are kept, such as 90d, or off for all of them", types.interval
    )
    tokens_retention: str = _setting(
        "off", "how long tokens are kept after they ended, such as 90d, or off for all of them", types.interval
    )
    security_contact: tuple[str, ...] = _setting(
        (), "where to report a weakness, mailto: or https:, shown in /.well-known/security.txt", types.contacts
    )
    introspection: bool = _setting(True, "whether GraphQL shows its schema, true or false", types.truth)
    explorer: bool = _setting(True, "whether there are GraphiQL and the REST reference, true or false", types.truth)
    graphql_max_depth: int = _setting(15, "levels of fields in one document", types.integer(1, 100))
    graphql_max_aliases: int = _setting(30, "aliases in one document", types.integer(0, 10_000))
    graphql_max_root_fields: int = _setting(20, "fields at the root of one operation", types.integer(1, 10_000))
    graphql_max_directives: int = _setting(50, "directives in one document", types.integer(0, 10_000))
    graphql_max_tokens: int = _setting(2_000, "tokens of one document", types.integer(10, 1_000_000))
    graphql_max_document_bytes: int = _setting(65_536, "bytes of one document", types.integer(100, 10_000_000))
    graphql_max_cost: int = _setting(5_000, "cost of one operation, a field being 1", types.integer(1, 10_000_000))
    graphql_max_answer_bytes: int = _setting(
        1_048_576, "bytes that the answer to one operation may have", types.integer(1_000, 1_000_000_000)
    )
    graphql_execution_seconds: float = _setting(10.0, "time one operation may take", types.number_up_to(15))
    graphql_max_subscriptions: int = _setting(100, "operations open on one WebSocket", types.integer(1, 10_000))
    graphql_persisted_queries: bool = _setting(
        True, "whether a request may have the hash of a document in its place, true or false", types.truth
    )
    graphql_trusted_documents: str | None = _setting(
        None,
        "JSON file of the documents that a front end's build wrote down, such as /etc/moorings/documents.json",
        types.trusted_documents,
    )
    graphql_trust: str = _setting(
        "off",
        "what becomes of other documents: off, observe, warn or enforce, for a token by name: web app=enforce",
        types.trust_rules,
    )
    graphql_max_user_sockets: int = _setting(20, "WebSockets of one user in a process", types.integer(1, 10_000))
    graphql_max_user_subscriptions: int = _setting(
        200, "subscriptions of one user in a process", types.integer(1, 100_000)
    )
    idempotency_lifetime: int = _setting(
        86_400, "seconds for which an Idempotency-Key is known after its request", types.integer(1, 31_536_000)
    )
    database_pool_size: int = _setting(
        POOL_SIZE,
        "connections to PostgreSQL of each worker at most, without the one that listens",
        types.integer(3, 500),
    )
    database_wait_seconds: int = _setting(
        15, "how long a start waits for a database that is not there yet; 0 is not at all", types.integer(0, 3_600)
    )
    drain_delay_seconds: int = _setting(
        0,
        "how long /readyz says 503 before a stop begins, for a load balancer to notice",
        types.integer(0, 3_600),
    )
    keep_alive_seconds: int = _setting(
        75, "how long an idle connection is kept; longer than the proxy in front does", types.integer(1, 3_600)
    )
    worker_timeout_seconds: int = _setting(
        10, "how long a worker may not respond before it is replaced", types.integer(2, 600)
    )
    metrics_address: str | None = _setting(
        None,
        "an address of its own for /metrics, such as 127.0.0.1:9100, in place of the gateway's",
        types.host_and_port,
    )
    metrics_destinations: int = _setting(
        100, "destinations with a metric of their own, unreachable ones first; 0 is none", types.integer(0, 10_000)
    )
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR", types.log_level)
    access_log: bool = _setting(True, "whether each request is a line of the log at INFO, true or false", types.truth)
    log_format: str = _setting("console", "console or json", types.log_format)

    @property
    def address(self) -> DatabaseAddress:
        """Where the data is."""
        return replace(parse_address(self.database_url), pool_size=self.database_pool_size)

    @property
    def address_policy(self) -> AddressPolicy:
        """Which addresses a check may connect to."""
        return AddressPolicy(parse_allow_rules(self.s3_allow))

    @property
    def metrics_listener(self) -> tuple[str, int] | None:
        """Host and port for `/metrics` alone; None where the gateway's has it."""
        if self.metrics_address is None:
            return None
        host, _, port = self.metrics_address.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def check_every(self) -> timedelta | None:
        """How often each destination is checked; None: only on request."""
        return None if self.check_interval == "off" else parse_duration(self.check_interval)

    @property
    def keys_used_for(self) -> timedelta:
        """How long unwrapped keys are used without asking the key service again."""
        return parse_duration(self.key_service_cache)

    @property
    def longest_grant(self) -> timedelta:
        """How long a grant is valid at most."""
        return parse_duration(self.grant_max_age)

    @property
    def destinations_in_use_for(self) -> timedelta:
        """How long after its last grant a destination counts as in use."""
        return parse_duration(self.in_use_for)

    @property
    def longest_token_lifetime(self) -> timedelta | None:
        """How long a new token is valid at most; None: without end."""
        longest = self.token_max_lifetime
        return None if longest == "off" else parse_duration(longest)

    @property
    def audit_kept_for(self) -> timedelta | None:
        """How long entries of the audit are kept; None: without end."""
        return None if self.audit_retention == "off" else parse_duration(self.audit_retention)

    @property
    def events_kept_for(self) -> timedelta | None:
        """How long events of destinations are kept; None: without end."""
        return None if self.events_retention == "off" else parse_duration(self.events_retention)

    @property
    def tokens_kept_for(self) -> timedelta | None:
        """How long tokens are kept after they ended; None: without end."""
        return None if self.tokens_retention == "off" else parse_duration(self.tokens_retention)

    @property
    def trusted_documents(self) -> TrustedDocuments:
        """The documents of the file that the setting names."""
        path = self.graphql_trusted_documents
        return NO_DOCUMENTS if path is None else load_documents(Path(path))

    @property
    def trust_rules(self) -> TrustRules:
        """What becomes of documents that are not trusted."""
        return parse_rules(self.graphql_trust)

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
            answer_bytes=self.graphql_max_answer_bytes,
            execution_s=self.graphql_execution_seconds,
            subscriptions=self.graphql_max_subscriptions,
            user_sockets=self.graphql_max_user_sockets,
            user_subscriptions=self.graphql_max_user_subscriptions,
        )


def load_settings() -> Settings:
    """Read the environment; raises `SettingsRefused` with one sentence per variable that is wrong, never its value."""
    texts, errors = _texts(), list[str]()
    values = {each.name: _value(each, texts, errors) for each in fields(Settings)}
    if errors:
        raise SettingsRefused(" ".join(errors))
    settings = Settings(**{name: value for name, value in values.items() if value is not None})
    if settings.address.engine == "postgresql" and settings.secret_keys is None:
        raise SettingsRefused(
            "MOORINGS_SECRET_KEYS is required with PostgreSQL, or MOORINGS_SECRET_KEYS_FILE: it wants id:base64, and "
            "`moorings keys generate` prints one."
        )
    if settings.graphql_trusted_documents is None and not settings.trust_rules.are_off:
        raise SettingsRefused(
            "MOORINGS_GRAPHQL_TRUST needs MOORINGS_GRAPHQL_TRUSTED_DOCUMENTS: without it no document is trusted."
        )
    if settings.environment == "production" and values["database_url"] is None:
        raise SettingsRefused(
            "MOORINGS_DATABASE_URL is required in production (MOORINGS_ENVIRONMENT): without it a new, empty database "
            "would be made in the working directory."
        )
    return settings


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownSetting:
    """A setting as `moorings config show` prints it."""

    name: str
    value: str
    """In the form of its variable; of a secret only that it is set."""
    source: str
    """`default`, `environment`, or the path of the file that it comes from."""


def shown_settings() -> list[ShownSetting]:
    """Every setting with where its value comes from; raises `SettingsRefused`."""
    settings, environment = load_settings(), _environment()
    file = _file_texts(environment)
    return [_shown(each, getattr(settings, each.name), environment, file) for each in fields(Settings)]


def _shown(each: Field[Any], value: Any, environment: Mapping[str, str], file: Mapping[str, str]) -> ShownSetting:
    variable, source = PREFIX + each.name.upper(), "default"
    names = (variable, variable + FILE) if each.metadata["is_secret"] else (variable,)
    for texts, origin in ((file, environment.get(CONFIG_FILE, "")), (environment, "environment")):
        for name in names:
            if texts.get(name):
                source = origin if name == variable else f"{origin}, from {texts[name]}"
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    if isinstance(value, bool):
        text = text.lower()
    if value is None:
        text = ""
    elif each.metadata["is_secret"] and source != "default":
        text = HIDDEN
    return ShownSetting(name=variable, value=text, source=source)


def load_setting(name: str) -> Any:
    """One setting, for commands that need no others; None when it is unset. Raises `SettingsRefused`."""
    errors: list[str] = []
    value = _value(next(each for each in fields(Settings) if each.name == name), _texts(), errors)
    if errors:
        raise SettingsRefused(" ".join(errors))
    return value


def _texts() -> dict[str, str]:
    """The text of each variable, from the environment or else from the configuration file.

    A secret that the environment has, itself or in a file, is not looked for in the configuration file.
    """
    environment = _environment()
    file = _file_texts(environment)
    for each in fields(Settings):
        variable = PREFIX + each.name.upper()
        if environment.get(variable) or environment.get(variable + FILE):
            file.pop(variable, None)
            file.pop(variable + FILE, None)
    return environment | {name: text for name, text in file.items() if text}


def _environment() -> dict[str, str]:
    return {name.upper(): text for name, text in os.environ.items()}


def _file_texts(environment: Mapping[str, str]) -> dict[str, str]:
    """What the configuration file has, by variable; raises `SettingsRefused` with every key that is no setting."""
    path = environment.get(CONFIG_FILE)
    if not path:
        return {}
    try:
        with Path(path).open("rb") as file:
            found = tomllib.loads(file.read().decode("utf-8-sig"))
    except OSError as error:
        raise SettingsRefused(f"{CONFIG_FILE}: {path} cannot be read ({type(error).__name__}).") from error
    except ValueError as error:  # the text of the error may hold a value
        raise SettingsRefused(f"{CONFIG_FILE}: {path} is not TOML.") from error
    known = _variables()
    unknown = sorted(key for key in found if key != key.lower() or PREFIX + key.upper() not in known)
    if unknown:
        raise SettingsRefused(f"{path} has keys that are no settings: {', '.join(unknown)}.")
    texts, errors = dict[str, str](), list[str]()
    for key, value in found.items():
        try:
            texts[PREFIX + key.upper()] = types.toml_text(value)
        except ValueError as error:
            errors.append(f"{key} in {path} is not right: {error}.")
    if errors:
        raise SettingsRefused(" ".join(errors))
    return texts


def _variables() -> set[str]:
    """The name of every variable that is read."""
    known = {PREFIX + each.name.upper() for each in fields(Settings)}
    return known | {PREFIX + each.name.upper() + FILE for each in fields(Settings) if each.metadata["is_secret"]}


def _value(each: Field[Any], texts: Mapping[str, str], errors: list[str]) -> Any:
    """What a variable holds, None when it is unset or empty, or malformed; then there is a sentence in `errors`."""
    variable = PREFIX + each.name.upper()
    text, path = texts.get(variable), texts.get(variable + FILE) if each.metadata["is_secret"] else None
    if text and path:
        errors.append(f"{variable} and {variable}{FILE} are both set; unset one of them.")
        return None
    if path:
        try:
            text = types.secret_file(path)
        except ValueError as error:
            errors.append(f"{variable}{FILE} is not right: {error}.")
    try:
        return each.metadata["read"](text) if text else None
    except ValueError as error:
        errors.append(f"{variable} is not right: {error}.")
        return None


def laravel_variables() -> dict[str, str]:
    """What the environment has of a Laravel application's keys and time zone, for the commands that read its data."""
    return {name: os.environ[name] for name in LARAVEL if os.environ.get(name)}


def unknown_variables() -> list[str]:
    """Variables with the prefix that no setting reads: probably misspelt."""
    known = _variables() | TEST_ONLY | CLIENT_ONLY | {CONFIG_FILE}
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)


def client_address() -> tuple[str, Secret]:
    """The URL of the gateway that a backup job asks, and its token; raises `SettingsRefused`."""
    url, token, path = (os.environ.get(name) for name in (_CLIENTS_URL, _CLIENTS_TOKEN, _CLIENTS_TOKEN + FILE))
    if token and path:
        raise SettingsRefused(f"{_CLIENTS_TOKEN} and {_CLIENTS_TOKEN}{FILE} are both set; unset one of them.")
    if path:
        try:
            token = types.secret_file(path)
        except ValueError as error:
            raise SettingsRefused(f"{_CLIENTS_TOKEN}{FILE} is not right: {error}.") from None
    if not url or not token:
        raise SettingsRefused(
            f"{_CLIENTS_URL} and {_CLIENTS_TOKEN} are needed: the URL of a gateway, such as "
            "https://backups.example.com, and a token with the ability use-backup-destinations."
        )
    if not token.isascii() or not token.isprintable():
        raise SettingsRefused(f"{_CLIENTS_TOKEN} is not a token.")
    return url, Secret(token.strip())


def state_directory() -> Path:
    """Where programs of this user keep what outlives a run (XDG Base Directory Specification)."""
    given = os.environ.get("XDG_STATE_HOME", "")
    return Path(given) if given.startswith("/") else Path("~/.local/state").expanduser()


def secret_files() -> list[Path]:
    """The files that secret settings are read from, the configuration file among them when it holds one."""
    texts, environment = _texts(), _environment()
    secret = [PREFIX + each.name.upper() for each in fields(Settings) if each.metadata["is_secret"]]
    paths = [texts.get(name + FILE) for name in secret]
    if any(_file_texts(environment).get(name) for name in secret):
        paths.append(environment[CONFIG_FILE])
    return [Path(path) for path in paths if path]


def child_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program of another project: that of this process without our settings, and `variables`."""
    ours = (PREFIX, "PYTHONPATH")
    return {name: text for name, text in os.environ.items() if not name.startswith(ours)} | dict(variables)


def traces_wanted() -> bool:
    """Whether OpenTelemetry's variables name a collector for traces; raises `SettingsRefused` for another protocol."""
    texts = {name: os.environ.get(name, "").strip() for name in _OTEL}
    if texts["OTEL_SDK_DISABLED"].lower() == "true" or texts["OTEL_TRACES_EXPORTER"] not in ("", "otlp"):
        return False
    if not (texts["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] or texts["OTEL_EXPORTER_OTLP_ENDPOINT"]):
        return False
    protocol = texts["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] or texts["OTEL_EXPORTER_OTLP_PROTOCOL"]
    if protocol not in ("", _OTLP_PROTOCOL):
        raise SettingsRefused(f"Traces are exported over {_OTLP_PROTOCOL}: set OTEL_EXPORTER_OTLP_PROTOCOL to it.")
    return True


def share_metrics(directory: str | None) -> None:
    """Let the processes that start from now on share their metrics in this directory; with None each has its own.

    It is prometheus-client that reads this variable, when it is imported.
    """
    os.environ.pop(_METRICS_DIRECTORY, None)
    if directory is not None:
        os.environ[_METRICS_DIRECTORY] = directory


def metrics_directory() -> str | None:
    """The directory in which this process shares its metrics, or None."""
    return os.environ.get(_METRICS_DIRECTORY)
