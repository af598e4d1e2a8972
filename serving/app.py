"""The API, put together."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from prometheus_client import CollectorRegistry
from starlette.routing import Route

from make_us_rich import __version__
from make_us_rich.catalog import open_catalog, open_config
from make_us_rich.exchange import BinanceClient, Retries
from serving import errors
from serving.accounts.accounts import Accounts
from serving.limits import Limited
from serving.metrics import Requests, StoreCollector
from serving.observing import Observing
from serving.routes import accounts as account_routes
from serving.routes import (
    admin,
    champions,
    documentation,
    health,
    inference_v2,
    metrics,
    models,
    past,
    predict,
    runs,
    stream,
)
from serving.settings import Settings
from serving.store.announcer import Announcer
from serving.store.refreshing import Refresher
from serving.store.stores import Stores

log = logging.getLogger(__name__)

PREFIX = "/api/v1"
LARGEST_BODY = 4_000_000
"""Bytes of a request: 64 windows of 336 hours with a dozen features, written generously."""
_LONGEST_START = 30.0
"""Seconds after which garbage is looked for even where the store or the exchange has not answered."""

_ABOUT = """Calibrated forecasts of hourly crypto prices: quantiles of the next 24 closes, with the last five days.

Register at `POST /api/v1/register`, then send the API token as `Authorization: Bearer <token>`. What comes back is a
distribution. The point forecast is the last close unless a model has proven that it knows better."""


def create_app(settings: Settings, stores: Stores | None = None, accounts: Accounts | None = None) -> FastAPI:
    """The API. It starts whether or not the store, the exchange and the database answer.

    Args:
        settings: What an operator may set.
        stores: Where forecasts come from; those of the project unless given.
        accounts: Who may call; those of the database unless given.

    Raises:
        ParameterError: The project or its configuration is wrong.
    """
    app = FastAPI(
        title="Make Us Rich",
        version=__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    registry = CollectorRegistry()
    app.state.settings = settings
    app.state.stores = stores or open_stores(settings)
    app.state.accounts = accounts or Accounts(settings)
    app.state.registry = registry
    registry.register(StoreCollector(app.state.stores))
    errors.install(app)
    app.add_middleware(Limited, most=LARGEST_BODY)
    app.add_middleware(Observing, requests=Requests(registry), access_log=settings.access_log)
    _include(app)
    app.openapi = _documented(app)  # type: ignore[method-assign]
    return app


def open_stores(settings: Settings) -> Stores:
    """Stores on the project's catalog and exchange; nothing has been asked yet.

    Raises:
        ParameterError: The project or its configuration is wrong.
    """
    parameters: dict[str, Any] = open_config(settings.env)["parameters"]
    # Patience is the refresher's: it asks again, and meanwhile others can be asked.
    patience = Retries(tries=2, longest_wait=2)
    client = BinanceClient(settings.exchange_url or parameters["exchange_url"], timeout=5, retries=patience)
    return Stores.of(open_catalog(settings.env), client, parameters["pairs"])


def _include(app: FastAPI) -> None:
    routes = APIRouter(prefix=PREFIX)
    for module in (predict, stream, past, models, health, metrics):
        routes.include_router(module.router)
    for module in (account_routes, admin, champions, runs):
        routes.include_router(module.router, responses=errors.answers(400, 401, 403, 404, 409, 413, 422, 429, 503))
    # First, and at the top: to find a route among nested ones takes as long as to answer.
    quick = Route(f"{PREFIX}/predict", predict.Direct(), methods=["GET", "PUT"], include_in_schema=False)
    app.router.routes.insert(0, quick)
    app.include_router(routes)
    app.include_router(inference_v2.router)
    app.include_router(documentation.router)
    # Where probes and Prometheus look unless they are told.
    app.include_router(health.router, include_in_schema=False)
    app.include_router(metrics.router, include_in_schema=False)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state = app.state
    state.announcer = Announcer()
    state.stores.forecasts.listen(state.announcer.announce)
    state.refresher = Refresher(state.stores, state.settings.models_seconds, state.settings.candles_seconds)
    await state.accounts.start()
    state.refresher.start()
    settling = asyncio.create_task(_settle(state.refresher))
    log.info("the API has started")
    try:
        yield
    finally:
        settling.cancel()
        state.announcer.close()
        await state.refresher.stop()
        await state.accounts.close()
        log.info("the API has ended")


async def _settle(refresher: Refresher) -> None:
    """Begin to look for garbage, among what is made from now on.

    What has been imported stays for good, and the first rounds import the last of it. To look at it again and again
    would make the start longer by a fifth, and some requests slow.
    """
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(refresher.first_rounds(), _LONGEST_START)
    gc.freeze()
    gc.enable()


def _documented(app: FastAPI) -> Callable[[], dict[str, Any]]:
    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            schemes = schema["components"].setdefault("securitySchemes", {})
            schemes["TokenInQuery"] = {"type": "apiKey", "in": "query", "name": "token"}
            app.openapi_schema = schema
        return app.openapi_schema

    return openapi
