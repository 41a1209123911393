"""The project of a front end in a directory of its own, and the examples of `docs/graphql.md` that run in it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.support.browser.node import CLIENTS, PACKAGES, SCRIPTS, run_node
from tests.support.paths import ROOT

MANUAL = (ROOT / "docs" / "graphql.md").read_text("utf-8")
PART = re.search(r"\n## Front ends\n.*?(?=\n## |\Z)", MANUAL, re.DOTALL)


(RELAY_RECIPE,) = re.findall(r"```graphql\n(subscription Live.*?)```", MANUAL, re.DOTALL)


def examples(language: str) -> list[str]:
    """The blocks of that language in the part about front ends, in order."""
    assert PART is not None
    return re.findall(rf"```{language}\n(.*?)```", PART[0], re.DOTALL)


def recipes() -> dict[str, str]:
    """The modules of the part about recipes, by the file name in their first line."""
    return {name: text for text, name in re.findall(r"```jsx?\n(// ([\w-]+\.jsx?)\n.*?)```", MANUAL, re.DOTALL)}


async def compile_relay(relay: Path, **documents: str) -> None:
    """Have relay-compiler make what the operations of a directory become, those of `documents` by module included."""
    (relay / "__generated__").mkdir()
    for name, document in documents.items():
        (relay / f"{name}.js").write_text(f"graphql`{document}`", "utf-8")
    await run_node(PACKAGES / "relay-compiler" / "cli.js", "relay.config.json", cwd=relay)


async def make_recipes(directory: Path, schema: str) -> Path:
    """Compile the recipes and the scripts that use them; return where they are."""
    sources = make_project(directory, schema)
    for name, text in recipes().items():
        (sources / "recipes" / name).write_text(text, "utf-8")
    await compile_relay(sources / "relay", Live=RELAY_RECIPE)
    options = ["--allowJs", "--jsx", "react-jsx", "--module", "esnext", "--target", "es2022", "--noCheck"]
    compiler = PACKAGES / "typescript" / "bin" / "tsc"
    files = [str(file) for file in (sources / "recipes").iterdir()]
    await run_node(compiler, *options, "--rootDir", ".", "--outDir", "built", *files, cwd=sources)
    return sources / "built" / "recipes"


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
