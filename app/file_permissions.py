"""Files of keys or data that every user of the machine may read are named in the log, or refused, by a setting."""

from __future__ import annotations

import logging
import stat
from collections.abc import Iterable
from pathlib import Path

OTHERS = stat.S_IRWXO
logger = logging.getLogger("moorings")


class FilesOpenToOthers(Exception):
    """A file that only its owner or its group should read is open to every user; `str()` names it and the remedy."""


def check_permissions(paths: Iterable[Path], rule: str) -> None:
    """Log a warning for each file open to others, or with the rule `refuse` raise `FilesOpenToOthers`.

    `ignore` looks at nothing. A path that does not exist is passed over.
    """
    if rule == "ignore":
        return
    for path in paths:
        try:
            mode = path.stat().st_mode
        except OSError:  # it is missing, or in a folder that this process may not enter
            continue
        if mode & OTHERS:
            sentence = f"{path} is open to every user of this machine (mode {stat.S_IMODE(mode):04o}): chmod o= {path}"
            if rule == "refuse":
                raise FilesOpenToOthers(f"{sentence}, or set MOORINGS_FILE_PERMISSIONS=warn.")
            logger.warning("%s.", sentence)
