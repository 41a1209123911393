"""The error codes and phrases of S3 stores, and what each means: data, with a source for every row.

A code is looked up by its exact spelling. Only codes of this table are ever shown (`storeCode`), and no phrase is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from models.checks.report import CheckCode, CheckHint, CheckStepName

AWS = "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"
AWS_COMMON = "https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html"
AWS_LOCK = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html"
AWS_KMS = "https://repost.aws/knowledge-center/s3-bucket-access-default-encryption"
AWS_PAYS = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/RequesterPaysBuckets.html"
AWS_REQUESTS = "https://repost.aws/knowledge-center/s3-resolve-503-slowdown-throttling"
MINIO = "https://github.com/minio/minio/blob/master/cmd/api-errors.go"
CEPH = "https://github.com/ceph/ceph/blob/main/src/rgw/rgw_common.cc"
GARAGE = "https://git.deuxfleurs.fr/Deuxfleurs/garage/src/branch/main-v2/src/api/common/signature"
R2 = "https://developers.cloudflare.com/r2/api/error-codes/"
B2 = "https://github.com/restic/restic/issues/3265"
OCI = "https://github.com/minio/mc/issues/4329"
OCI_NATIVE = "https://docs.oracle.com/en-us/iaas/Content/API/References/apierrors.htm"
OSS = "https://www.alibabacloud.com/help/en/oss/support/error-codes"
COS = "https://www.tencentcloud.com/document/product/436/7730"
OBS = "https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0115.html"
GCS = "https://cloud.google.com/storage/docs/xml-api/reference-status"
STORAGEGRID = "https://docs.netapp.com/us-en/storagegrid/s3/error-responses.html"
SWIFT_QUOTA = "https://github.com/openstack/swift/blob/master/swift/common/middleware/account_quotas.py"
IBM = "https://cloud.ibm.com/docs/cloud-object-storage?topic=cloud-object-storage-compatibility-api-bucket-operations"
NGINX = "https://github.com/nginx/nginx/blob/master/src/http/ngx_http_special_response.c"
GO = "https://github.com/golang/go/blob/master/src/net/http/server.go"


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """What an error code or phrase means; `step` is the one that fails when a listing gets it (None: the first)."""

    code: CheckCode
    source: str
    step: CheckStepName | None = None
    hint: CheckHint | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Phrase:
    """A part of an error's message that is more precise than its code. `text` is in lower case."""

    text: bytes
    meaning: Meaning


_AUTHENTICATE, _BUCKET, _LIST = CheckStepName.AUTHENTICATE, CheckStepName.BUCKET, CheckStepName.LIST


def _rows(meaning: Meaning, *codes: str) -> dict[str, Meaning]:
    return dict.fromkeys(codes, meaning)


def _authenticate(code: CheckCode, source: str, *codes: str, hint: CheckHint | None = None) -> dict[str, Meaning]:
    return _rows(Meaning(code=code, source=source, step=_AUTHENTICATE, hint=hint), *codes)


def _bucket(code: CheckCode, source: str, *codes: str) -> dict[str, Meaning]:
    return _rows(Meaning(code=code, source=source, step=_BUCKET), *codes)


def _list(code: CheckCode, source: str, *codes: str, hint: CheckHint | None = None) -> dict[str, Meaning]:
    return _rows(Meaning(code=code, source=source, step=_LIST, hint=hint), *codes)


def _any(code: CheckCode, source: str, *codes: str, hint: CheckHint | None = None) -> dict[str, Meaning]:
    return _rows(Meaning(code=code, source=source, hint=hint), *codes)


CODES: Mapping[str, Meaning] = MappingProxyType(
    {
        # The access key.
        **_authenticate(
            CheckCode.INVALID_ACCESS_KEY,
            AWS,
            *(
                "InvalidAccessKeyId",
                "ExpiredToken",
                "InvalidSecurity",
                "MissingSecurityHeader",
                "MissingSecurityElement",
            ),
        ),
        **_authenticate(
            CheckCode.INVALID_ACCESS_KEY,
            AWS_COMMON,
            *("InvalidClientTokenId", "UnrecognizedClientException", "MissingAuthenticationToken"),
        ),
        **_authenticate(CheckCode.INVALID_ACCESS_KEY, R2, "Unauthorized"),
        **_authenticate(CheckCode.INVALID_ACCESS_KEY, OCI_NATIVE, "NotAuthenticated"),
        **_authenticate(CheckCode.INVALID_ACCESS_KEY, GCS, "AuthenticationRequired"),
        **_authenticate(CheckCode.INVALID_ACCESS_KEY, MINIO, "XMinioAdminNoSuchUser"),
        **_authenticate(CheckCode.TEMPORARY_CREDENTIALS, AWS, "InvalidToken", "TokenRefreshRequired"),
        **_authenticate(CheckCode.TEMPORARY_CREDENTIALS, MINIO, "InvalidTokenId"),
        **_authenticate(
            CheckCode.TEMPORARY_CREDENTIALS,
            OSS,
            "InvalidSecurityToken",
            "SecurityTokenExpired",
            "SecurityTokenNotSupported",
        ),
        # The secret key and the clock.
        **_authenticate(
            CheckCode.SIGNATURE_MISMATCH,
            AWS,
            *("SignatureDoesNotMatch", "AuthorizationQueryParametersError", "CredentialsNotSupported"),
        ),
        **_authenticate(
            CheckCode.SIGNATURE_MISMATCH,
            AWS_COMMON,
            "IncompleteSignature",
            "InvalidSignatureException",
            "InvalidSignature",
        ),
        **_authenticate(CheckCode.CLOCK_SKEW, AWS, "RequestTimeTooSkewed"),
        **_authenticate(CheckCode.CLOCK_SKEW, AWS_COMMON, "RequestExpired"),
        **_authenticate(CheckCode.CLOCK_SKEW, R2, "ExpiredRequest"),
        # The account.
        **_authenticate(
            CheckCode.ACCOUNT_DISABLED, AWS, "AccountProblem", "AllAccessDisabled", "NotSignedUp", "InvalidPayer"
        ),
        **_authenticate(CheckCode.ACCOUNT_DISABLED, AWS_COMMON, "OptInRequired"),
        **_authenticate(CheckCode.ACCOUNT_DISABLED, CEPH, "UserSuspended"),
        **_authenticate(CheckCode.ACCOUNT_DISABLED, OSS, "UserDisable"),
        **_authenticate(CheckCode.ACCOUNT_DISABLED, OBS, "InArrearOrInsufficientBalance"),
        **_authenticate(CheckCode.ACCOUNT_DISABLED, COS, "UnavailableForLegalReasons"),
        **_authenticate(
            CheckCode.ACCOUNT_DISABLED,
            GCS,
            *("UserProjectAccountProblem", "UserProjectInvalid"),
        ),
        # The bucket and its region.
        **_bucket(
            CheckCode.NO_SUCH_BUCKET,
            AWS,
            *("NoSuchBucket", "InvalidBucketName", "NoSuchAccessPoint", "InvalidAccessPoint", "NoSuchOutpost"),
        ),
        **_bucket(CheckCode.NO_SUCH_BUCKET, AWS, "NoSuchKey", "InvalidURI"),
        **_bucket(
            CheckCode.NO_SUCH_BUCKET, OCI_NATIVE, "BucketNotFound", "NamespaceNotFound", "NotAuthorizedOrNotFound"
        ),
        **_bucket(CheckCode.NO_SUCH_BUCKET, CEPH, "NoSuchUser"),
        **_bucket(CheckCode.NO_SUCH_BUCKET, OSS, "SecondLevelDomainForbidden"),
        **_bucket(CheckCode.NO_SUCH_BUCKET, COS, "PathStyleDomainForbidden"),
        **_bucket(CheckCode.NO_SUCH_BUCKET, OBS, "VirtualHostDomainRequired"),
        **_bucket(
            CheckCode.WRONG_REGION,
            AWS,
            *(
                "AuthorizationHeaderMalformed",
                "PermanentRedirect",
                "PermanentRedirectControlError",
                "TemporaryRedirect",
            ),
            *("Redirect", "IllegalLocationConstraintException", "InvalidLocationConstraint", "EndpointNotFound"),
            "IncorrectEndpoint",
        ),
        **_bucket(CheckCode.WRONG_REGION, MINIO, "InvalidRegion"),
        **_bucket(CheckCode.WRONG_REGION, R2, "InvalidRegionName"),
        # Rights.
        **_list(CheckCode.ACCESS_DENIED, AWS, "AccessDenied", "UnauthorizedAccess", "UnauthorizedAccessError"),
        **_list(CheckCode.ACCESS_DENIED, AWS_COMMON, "AccessDeniedException", "NotAuthorized"),
        **_list(CheckCode.ACCESS_DENIED, GCS, "UserProjectAccessDenied"),
        **_list(CheckCode.ACCESS_DENIED, AWS, "MethodNotAllowed"),
        **_any(
            CheckCode.ACCESS_DENIED,
            AWS,
            *("KMS.DisabledException", "KMS.InvalidKeyUsageException", "KMS.KMSInvalidStateException"),
            *("KMS.NotFoundException", "KMS.InvalidStateException"),
            hint=CheckHint.ENCRYPTION_KEY,
        ),
        **_any(
            CheckCode.ACCESS_DENIED,
            MINIO,
            *("XMinioKMSNotConfigured", "XMinioKMSKeyNotFoundException"),
            "KMSNotConfigured",
            hint=CheckHint.ENCRYPTION_KEY,
        ),
        **_any(CheckCode.ACCESS_DENIED, OSS, "FileImmutable", hint=CheckHint.RETENTION),
        **_any(
            CheckCode.ACCESS_DENIED, GCS, "RetentionPolicyNotMet", "ObjectUnderActiveHold", hint=CheckHint.RETENTION
        ),
        **_list(CheckCode.ACCESS_DENIED, GCS, "UserProjectMissing", hint=CheckHint.REQUESTER_PAYS),
        # Space.
        **_any(CheckCode.STORAGE_FULL, CEPH, "QuotaExceeded"),
        **_any(CheckCode.STORAGE_FULL, MINIO, "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"),
        **_any(CheckCode.STORAGE_FULL, AWS, "InsufficientCapacity"),
        **_any(CheckCode.STORAGE_FULL, OBS, "InsufficientStorageSpace"),
        **_any(CheckCode.STORAGE_FULL, GCS, "InsufficientQuota"),
        # Load.
        **_any(CheckCode.RATE_LIMITED, AWS, "SlowDown", "Busy", "BandwidthLimitExceeded", "KMS.ThrottlingException"),
        **_any(
            CheckCode.RATE_LIMITED,
            AWS_COMMON,
            *(
                "RequestLimitExceeded",
                "Throttling",
                "ThrottlingException",
                "RequestThrottled",
                "TooManyRequestsException",
            ),
        ),
        **_any(CheckCode.RATE_LIMITED, MINIO, "SlowDownRead", "SlowDownWrite"),
        **_any(CheckCode.RATE_LIMITED, R2, "TooManyRequests"),
        **_any(
            CheckCode.RATE_LIMITED,
            OSS,
            *("QpsLimitExceeded", "DownloadTrafficRateLimitExceeded", "UploadTrafficRateLimitExceeded"),
        ),
        # Not now.
        **_any(
            CheckCode.STORE_UNAVAILABLE,
            AWS,
            *("InternalError", "ServiceUnavailable", "DeviceNotActiveError", "OperationAborted"),
        ),
        **_any(CheckCode.STORE_UNAVAILABLE, AWS_COMMON, "InternalFailure", "ServiceFailure"),
        **_any(
            CheckCode.STORE_UNAVAILABLE,
            MINIO,
            *("XMinioServerNotInitialized", "XMinioBackendDown", "XMinioReadQuorum", "XMinioWriteQuorum"),
            *("XMinioIAMNotInitialized", "XMinioBucketMetadataNotInitialized"),
        ),
        **_any(CheckCode.STORE_UNAVAILABLE, CEPH, "UnknownError"),
        **_any(CheckCode.STORE_UNAVAILABLE, GCS, "InternalServerError"),
        **_any(CheckCode.TIMEOUT, AWS, "RequestTimeout", "ConnectionClosedByRequester"),
        # A body or a header that was changed on the way.
        **_any(
            CheckCode.UNEXPECTED_ANSWER,
            AWS,
            *("BadDigest", "InvalidDigest", "IncompleteBody", "XAmzContentSHA256Mismatch", "MissingContentLength"),
            *("XAmzContentChecksumMismatch", "MissingRequestBodyError"),
            hint=CheckHint.BODY_CHANGED,
        ),
        **_any(CheckCode.UNEXPECTED_ANSWER, MINIO, "MissingContentMD5", hint=CheckHint.BODY_CHANGED),
        # What the store does not do.
        **_list(CheckCode.NOT_SUPPORTED, AWS, "NotImplemented", "NotSupported"),
        **_list(CheckCode.NOT_SUPPORTED, STORAGEGRID, "XNotImplemented"),
        # Known, and of no help beyond their own name.
        **_any(
            CheckCode.REQUEST_REFUSED,
            AWS,
            *("InvalidRequest", "InvalidArgument", "MalformedXML", "PreconditionFailed", "InvalidBucketState"),
            *("EntityTooLarge", "EntityTooSmall", "InvalidPart", "InvalidPartOrder", "NoSuchUpload", "NoSuchVersion"),
            *("InvalidStorageClass", "InvalidEncryptionAlgorithmError", "KeyTooLongError", "MetadataTooLarge"),
            *("MaxMessageLengthExceeded", "InvalidObjectState", "ConditionalRequestConflict", "InvalidRange"),
            *("ServerSideEncryptionConfigurationNotFoundError", "ObjectLockConfigurationNotFoundError"),
            *(
                "InvalidTag",
                "AccessControlListNotSupported",
                "UnexpectedContent",
                "UserKeyMustBeSpecified",
                "RestoreAlreadyInProgress",
            ),
        ),
        **_any(CheckCode.REQUEST_REFUSED, STORAGEGRID, "KeyTooLong", "BadRequest"),
        **_any(CheckCode.REQUEST_REFUSED, MINIO, "XMinioInvalidObjectName", "XMinioObjectExistsAsDirectory"),
        **_any(CheckCode.REQUEST_REFUSED, IBM, "MalformedQuota", "MalformedFirewallError"),
    }
)
"""What each error code means, by its spelling."""


def _phrase(
    text: str, code: CheckCode, source: str, step: CheckStepName | None, hint: CheckHint | None = None
) -> Phrase:
    return Phrase(text=text.encode(), meaning=Meaning(code=code, source=source, step=step, hint=hint))


PHRASES = (
    _phrase("no such key:", CheckCode.INVALID_ACCESS_KEY, GARAGE, _AUTHENTICATE),
    _phrase("invalid signature", CheckCode.SIGNATURE_MISMATCH, GARAGE, _AUTHENTICATE),
    _phrase("date is too old", CheckCode.CLOCK_SKEW, GARAGE, _AUTHENTICATE),
    _phrase("date is in the future", CheckCode.CLOCK_SKEW, GARAGE, _AUTHENTICATE),
    _phrase("requests must be made to api port", CheckCode.NOT_S3, MINIO, _AUTHENTICATE),
    _phrase("a non-empty access key", CheckCode.INVALID_ACCESS_KEY, AWS, _AUTHENTICATE),
    _phrase(
        "region must be specified if this is not the home region",
        CheckCode.SIGNATURE_MISMATCH,
        OCI,
        _AUTHENTICATE,
        CheckHint.HOME_REGION,
    ),
    _phrase("cap exceeded", CheckCode.STORAGE_FULL, B2, None),
    _phrase("upload exceeds quota", CheckCode.STORAGE_FULL, SWIFT_QUOTA, None),
    _phrase("quota exceeded", CheckCode.STORAGE_FULL, CEPH, None),
    _phrase("reduce your request rate", CheckCode.RATE_LIMITED, AWS_REQUESTS, None),
    _phrase("must be addressed using the specified endpoint", CheckCode.WRONG_REGION, AWS, _BUCKET),
    _phrase("protected by object lock", CheckCode.ACCESS_DENIED, AWS_LOCK, None, CheckHint.RETENTION),
    _phrase("not authorized to perform: kms:", CheckCode.ACCESS_DENIED, AWS_KMS, None, CheckHint.ENCRYPTION_KEY),
    _phrase("requester pays", CheckCode.ACCESS_DENIED, AWS_PAYS, _LIST, CheckHint.REQUESTER_PAYS),
    _phrase("request has expired", CheckCode.CLOCK_SKEW, AWS, _AUTHENTICATE),
    _phrase(
        "no required ssl certificate was sent", CheckCode.NOT_SUPPORTED, NGINX, _AUTHENTICATE, CheckHint.PROXY_REFUSES
    ),
    _phrase("worm protected", CheckCode.ACCESS_DENIED, MINIO, None, CheckHint.RETENTION),
    _phrase(
        "plain http request was sent to https port", CheckCode.NOT_S3, NGINX, _AUTHENTICATE, CheckHint.HTTPS_NEEDED
    ),
    _phrase("sent an http request to an https server", CheckCode.NOT_S3, GO, _AUTHENTICATE, CheckHint.HTTPS_NEEDED),
)
"""Looked for in the message of an error, in this order, before its code is looked up."""

HOST_STYLE_ONLY = frozenset({"SecondLevelDomainForbidden", "PathStyleDomainForbidden", "VirtualHostDomainRequired"})
"""Codes of stores that refuse path-style addressing."""
LISTING_UNKNOWN = frozenset(
    {
        *("NotImplemented", "XNotImplemented", "NotSupported", "MethodNotAllowed"),
        *("InvalidArgument", "InvalidRequest", "BadRequest"),
    }
)
"""Codes with which stores that do not know ListObjectsV2 refuse it."""
KEYS_OF_ENCRYPTION = "KMS."
"""What the codes of AWS's key service begin with: there are more than are listed."""
