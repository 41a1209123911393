"""The documents and the inputs with which the tests ask GraphQL about destinations, and REST's names for the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CREDENTIALS = {"accessKey": "AKIATESTTESTTESTTEST", "secretKey": "a-secret-key-of-the-tests"}
INPUTS: Mapping[str, Mapping[str, Any]] = {
    "amazonS3": {"bucketName": "nightly", "region": "us-west-2", "credentials": CREDENTIALS},
    "customS3": {"bucketName": "nightly", "endpoint": "https://s3.example.com", "credentials": CREDENTIALS},
    "local": {},
}
"""What an input of each kind carries beside the label."""

TYPES = {"s3": "AmazonS3Destination", "custom_s3": "CustomS3Destination", "local": "LocalDestination"}
"""REST's type and the object type of the same kind."""

DESTINATION = """
fragment Destination on BackupDestination {
  __typename id databaseId label kindName createdAt updatedAt
  ... on S3CompatibleDestination { bucketName pathStyleEndpoint credentialsSetAt reachability }
  ... on AmazonS3Destination { region }
  ... on CustomS3Destination { endpoint region }
}
"""
REPORT = """
fragment Report on CheckReport {
  id checkedAt reachable takesBackups canDelete locksObjects keepsVersions encrypts unreachableSince
  steps { name outcome code remedy field storeCode durationMs } documentation
  suggestion { region endpoint pathStyleEndpoint }
}
"""
CHECKED = (
    "fragment Checked on BackupDestination { ... on S3CompatibleDestination { reachability lastCheck { ...Report } } }"
    + REPORT
)
PROBLEM = """
fragment Problem on Problem { __typename message ... on ValidationProblem { violations { path code message } } }
"""
EVENT = """
fragment Event on BackupDestinationEvent {
  __typename id occurredAt backupDestinationId protocol tokenName
  ... on BackupDestinationCreated { backupDestination { label } }
  ... on BackupDestinationUpdated { backupDestination { label } changedFields }
  ... on BackupDestinationChecked { backupDestination { label } reachable }
  ... on BackupDestinationDeleted { label }
}
"""

ONE = "query ($id: ID!) { backupDestination(id: $id) { ...Destination } }" + DESTINATION
LIST = (
    """
query ($first: Int, $after: String) {
  backupDestinations(first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } edges { node { ...Destination } }
  }
}
"""
    + DESTINATION
)
EVENTS = (
    """
query ($first: Int, $after: String, $last: Int, $before: String) {
  events(first: $first, after: $after, last: $last, before: $before) {
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { ...Event } }
  }
}
"""
    + EVENT
)
LISTEN = "subscription ($after: ID) { backupDestinationEvents(after: $after) { ...Event } }" + EVENT

CREATE = (
    """
mutation ($input: CreateBackupDestinationInput!) {
  result: createBackupDestination(input: $input) {
    __typename ...Problem
    ... on CreateBackupDestinationPayload { backupDestination { ...Destination } edge { cursor node { id } } }
  }
}
"""
    + PROBLEM
    + DESTINATION
)
UPDATE = (
    """
mutation ($id: ID!, $input: UpdateBackupDestinationInput!) {
  result: updateBackupDestination(id: $id, input: $input) {
    __typename ...Problem ... on UpdateBackupDestinationPayload { backupDestination { ...Destination } }
  }
}
"""
    + PROBLEM
    + DESTINATION
)
DELETE = (
    """
mutation ($id: ID!) {
  result: deleteBackupDestination(id: $id) {
    __typename ...Problem ... on DeleteBackupDestinationPayload { deletedId }
  }
}
"""
    + PROBLEM
)
CHECK = (
    """
mutation ($id: ID!, $depth: CheckDepth! = FULL) {
  result: checkBackupDestination(id: $id, depth: $depth) {
    __typename ...Problem
    ... on CheckBackupDestinationPayload { report { ...Report } backupDestination { ...Checked } }
  }
}
"""
    + PROBLEM
    + CHECKED
)
GRANT = (
    """
mutation ($id: ID!, $input: GrantBackupDestinationAccessInput!) {
  result: grantBackupDestinationAccess(id: $id, input: $input) {
    __typename ...Problem
    ... on StoreProblem { code }
    ... on GrantBackupDestinationAccessPayload {
      expiresAt backupDestination { id }
      requests { operation key partNumber method url headers { name value } }
    }
  }
}
"""
    + PROBLEM
)
TEST = (
    """
mutation ($input: CreateBackupDestinationInput!, $depth: CheckDepth! = FULL) {
  result: testBackupDestination(input: $input, depth: $depth) {
    __typename ...Problem ... on TestBackupDestinationPayload { report { ...Report } }
  }
}
"""
    + PROBLEM
    + REPORT
)


def destination_id(number: int) -> str:
    """The global ID of a destination."""
    return f"BackupDestination:{number}"


def draft(kind: str, **changes: Any) -> dict[str, Any]:
    """A create input of that kind that is fine, then the changes; a change to `...` leaves the field out."""
    fields = {"label": f"A {kind} destination", **INPUTS[kind], **changes}
    return {kind: {name: value for name, value in fields.items() if value is not ...}}
