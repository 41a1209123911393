"""Prints the software bill of materials of the gateway, in CycloneDX 1.6 JSON; `make sbom` writes it to a file.

What is installed for the gateway by `requirements.txt`, at the pinned versions and with the licences they
declare, and the packages that the explorer's pages are built from. The same commit and platform give the same bytes.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
EXTRAS = ("redis", "aws-kms", "otel")
"""Of the gateway, in `requirements.txt`."""
Component = dict[str, Any]


def bill() -> dict[str, Any]:
    """The whole document."""
    ours: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    python, (browser, browser_dependencies) = python_components(), browser_components()
    root: Component = {"type": "application", "bom-ref": "moorings", "name": "moorings", "version": ours}
    root |= {"licenses": [{"license": {"id": "MIT"}}]}
    refs: dict[str, str] = {component["name"]: component["bom-ref"] for component in python}
    extras = extras_used()
    explorer = {"type": "application", "bom-ref": "explorer", "name": "moorings-explorer", "version": ours}
    explorer |= {"licenses": root["licenses"]}
    # hatchling builds the gateway where it is installed, and stays there.
    direct = [*required_by("moorings", refs, EXTRAS), refs["hatchling"], "explorer"]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root},
        "components": [*python, explorer, *browser],
        "dependencies": [
            {"ref": "moorings", "dependsOn": sorted(direct)},
            *(
                {
                    "ref": component["bom-ref"],
                    "dependsOn": required_by(component["name"], refs, extras[component["name"]]),
                }
                for component in python
            ),
            *browser_dependencies,
        ],
    }


def python_components() -> list[Component]:
    """The pinned distributions that this platform needs."""
    components = []
    for line in re.findall(r"^([\w.-]+==[^\\\n]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE):
        pin = Requirement(line.strip())
        if pin.marker is not None and not pin.marker.evaluate():
            continue
        name, version = canonicalize_name(pin.name), str(pin.specifier).removeprefix("==")
        installed = metadata.distribution(name)
        if installed.version != version:
            sys.exit(f"{name} {installed.version} is installed and {version} is pinned: run `make setup` first.")
        components.append(component("pypi", name, version) | licences(declared_licence(installed.metadata)))
    return components


def browser_components() -> tuple[list[Component], list[dict[str, Any]]]:
    """The packages of the explorer's lock file that its pages are built from, and what each of them depends on."""
    packages: dict[str, Any] = json.loads((ROOT / "explorer" / "package-lock.json").read_text())["packages"]
    components, depends_on = {}, defaultdict[str, set[str]](set)
    for path, package in sorted(packages.items()):
        if package.get("dev") or package.get("optional"):
            continue
        name = path.rpartition("node_modules/")[2]
        ref = f"pkg:npm/{name.replace('@', '%40')}@{package['version']}" if path else "explorer"
        for needed in package.get("dependencies", ()):
            found = _resolved(packages, path, needed)
            depends_on[ref].add(f"pkg:npm/{needed.replace('@', '%40')}@{packages[found]['version']}")
        if not path:
            continue
        made = component("npm", name, package["version"]) | licences(package.get("license"))
        algorithm, _, digest = package["integrity"].partition("-")
        made["hashes"] = [{"alg": algorithm.upper().replace("SHA", "SHA-"), "content": base64.b64decode(digest).hex()}]
        components[made["bom-ref"]] = made
    reached, waiting = set[str](), ["explorer"]  # types and other peers of development are not built into pages
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting += depends_on[ref]
    dependencies = [{"ref": ref, "dependsOn": sorted(depends_on[ref])} for ref in sorted(reached)]
    return [component for ref, component in components.items() if ref in reached], dependencies


def _resolved(packages: dict[str, Any], path: str, name: str) -> str:
    """The path of the package that `name` means in the package at `path`: the nearest one, as Node looks for it."""
    while True:
        candidate = f"{path}/node_modules/{name}".removeprefix("/")
        if candidate in packages:
            return candidate
        if not path:
            raise LookupError(f"explorer/package-lock.json has no {name}")
        path = path.rpartition("node_modules/")[0].rstrip("/")


def component(registry: str, name: str, version: str) -> Component:
    """A library, with the package URL that names it everywhere (purl)."""
    purl = f"pkg:{registry}/{name.replace('@', '%40')}@{version}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def licences(declared: str | None) -> dict[str, Any]:
    """An SPDX identifier or expression; a text that is neither is a name."""
    if not declared:
        return {}
    declared = _NAMES.get(declared, declared)
    if re.search(r" (?:AND|OR|WITH) ", declared):
        return {"licenses": [{"expression": declared}]}
    kind = "id" if re.fullmatch(r"[A-Za-z0-9.+-]+", declared) and declared in SPDX else "name"
    return {"licenses": [{"license": {kind: declared}}]}


_NAMES = {
    "MIT License": "MIT",
    "Dual License": "Apache-2.0 OR BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""Names that stand for an expression; the dual licence is that of python-dateutil, said in its LICENSE file."""

SPDX = frozenset(
    {
        *(
            "MIT",
            "Apache-2.0",
            "BSD-2-Clause",
            "BSD-3-Clause",
            "0BSD",
            "ISC",
            "PSF-2.0",
            "MPL-2.0",
            "OFL-1.1",
            "Unlicense",
        ),
        *("MIT-0", "CC0-1.0", "CC-BY-4.0", "Python-2.0", "BlueOak-1.0.0", "Zlib"),
    }
)
"""The identifiers of the SPDX list that occur."""


def declared_licence(of: Any) -> str | None:
    """The expression of PEP 639, or what older metadata has in its field or its classifiers."""
    if expression := of.get("License-Expression"):
        return str(expression)
    field = str(of.get("License") or "").strip()
    if field and "\n" not in field:
        return field
    classifiers = [text for text in of.get_all("Classifier", []) if text.startswith("License ::")]
    return classifiers[-1].rpartition(" :: ")[2] if classifiers else None


def extras_used() -> dict[str, set[str]]:
    """The extras of each distribution that the gateway requires."""
    extras = defaultdict[str, set[str]](set)
    for text in metadata.requires("moorings") or []:
        requirement = Requirement(text)
        extras[canonicalize_name(requirement.name)] |= requirement.extras
    return extras


def required_by(name: str, refs: dict[str, str], extras: Iterable[str]) -> list[str]:
    """The references of what a distribution with some extras requires, of those that are in the bill."""
    found = set()
    for text in metadata.requires(name) or []:
        requirement = Requirement(text)
        wanted = requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)
        )
        ref = refs.get(canonicalize_name(requirement.name))
        if wanted and ref is not None:
            found.add(ref)
    return sorted(found)


if __name__ == "__main__":
    print(json.dumps(bill(), indent=2, ensure_ascii=False))
