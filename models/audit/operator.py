"""The operator as the audit names them: by the user of the operating system that the process runs as."""

from __future__ import annotations

import os
import pwd

from models.audit.entry import Actor, Origin

_PROTOCOL = "command_line"


def operator(*, user_id: int | None = None, token_id: int | None = None) -> Origin:
    """The origin of an operator's act; the ids are of the user and the token that it is about."""
    return Origin(actor=Actor.OPERATOR, os_user=os_user(), user_id=user_id, token_id=token_id, protocol=_PROTOCOL)


def os_user() -> str:
    """The name of the process's user, or the number of one without a name, as containers have them.

    Asked of the system: a variable of the environment could name anybody.
    """
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name[:255]
    except KeyError:
        return str(uid)
