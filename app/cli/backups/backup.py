"""`moorings backup put`, `get` and `ls`: a destination is used by a URL and a token, without its keys."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NoReturn

import click

from app.backups.connections import Connections
from app.backups.gateway import Gateway
from app.backups.get import Get, Got
from app.backups.listing import listed
from app.backups.put import LEAST_PART_BYTES, Put, Stored
from app.backups.refusals import BackupRefused, GatewayRefused
from app.backups.source import FileSource, parts_of_stream
from app.backups.state import transfer_state
from app.backups.store import Store
from app.cli.tables import printable
from app.settings import SettingsRefused, client_address, state_directory

STREAM = "-"
_STATE = Path("moorings") / "transfers"
_ID = re.compile(r"(?:BackupDestination:)?([1-9][0-9]{0,18})")
_SIZE = re.compile(r"([1-9][0-9]{0,11})(?:([KMG])i?B?)?", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_TERMINATED = 143


class _Destination(click.ParamType[int]):
    """The id of a destination, as REST or as GraphQL has it."""

    name = "id"

    def convert(self, value: Any, _parameter: click.Parameter | None, _context: click.Context | None) -> int:
        found = _ID.fullmatch(str(value))
        if found is None:
            self.fail("It wants the id of a destination, such as 7.")
        return int(found[1])


class _Size(click.ParamType[int]):
    """A number of bytes, with a unit or without."""

    name = "size"

    def convert(self, value: Any, _parameter: click.Parameter | None, _context: click.Context | None) -> int:
        found = _SIZE.fullmatch(str(value))
        if found is None:
            self.fail("It wants a size such as 64MiB.")
        return int(found[1]) * _UNITS[(found[2] or "").upper()]


_of_a_destination = click.option(
    "--destination", type=_Destination(), required=True, metavar="ID", help="The destination's id."
)
_parallel = click.option(
    "--parallel", type=click.IntRange(1, 64), default=4, show_default=True, help="Parts that are on the way at once."
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print a JSON object for machines.")


@click.group(name="backup")
def commands() -> None:
    """Put files into a destination, get and list them, without its keys.

    MOORINGS_URL is the URL of the gateway, MOORINGS_TOKEN (or MOORINGS_TOKEN_FILE) a token of the ability
    use-backup-destinations; nothing else is needed, least of all a database.
    """


@commands.command()
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@_of_a_destination
@click.option("--key", help="The object's name; the file's own if left out.")
@_parallel
@click.option(
    "--part-size",
    type=_Size(),
    default="64MiB",
    show_default=True,
    help="What is larger goes in parts of this size, at least 5MiB.",
)
@click.option("--allow-empty", is_flag=True, help="Store a standard input without a byte, too.")
@_as_json
def put(
    file: str,
    destination: int,
    key: str | None,
    parallel: int,
    part_size: int,
    *,
    allow_empty: bool,
    as_json: bool,
) -> None:
    """Put FILE, or - for the standard input, into a destination.

    Killed, the same command goes on with the parts of the file that are not stored yet.
    """
    if part_size < LEAST_PART_BYTES:
        raise click.BadParameter("A part has at least 5MiB.", param_hint="--part-size")
    if file == STREAM and not key:
        raise click.UsageError("What comes from the standard input needs a --key.")
    name = key or Path(file).name
    with _session() as (gateway, store):
        started_at = time.monotonic()
        source = None if file == STREAM else FileSource(Path(file))
        identity = {"stream": secrets.token_hex(16)} if source is None else source.identity
        with (
            nullcontext() if source is None else closing(source),
            _transfer(gateway, destination, name, identity) as state,
            _progress(name, None if source is None else source.size) as advance,
        ):
            act = Put(
                gateway, store, destination=destination, key=name, parallel=parallel, state=state, advance=advance
            )
            if source is None:
                parts = parts_of_stream(sys.stdin.buffer, part_size)
                stored = act.stream(parts, may_be_empty=allow_empty)
            else:
                stored = act.file(source, part_bytes=part_size)
        _say_stored(stored, time.monotonic() - started_at, as_json=as_json)


@commands.command()
@click.argument("key", metavar="KEY")
@click.argument("file", metavar="[FILE]", required=False)
@_of_a_destination
@_parallel
@_as_json
def get(key: str, file: str | None, destination: int, parallel: int, *, as_json: bool) -> None:
    """Get the object KEY of a destination into FILE, or - for the standard output.

    FILE is the last part of KEY if left out. Killed, the same command goes on with what is not there yet.
    """
    if file == STREAM and as_json:
        raise click.UsageError("--json does not go together with the standard output.")
    path = Path(file or key.rpartition("/")[2] or key.strip("/").rpartition("/")[2])
    if file != STREAM and (path.is_dir() or path.name in ("", ".", "..")):
        raise click.UsageError("FILE is a folder; it has to be a file.")
    with _session() as (gateway, store):
        started_at = time.monotonic()
        facts_of = Get(gateway, store, destination=destination, key=key, parallel=parallel, advance=lambda _size: None)
        facts = facts_of.facts()
        with _progress(key, facts.size) as advance:
            act = Get(gateway, store, destination=destination, key=key, parallel=parallel, advance=advance)
            if file == STREAM:
                got = act.to_stream(facts, sys.stdout.buffer)
            else:
                identity = {"get": str(path.absolute()), "etag": facts.etag, "size": facts.size}
                with _transfer(gateway, destination, f"{key} {path.absolute()}", identity) as state:
                    got = act.to_file(facts, path, state)
        _say_got(got, time.monotonic() - started_at, as_json=as_json)


@commands.command()
@click.argument("prefix", metavar="[PREFIX]", required=False)
@_of_a_destination
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array for machines.")
def ls(prefix: str | None, destination: int, *, as_json: bool) -> None:
    """List the objects of a destination, or those below PREFIX: size in bytes, time, key."""
    with _session() as (gateway, store):
        found = listed(gateway, store, destination=destination, prefix=prefix or None)
        if not as_json:
            for each in found:
                print(f"{each.size:>14}  {each.modified[:19]:<19}  {printable(each.key)}")
            return
        start = "["
        for each in found:
            print(start + json.dumps(each._asdict(), ensure_ascii=False), end="")
            start = ",\n "
        print("[]" if start == "[" else "]")


@contextmanager
def _session() -> Iterator[tuple[Gateway, Store]]:
    """The gateway and the store of one command; a signal to terminate ends it in order.

    A URL or a token that is missing or cannot be one is bad usage.
    """
    connections = Connections()
    try:
        url, token = client_address()
        gateway, store = Gateway(url, token, connections), Store(connections)
    except (SettingsRefused, GatewayRefused) as refusal:
        raise click.UsageError(str(refusal)) from None
    if gateway.is_open_to_readers:
        print("moorings: the token goes over the network in the clear; let MOORINGS_URL be https://.", file=sys.stderr)
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        yield gateway, store
    except BrokenPipeError:
        # Whatever read the output has enough; Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise BackupRefused("The output was closed before its end.") from None
    finally:
        store.stopping.set()
        signal.signal(signal.SIGTERM, before)


def _terminated(_signal: int, _frame: object) -> NoReturn:
    sys.exit(_TERMINATED)


def _transfer(gateway: Gateway, destination: int, name: str, identity: dict[str, Any]) -> Any:
    return transfer_state(state_directory() / _STATE, f"{gateway.url} {destination} {name}", identity)


@contextmanager
def _progress(name: str, size: int | None) -> Iterator[Callable[[int], None]]:
    """A function that takes the number of bytes that are done, for a bar on a terminal."""
    if not sys.stderr.isatty():
        yield lambda _bytes: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn(), TimeRemainingColumn())
    text = TextColumn("{task.description}")
    with Progress(text, *columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(escape(printable(name)), total=size)
        yield lambda done: progress.advance(task, done)


def _say_stored(stored: Stored, seconds: float, *, as_json: bool) -> None:
    if as_json:
        said = {
            "key": stored.key,
            "bytes": stored.size,
            "etag": stored.etag.strip('"'),
            "parts": stored.parts,
            "resumedParts": stored.resumed_parts,
            "verified": stored.is_verified,
            "seconds": round(seconds, 3),
        }
        print(json.dumps(said, ensure_ascii=False))
        return
    resumed = f", {stored.resumed_parts} of {stored.parts} parts by an earlier run" if stored.resumed_parts else ""
    print(f"moorings: {stored.size} bytes are stored as {printable(stored.key)}{resumed}.", file=sys.stderr)


def _say_got(got: Got, seconds: float, *, as_json: bool) -> None:
    if as_json:
        said = {
            "key": got.key,
            "bytes": got.size,
            "etag": got.etag.strip('"'),
            "resumedBytes": got.resumed_bytes,
            "verified": got.is_verified,
            "seconds": round(seconds, 3),
        }
        print(json.dumps(said, ensure_ascii=False))
        return
    verified = "verified" if got.is_verified else "its size compared, its digest unknown to the store"
    print(f"moorings: {got.size} bytes of {printable(got.key)} came, {verified}.", file=sys.stderr)
