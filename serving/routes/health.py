"""Liveness, readiness, Prometheus metrics, and the documentation of all endpoints at the root."""

from importlib.resources import as_file, files
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse
from prometheus_client import generate_latest

from make_us_rich.client.schemas import Liveness, Readiness
from serving.dependencies import AccountsDep, ForecastsDep

router = APIRouter(tags=["health"])
documentation = APIRouter(include_in_schema=False)

_READY: dict[int | str, dict[str, Any]] = {503: {"model": Readiness, "description": "Not ready, with the reasons"}}


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", summary="Check that the process is alive")
async def healthz() -> Liveness:
    """Alive, whatever is down."""
    return Liveness()


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", summary="Check that the API can be used", responses=_READY)
async def readyz(response: Response, service: ForecastsDep, accounts: AccountsDep) -> Readiness:
    """Ready once a model is loaded, candles have been requested, and the database answers."""
    database_problem = await accounts.problem()
    snapshot, reasons = service.models.snapshot, []
    if not snapshot.models:
        reasons += sorted(set(snapshot.problems.values())) or ["no model has been loaded yet"]
    elif not service.candles.refreshed:
        reasons.append("no candles have been requested from the exchange yet")
    if database_problem:
        reasons.append(database_problem)
    problems = {*snapshot.problems.values(), *filter(None, map(service.problem, service.pairs))}
    response.status_code = 503 if reasons else 200
    degraded = sorted(problems - set(reasons))
    return Readiness(ready=not reasons, reasons=reasons, degraded=degraded, database=database_problem is None)


@router.get("/metrics", summary="Export Prometheus metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Requests, latencies, ages of models and candles, skill and coverage, in Prometheus' text format."""
    text = generate_latest(request.app.state.registry)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


@documentation.get("/")
async def show_documentation(request: Request) -> HTMLResponse:
    """All endpoints, to read and to try."""
    root = request.scope.get("root_path", "")
    return get_swagger_ui_html(
        openapi_url=f"{root}{request.app.openapi_url}",
        title=request.app.title,
        swagger_js_url=f"{root}/documentation/swagger-ui-bundle.js",
        swagger_css_url=f"{root}/documentation/swagger-ui.css",
        swagger_favicon_url=f"{root}/documentation/favicon.png",
        swagger_ui_parameters={"docExpansion": "list", "defaultModelsExpandDepth": 0},
    )


@documentation.get("/documentation/{name}")
async def show_file(name: Literal["swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"]) -> FileResponse:
    """A file of Swagger UI, from this process and not from the internet."""
    with as_file(files("fastapi_offline") / "static" / name) as path:
        return FileResponse(path, headers={"Cache-Control": "public, max-age=86400"})
