"""``python -m serving`` with one endpoint more: ``PUT /noop``, which answers ``{}`` and does nothing for it.

It stands first among the routes and behind the same middleware, and is reached as ``/api/v1/predict`` is: without what
FastAPI does for parameters. So what lies between the two is the token, the quota, the pair, and the answer's 14 kB.
"""

import sys

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import serving.lean  # noqa: F401
from serving.__main__ import serve
from serving.app import create_app
from serving.logs import configure_logs
from serving.settings import Settings


async def noop(_request: Request) -> Response:
    """Nothing."""
    return Response(b"{}", 200, None, "application/json")


def main() -> int:
    """Serve until SIGTERM."""
    settings = Settings.read()
    configure_logs(settings.log_format)
    app = create_app(settings)
    app.router.routes.insert(0, Route("/noop", noop, methods=["PUT"]))
    return serve(app, settings)


if __name__ == "__main__":
    sys.exit(main())
