"""``python -m serving`` with two endpoints more, which answer ``{}`` and do nothing for it.

``PUT /noop`` is an ordinary endpoint of FastAPI, included as the others are. ``PUT /bare`` is a function of Starlette,
without what FastAPI does for an endpoint. Both are behind the same middleware as ``/api/v1/predict`` and are found
right after it, before all nested routes, so that neither pays for a search.
"""

import sys

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import serving.lean  # noqa: F401
from serving.__main__ import serve
from serving.app import create_app
from serving.logs import configure_logs
from serving.settings import Settings

router = APIRouter()


@router.put("/noop")
async def noop() -> dict[str, str]:
    """Nothing."""
    return {}


async def bare(_request: Request) -> Response:
    """Nothing, with less around it."""
    return Response(b"{}", 200, None, "application/json")


def main() -> int:
    """Serve until SIGTERM."""
    settings = Settings.read()
    configure_logs(settings.log_format)
    app = create_app(settings)
    add_noops(app)
    return serve(app, settings)


def add_noops(app: FastAPI) -> None:
    """Put both right behind the first route, which is that of ``/api/v1/predict``."""
    app.include_router(router)
    routes = app.router.routes
    routes.insert(1, routes.pop())
    routes.insert(1, Route("/bare", bare, methods=["PUT"]))


if __name__ == "__main__":
    sys.exit(main())
