"""The corpus of hostile operations, requests and conversations at the GraphQL API, by theme."""

from __future__ import annotations

from tests.hostile.operations import depth, documents, introspection, literals, requests, sockets, variables, width
from tests.hostile.operations.case import Conversation, Operation, Request

OPERATIONS: dict[str, tuple[Operation, ...]] = {
    "depth and overlap": depth.CASES,
    "width and cost": width.CASES,
    "documents": documents.CASES,
    "literals": literals.CASES,
    "variables": variables.CASES,
    "introspection": introspection.CASES,
}
REQUESTS: tuple[Request, ...] = requests.CASES
CONVERSATIONS: tuple[Conversation, ...] = sockets.CASES
