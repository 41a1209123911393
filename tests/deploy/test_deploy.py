"""What `deploy/` hands over works: unit, proxies, manifests, dashboard and rules, each with the real program's word."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
import yaml
from websockets.asyncio.client import connect

from app.settings import PREFIX, Settings
from tests.support.gateway.gateway import MOORINGS, Account, Gateway
from tests.support.paths import ROOT
from tests.support.ports import free_port, listens
from tests.support.proxies import provide
from tests.support.stores.certificates import Authority

DEPLOY = ROOT / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
KUBERNETES: dict[str, Any] = json.loads((ROOT / "tests" / "deploy" / "kubernetes-1.37.json").read_text())
"""The published schemas of Kubernetes (Apache-2.0), without descriptions and without the kinds that are not used."""
METRIC = re.compile(r"\bmoorings_[a-z_]+\b")
DEADLINE_S = 20.0


def ran(*command: str, cwd: Path | None = None) -> str:
    """What a program says that ends well."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


if systemd_analyze := shutil.which("systemd-analyze"):
    ANALYZE = systemd_analyze

    def test_the_unit_is_one_that_systemd_takes_and_is_confined(tmp_path: Path) -> None:
        unit = tmp_path / "moorings.service"
        text = (DEPLOY / "systemd" / "moorings.service").read_text()
        assert "/opt/moorings/bin/moorings serve" in text
        unit.write_text(text.replace("/opt/moorings/bin/moorings", MOORINGS))

        assert ran(ANALYZE, "verify", str(unit)) == ""
        assert "OK" in ran(ANALYZE, "security", "--offline=yes", "--threshold=20", str(unit)).splitlines()[-1]


if promtool := shutil.which("promtool"):
    PROMTOOL = promtool

    def test_the_rules_say_what_their_tests_say() -> None:
        ran(PROMTOOL, "check", "rules", "alerts.yaml", cwd=DEPLOY / "prometheus")
        assert "SUCCESS" in ran(PROMTOOL, "test", "rules", "alerts-test.yaml", cwd=DEPLOY / "prometheus")


if caddy := shutil.which("caddy"):
    CADDY = caddy

    def test_the_caddyfile_is_valid() -> None:
        options = ("--config", str(DEPLOY / "caddy" / "Caddyfile"), "--adapter", "caddyfile")
        assert "Valid configuration" in ran(CADDY, "validate", *options)


def named_metrics() -> set[str]:
    """Every metric that the rules and the dashboard name."""
    rules, board = DEPLOY / "prometheus" / "alerts.yaml", DEPLOY / "grafana" / "moorings.json"
    rule_texts = [rule["expr"] for group in yaml.safe_load(rules.read_text())["groups"] for rule in group["rules"]]
    panels = [target["expr"] for panel in json.loads(board.read_text())["panels"] for target in panel["targets"]]
    return {name for text in [*rule_texts, *panels] for name in METRIC.findall(text)}


async def test_every_metric_that_is_named_exists(gateways: dict[str, Gateway]) -> None:
    gateway = gateways["postgresql"]
    account = await gateway.new_user()
    await account.create("s3")
    async with account.client() as client:
        await client.post("/graphql", json={"query": "{ nowhere }"})
        await client.get("/api/backup-destinations")
        text = (await client.get("/metrics")).text
    declared = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
    declared |= {f"{name}_bucket" for name in declared}

    assert len(named_metrics()) > 15
    assert named_metrics() - declared == set()
    assert 'moorings_database_connections{state="limit"}' in text
    assert 'moorings_database_connections{state="in use"}' in text
    assert 'moorings_database_connections{state="waiting"}' in text


def test_every_rule_says_what_to_do_and_each_panel_has_its_place() -> None:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"]
    for rule in (rule for group in groups for rule in group["rules"]):
        assert {"summary", "action"} <= rule["annotations"].keys(), rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning")
    panels = json.loads((DEPLOY / "grafana" / "moorings.json").read_text())["panels"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places) == len({panel["id"] for panel in panels})


def documents(manifest: Path) -> list[dict[str, Any]]:
    """The objects of a manifest."""
    return [document for document in yaml.safe_load_all(manifest.read_text()) if document]


def faults(document: dict[str, Any]) -> list[str]:
    """What the schema of its kind has against an object."""
    schema = {
        "$ref": f"#/definitions/{KUBERNETES['kinds'][document['kind']]}",
        "definitions": KUBERNETES["definitions"],
    }
    return [str(fault.message) for fault in jsonschema_rs.validator_for(schema).iter_errors(document)]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_has_the_form_that_kubernetes_publishes(manifest: Path) -> None:
    for document in documents(manifest):
        assert faults(document) == []


def test_a_misspelt_field_would_be_found() -> None:
    (deployment,) = documents(DEPLOY / "kubernetes" / "deployment.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container["readynessProbe"] = container.pop("readinessProbe")

    assert faults(deployment) != []


def test_pods_are_asked_in_the_right_places_and_have_time_to_stop() -> None:
    (deployment,) = documents(DEPLOY / "kubernetes" / "deployment.yaml")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    service, budget = documents(DEPLOY / "kubernetes" / "service.yaml")

    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz", "a database that is away ends no pod"
    assert pod["terminationGracePeriodSeconds"] > 5 + 5 + 30
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert budget["spec"]["selector"]["matchLabels"] == deployment["spec"]["selector"]["matchLabels"]


def test_the_manifests_name_settings_that_there_are() -> None:
    import tomllib

    (config,) = documents(DEPLOY / "kubernetes" / "config.yaml")
    known = set(Settings.__dataclass_fields__)
    assert tomllib.loads(config["data"]["moorings.toml"]).keys() <= known
    unit = (DEPLOY / "systemd" / "moorings.service").read_text()
    manifests = "".join(manifest.read_text() for manifest in MANIFESTS)
    named = {
        name.removesuffix("_FILE").removeprefix(PREFIX).lower()
        for name in re.findall(r"MOORINGS_[A-Z_]+", unit + manifests)
    }
    assert named <= known | {"config"}


@contextmanager
def nginx(directory: Path, gateway_port: int, certificate: Path) -> Iterator[int]:
    """nginx with the block of `deploy/nginx`, on free ports and with a certificate of a test; yields the port."""
    program = provide.program()
    assert program is not None, "`make test` brings nginx"
    plain, tls = free_port(), free_port()
    block = (DEPLOY / "nginx" / "moorings.conf").read_text()
    for old, new in (
        ("server 127.0.0.1:8000", f"server 127.0.0.1:{gateway_port}"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("    listen [::]:80;\n", ""),
        ("listen 443 ssl;", f"listen 127.0.0.1:{tls} ssl;"),
        ("    listen [::]:443 ssl;\n", ""),
        ("/etc/ssl/moorings/fullchain.pem", str(certificate)),
        ("/etc/ssl/moorings/privkey.pem", str(certificate)),
    ):
        assert old in block
        block = block.replace(old, new)
    temporary = "\n".join(
        f"{name}_temp_path {directory}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = directory / "nginx.conf"
    configuration.write_text(
        f"daemon off; worker_processes 1; pid {directory}/pid; error_log {directory}/error.log;\n"
        f"events {{ worker_connections 128; }}\nhttp {{ access_log off; {temporary}\n{block}\n}}\n"
    )
    process = subprocess.Popen([program, "-c", str(configuration), "-e", str(directory / "error.log")])
    try:
        deadline = time.monotonic() + DEADLINE_S
        while not listens(tls):
            assert process.poll() is None, (directory / "error.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield tls
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


async def test_behind_the_nginx_of_the_block_everything_works_and_nothing_is_believed(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    gateway = Gateway(
        trusted_proxies="127.0.0.1", allowed_hosts="backups.example.com", public_url="https://backups.example.com"
    ).start()
    try:
        account: Account = await gateway.new_user()
        with nginx(tmp_path, gateway.port, authority.file("backups.example.com", "127.0.0.1")) as port:
            headers = {"Host": "backups.example.com", "Authorization": f"Bearer {account.token}"}
            forged = {
                "X-Forwarded-For": "203.0.113.9",
                "Forwarded": "for=203.0.113.9",
                "X-Forwarded-Host": "evil.example",
            }
            url = f"https://127.0.0.1:{port}"
            async with httpx.AsyncClient(
                base_url=url, headers=headers, verify=authority.trusting(), timeout=30
            ) as client:
                made = await client.post(
                    "/api/backup-destinations", json={"label": "A", "type": "local"}, headers=forged
                )
                assert made.status_code == httpx.codes.CREATED
                listed = await client.get("/api/backup-destinations")
                assert listed.json()["links"]["first"].startswith("https://backups.example.com/")
                assert "strict-transport-security" in listed.headers, "the gateway knows that it is HTTPS"
                for path in ("/metrics", "/readyz"):
                    assert (await client.get(path)).status_code == httpx.codes.NOT_FOUND
                query = {"query": "subscription { backupDestinationEvents { __typename } }"}
                events = {"Accept": "text/event-stream"}
                async with client.stream("POST", "/graphql", json=query, headers=events) as stream:
                    lines = stream.aiter_lines()
                    body = {"label": "B", "type": "local"}
                    creating = asyncio.create_task(client.post("/api/backup-destinations", json=body))
                    async with asyncio.timeout(DEADLINE_S):
                        while "BackupDestinationCreated" not in await anext(lines):
                            pass
                    await creating
            async with connect(
                "wss://backups.example.com/graphql",
                subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]  # a str is one
                ssl=authority.trusting(),
                host="127.0.0.1",
                port=port,
            ) as websocket:
                await websocket.send('{"type": "connection_init", "payload": {"token": "%s"}}' % account.token)  # noqa: UP031
                assert json.loads(await websocket.recv())["type"] == "connection_ack"
    finally:
        gateway.stop()
        log = gateway.log_text()
        gateway.close()
    assert "127.0.0.1" in log
    assert "203.0.113.9" not in log
