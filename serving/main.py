"""The FastAPI application, and the command ``python -m serving``."""

import gc
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from prometheus_client import CollectorRegistry

from make_us_rich import __version__
from make_us_rich.catalog import open_config
from make_us_rich.domain.errors import MakeUsRichError
from make_us_rich.exchange import BinanceClient, Retries
from make_us_rich.repository import ModelRepository
from serving.accounts.accounts import Accounts
from serving.alerts.service import AlertService
from serving.dependencies import QUOTA_HEADERS
from serving.errors import add_error_handlers, answers
from serving.forecasts.service import ForecastService
from serving.logs import configure_logs
from serving.metrics import ForecastCollector
from serving.middleware import PREFIX, ProxyPrefix, RequestObserver
from serving.routes import accounts as account_routes
from serving.routes import admin, alerts, forecasts, health, inference_v2, models, record
from serving.routes import answers as answer_routes
from serving.routes.forecasts import Broadcaster
from serving.settings import Settings

log = logging.getLogger(__name__)

_DESCRIPTION = """Calibrated forecasts of hourly crypto prices: quantiles of the next 24 closes with the last five days.

Register at `POST /api/v1/register`, then send the API token as `Authorization: Bearer <token>`. The point forecast is
the last close unless a model is significantly better."""


def create_app(settings: Settings, service: ForecastService | None = None) -> FastAPI:
    """Create the application, by default with the forecast service of the project; ParameterError if that is wrong.

    It starts even if the store, the exchange or the database are down.
    """
    if service is None:
        parameters: dict[str, Any] = open_config(settings.env)["parameters"]
        # Few retries: the service tries again anyway, and other pairs wait for this one.
        retries = Retries(max_attempts=2, max_wait=2)
        client = BinanceClient(settings.exchange_url or parameters["exchange_url"], timeout=5, retries=retries)
        service = ForecastService(ModelRepository.open(settings.env), client)
    app = FastAPI(
        title="Make Us Rich",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    registry = app.state.registry = CollectorRegistry()
    app.state.settings = settings
    app.state.forecasts = service
    app.state.accounts = Accounts(settings)
    app.state.alerts = AlertService(settings, app.state.accounts, service)
    registry.register(ForecastCollector(service))
    add_error_handlers(app)
    # The last one is the outermost. A body may be 64 windows of 336 hours with a dozen features.
    app.add_middleware(RequestObserver, registry=registry, access_log=settings.access_log, max_body_bytes=4_000_000)
    app.add_middleware(ProxyPrefix, prefix=settings.root_path)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Last-Event-ID", "X-Request-ID"],
            expose_headers=["Link", "Retry-After", "X-Request-ID", *QUOTA_HEADERS],
        )
    # The busiest endpoint first: routes are matched in this order.
    for module in (forecasts, answer_routes, models, record, health):
        app.include_router(module.router, prefix=PREFIX)
    for module in (account_routes, alerts, admin):
        app.include_router(module.router, prefix=PREFIX, responses=answers(400, 401, 403, 404, 409, 413, 422, 429, 503))
    app.include_router(inference_v2.router)
    app.include_router(health.documentation)
    # Probes and Prometheus expect these paths at the root.
    app.include_router(health.router, include_in_schema=False)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state, settings = app.state, app.state.settings
    state.broadcaster = Broadcaster()
    state.forecasts.listeners.append(state.broadcaster.publish)
    await state.accounts.start()
    state.forecasts.start(settings.models_seconds, settings.candles_seconds)
    state.alerts.start()
    log.info("the API has started")
    try:
        yield
    finally:
        state.broadcaster.close()
        await state.forecasts.stop()
        await state.alerts.close()
        await state.accounts.close()
        log.info("the API has ended")


class Server(uvicorn.Server):
    """Ends open streams before it waits for requests to finish."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wake the streams, then shut down."""
        self.config.app.state.broadcaster.close()  # type: ignore[union-attr]
        await super().shutdown(sockets)


def serve(app: FastAPI, settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code: 0, or 1 if the server could not start."""
    # A busy thread soon lets the event loop run, so that no request waits for another's database query.
    sys.setswitchinterval(0.0005)
    gc.freeze()
    gc.enable()
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # Peers whose forwarding headers are believed.
        forwarded_allow_ips=os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1,::ffff:127.0.0.1"),
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    server = Server(config)
    # A socket of uvicorn's own accepts IPv4 too if the host is ``::``; one that asyncio opens does not.
    server.run(sockets=[config.bind_socket()])
    return 0 if server.started else 1


def main() -> int:
    """Serve; return the exit code: 2 if a setting or the configuration is wrong, else that of ``serve``."""
    try:
        settings = Settings.read()
        configure_logs(settings.log_format)
        app = create_app(settings)
    except MakeUsRichError as error:
        sys.stderr.write(f"python -m serving: {error}\n")
        return 2
    return serve(app, settings)
