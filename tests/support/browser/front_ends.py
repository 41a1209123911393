"""The project of a front end in a directory of its own, and the examples of `docs/graphql.md` that run in it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.support.browser.node import CLIENTS, PACKAGES, SCRIPTS
from tests.support.paths import ROOT

PART = re.search(r"\n## Front ends\n.*?(?=\n## |\Z)", (ROOT / "docs" / "graphql.md").read_text("utf-8"), re.DOTALL)


def examples(language: str) -> list[str]:
    """The blocks of that language in the part about front ends, in order."""
    assert PART is not None
    return re.findall(rf"```{language}\n(.*?)```", PART[0], re.DOTALL)


def make_project(directory: Path, schema: str) -> Path:
    """Copy the scripts into a directory with the installed packages and a schema; return where the scripts are."""
    (directory / "node_modules").symlink_to(PACKAGES)
    shutil.copy(CLIENTS / "package.json", directory)
    sources = directory / "src"
    shutil.copytree(SCRIPTS, sources)
    for folder in (sources / "codegen", sources / "relay"):
        (folder / "schema.graphql").write_text(schema, "utf-8")
    shutil.copy(ROOT / "schema" / "possibleTypes.json", sources)
    return sources
