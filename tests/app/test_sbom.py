"""The bill of materials: everything that is installed for the gateway or built into its pages, and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.support.paths import ROOT

PERMISSIVE = {
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "0BSD",
    "ISC",
    "PSF-2.0",
    "OFL-1.1",
    "MPL-2.0",
}
PURL = re.compile(r"pkg:(pypi|npm)/(?:%40[a-z0-9.-]+/)?[A-Za-z0-9._-]+@[0-9][\w.+-]*")


@pytest.fixture(scope="module")
def text() -> str:
    """What `make sbom` writes."""
    return printed()


@pytest.fixture(scope="module")
def bill(text: str) -> dict[str, Any]:
    """The document."""
    document: dict[str, Any] = json.loads(text)
    return document


def printed() -> str:
    """The output of one run."""
    command = [sys.executable, str(ROOT / ".ci" / "sbom.py")]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_it_is_a_cyclonedx_document_of_this_version(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert bill["metadata"]["component"]["name"] == "moorings"
    assert f'version = "{bill["metadata"]["component"]["version"]}"' in (ROOT / "pyproject.toml").read_text()


def test_every_pinned_distribution_is_in_it(bill: dict[str, Any]) -> None:
    pins = dict(re.findall(r"^([\w.-]+)==([^ ;\\\n]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    listed = {
        part["name"]: part["version"] for part in bill["components"] if part.get("purl", "").startswith("pkg:pypi/")
    }

    assert len(listed) > 20
    assert listed == {name: version for name, version in pins.items() if name in listed}
    assert set(pins) - set(listed) <= {"async-timeout", "colorama", "pywin32"}, "those other platforms need"


def test_what_the_pages_are_built_from_is_in_it_with_its_hash_and_no_build_tool_is(bill: dict[str, Any]) -> None:
    packages = {part["name"]: part for part in bill["components"] if part.get("purl", "").startswith("pkg:npm/")}

    assert {"graphiql", "graphql-ws", "swagger-ui-dist", "react"} <= set(packages)
    assert not {"vite", "typescript", "axe-core"} & set(packages)
    for package in packages.values():
        (hash_,) = package["hashes"]
        assert (hash_["alg"], len(hash_["content"])) == ("SHA-512", 128)


def test_every_part_has_a_package_url_a_licence_and_a_place_in_the_graph(bill: dict[str, Any]) -> None:
    parts = {part["bom-ref"]: part for part in bill["components"]}
    graph = {node["ref"]: node["dependsOn"] for node in bill["dependencies"]}

    assert len(parts) == len(bill["components"])
    assert [ref for ref in parts if ref != "explorer" and not PURL.fullmatch(ref)] == []
    assert [ref for ref, part in parts.items() if not part.get("licenses")] == []
    assert set(graph) == {"moorings", *parts}
    reached, waiting = set[str](), ["moorings"]
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting += graph[ref]
    assert reached - {"moorings"} == set(parts), "nothing is listed that nothing needs"


def test_every_licence_lets_the_gateway_be_used_and_passed_on_without_giving_away_what_is_built_on_it(
    bill: dict[str, Any],
) -> None:
    licences = {
        part["bom-ref"]: next(iter(part["licenses"][0].get("license", part["licenses"][0]).values()))
        for part in bill["components"]
    }
    words = {ref: set(re.split(r" (?:AND|OR|WITH) |[()]", text)) - {""} for ref, text in licences.items()}

    assert {ref: found for ref, found in words.items() if not found <= PERMISSIVE} == {}


def test_the_same_commit_gives_the_same_bytes(text: str) -> None:
    assert printed() == text
