"""Makes a release in `dist/`: wheel, sdist, pins, bill of materials and checksums; `make release` runs it.

    python .ci/release.py           the artefacts of the version in pyproject.toml; nothing else is changed
    python .ci/release.py 0.2.0     cuts CHANGELOG.md, sets the version, builds, commits, and tags v0.2.0

Both refuse a tree with changes. The same commit gives the same bytes: times in the archives are those of the release.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
PROJECT, CHANGELOG = ROOT / "pyproject.toml", ROOT / "CHANGELOG.md"
_VERSION = re.compile(r'^version = "([^"]+)"$', re.MULTILINE)
_SEMVER = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")
_UNRELEASED = re.compile(r"^## \[Unreleased\]\n(.*?)(?=^## \[|\Z)", re.MULTILINE | re.DOTALL)


class ReleaseRefused(Exception):
    """`str()` says what has to be different."""


def main(arguments: list[str]) -> None:
    """Make the artefacts, or the whole release when a version is given."""
    if len(arguments) > 1:
        raise ReleaseRefused("It takes one version, such as 0.2.0, or none.")
    if git("status", "--porcelain"):
        raise ReleaseRefused("The tree has changes; commit or remove them first.")
    if not (ROOT / "explorer" / "dist" / "graphiql.html").exists():
        raise ReleaseRefused("The explorer is not built; run `make explorer` first.")
    current = current_version()
    if not arguments:
        build(current, git_date("HEAD"))
        print(f"\nNothing was tagged. `make release VERSION={after(current)}` cuts the changelog, commits and tags.")
        return
    version, today = arguments[0], datetime.now(UTC).date()
    require_newer(version, current)
    project, changelog = PROJECT.read_text(), CHANGELOG.read_text()
    try:
        CHANGELOG.write_text(cut(changelog, version, today))
        PROJECT.write_text(_VERSION.sub(f'version = "{version}"', project, count=1))
        build(version, int(datetime(today.year, today.month, today.day, tzinfo=UTC).timestamp()))
        git("commit", "--quiet", "--message", f"release: {version}", "--", str(PROJECT), str(CHANGELOG))
        git("tag", "--annotate", "--message", f"Moorings {version}", f"v{version}")
    except BaseException:
        if git("status", "--porcelain"):
            PROJECT.write_text(project)
            CHANGELOG.write_text(changelog)
        raise
    print(f"\nv{version} is tagged here. `git push --follow-tags` publishes it; upload what is in dist/ beside it.")


def current_version() -> str:
    """The version in pyproject.toml."""
    found = _VERSION.search(PROJECT.read_text())
    if found is None:
        raise ReleaseRefused("pyproject.toml has no version.")
    return found[1]


def require_newer(version: str, current: str) -> None:
    """Raise `ReleaseRefused` unless `version` is one of SemVer after the current one that has no tag."""
    if _SEMVER.fullmatch(version) is None:
        raise ReleaseRefused(f"{version} is no version of SemVer, such as {after(current)}.")
    if version != current and numbers(version) < numbers(current):
        raise ReleaseRefused(f"{version} is before {current}.")
    if git("tag", "--list", f"v{version}"):
        raise ReleaseRefused(f"There is a tag v{version} already.")


def numbers(version: str) -> tuple[int, ...]:
    """The three numbers of a version."""
    return tuple(map(int, version.split(".")))


def after(version: str) -> str:
    """The next minor version."""
    major, minor, _ = numbers(version)
    return f"{major}.{minor + 1}.0"


def cut(changelog: str, version: str, today: date) -> str:
    """The changelog with what was unreleased under the version, and an empty heading for what comes."""
    found = _UNRELEASED.search(changelog)
    if found is None or not found[1].strip():
        raise ReleaseRefused("CHANGELOG.md has nothing under [Unreleased].")
    return (
        changelog[: found.start()]
        + f"## [Unreleased]\n\n## [{version}] - {today}\n{found[1]}"
        + changelog[found.end() :]
    )


def build(version: str, epoch: int) -> None:
    """Put everything into `dist/`."""
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(epoch)}
    command = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--target", "wheel", "-d", str(DIST)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    shutil.copyfile(ROOT / "requirements.txt", DIST / f"moorings-{version}-requirements.txt")
    with (DIST / f"moorings-{version}.cdx.json").open("wb") as file:
        subprocess.run([sys.executable, str(ROOT / ".ci" / "sbom.py")], stdout=file, check=True)
    made = sorted(path for path in DIST.iterdir())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in made]
    (DIST / "SHA256SUMS").write_text("".join(lines))
    print("".join(lines), end="")


def git(*arguments: str) -> str:
    """What a git command prints."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def git_date(revision: str) -> int:
    """When a commit was made, in seconds of the epoch."""
    return int(git("show", "--no-patch", "--format=%ct", revision))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ReleaseRefused as refused:
        sys.exit(f"release: {refused}")
    except subprocess.CalledProcessError as failed:
        sys.exit(f"release: {' '.join(failed.cmd)} ended with {failed.returncode}. {failed.stderr or ''}")
