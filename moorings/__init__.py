"""The gateway as one package: what is installed is called `moorings`, and takes no other name where it is installed.

In the repository the rooms (`app`, `models`, …) are folders at the root, and import each other by these names. A wheel
has them inside this package. `main` puts the package's own folder first in the path of the process and of those that it
starts, so that the names mean the same there, whatever else is installed beside it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """The console script."""
    folder = Path(__file__).parent
    if (folder / "app").is_dir():
        sys.path.insert(0, str(folder))
        inherited = os.environ.get("PYTHONPATH")  # for the supervisor and the workers, which are programs of their own
        os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), *([inherited] if inherited else [])])
    from app.cli import main as run

    run()
