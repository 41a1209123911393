"""Twenty wrong set-ups of a destination, each with the step, code and field that every real store must give it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from models.checks.report import (
    CheckCode,
    CheckDepth,
    CheckField,
    CheckReport,
    CheckStepName,
    CheckSuggestion,
    ProbeTarget,
)
from models.vault.secret import Secret
from tests.support.ports import free_port
from tests.support.stores.moto_store import Keys
from tests.support.stores.probing import TableResolver, failure, prober, target

AMPLE_S = 60.0
"""No check here waits in vain, and the machine may be busy."""
NAMES = {"store.test": ["127.0.0.1"], "localhost": ["127.0.0.1"], "inside.test": ["10.0.0.7"]}
"""Names that a check may resolve: two of the store, and one of an address that is not allowed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """An empty bucket of a real store on 127.0.0.1, and the keys that may do everything with it."""

    port: int
    bucket: str
    keys: Keys
    host: str = "store.test"
    """A name of the store, under which it expects the bucket in the path."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def target(self, **changes: Any) -> ProbeTarget:
        """The right target, in path style, with these changes."""
        values: dict[str, Any] = {"bucket_name": self.bucket}
        values |= {"access_key": self.keys.access_key, "secret_key": self.keys.secret_key} | changes
        return target(values.pop("endpoint", self.url), **values)

    async def check(self, depth: CheckDepth = CheckDepth.FULL, **changes: Any) -> CheckReport:
        """Check that target."""
        checks = prober(resolver=TableResolver(NAMES), deadline_s=AMPLE_S)
        return await checks.probe(self.target(**changes), depth)


def _none(_place: Place) -> CheckSuggestion | None:
    return None


Changes = Callable[[Place], dict[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class SetUp:
    """A wrong set-up and what a check must say of it."""

    changes: Changes
    step: CheckStepName
    code: CheckCode
    field: CheckField
    suggestion: Callable[[Place], CheckSuggestion | None] = _none

    async def require(self, place: Place, code: CheckCode | None = None) -> None:
        """Assert it of a check there; `code` is the store's own verdict where it cannot know better."""
        report = await place.check(**self.changes(place))

        assert failure(report) == (self.step, code or self.code)
        failed = report.step(self.step)
        assert failed.field is self.field
        assert failed.remedy
        assert report.suggestion == self.suggestion(place)


_AUTHENTICATE, _BUCKET, _RESOLVE = CheckStepName.AUTHENTICATE, CheckStepName.BUCKET, CheckStepName.RESOLVE


def _keys(code: CheckCode, changes: Changes) -> SetUp:
    return SetUp(changes=changes, step=_AUTHENTICATE, code=code, field=CheckField.CREDENTIALS)


def _bucket(changes: Changes) -> SetUp:
    return SetUp(changes=changes, step=_BUCKET, code=CheckCode.NO_SUCH_BUCKET, field=CheckField.BUCKET_NAME)


def _endpoint(code: CheckCode, endpoint: Callable[[Place], str], step: CheckStepName = _RESOLVE) -> SetUp:
    return SetUp(changes=lambda at: {"endpoint": endpoint(at)}, step=step, code=code, field=CheckField.ENDPOINT)


def _swapped(at: Place) -> dict[str, Any]:
    return {"access_key": at.keys.secret_key, "secret_key": at.keys.access_key}


SET_UPS: Mapping[str, SetUp] = {
    "an unknown access key": _keys(CheckCode.INVALID_ACCESS_KEY, lambda _: {"access_key": Secret("NOBODYEXAMPLE")}),
    "an access key without its last letter": _keys(
        CheckCode.INVALID_ACCESS_KEY, lambda at: {"access_key": Secret(at.keys.access_key.reveal()[:-1])}
    ),
    "the keys in each other's place": _keys(CheckCode.INVALID_ACCESS_KEY, _swapped),
    "an access key with a space": _keys(CheckCode.INVALID_ACCESS_KEY, lambda _: {"access_key": Secret("A B")}),
    "temporary keys": _keys(CheckCode.TEMPORARY_CREDENTIALS, lambda _: {"access_key": Secret("ASIAIOSFODNN7EXAMPLE")}),
    "another secret key": _keys(CheckCode.SIGNATURE_MISMATCH, lambda _: {"secret_key": Secret("hunter22")}),
    "a secret key with a line break": _keys(
        CheckCode.SIGNATURE_MISMATCH, lambda at: {"secret_key": Secret(at.keys.secret_key.reveal() + "\n")}
    ),
    "a bucket that is missing": _bucket(lambda _: {"bucket_name": "missing-bucket"}),
    "a bucket with a slash": _bucket(lambda _: {"bucket_name": "a/b"}),
    "a bucket in capitals": _bucket(lambda at: {"bucket_name": at.bucket.upper()}),
    "an endpoint with a query": _endpoint(CheckCode.ENDPOINT_INVALID, lambda at: f"{at.url}/?list"),
    "an endpoint of another protocol": _endpoint(CheckCode.ENDPOINT_INVALID, lambda at: f"ftp://127.0.0.1:{at.port}"),
    "an endpoint with a user": _endpoint(CheckCode.ENDPOINT_INVALID, lambda at: f"http://me@127.0.0.1:{at.port}"),
    "a host that does not exist": _endpoint(CheckCode.DNS_FAILURE, lambda at: f"http://nowhere.test:{at.port}"),
    "a name of a private address": _endpoint(CheckCode.DNS_FAILURE, lambda at: f"http://inside.test:{at.port}"),
    "a private address": _endpoint(CheckCode.ENDPOINT_NOT_ALLOWED, lambda at: f"http://10.0.0.7:{at.port}"),
    "a port where nothing listens": _endpoint(
        CheckCode.CONNECT_FAILED, lambda _: f"http://127.0.0.1:{free_port()}", CheckStepName.CONNECT
    ),
    "https at a port of plain http": _endpoint(
        CheckCode.TLS_FAILED, lambda at: f"https://127.0.0.1:{at.port}", CheckStepName.TLS
    ),
    "a region that is none": SetUp(
        changes=lambda _: {"region": "a b"},
        step=_RESOLVE,
        code=CheckCode.WRONG_REGION,
        field=CheckField.REGION,
        suggestion=lambda _: CheckSuggestion(region="us-east-1"),
    ),
    "a host for each bucket where there is none": SetUp(
        changes=lambda at: {"endpoint": f"http://{at.host}:{at.port}", "path_style": False},
        step=_RESOLVE,
        code=CheckCode.DNS_FAILURE,
        field=CheckField.ENDPOINT,
        suggestion=lambda _: CheckSuggestion(path_style_endpoint=True),
    ),
}
