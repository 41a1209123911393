"""Looks at what is around the gateway: Redis, name resolution, disk, limits of the system, proxies, settings."""

from __future__ import annotations

import http.client
import ipaddress
import resource
import shutil
import socket
import ssl
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from app.doctor.finding import Finding, failure, ok, warning
from app.settings import Settings, unknown_variables

LEAST_FREE_BYTES = 100 * 1024 * 1024
FREE_BYTES = 1024 * 1024 * 1024
SLOW_RESOLUTION_S = 1.0
WORKER_BYTES = 120 * 1024 * 1024
"""Of a worker without its cached responses."""
SPARE_DESCRIPTORS = 100
_REQUEST_S = 5.0
_CGROUP = Path("/sys/fs/cgroup")


def look_at_settings() -> Iterator[Finding]:
    """Variables that nothing reads."""
    unknown = unknown_variables()
    if unknown:
        yield warning("settings", f"{', '.join(unknown)}: no setting is called so.", "Look for a misspelling.")
    else:
        yield ok("settings", "Every MOORINGS_ variable is a setting, and is well-formed.")


async def look_at_redis(settings: Settings, *, workers: int) -> Finding:
    """The storage of the counts of rate limits."""
    if settings.rate_limit == "off":
        return warning("rate limits", "They are off.", "Unset MOORINGS_RATE_LIMIT, unless something else counts.")
    if settings.rate_limit_storage == "memory://":
        if workers == 1:
            return ok("rate limits", "One process counts in its memory.")
        return warning(
            "rate limits",
            f"Each of {workers} processes counts by itself, and all together allow as many times the limit.",
            "Name a Redis in MOORINGS_RATE_LIMIT_STORAGE.",
        )
    from web.rate_limit.redis_counter import ping

    host = urlsplit(settings.rate_limit_storage).hostname
    try:
        took_s = await ping(settings.rate_limit_storage)
    except ModuleNotFoundError:
        return failure("redis", "The client for Redis is not installed.", "Install Moorings with its extra redis.")
    except (OSError, ValueError) as error:
        return failure(
            "redis",
            f"The Redis at {host} does not answer ({error}); meanwhile nothing is limited.",
            "Look at host, port and password in MOORINGS_RATE_LIMIT_STORAGE, and whether it runs.",
        )
    return ok("redis", f"The Redis at {host} answers in {took_s * 1000:.0f} ms.")


def look_at_names(settings: Settings) -> Iterator[Finding]:
    """Whether the host names in the settings resolve, and how fast."""
    urls = (settings.database_url, settings.rate_limit_storage, settings.public_url or "")
    hosts = {host for host in map(_host, urls) if host}
    if not hosts:
        yield ok("name resolution", "No setting has a host name.")
    for host in sorted(hosts):
        started = time.monotonic()
        try:
            found = {str(address[4][0]) for address in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
        except OSError as error:
            yield failure(
                "name resolution",
                f"{host} does not resolve ({type(error).__name__}).",
                "Look at the name in the settings, at /etc/hosts, and at the name servers in /etc/resolv.conf.",
            )
            continue
        took_s = time.monotonic() - started
        said = f"{host} is {', '.join(sorted(found))}, found in {took_s * 1000:.0f} ms."
        if took_s < SLOW_RESOLUTION_S:
            yield ok("name resolution", said)
        else:
            yield warning("name resolution", said, "Look at the first name server in /etc/resolv.conf.")


def _host(url: str) -> str | None:
    """The host name of a URL; None for an address, a list, a socket, or what cannot be read."""
    with suppress(ValueError):
        parts = urlsplit(url)
        behind = parts.path + parts.query + parts.fragment  # an @ there is of a password, whose part the host then is
        if parts.hostname and "," not in parts.netloc and "@" not in behind and parts.scheme != "sqlite":
            with suppress(ValueError):
                ipaddress.ip_address(parts.hostname)
                return None
            return parts.hostname
    return None


def look_at_disks(settings: Settings) -> Iterator[Finding]:
    """Room for the embedded database, and for the files that workers share."""
    folders = {"disk of the database": settings.address.path and settings.address.path.parent}
    folders["disk for temporary files"] = Path(tempfile.gettempdir())
    for what, folder in folders.items():
        if folder is None or not folder.is_dir():
            continue
        free = shutil.disk_usage(folder).free
        said = f"{folder} has {free / 1024**3:.1f} GiB left."
        if free < LEAST_FREE_BYTES:
            yield failure(what, said, "Make room: writes fail when it is full.")
        elif free < FREE_BYTES:
            yield warning(what, said, "Make room: writes fail when it is full.")
        else:
            yield ok(what, said)


def look_at_limits(settings: Settings, *, workers: int) -> Iterator[Finding]:
    """What the system lets the processes have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.max_connections + settings.database_pool_size + SPARE_DESCRIPTORS
    allowed = "any number of" if hard == resource.RLIM_INFINITY else f"{hard:,}"
    said = f"A process may have {allowed} open files, and may want {wanted:,}."
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        yield ok("open files", said)
    else:
        yield warning(
            "open files", said, "Raise the limit (LimitNOFILE=, --ulimit nofile), or lower MOORINGS_MAX_CONNECTIONS."
        )
    memory = _cgroup("memory.max")
    if memory is None:
        yield ok("memory", "No limit of a control group is visible here.")
    else:
        needed = workers * (WORKER_BYTES + settings.response_cache_bytes + settings.max_buffered_bytes)
        said = f"The limit is {memory // 1024**2:,} MiB; {workers} worker(s) may need {needed // 1024**2:,} MiB."
        if memory >= needed:
            yield ok("memory", said)
        else:
            yield warning("memory", said, "Raise it, or lower MOORINGS_RESPONSE_CACHE_BYTES or the number of workers.")


def _cgroup(name: str) -> int | None:
    with suppress(OSError, ValueError):
        return int((_CGROUP / name).read_text())
    return None


def look_at_proxies(settings: Settings) -> Iterator[Finding]:
    """Whether the settings about proxies fit each other, and what the public URL answers."""
    if any(ipaddress.ip_network(network).prefixlen == 0 for network in settings.trusted_proxies):
        yield failure(
            "proxy headers",
            "MOORINGS_TRUSTED_PROXIES trusts every address: each client can claim any other's.",
            "Name the addresses of the proxies alone.",
        )
    elif settings.public_url and settings.public_url.startswith("https:") and not settings.trusted_proxies:
        yield warning(
            "proxy headers",
            "MOORINGS_PUBLIC_URL is https, and no proxy is trusted: all clients share one limit of failed sign-ins.",
            "Name the proxy in MOORINGS_TRUSTED_PROXIES, unless the gateway serves HTTPS itself.",
        )
    else:
        proxies = ", ".join(settings.trusted_proxies) or "none"
        yield ok("proxy headers", f"X-Forwarded-For and X-Forwarded-Proto are believed from: {proxies}.")
    if settings.public_url is None:
        return
    host = (urlsplit(settings.public_url).hostname or "").lower()
    if not _is_allowed(host, settings.allowed_hosts):
        yield failure(
            "allowed hosts",
            f"Requests for {host}, the host of MOORINGS_PUBLIC_URL, are refused.",
            "Add it to MOORINGS_ALLOWED_HOSTS.",
        )
    yield from _public(settings.public_url)


def _is_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    shown = f"[{host}]" if ":" in host else host
    return any(
        pattern in ("*", shown) or (pattern.startswith("*.") and shown.endswith(pattern[1:])) for pattern in allowed
    )


def _public(url: str) -> Iterator[Finding]:
    try:
        health, headers = _get(url, "/healthz")
        metrics, _ = _get(url, "/metrics")
    except (OSError, http.client.HTTPException) as error:
        yield warning(
            "public URL",
            f"{urlsplit(url).hostname} does not answer from here ({type(error).__name__}).",
            "Start the gateway and the proxy, or ask from where clients are.",
        )
        return
    if health != http.client.OK:
        yield failure("public URL", f"/healthz is answered {health}.", "Look at the proxy's log and its upstream.")
    elif url.startswith("https:") and "strict-transport-security" not in headers:
        yield warning(
            "public URL",
            "The gateway does not learn that clients come over HTTPS.",
            "Let the proxy set X-Forwarded-Proto, and name it in MOORINGS_TRUSTED_PROXIES.",
        )
    else:
        yield ok("public URL", "It leads to the gateway.")
    if metrics == http.client.OK:
        yield warning("public URL", "/metrics can be read by everybody.", "Let the proxy refuse it, or give it a port.")


def _get(url: str, path: str) -> tuple[int, dict[str, str]]:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    connection = (
        http.client.HTTPSConnection(parts.netloc, timeout=_REQUEST_S, context=ssl.create_default_context())
        if secure
        else http.client.HTTPConnection(parts.netloc, timeout=_REQUEST_S)
    )
    try:
        connection.request("GET", parts.path + path)
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}
    finally:
        connection.close()
