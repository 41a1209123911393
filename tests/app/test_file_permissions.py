"""Files of keys and data that every user of the machine may read are named at start, or refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.vault.vault import generate_key
from tests.support.databases.databases import unserved
from tests.support.gateway.gateway import Gateway
from tests.support.gateway.promptness import serve

OPEN, PRIVATE = 0o644, 0o640


@pytest.mark.parametrize("name", ["moorings.db", "moorings.key"])
def test_a_file_that_everybody_may_read_is_refused_where_the_operator_says_so(name: str) -> None:
    with unserved(None) as gateway:
        gateway.settings["secret_keys"] = ""
        assert gateway.command("keys", "status").returncode == 0
        path = gateway.directory / name
        path.chmod(OPEN)

        refused = serve(gateway, file_permissions="refuse")

    assert re.fullmatch(rf"moorings: {re.escape(str(path))} is open to every user .*\(mode 0644\).*\n", refused.stderr)


def test_it_is_named_in_the_log_by_default_and_not_when_the_operator_says_so(tmp_path: Path) -> None:
    secret = tmp_path / "keys"
    secret.write_text(generate_key())
    for mode, rule, named in ((OPEN, "", True), (OPEN, "ignore", False), (PRIVATE, "", False)):
        secret.chmod(mode)
        gateway = Gateway(secret_keys="", secret_keys_file=str(secret), file_permissions=rule)
        try:
            gateway.start()
            assert (f"{secret} is open to every user" in gateway.log_text()) == named
        finally:
            gateway.close()
