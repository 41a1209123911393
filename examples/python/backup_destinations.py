"""Backup destinations from Python with gql: list every page, create one, check it, follow what happens.

pip install "gql[httpx,websockets]"
export MOORINGS_URL=http://127.0.0.1:8000 MOORINGS_TOKEN='1|mrg_…'
python backup_destinations.py list
python backup_destinations.py create Nightly nightly-backups https://s3.example.com    # keys: ACCESS_KEY, SECRET_KEY
python backup_destinations.py check BackupDestination:1
python backup_destinations.py follow
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

from gql import Client, gql
from gql.client import AsyncClientSession
from gql.transport.exceptions import TransportError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from websockets.exceptions import WebSocketException

URL = os.environ.get("MOORINGS_URL", "http://127.0.0.1:8000")
AUTHORIZATION = f"Bearer {os.environ.get('MOORINGS_TOKEN', '')}"
TRIES = 5
PAUSE_S = 1

LIST = gql("""
  query List($after: String) {
    backupDestinations(first: 100, after: $after) {
      nodes { id label kindName ... on S3CompatibleDestination { bucketName reachability } }
      pageInfo { hasNextPage endCursor }
    }
  }
""")
LATEST = gql("{ viewer { latestEventId } }")
CREATE = gql("""
  mutation Create($input: CreateBackupDestinationInput!) {
    createBackupDestination(input: $input) {
      ... on CreateBackupDestinationPayload { backupDestination { id } }
      ... on Problem { message }
      ... on ValidationProblem { violations { path message } }
    }
  }
""")
CHECK = gql("""
  mutation Check($id: ID!) {
    checkBackupDestination(id: $id) {
      ... on CheckBackupDestinationPayload { report { reachable steps { name outcome remedy } } }
      ... on Problem { message }
    }
  }
""")
EVENTS = gql("""
  subscription Events($after: ID!) {
    backupDestinationEvents(after: $after) {
      __typename
      id
      backupDestinationId
      ... on BackupDestinationUpdated { changedFields }
      ... on BackupDestinationChecked { reachable }
    }
  }
""")


def over_http(**headers: str) -> Client:
    """A client for queries and mutations; a check may take 14 seconds."""
    transport = HTTPXAsyncTransport(f"{URL}/graphql", headers={"Authorization": AUTHORIZATION, **headers}, timeout=30)
    return Client(transport=transport, execute_timeout=30)


async def ask(session: AsyncClientSession, document: Any, **variables: Any) -> Any:
    """The data of one operation; raises `TransportError`."""
    document.variable_values = variables
    return await session.execute(document)


async def destinations() -> AsyncIterator[dict[str, Any]]:
    """All destinations in the order of creation, a hundred with each request."""
    after = None
    async with over_http() as session:
        while True:
            page = (await ask(session, LIST, after=after))["backupDestinations"]
            for node in page["nodes"]:
                yield node
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]


async def create(label: str, bucket: str, endpoint: str) -> str:
    """Create a bucket at an S3-compatible store and return its id; ends the program with what is wrong with the input.

    All tries are sent under one key, so that it is created once even if the answer to the first is lost.
    """
    keys = {"accessKey": os.environ.get("ACCESS_KEY", ""), "secretKey": os.environ.get("SECRET_KEY", "")}
    values = {"label": label, "bucketName": bucket, "endpoint": endpoint, "pathStyleEndpoint": True}
    key = str(uuid4())
    for left in reversed(range(TRIES)):
        try:
            async with over_http(**{"Idempotency-Key": key}) as session:
                answer = await ask(session, CREATE, input={"customS3": {**values, "credentials": keys}})
            break
        except (TransportError, OSError):
            if not left:
                raise
            await asyncio.sleep(PAUSE_S)
    result = answer["createBackupDestination"]
    if "backupDestination" in result:
        return str(result["backupDestination"]["id"])
    violations = [f"{'.'.join(each['path'])}: {each['message']}" for each in result.get("violations", [])]
    sys.exit("\n".join(violations or [result["message"]]))


async def check(id_: str) -> str:
    """What the check found, in one sentence."""
    async with over_http() as session:
        result = (await ask(session, CHECK, id=id_))["checkBackupDestination"]
    if "report" not in result:
        return str(result["message"])
    failed = [step for step in result["report"]["steps"] if step["outcome"] == "FAILED"]
    return f"{failed[0]['name']}: {failed[0]['remedy']}" if failed else "It takes backups."


async def events() -> AsyncIterator[dict[str, Any]]:
    """What happens from now on, without end: after a restart of the gateway it goes on behind the last event."""
    async with over_http() as session:
        after = (await ask(session, LATEST))["viewer"]["latestEventId"]
    while True:
        url = f"{URL.replace('http', 'ws', 1)}/graphql"
        transport = WebsocketsTransport(url, init_payload={"Authorization": AUTHORIZATION})
        try:
            async with Client(transport=transport) as session:
                EVENTS.variable_values = {"after": after}
                async for result in session.subscribe(EVENTS):
                    event = result["backupDestinationEvents"]
                    after = event["id"]
                    yield event
        except (TransportError, WebSocketException, OSError) as error:
            if getattr(error, "errors", None):  # the gateway's own: a token that ended, an event it does not know
                raise
        await asyncio.sleep(PAUSE_S)


async def main(act: str = "list", *arguments: str) -> None:
    """Carry out one of the acts and print what came of it."""
    match act:
        case "list":
            async for node in destinations():
                print(node["id"], node["label"], node.get("bucketName", "-"), node.get("reachability", "-"), sep="\t")
        case "create":
            print(await create(*arguments))
        case "check":
            print(await check(*arguments))
        case "follow":
            async for event in events():
                print(event["__typename"], event["backupDestinationId"], sep="\t", flush=True)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
