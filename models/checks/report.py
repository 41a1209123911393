"""The report of a check: its steps, and the code and remedy of a failed one; and the protocol `Prober`.

Pure values. `s3.prober` implements `Prober`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from models.vault.secret import Secret


class CheckStepName(StrEnum):
    """The steps of a check, in the order in which they run."""

    RESOLVE = "RESOLVE"
    CONNECT = "CONNECT"
    TLS = "TLS"
    AUTHENTICATE = "AUTHENTICATE"
    BUCKET = "BUCKET"
    LIST = "LIST"
    WRITE = "WRITE"
    READ = "READ"
    DELETE = "DELETE"
    MULTIPART = "MULTIPART"


class CheckOutcome(StrEnum):
    """The outcome of a step; SKIPPED is one that was not reached, not asked for, or does not apply."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class CheckCode(StrEnum):
    """Why a step failed, for programs."""

    ENDPOINT_INVALID = "ENDPOINT_INVALID"
    ENDPOINT_NOT_ALLOWED = "ENDPOINT_NOT_ALLOWED"
    DNS_FAILURE = "DNS_FAILURE"
    CONNECT_FAILED = "CONNECT_FAILED"
    TLS_FAILED = "TLS_FAILED"
    CERTIFICATE_EXPIRED = "CERTIFICATE_EXPIRED"
    CERTIFICATE_NAME_MISMATCH = "CERTIFICATE_NAME_MISMATCH"
    CERTIFICATE_UNTRUSTED = "CERTIFICATE_UNTRUSTED"
    TIMEOUT = "TIMEOUT"
    NOT_S3 = "NOT_S3"
    CLOCK_SKEW = "CLOCK_SKEW"
    INVALID_ACCESS_KEY = "INVALID_ACCESS_KEY"
    TEMPORARY_CREDENTIALS = "TEMPORARY_CREDENTIALS"
    SIGNATURE_MISMATCH = "SIGNATURE_MISMATCH"
    ACCOUNT_DISABLED = "ACCOUNT_DISABLED"
    ACCESS_DENIED = "ACCESS_DENIED"
    NO_SUCH_BUCKET = "NO_SUCH_BUCKET"
    WRONG_REGION = "WRONG_REGION"
    STORAGE_FULL = "STORAGE_FULL"
    RATE_LIMITED = "RATE_LIMITED"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    REDIRECTED = "REDIRECTED"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    REQUEST_REFUSED = "REQUEST_REFUSED"
    UNEXPECTED_ANSWER = "UNEXPECTED_ANSWER"
    SECRET_UNREADABLE = "SECRET_UNREADABLE"  # noqa: S105 - a code


class CheckHint(StrEnum):
    """A cause that is narrower than the code of the step, and has a remedy of its own."""

    CERTIFICATE_NOT_YET_VALID = "CERTIFICATE_NOT_YET_VALID"
    CERTIFICATE_SELF_SIGNED = "CERTIFICATE_SELF_SIGNED"
    INTERMEDIATE_MISSING = "INTERMEDIATE_MISSING"
    ISSUER_NOT_SENT = "ISSUER_NOT_SENT"
    CLIENT_CERTIFICATE = "CLIENT_CERTIFICATE"
    HTTPS_NEEDED = "HTTPS_NEEDED"
    HOME_REGION = "HOME_REGION"
    ENCRYPTION_KEY = "ENCRYPTION_KEY"
    RETENTION = "RETENTION"
    REQUESTER_PAYS = "REQUESTER_PAYS"
    BUCKET_REFUSES = "BUCKET_REFUSES"
    OBJECT_VANISHED = "OBJECT_VANISHED"
    BODY_CHANGED = "BODY_CHANGED"
    MULTIPART_UNKNOWN = "MULTIPART_UNKNOWN"
    HOST_STYLE_NEEDED = "HOST_STYLE_NEEDED"
    PROXY_LOGIN = "PROXY_LOGIN"
    PROXY_REFUSES = "PROXY_REFUSES"
    PROXY_CANNOT_ENCRYPT = "PROXY_CANNOT_ENCRYPT"


class CheckDepth(StrEnum):
    """Which steps to run: READ_ONLY ends with LIST and writes nothing, FULL with DELETE, MULTIPART runs all."""

    READ_ONLY = "READ_ONLY"
    FULL = "FULL"
    MULTIPART = "MULTIPART"

    @property
    def last_step(self) -> CheckStepName:
        """The last step of the depth."""
        return _LAST_STEPS[self]

    @property
    def steps(self) -> tuple[CheckStepName, ...]:
        """The steps of the depth in order."""
        names = tuple(CheckStepName)
        return names[: names.index(self.last_step) + 1]


_LAST_STEPS = {
    CheckDepth.READ_ONLY: CheckStepName.LIST,
    CheckDepth.FULL: CheckStepName.DELETE,
    CheckDepth.MULTIPART: CheckStepName.MULTIPART,
}


class CheckField(StrEnum):
    """The attribute of a destination that a remedy asks to change."""

    ENDPOINT = "endpoint"
    REGION = "region"
    BUCKET_NAME = "bucketName"
    PATH_STYLE_ENDPOINT = "pathStyleEndpoint"
    CREDENTIALS = "credentials"
    CHECK_PREFIX = "checkPrefix"
    CERTIFICATE_AUTHORITIES = "certificateAuthorities"


@dataclass(frozen=True, kw_only=True, slots=True)
class Remedy:
    """What to do about a failure: sentences for people, without any text of the store's, and the field to change."""

    text: str
    field: CheckField | None = None


REMEDIES: Mapping[CheckCode, Remedy] = {
    CheckCode.ENDPOINT_INVALID: Remedy(
        text="Give the endpoint as an http or https URL with a host and, if need be, a port and a path: "
        "no user name, no query, no fragment.",
        field=CheckField.ENDPOINT,
    ),
    CheckCode.ENDPOINT_NOT_ALLOWED: Remedy(
        text="The endpoint is at an address that this gateway does not connect to. If the store is on a private "
        "network, ask the operator to add its address to MOORINGS_S3_ALLOW.",
        field=CheckField.ENDPOINT,
    ),
    CheckCode.DNS_FAILURE: Remedy(
        text="The host name was not found, or is at an address that this gateway does not connect to. Correct the "
        "endpoint or the region; if the name is bucket.host, turn on path-style addressing where the store has no such "
        "names. If the store is on a private network, ask the operator to add its address to MOORINGS_S3_ALLOW.",
        field=CheckField.ENDPOINT,
    ),
    CheckCode.CONNECT_FAILED: Remedy(
        text="Nothing accepts connections there. Correct the host and the port, or start the store.",
        field=CheckField.ENDPOINT,
    ),
    CheckCode.TLS_FAILED: Remedy(
        text="No encrypted connection could be made. Give the port that speaks TLS 1.2 or later, "
        "or use http:// if the store has no TLS.",
        field=CheckField.ENDPOINT,
    ),
    CheckCode.CERTIFICATE_EXPIRED: Remedy(
        text="The store's certificate has expired by this gateway's clock. Renew it at the store; where it is newer "
        "than that, the clock is wrong: set it by a time server.",
    ),
    CheckCode.CERTIFICATE_NAME_MISMATCH: Remedy(
        text="The store's certificate belongs to another host name. Give the endpoint with the name in the "
        "certificate, or turn on path-style addressing if the name is bucket.host.",
        field=CheckField.ENDPOINT,
    ),
    CheckCode.CERTIFICATE_UNTRUSTED: Remedy(
        text="This gateway does not trust the authority that issued the store's certificate. If it is your own, set "
        "certificateAuthorities to its certificate, or ask the operator to add it with MOORINGS_S3_CA_FILE or "
        "SSL_CERT_FILE; otherwise give the store a certificate of a public authority.",
        field=CheckField.CERTIFICATE_AUTHORITIES,
    ),
    CheckCode.TIMEOUT: Remedy(
        text="The store did not respond in time. See whether it is up and not behind a firewall; try again.",
        field=CheckField.ENDPOINT,
    ),
    CheckCode.NOT_S3: Remedy(
        text="The server there does not speak S3. Give the store's API endpoint, not its web console.",
        field=CheckField.ENDPOINT,
    ),
    CheckCode.CLOCK_SKEW: Remedy(
        text="The clocks of this gateway and the store differ too much. Set both by a time server.",
    ),
    CheckCode.INVALID_ACCESS_KEY: Remedy(
        text="The store does not know the access key, or it was revoked or has expired. Set the credentials again.",
        field=CheckField.CREDENTIALS,
    ),
    CheckCode.TEMPORARY_CREDENTIALS: Remedy(
        text="These are temporary credentials, which work only with a session token and for some hours. "
        "Make an access key that lasts, and set the credentials again.",
        field=CheckField.CREDENTIALS,
    ),
    CheckCode.SIGNATURE_MISMATCH: Remedy(
        text="The secret key does not belong to the access key: set the credentials again. If they are right, a proxy "
        "before the store changes the host or the path of requests: let it pass the Host header and the path on "
        "unchanged, or give the store's own endpoint.",
        field=CheckField.CREDENTIALS,
    ),
    CheckCode.ACCOUNT_DISABLED: Remedy(
        text="The store has disabled the account of these credentials, for example because of an unpaid bill. "
        "Settle it with the store's provider.",
    ),
    CheckCode.ACCESS_DENIED: Remedy(
        text="The credentials do not allow this step. Grant them s3:ListBucket on the bucket and s3:PutObject, "
        "s3:GetObject and s3:DeleteObject on its objects; if they may use one prefix only, set checkPrefix to it.",
        field=CheckField.CREDENTIALS,
    ),
    CheckCode.NO_SUCH_BUCKET: Remedy(
        text="There is no bucket of this name here. Create it, or correct the bucket name.",
        field=CheckField.BUCKET_NAME,
    ),
    CheckCode.WRONG_REGION: Remedy(
        text="The bucket is not in this region. Set the region the bucket is in.",
        field=CheckField.REGION,
    ),
    CheckCode.STORAGE_FULL: Remedy(
        text="The store is full, or a quota or a cap of the account or the bucket is reached. "
        "Delete what is not needed, or raise the quota.",
    ),
    CheckCode.RATE_LIMITED: Remedy(text="The store asks for fewer requests. Try again in a few minutes."),
    CheckCode.STORE_UNAVAILABLE: Remedy(
        text="The store is not available now: it is down, starting or overloaded. Try again in a few minutes; "
        "if it stays so, see the status page or the log of the store.",
    ),
    CheckCode.REDIRECTED: Remedy(
        text="The endpoint redirects elsewhere, which is not followed. Give the store's own endpoint.",
        field=CheckField.ENDPOINT,
    ),
    CheckCode.NOT_SUPPORTED: Remedy(
        text="The store does not support this request, which backup programs need. Bring the store up to date, or use "
        "another one.",
    ),
    CheckCode.REQUEST_REFUSED: Remedy(
        text="The store refuses the request and does not say what is wrong with it. Check the region and path-style "
        "addressing first, then the endpoint; the store's log may say more.",
        field=CheckField.REGION,
    ),
    CheckCode.UNEXPECTED_ANSWER: Remedy(
        text="The store's response makes no sense as S3, or broke off. Try again; if it stays so, see the store's log.",
    ),
    CheckCode.SECRET_UNREADABLE: Remedy(
        text="The stored credentials cannot be read. Set them again.", field=CheckField.CREDENTIALS
    ),
}
"""What to do about each code."""

HINTS: Mapping[CheckHint, Remedy] = {
    CheckHint.CERTIFICATE_NOT_YET_VALID: Remedy(
        text="The store's certificate is not valid yet by this gateway's clock, which is most likely behind: set it by "
        "a time server. Where it is right, the certificate was made with a clock that was ahead: make a new one.",
    ),
    CheckHint.CERTIFICATE_SELF_SIGNED: Remedy(
        text="The store's certificate is signed by itself, or by an authority of your own. Set certificateAuthorities "
        "to that certificate, ask the operator to add it with MOORINGS_S3_CA_FILE or SSL_CERT_FILE, or give the store "
        "one of a public authority.",
        field=CheckField.CERTIFICATE_AUTHORITIES,
    ),
    CheckHint.INTERMEDIATE_MISSING: Remedy(
        text="The store sends its certificate without the intermediate certificate of the authority that issued it. "
        "Let the store send the whole chain, which is often a file named fullchain.",
    ),
    CheckHint.ISSUER_NOT_SENT: Remedy(
        text="The store sends its certificate alone, and this gateway does not trust the authority that issued it. "
        "If it is an authority of your own, set certificateAuthorities to its certificate, or ask the operator to add "
        "it with MOORINGS_S3_CA_FILE; if it is an intermediate one, let the store send the whole chain, which is often "
        "a file named fullchain.",
        field=CheckField.CERTIFICATE_AUTHORITIES,
    ),
    CheckHint.CLIENT_CERTIFICATE: Remedy(
        text="The store, or a proxy before it, asks for a client certificate, and this gateway has none. Let it take "
        "requests without one, or give an endpoint that does.",
        field=CheckField.ENDPOINT,
    ),
    CheckHint.HTTPS_NEEDED: Remedy(
        text="The store wants encrypted connections. Give the endpoint with https:// instead of http://.",
        field=CheckField.ENDPOINT,
    ),
    CheckHint.HOME_REGION: Remedy(
        text="The store does not find these keys in this region. Set the region the bucket is in; "
        "if it is right, set the credentials again.",
        field=CheckField.REGION,
    ),
    CheckHint.ENCRYPTION_KEY: Remedy(
        text="The bucket encrypts with a key that is disabled, missing, or not allowed for these credentials. Enable "
        "the key, and grant them kms:GenerateDataKey and kms:Decrypt on it.",
        field=CheckField.CREDENTIALS,
    ),
    CheckHint.RETENTION: Remedy(
        text="The bucket keeps objects for a time in which they cannot be deleted or overwritten. Backups are stored; "
        "let a lifecycle rule remove what is below .moorings-check/.",
    ),
    CheckHint.REQUESTER_PAYS: Remedy(
        text="The bucket charges the one who asks, which no request of this gateway agrees to. Turn off requester pays "
        "for the bucket, or use another one.",
    ),
    CheckHint.BUCKET_REFUSES: Remedy(
        text="The store found the bucket and refuses this request. See the rules of the bucket: a storage class whose "
        "objects cannot be read at once, encryption that each request has to name, retention; the store's log may say "
        "more.",
    ),
    CheckHint.OBJECT_VANISHED: Remedy(
        text="The object that was just written is not there. See whether the store, a lifecycle rule or another "
        "program removes objects below .moorings-check/; try again.",
    ),
    CheckHint.BODY_CHANGED: Remedy(
        text="The object does not arrive as it was sent. A proxy before the store changes bodies, or the store is "
        "damaged: let the proxy pass them on unchanged, or give the store's own endpoint.",
        field=CheckField.ENDPOINT,
    ),
    CheckHint.MULTIPART_UNKNOWN: Remedy(
        text="The store does not take objects in parts, as most programs send backups of more than a few megabytes. "
        "Let the backup program send each file at once or in smaller parts, or use another store.",
    ),
    CheckHint.HOST_STYLE_NEEDED: Remedy(
        text="The store refuses requests with the bucket in the path. Turn off path-style addressing, and give the "
        "endpoint without the bucket.",
        field=CheckField.PATH_STYLE_ENDPOINT,
    ),
    CheckHint.PROXY_LOGIN: Remedy(
        text="A proxy, or the network of the gateway, asks for a login before it lets requests through. Give the "
        "gateway a way to the store without it.",
    ),
    CheckHint.PROXY_REFUSES: Remedy(
        text="A proxy before the store does not let this request through. Let it pass on GET, PUT, POST and DELETE, "
        "with bodies of any size, or give the store's own endpoint.",
        field=CheckField.ENDPOINT,
    ),
    CheckHint.PROXY_CANNOT_ENCRYPT: Remedy(
        text="The proxy before the store cannot make an encrypted connection to it. Renew the certificate of the store "
        "behind the proxy, or give the store's own endpoint.",
        field=CheckField.ENDPOINT,
    ),
}
"""What to do about each hint, in place of the code's remedy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckStep:
    """One step; `code` is set exactly if it failed. The first of several that one response decides has its duration."""

    name: CheckStepName
    outcome: CheckOutcome
    code: CheckCode | None = None
    duration_ms: int = 0
    store_code: str | None = None
    """The store's own error code, if it is one of `s3.error_codes`."""
    hint: CheckHint | None = None
    documentation: str | None = None
    """The path of the page about the store's provider, where the step failed and the provider is known."""

    @property
    def remedy(self) -> str | None:
        """What to do about the failure."""
        remedy = self._remedy
        return None if remedy is None else remedy.text

    @property
    def field(self) -> CheckField | None:
        """The attribute to change, where the remedy asks for a change of one."""
        remedy = self._remedy
        return None if remedy is None else remedy.field

    @property
    def _remedy(self) -> Remedy | None:
        if self.code is None:
            return None
        return REMEDIES[self.code] if self.hint is None else HINTS[self.hint]


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckSuggestion:
    """Corrected attributes with which the bucket was found; None leaves one as it is."""

    region: str | None = None
    endpoint: str | None = None
    path_style_endpoint: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketFacts:
    """What a check learned about the bucket and the keys beside whether they work; None is not known."""

    can_delete: bool | None = None
    locks_objects: bool | None = None
    keeps_versions: bool | None = None
    encrypts: bool | None = None
    leaves_versions: bool | None = None
    """Whether an old version of the check's object stays after it was deleted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckReport:
    """The result of one check: when it ended, in whole seconds UTC, and its steps in order (see `all_steps`)."""

    checked_at: datetime
    steps: tuple[CheckStep, ...]
    suggestion: CheckSuggestion | None = None
    facts: BucketFacts = BucketFacts()
    unreachable_since: datetime | None = None
    """When the first of the failed checks in a row ended; in a passed report a failure that is not confirmed yet."""
    wrote_at: datetime | None = None
    """When the full check ended that the later steps are from; None where they are of this one."""

    @property
    def reachable(self) -> bool:
        """Whether every step that ran passed, and at least one ran."""
        outcomes = {step.outcome for step in self.steps}
        return CheckOutcome.PASSED in outcomes and CheckOutcome.FAILED not in outcomes

    @property
    def failed_step(self) -> CheckStep | None:
        """The first step that failed."""
        return next((step for step in self.steps if step.outcome is CheckOutcome.FAILED), None)

    @property
    def duration_ms(self) -> int:
        """The duration of all steps together."""
        return sum(step.duration_ms for step in self.steps)

    @property
    def takes_backups(self) -> bool | None:
        """Whether an object could be written; None when that was not tried."""
        outcome = self.step(CheckStepName.WRITE).outcome
        return None if outcome is CheckOutcome.SKIPPED else outcome is CheckOutcome.PASSED

    @property
    def leaves_objects(self) -> bool:
        """Whether a check cannot remove all it writes: the keys may not delete, or the bucket keeps it."""
        facts = self.facts
        return facts.can_delete is False or facts.locks_objects is True or facts.leaves_versions is True

    @property
    def adds_versions(self) -> bool:
        """Whether every full check leaves one more version of its object: the bucket keeps it from being deleted."""
        return self.facts.locks_objects is True or self.facts.leaves_versions is True

    def step(self, name: CheckStepName) -> CheckStep:
        """The step of this name."""
        return next(step for step in self.steps if step.name is name)

    def continuing(self, full: CheckReport) -> CheckReport:
        """This report of a READ_ONLY check with what the last full check found in the later steps, as still true.

        For destinations where a full check leaves something. Nothing is taken over where an earlier step failed, unless
        it is the right to list, which the later steps do not need.
        """
        listing = self.step(CheckStepName.LIST)
        wrote_at = full.wrote_at or full.checked_at
        if not self.reachable and listing.code is not CheckCode.ACCESS_DENIED:
            return replace(self, facts=full.facts, wrote_at=wrote_at)
        later = (CheckStepName.WRITE, CheckStepName.READ, CheckStepName.DELETE)
        steps = tuple(full.step(step.name) if step.name in later else step for step in self.steps)
        return replace(self, steps=steps, facts=full.facts, wrote_at=wrote_at)

    def covers(self, depth: CheckDepth) -> bool:
        """Whether a check of this depth would have found the same: this one failed, or ran the last step of it."""
        tried = {step.name for step in self.steps if step.outcome is not CheckOutcome.SKIPPED}
        return not self.reachable or not tried.isdisjoint(_AT_LEAST[depth])

    def to_json(self) -> str:
        """Compact text for a database column; parts that say nothing are left out."""
        changes, facts = self.suggestion, self.facts
        suggestion = None if changes is None else [changes.region, changes.endpoint, changes.path_style_endpoint]
        document: dict[str, object] = {
            "at": int(self.checked_at.timestamp()),
            "steps": [_stored_step(step) for step in self.steps],
            "suggestion": suggestion,
        }
        if facts != BucketFacts():
            document["facts"] = [getattr(facts, name) for name in _FACTS]
        if self.unreachable_since is not None:
            document["since"] = int(self.unreachable_since.timestamp())
        if self.wrote_at is not None:
            document["wrote"] = int(self.wrote_at.timestamp())
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> CheckReport:
        """Read what `to_json` of this version, an older or a newer one wrote; raises `ValueError` for other text."""
        try:
            document = json.loads(text)
            found = {row[0]: _step(row) for row in document["steps"] if row[0] in CheckStepName.__members__}
            changes = document["suggestion"]
            suggestion = None
            if changes is not None:
                suggestion = CheckSuggestion(region=changes[0], endpoint=changes[1], path_style_endpoint=changes[2])
            checked_at = datetime.fromtimestamp(document["at"], UTC)
            unreachable_since, wrote_at = (
                None if document.get(name) is None else datetime.fromtimestamp(document[name], UTC)
                for name in ("since", "wrote")
            )
            facts = BucketFacts(**dict(zip(_FACTS, document.get("facts", ()), strict=False)))
        except (AttributeError, KeyError, IndexError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError("this is no stored check report") from error
        return cls(
            checked_at=checked_at,
            steps=all_steps(found),
            suggestion=suggestion,
            facts=facts,
            unreachable_since=unreachable_since,
            wrote_at=wrote_at,
        )


_AT_LEAST: Mapping[CheckDepth, frozenset[CheckStepName]] = {
    CheckDepth.READ_ONLY: frozenset(CheckStepName),
    CheckDepth.FULL: frozenset({CheckStepName.WRITE, CheckStepName.MULTIPART}),
    CheckDepth.MULTIPART: frozenset({CheckStepName.MULTIPART}),
}
"""Steps, one of which ran in every check that is at least as deep and passed."""
_FACTS = ("can_delete", "locks_objects", "keeps_versions", "encrypts", "leaves_versions")


def all_steps(found: Mapping[CheckStepName, CheckStep]) -> tuple[CheckStep, ...]:
    """The steps in order; those without a result are SKIPPED, and MULTIPART is left out."""
    names = [name for name in CheckStepName if name is not CheckStepName.MULTIPART or name in found]
    return tuple(found.get(name) or CheckStep(name=name, outcome=CheckOutcome.SKIPPED) for name in names)


_Member = TypeVar("_Member", bound=StrEnum)


def _stored_step(step: CheckStep) -> list[object]:
    row: list[object] = [step.name, step.outcome, step.code, step.duration_ms]
    more = [step.store_code, step.hint, step.documentation]
    while more and more[-1] is None:
        more.pop()
    return row + more


def _step(row: list[Any]) -> CheckStep:
    """An outcome or code that only a newer version knows is read as FAILED with UNEXPECTED_ANSWER."""
    outcome = _known(CheckOutcome, row[1], CheckOutcome.FAILED)
    code = store_code = hint = page = None
    if outcome is CheckOutcome.FAILED:
        code = _known(CheckCode, row[2], CheckCode.UNEXPECTED_ANSWER)
        store_code, hint, page = [*row[4:7], None, None, None][:3]
        store_code, page = (text if isinstance(text, str) else None for text in (store_code, page))
        hint = CheckHint(hint) if hint in CheckHint.__members__ else None
    return CheckStep(
        name=CheckStepName(row[0]),
        outcome=outcome,
        code=code,
        duration_ms=int(row[3]),
        store_code=store_code,
        hint=hint,
        documentation=page,
    )


def _known(words: type[_Member], word: object, otherwise: _Member) -> _Member:
    return words(word) if isinstance(word, str) and word in words.__members__ else otherwise


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeTarget:
    """The values of a destination that a check needs; an endpoint of None is Amazon's for the region.

    `object_name` is the name of the object the check writes below its prefix: the same at every check of a destination,
    so that keys that may not delete leave one object and not one for each check. 32 hexadecimal digits.
    `check_prefix` is what all its objects and its listing begin with (`models.destinations.object_prefix`).
    `certificate_authorities` are certificates in PEM that are trusted for this target beside those of the prober.
    """

    endpoint: str | None
    region: str | None
    bucket_name: str
    path_style: bool
    access_key: Secret
    secret_key: Secret
    object_name: str
    check_prefix: str | None = None
    certificate_authorities: str | None = None


Admit = Callable[[Sequence[str]], Awaitable[None]]
"""Called with the addresses of a host before the first connection to one of them; raises a `Refusal` to prevent it."""


class Prober(Protocol):
    """Checks whether a store takes backups."""

    async def probe(self, target: ProbeTarget, depth: CheckDepth, admit: Admit | None = None) -> CheckReport:
        """Run the steps; whatever the store or the network does becomes a report, never an exception.

        Raises what `admit` raises for the target's own host.
        """
