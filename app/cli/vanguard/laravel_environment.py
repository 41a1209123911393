"""What the commands need of a Laravel application's `.env`: its keys and its time zone, never from an argument."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from app.settings import LARAVEL, laravel_variables
from models.takeover.laravel import AppKeyRefused, LaravelKeys

env_file_option = click.option(
    "--env-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Laravel's .env, for APP_KEY and APP_PREVIOUS_KEYS; without it they are read from the environment.",
)


def laravel_environment(env_file: Path | None) -> dict[str, str]:
    """The variables of the environment, and over them those of the file; raises `click.UsageError`.

    The file may begin with a mark of its byte order, and have lines in another encoding: those that are read are ASCII.
    """
    found = {name: _unquoted(value.strip()) for name, value in laravel_variables().items()}
    if env_file is None:
        return found
    try:
        lines = env_file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise click.UsageError(f"{env_file} cannot be read as a file of variables.") from error
    for line in lines:
        name, separator, value = line.strip().removeprefix("export ").partition("=")
        if separator and name.strip() in LARAVEL:
            found[name.strip()] = _unquoted(value.strip())
    return found


def laravel_keys(variables: dict[str, str]) -> LaravelKeys:
    """The keys; raises `click.UsageError` when there are none, or they are not in Laravel's form."""
    current = variables.get("APP_KEY")
    if not current:
        raise click.UsageError("APP_KEY is not set: it comes from the environment or from --env-file.")
    try:
        return LaravelKeys(current, variables.get("APP_PREVIOUS_KEYS", ""))
    except AppKeyRefused as refusal:
        raise click.UsageError(str(refusal)) from refusal


def time_zone(name: str) -> ZoneInfo:
    """A time zone by its name; raises `click.UsageError`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise click.UsageError(f"{name!r} is no time zone; write UTC or Europe/Berlin.") from error


def _unquoted(value: str) -> str:
    """A value without its quotes, which some leave in the environment too, or without the comment behind it."""
    if value[:1] in ("'", '"'):
        return value[1:].partition(value[0])[0]
    return value.partition(" #")[0].strip()
