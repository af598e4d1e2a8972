"""The command ``python -m interface``: serve the interface in the foreground, until SIGINT or SIGTERM."""

import logging
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
import uvicorn
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route

from interface import error_views, session, ui
from make_us_rich.catalog import open_config
from make_us_rich.domain.errors import MakeUsRichError, ParameterError


def main() -> int:
    """Serve; returns exit code 0, or 2 where a setting is wrong or the port is taken."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("httpx", "kedro"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        open_config(session.settings().env)  # The pages read its catalog.
        listener = _listen(session.settings())
    except MakeUsRichError as error:
        sys.stderr.write(f"python -m interface: {error}\n")
        return 2
    routes = [Route("/forecast", _redirect_to_root), *session.ROUTES, *ui.ROUTES]
    script = Path(__file__).parent / "pages" / "streamlit_app.py"
    app = st.App(script, lifespan=_lifespan, routes=routes, on_script_error=_log_and_show)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="websockets-sansio",
        timeout_graceful_shutdown=2,  # Open pages hold connections: do not wait for them.
    )
    server = uvicorn.Server(config)
    with listener:
        server.run([listener])
    return 0 if server.started else 1


def _listen(settings: session.Settings) -> socket.socket:
    host, port = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128, dualstack_ipv6=host == "::")
    except OSError as exc:
        raise ParameterError(
            f"cannot listen on {host} port {port}: {os.strerror(exc.errno or 0)}",
            "stop the process that uses the port, or set MAKE_US_RICH_INTERFACE_PORT to another one",
        ) from exc


@asynccontextmanager
async def _lifespan(_app: st.App) -> AsyncIterator[None]:
    # Here, because Streamlit's caches warn where there is no runtime; now, because the first visitor would wait.
    from interface.pages import account, admin, forecast, models, record, risk  # noqa: F401

    yield


async def _redirect_to_root(request: Request) -> RedirectResponse:
    """Streamlit serves its default page at the root only."""
    return RedirectResponse(f"./?{request.url.query}" if request.url.query else "./")


def _log_and_show(error: Exception) -> bool:
    logging.getLogger("interface").error("unhandled error in a page", exc_info=error)
    error_views.show(error_views.UNEXPECTED)
    return True


if __name__ == "__main__":
    sys.exit(main())
