"""`/healthz` says that the process answers, `/readyz` that the database does too."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.database import answers
from web.application import application_of
from web.problem import problem


async def healthz(_request: Request) -> Response:
    """200 as long as the process lives; never touches the database."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """200 when the database answers within a second and the process does not stop soon, 503 otherwise."""
    application = application_of(request.app)
    if application is not None and application.stopping.is_announced:
        return problem(503, "The gateway is about to stop.", headers={"Retry-After": "1"})
    await answers()
    return JSONResponse({"status": "ready"})


ROUTES = (Route("/healthz", healthz, methods=["GET"]), Route("/readyz", readyz, methods=["GET"]))
