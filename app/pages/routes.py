"""The routes of pages and documents for browsers, behind those of the APIs, whose matching they do not slow down."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute, Route

from app.pages import documents, security_txt
from app.pages.explorer import Explorer
from app.pages.front_page import FrontPage
from app.settings import Settings


def with_pages(api_routes: Sequence[BaseRoute], settings: Settings, explorer: Explorer) -> list[BaseRoute]:
    """The routes of the APIs, and behind them those of the documents, the explorer and the front page."""
    routes = [*api_routes, *documents.routes(settings), *security_txt.routes(settings)]
    served = {route.path for route in routes if isinstance(route, Route)}
    shown = served | {"/api/docs"} if explorer.sentence is None else served - {"/graphql"}
    return [
        *routes,
        Route("/", FrontPage(shown, remark=explorer.sentence).__call__, methods=["GET"]),
        Route("/api/docs", explorer.reference, methods=["GET", "HEAD"]),
        Route("/explorer/assets/{name}", explorer.asset, methods=["GET"]),
    ]
