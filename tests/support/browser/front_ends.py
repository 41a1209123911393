"""The project of a front end in a directory of its own, and the examples of `docs/graphql.md` that run in it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from tests.support.browser.node import CLIENTS, PACKAGES, SCRIPTS, run_node
from tests.support.paths import ROOT

MANUAL = (ROOT / "docs" / "graphql.md").read_text("utf-8")
LANGUAGE = ("--jsx", "react-jsx", "--module", "esnext", "--moduleResolution", "bundler", "--target", "es2023")
UNCHECKED = ("--allowJs", "--noCheck", *LANGUAGE)
COMPILER = PACKAGES / "typescript" / "bin" / "tsc"
PART = re.search(r"\n## Front ends\n.*?(?=\n## |\Z)", MANUAL, re.DOTALL)


(RELAY_RECIPE,) = re.findall(r"```graphql\n(subscription Live.*?)```", MANUAL, re.DOTALL)


def examples(language: str) -> list[str]:
    """The blocks of that language in the part about front ends, in order."""
    assert PART is not None
    return re.findall(rf"```{language}\n(.*?)```", PART[0], re.DOTALL)


def recipes() -> dict[str, str]:
    """The modules of the manual, by the file name in their first line."""
    return {name: text for text, name in re.findall(r"```tsx?\n(// ([\w-]+\.tsx?)\n.*?)```", MANUAL, re.DOTALL)}


async def compile_relay(relay: Path, **documents: str) -> None:
    """Have relay-compiler make what the operations of a directory become, those of `documents` by module included."""
    (relay / "__generated__").mkdir()
    for name, document in documents.items():
        (relay / f"{name}.js").write_text(f"graphql`{document}`", "utf-8")
    await run_node(PACKAGES / "relay-compiler" / "cli.js", "relay.config.json", cwd=relay)


async def write_trusted_documents(sources: Path) -> Path:
    """Have Apollo's tool and relay-compiler write down the documents of `trusted.mjs`; return the manifest of both."""
    path = sources / "persisted-query-manifest.json"
    tool = PACKAGES / "@apollo" / "generate-persisted-query-manifest" / "cli.js"
    await run_node(tool, "--config", "manifest.cjs", cwd=sources)

    settings = json.loads((sources / "relay" / "relay.config.json").read_text("utf-8"))
    settings["persistConfig"] = {"file": "persisted.json"}
    (sources / "relay" / "relay.config.json").write_text(json.dumps(settings), "utf-8")
    (sources / "relay" / "persisted.json").write_text("{}", "utf-8")  # the compiler wants it to exist
    await compile_relay(sources / "relay")

    manifest = json.loads(path.read_text("utf-8"))
    persisted = json.loads((sources / "relay" / "persisted.json").read_text("utf-8"))
    manifest["operations"] += [{"id": id_, "body": text} for id_, text in persisted.items()]
    path.write_text(json.dumps(manifest), "utf-8")
    return path


async def generate_types(directory: Path) -> None:
    """Have GraphQL Code Generator make the types of a directory's documents, with the settings of the manual."""
    (settings,) = examples("yaml")
    (directory / "codegen.yml").write_text(settings, "utf-8")
    await run_node(PACKAGES / "@graphql-codegen" / "cli" / "esm" / "bin.js", "--config", "codegen.yml", cwd=directory)


async def make_recipes(directory: Path, schema: str) -> Path:
    """Compile the recipes and the scripts that use them; return where they are."""
    sources = make_project(directory, schema)
    for name, text in recipes().items():
        (sources / "recipes" / name).write_text(text, "utf-8")
    await compile_relay(sources / "relay", Live=RELAY_RECIPE)
    files = [str(file) for file in (sources / "recipes").iterdir()]
    await run_node(COMPILER, *UNCHECKED, "--rootDir", ".", "--outDir", "built", *files, cwd=sources)
    return sources / "built" / "recipes"


async def make_program(directory: Path, schema: str, prelude: str) -> Path:
    """Compile the examples of the part about front ends behind a prelude, as one program; return where it is."""
    sources = make_project(directory, schema)
    (sources / "program.ts").write_text(prelude + "".join(examples("ts")), "utf-8")
    await run_node(COMPILER, *UNCHECKED, "program.ts", cwd=sources)
    return sources / "program.js"


async def check_types(directory: Path, schema: str) -> None:
    """Put every example of TypeScript into a project with the settings of the manual, and have it checked strictly.

    Raises `ScriptFailed` with what the compiler has against them.
    """
    (directory / "node_modules").symlink_to(PACKAGES)
    shutil.copy(ROOT / "schema" / "possibleTypes.json", directory)
    (directory / "schema.graphql").write_text(schema, "utf-8")
    modules = recipes() | {"program.ts": "".join(examples("ts"))}
    for name, text in modules.items():
        (directory / name).write_text(text, "utf-8")
    await generate_types(directory)
    # The declarations of react-relay have faults of their own.
    options = ["--strict", "--noUncheckedIndexedAccess", "--skipLibCheck", "--noEmit", "--types", "node", *LANGUAGE]
    await run_node(COMPILER, *options, "--lib", "es2023,dom,dom.iterable", *modules, cwd=directory)


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
