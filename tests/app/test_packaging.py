"""What is handed over besides the code: requirements, Makefile, image and compose file keep their promises."""

import importlib.util
import re
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import load_settings, unknown_variables
from models.vault.vault import Vault, generate_key
from tests.support.gateway.gateway import MOORINGS, Gateway
from tests.support.paths import ROOT
from tests.support.ports import free_port

REQUIREMENTS = [
    "requirements.txt",
    "requirements-test.txt",
    "benchmarks/requirements.txt",
    "tests/clients/graphql-core.txt",
]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()


@pytest.fixture
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture
def services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)["services"]
    return services


def pins(file: str) -> dict[str, str]:
    """Each pin of a requirements file by its name, with its hashes."""
    joined = (ROOT / file).read_text().replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return {line.partition("==")[0]: line for line in lines}


def names(requirements: list[Any]) -> set[str]:
    """The distributions that a list of requirements names, as requirements files write them."""
    found = (re.match(r"[A-Za-z0-9._-]+", line) for line in requirements if isinstance(line, str))
    return {re.sub(r"[._-]+", "-", name[0]).lower() for name in found if name is not None}


@pytest.mark.parametrize("file", REQUIREMENTS)
def test_every_requirement_is_pinned_and_hashed(file: str) -> None:
    unpinned = [line for line in pins(file).values() if not re.match(r"[a-z0-9.-]+==\S+ .*--hash=sha256:", line)]
    assert unpinned == []


@pytest.mark.parametrize("file", REQUIREMENTS)
def test_a_requirements_file_names_no_host_and_no_place_to_look(file: str) -> None:
    text = (ROOT / file).read_text()
    assert not re.search(r"://|@ |file:|^\s*(-i|-f|--index|--extra-index|--find-links|--trusted)", text, re.MULTILINE)


def test_every_dependency_is_pinned(project: dict[str, Any]) -> None:
    optional = project["project"]["optional-dependencies"].values()
    declared = names(project["project"]["dependencies"]).union(*map(names, optional))
    assert declared <= pins("requirements.txt").keys()


def test_what_builds_the_project_is_pinned_because_it_is_installed_without_isolation(project: dict[str, Any]) -> None:
    assert names(project["build-system"]["requires"]) <= pins("requirements.txt").keys()


def test_the_tests_run_on_the_very_pins_of_the_gateway(project: dict[str, Any]) -> None:
    runtime, test = pins("requirements.txt"), pins("requirements-test.txt")
    assert {name: test.get(name) for name in runtime} == runtime
    assert names(project["dependency-groups"]["test"]) <= test.keys()


def test_the_peers_run_on_the_very_pins_of_the_gateway_where_they_share_them(project: dict[str, Any]) -> None:
    runtime, peers = pins("requirements.txt"), pins("benchmarks/requirements.txt")
    shared = peers.keys() & runtime.keys()
    assert {name: peers[name].split()[0] for name in shared} == {name: runtime[name].split()[0] for name in shared}
    assert names(project["dependency-groups"]["benchmarks"]) <= peers.keys()


def test_every_dependency_is_justified_to_contributors(project: dict[str, Any]) -> None:
    declared = names(project["project"]["dependencies"]) | names(project["dependency-groups"]["test"])
    justified = set(re.findall(r"^\| `([a-z0-9-]+)` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE))
    assert declared - justified == set()


def test_make_alone_lists_every_target() -> None:
    described = re.findall(r"^([a-z-]+):.* ## (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert [re.split(r" {2,}", line.strip(), maxsplit=1) for line in listed.split("\n\n")[0].splitlines()] == [
        [f"make {target}", description] for target, description in described
    ]


def test_every_target_a_person_may_call_has_a_description() -> None:
    makefile = (ROOT / "Makefile").read_text()
    called = set(re.findall(r"^\.PHONY: ([a-z-]+)$", makefile, re.MULTILINE))
    assert called == set(re.findall(r"^([a-z-]+):.* ## ", makefile, re.MULTILINE))


def test_make_without_a_python_says_so_in_one_sentence_and_touches_nothing(tmp_path: Path) -> None:
    for file in ("Makefile", "pyproject.toml", "requirements.txt"):
        (tmp_path / file).write_bytes((ROOT / file).read_bytes())
    before = sorted(tmp_path.iterdir())
    refused = subprocess.run(
        ["make", "setup", "PYTHON=/nowhere/python3"], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert refused.returncode != 0
    assert refused.stderr.startswith("Moorings needs Python 3.11 or newer and PYTHON=/nowhere/python3 is not one.\n")
    assert sorted(tmp_path.iterdir()) == before


def test_the_image_copies_only_what_exists() -> None:
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = [source for copy in copies for source in copy.split()]
    admitted = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert sources
    assert [path for path in sources + admitted if not (ROOT / path).exists()] == []


def test_the_image_gets_every_package_and_nothing_unnamed(project: dict[str, Any]) -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    packages = {
        path.partition("/")[0] for path in project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    }
    assert "*" in ignored
    assert {f"!{package}" for package in packages} <= set(ignored)


def test_the_image_runs_without_root_and_looks_after_its_health() -> None:
    final_stage = DOCKERFILE.rpartition("FROM ")[2]
    assert re.search(r"^USER (?!root|0)\w+$", final_stage, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK [^\n]*\\\n +CMD \[.*/healthcheck.py", final_stage, re.MULTILINE)
    assert re.search(r'^CMD \["moorings", "serve"', final_stage, re.MULTILINE)
    assert {"title", "licenses", "version", "revision"} <= set(
        re.findall(r"org\.opencontainers\.image\.(\w+)=", final_stage)
    )


def test_the_health_check_follows_the_port(gateways: Mapping[str, Gateway]) -> None:
    spec = importlib.util.spec_from_file_location("healthcheck", ROOT / "deploy" / "container" / "healthcheck.py")
    assert spec is not None
    assert spec.loader is not None
    healthcheck = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(healthcheck)
    gateway = gateways["sqlite"]

    assert gateway.port in healthcheck.ports_of(gateway.pid)
    assert healthcheck.is_healthy(gateway.port, "/healthz")
    assert healthcheck.is_healthy(gateway.port, "/readyz")
    assert not healthcheck.is_healthy(gateway.port, "/nowhere")
    assert not healthcheck.is_healthy(free_port(), "/healthz")


def test_every_base_is_named_by_its_digest() -> None:
    bases = re.findall(r"^ARG \w+_IMAGE=(.+)$", DOCKERFILE, re.MULTILINE)
    assert len(bases) == 2
    assert all(re.search(r":[\w.-]+@sha256:[0-9a-f]{64}$", base) for base in bases)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${NODE_IMAGE}", "${PYTHON_IMAGE}"}


def test_compose_holds_no_secret_but_names_files(services: dict[str, Any]) -> None:
    compose = yaml.safe_load(COMPOSE_TEXT)
    assert set(compose["secrets"]) == {"database-url", "secret-keys", "postgres-password"}
    assert {secret["file"].partition("/")[2].partition("/")[0] for secret in compose["secrets"].values()} == {"secrets"}
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    assert services["gateway-a"]["secrets"] == ["database-url", "secret-keys"]
    assert not re.search(r"://[^:@\s]+:[^@\s$]+@", COMPOSE_TEXT)


def test_the_script_makes_secrets_that_the_gateway_takes_and_keeps_those_that_exist(tmp_path: Path) -> None:
    script = tmp_path / "deploy" / "container" / "secrets.sh"
    script.parent.mkdir(parents=True)
    script.write_bytes((ROOT / "deploy" / "container" / "secrets.sh").read_bytes())
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "moorings").symlink_to(MOORINGS)

    subprocess.run(["sh", str(script)], check=True, capture_output=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    subprocess.run(["sh", str(script)], check=True, capture_output=True)

    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == made
    assert re.fullmatch(r"[0-9a-f]{48}", made["postgres-password"])
    assert made["database-url"] == f"postgresql://moorings:{made['postgres-password']}@postgres:5432/moorings\n"
    assert len(Vault(made["secret-keys"]).key_ids) == 1
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


def test_compose_waits_for_a_healthy_database_that_keeps_its_data(services: dict[str, Any]) -> None:
    for gateway in ("gateway-a", "gateway-b"):
        assert services[gateway]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    assert services["postgres"]["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]
    assert services["postgres"]["volumes"] == ["postgres-data:/var/lib/postgresql"]
    assert "postgres-data" in yaml.safe_load(COMPOSE_TEXT)["volumes"]


def test_a_gateway_is_replaced_without_the_proxy_that_knows_its_address(services: dict[str, Any]) -> None:
    """Whatever depends on a container is replaced with it by podman-compose; a name is looked up once by nginx."""
    upstream = re.findall(r"server ([0-9.]+):8000 ", (ROOT / "deploy" / "container" / "nginx.conf").read_text())
    addresses = [services[gateway]["networks"]["default"]["ipv4_address"] for gateway in ("gateway-a", "gateway-b")]
    assert upstream == addresses
    depended_on = {name for service in services.values() for name in service.get("depends_on", ())}
    assert depended_on == {"postgres", "valkey"}
    assert services["gateway-a"]["healthcheck"]["test"] == ["CMD", "python", "/opt/moorings/healthcheck.py"]


def test_compose_publishes_the_proxy_to_this_machine_alone(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "ports" in service] == ["nginx"]
    assert all(port.startswith("127.0.0.1:") for port in services["nginx"]["ports"])


def test_compose_bounds_memory_and_processes_of_everything(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if not {"mem_limit", "pids_limit"} <= service.keys()] == []


def test_compose_passes_on_every_setting_there_is(services: dict[str, Any]) -> None:
    known = re.findall(r"^#(MOORINGS_[A-Z_0-9]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    for gateway in ("gateway-a", "gateway-b"):
        passed = services[gateway]["environment"]
        assert {name: passed[name].partition(":-")[0] for name in known} == {name: f"${{{name}" for name in known}
        assert passed.keys() - set(known) == {"MOORINGS_DATABASE_URL_FILE", "MOORINGS_SECRET_KEYS_FILE"}


def test_what_compose_sets_by_itself_are_values_that_the_gateway_takes(
    services: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in services["gateway-a"]["environment"].items():
        monkeypatch.setenv(name, text.partition(":-")[2].removesuffix("}"))
    for name, text in (("DATABASE_URL", "postgresql://moorings@postgres/moorings"), ("SECRET_KEYS", generate_key())):
        (tmp_path / name).write_text(text)
        monkeypatch.setenv(f"MOORINGS_{name}_FILE", str(tmp_path / name))

    settings = load_settings()
    assert (settings.environment, settings.rate_limit_storage) == ("production", "redis://valkey:6379")
    assert unknown_variables() == []
