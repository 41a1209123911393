"""`/healthz` says that the process answers, `/readyz` that the database does too."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.database import answers


async def healthz(_request: Request) -> Response:
    """200 as long as the process lives; never touches the database."""
    return JSONResponse({"status": "ok"})


async def readyz(_request: Request) -> Response:
    """200 when the database answers within a second, 503 otherwise."""
    await answers()
    return JSONResponse({"status": "ready"})


ROUTES = (Route("/healthz", healthz, methods=["GET"]), Route("/readyz", readyz, methods=["GET"]))
