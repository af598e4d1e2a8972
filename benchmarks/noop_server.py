"""``python -m serving`` with two endpoints more, ``PUT /noop`` of FastAPI and ``PUT /bare`` of Starlette.

Both answer ``{}`` and are behind the same middleware as ``/api/v1/predict``. They are matched right after it, so that
neither pays for a search among the other routes.
"""

import sys

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.logs import configure_logs
from serving.main import create_app, serve
from serving.settings import Settings

router = APIRouter()


@router.put("/noop")
async def noop() -> dict[str, str]:
    """Do nothing."""
    return {}


async def bare(_request: Request) -> Response:
    """Do nothing, without FastAPI."""
    return Response(b"{}", 200, None, "application/json")


def main() -> int:
    """Serve until SIGTERM."""
    settings = Settings.read()
    configure_logs(settings.log_format)
    app = create_app(settings)
    add_noops(app)
    return serve(app, settings)


def add_noops(app: FastAPI) -> None:
    """Put both right behind the router of ``/api/v1/predict``."""
    app.include_router(router)
    routes = app.router.routes
    first = next(at for at, route in enumerate(routes) if not isinstance(route, Route))
    routes.insert(first + 1, routes.pop())
    routes.insert(first + 1, Route("/bare", bare, methods=["PUT"]))


if __name__ == "__main__":
    sys.exit(main())
