"""Starlette with a short way to the doors: a request whose answer is kept costs less than the usual layers around it.

Two habits follow from that in the layers of this room. One that has nothing to do afterwards is a plain function that
hands on what the next one returns, which spares a coroutine; and so is what it wraps around `send`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from web.fast_path.fast_lane import FastLane


class Application(Starlette):
    """Without Starlette's two layers for exceptions, for `Failures` does the work of both."""

    lane: FastLane | None = None
    """The short way that the server may take."""

    def build_middleware_stack(self) -> ASGIApp:
        """The middleware, outermost first, around the routes."""
        app: ASGIApp = ExactPaths(self.router, self.routes)
        for middleware, args, kwargs in reversed(self.user_middleware):
            app = middleware(app, *args, **kwargs)
        return app


def lane_of(app: object) -> FastLane | None:
    """The fast lane of an application, as uvicorn has it: alone, or behind the layer that believes its proxies."""
    if isinstance(app, ProxyHeadersMiddleware):
        app = app.app
    return app.lane if isinstance(app, Application) else None


class ExactPaths:
    """Finds the route of a path without parameters by looking it up; for any other, and for WebSockets, asks on."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        exact = [route for route in routes if isinstance(route, Route) and not route.param_convertors]
        self._routes = {route.path: route for route in reversed(exact)}  # of two the first counts, as everywhere

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            route = self._routes.get(scope["path"])
            if route is not None and (route.methods is None or scope["method"] in route.methods):
                scope["route"] = route
                scope["path_params"] = {}
                return route.app(scope, receive, send)
        return self._app(scope, receive, send)
