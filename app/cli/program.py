"""Puts the commands together, and turns every refusal into one sentence on stderr and exit status 1."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from io import RawIOBase, TextIOWrapper
from typing import Any

import click

from app.backups.refusals import BackupRefused
from app.cli import audit, checks, destinations, events, keys, printing, serving, tokens, users
from app.cli.backups import backup, credentials
from app.cli.operation import configuration, data, doctor
from app.cli.vanguard import exporting, importing
from app.database import EncodingRefused, MigrationsMissing
from app.embedded_file import EmbeddedFileRefused
from app.file_permissions import FilesOpenToOthers
from app.settings import SettingsRefused, load_settings
from models.database.faults import explain, is_fault
from models.errors import DatabaseUnavailable, KeysUnavailable, Refusal
from web.server.sockets import AddressTaken
from web.server.tls import CertificateRefused

BROKEN_PIPE = 141
"""As a shell says it of a program that SIGPIPE ended."""
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})
"""What a write to stdout fails with on a full or failing disk, or where the program was started with it closed."""
_REFUSALS = (
    Refusal,
    SettingsRefused,
    AddressTaken,
    CertificateRefused,
    BackupRefused,
    EmbeddedFileRefused,
    FilesOpenToOthers,
    EncodingRefused,
    MigrationsMissing,
)


class _Program(click.Group):
    """Shows its commands in the order in which they were given."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(self.commands)


program = _Program(
    "moorings",
    help="A gateway for backup destinations: GraphQL for front ends, the documented REST API for legacy clients.",
    context_settings={"help_option_names": ["-h", "--help"]},
    commands=[
        serving.serve,
        serving.migrate,
        checks.check,
        doctor.doctor,
        configuration.commands,
        data.commands,
        printing.schema,
        printing.openapi,
        users.commands,
        tokens.commands,
        destinations.commands,
        keys.commands,
        audit.audit,
        events.commands,
        importing.commands,
        backup.commands,
        credentials.credentials,
        exporting.commands,
    ],
)

click.version_option(None, "-V", "--version", package_name="moorings", message="%(prog)s %(version)s")(program)


def run() -> None:
    """Run the command in `sys.argv`.

    What cannot be written, to a full disk or to a reader that is gone, is a refusal too, and no traceback.
    """
    _open_what_is_closed()
    if sys.stderr is sys.__stderr__ and isinstance(sys.stderr, TextIOWrapper):
        sys.stderr = TextIOWrapper(_Stderr(), encoding=sys.stderr.encoding, line_buffering=True)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    stdout = sys.stdout
    try:
        status = _status()
        if sys.stdout is not stdout:  # click's sign that the reader is gone
            sys.stdout = stdout
            raise BrokenPipeError
        sys.stdout.flush()
    except BrokenPipeError:
        _give_up_stdout()
        status = BROKEN_PIPE
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        _give_up_stdout()
        print(f"moorings: The output cannot be written: {error.strerror}.", file=sys.stderr)
        status = 1
    sys.exit(status)


class _Stderr(RawIOBase):
    """Standard error. What cannot be written to it, on a full disk, is lost, and changes no exit status."""

    def fileno(self) -> int:
        return 2

    def isatty(self) -> bool:
        return os.isatty(2)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        rest = memoryview(data)
        with suppress(OSError):
            while rest:
                rest = rest[os.write(2, rest) :]
        return len(data)


def _open_what_is_closed() -> None:
    """Give stdin, stdout and stderr a descriptor each where the program was started without: the next file that is
    opened, such as the database, would get its number. Writing to such a stdout fails, and what is for stderr is lost.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, mode)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor


def _give_up_stdout() -> None:
    """Let what is left in its buffer go nowhere, or the interpreter would fail at it once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _status() -> int:
    """The exit status of the command; what it was refused for is on stderr."""
    try:
        program.main(prog_name="moorings", standalone_mode=False)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except click.ClickException as mistake:
        mistake.show()
        return mistake.exit_code
    except DatabaseUnavailable as error:
        return refuse(_explained(error))
    except KeysUnavailable:
        return refuse("The key service that MOORINGS_KEY_SERVICE names does not answer.")
    except _REFUSALS as refusal:
        return refuse(str(refusal))
    except click.Abort:
        return 130
    except Exception as error:
        if not is_fault(error):
            raise
        return refuse(_explained(error))
    return 0


def _explained(error: Exception) -> str:
    address = load_settings().address
    return explain(error, path=address.path, url=address.url)


def refuse(sentence: str) -> int:
    """Print the sentence of a refusal; returns its exit status."""
    print(f"moorings: {sentence}", file=sys.stderr)
    return 1
