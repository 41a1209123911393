"""A release is made from the tree, installs beside whatever else is installed, and serves with its pages."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.figures import FULL
from tests.support.gateway.gateway import Gateway
from tests.support.paths import ROOT

IDENTITY = {f"GIT_{who}_{what}": "Test@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
THEIRS = 'WHOSE = "of another distribution"\n'


def git(tree: Path, *arguments: str) -> str:
    """What git prints, run in a tree."""
    command = ["git", "-c", "init.defaultBranch=main", *arguments]
    done = subprocess.run(command, cwd=tree, env=os.environ | IDENTITY, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def release(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What `make release` runs."""
    command = [sys.executable, str(tree / ".ci" / "release.py"), *arguments]
    return subprocess.run(
        command, cwd=tree, env=os.environ | IDENTITY, check=False, capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of one commit with the files of this one, and a built explorer."""
    tree = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    subprocess.run([sys.executable, str(ROOT / "explorer" / "build.py")], check=True)
    shutil.copytree(ROOT / "explorer" / "dist", tree / "explorer" / "dist")
    git(tree, "init", "--quiet")
    git(tree, "add", ".")
    git(tree, "commit", "--quiet", "--message", "everything")
    return tree


@pytest.fixture(scope="module")
def dist(tree: Path) -> Path:
    """What a release of 9.0.0 made."""
    made = release(tree, "9.0.0")
    assert made.returncode == 0, made.stderr
    return tree / "dist"


@pytest.fixture(scope="module")
def environment(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, and with top-level packages of the rooms' names that are not ours.

    In the short form its dependencies are those of the tests' environment, without the checkout that is in it.
    """
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"]
    packages = next((folder / "lib").glob("python*")) / "site-packages"
    if FULL:
        subprocess.run([*pip, "--require-hashes", "-r", str(next(dist.glob("*-requirements.txt")))], check=True)
    else:
        (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run([*pip, "--no-deps", "--no-index", str(next(dist.glob("*.whl")))], check=True)
    for room in ("app", "models", "rest", "s3", "schema", "web", "explorer"):
        (packages / room).mkdir()
        (packages / room / "__init__.py").write_text(THEIRS)
    return folder


@pytest.fixture(scope="module")
def installed(environment: Path) -> Iterator[Gateway]:
    """A gateway that runs from that environment, with workers, which are started anew from its command."""
    gateway = Gateway(program=str(environment / "bin" / "moorings"), workers=2).start()
    yield gateway
    gateway.close()


def test_a_wheel_has_one_package_and_nothing_else(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.partition("/")[0] for name in names} == {"moorings", "moorings-9.0.0.dist-info"}
    assert {"moorings/app/main.py", "moorings/schema/schema.graphql", "moorings/explorer/dist/graphiql.html"} <= set(
        names
    )
    assert [name for name in names if re.search(r"\.(db|key|token|env)$|__pycache__|/tests/", name)] == []


def test_its_metadata_says_what_it_is(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    metadata = zipfile.ZipFile(wheel).read("moorings-9.0.0.dist-info/METADATA").decode()

    assert {"Name: moorings", "Version: 9.0.0", "License-Expression: MIT", "Requires-Python: >=3.11"} <= set(
        metadata.splitlines()
    )
    assert "Description-Content-Type: text/markdown" in metadata
    assert (ROOT / "README.md").read_text().strip() in metadata


def test_the_source_distribution_builds_the_same_wheel(dist: Path, tmp_path: Path) -> None:
    (source,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    with tarfile.open(source) as archive:
        newest = max(member.mtime for member in archive.getmembers())
    shutil.unpack_archive(source, tmp_path)
    (unpacked,) = tmp_path.iterdir()
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(tmp_path / "made")]
    subprocess.run(
        command, cwd=unpacked, env=os.environ | {"SOURCE_DATE_EPOCH": str(int(newest))}, check=True, capture_output=True
    )

    assert (tmp_path / "made" / wheel.name).read_bytes() == wheel.read_bytes()


def test_every_file_of_a_release_is_in_its_checksums_and_the_bill_names_the_version(dist: Path) -> None:
    lines = [line.partition("  ") for line in (dist / "SHA256SUMS").read_text().splitlines()]
    sums = {name: digest for digest, _, name in lines}
    made = {path.name: path for path in dist.iterdir() if path.name != "SHA256SUMS" and path.name != ".gitignore"}

    assert sums == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in made.items()}
    assert json.loads(made["moorings-9.0.0.cdx.json"].read_text())["metadata"]["component"]["version"] == "9.0.0"
    assert made["moorings-9.0.0-requirements.txt"].read_bytes() == (ROOT / "requirements.txt").read_bytes()


def test_a_release_cuts_the_changelog_sets_the_version_and_tags(tree: Path, dist: Path) -> None:
    assert dist.is_dir()
    before, after = (ROOT / "CHANGELOG.md").read_text(), (tree / "CHANGELOG.md").read_text()
    cut = re.search(r"^## \[Unreleased\]\n\n## \[9\.0\.0\] - \d{4}-\d\d-\d\d\n", after, re.MULTILINE)

    assert cut is not None
    assert after.replace(cut[0], "## [Unreleased]\n") == before
    assert git(tree, "describe") == "v9.0.0"
    assert git(tree, "status", "--porcelain") == ""
    assert 'version = "9.0.0"' in (tree / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        ("9.0", "9.0 is no version of SemVer"),
        ("v9.1.0", "v9.1.0 is no version of SemVer"),
        ("8.9.9", "8.9.9 is before 9.0.0."),
        ("9.0.0", "There is a tag v9.0.0 already."),
        ("9.1.0", "CHANGELOG.md has nothing under [Unreleased]."),
    ],
)
def test_a_release_that_cannot_be_right_is_refused_and_changes_nothing(
    version: str, sentence: str, tree: Path, dist: Path
) -> None:
    before = (git(tree, "rev-parse", "HEAD"), git(tree, "tag"), sorted(dist.iterdir()))

    refused = release(tree, version)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"release: {sentence}")
    assert (git(tree, "rev-parse", "HEAD"), git(tree, "tag"), sorted(dist.iterdir())) == before
    assert git(tree, "status", "--porcelain") == ""


def test_a_tree_with_changes_is_not_released(tree: Path, dist: Path) -> None:
    stray = tree / "stray.txt"
    stray.touch()
    try:
        refused = release(tree)
    finally:
        stray.unlink()

    assert refused.stderr == "release: The tree has changes; commit or remove them first.\n"
    assert dist.is_dir()


def test_the_installed_command_says_its_version(environment: Path) -> None:
    for command in (["bin/moorings", "--version"], ["bin/python", "-m", "moorings", "-V"]):
        said = subprocess.run([str(environment / command[0]), *command[1:]], check=True, capture_output=True, text=True)
        assert said.stdout == "moorings 9.0.0\n"


def test_an_installed_gateway_serves_with_the_explorer_pages(installed: Gateway) -> None:
    with httpx.Client(base_url=installed.url, headers={"Accept": "text/html"}) as client:
        page = client.get("/graphql")
        assets = re.findall(r'(?:src|href)="\.?/?([^"]+\.(?:js|css))"', page.text)

        assert (page.status_code, "GraphiQL" in page.text) == (httpx.codes.OK, True)
        assert assets
        assert {client.get(f"/{asset}").status_code for asset in assets} == {httpx.codes.OK}
        assert "9.0.0" in client.get("/").text
        assert client.get("/api/docs").status_code == httpx.codes.OK
        assert "type Query" in client.get("/schema.graphql").text


def test_what_is_installed_beside_it_is_neither_used_nor_shadowed(environment: Path, installed: Gateway) -> None:
    assert installed.url
    asked = [str(environment / "bin" / "python"), "-c", "import app, models, moorings; print(app.WHOSE, models.WHOSE)"]

    said = subprocess.run(asked, check=True, capture_output=True, text=True, cwd=environment)

    assert said.stdout == "of another distribution of another distribution\n"
