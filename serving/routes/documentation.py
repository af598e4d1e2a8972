"""The page at the root that documents every endpoint; what it needs comes from here and not from the internet."""

from importlib.resources import as_file, files
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

router = APIRouter(include_in_schema=False)

_FILES = "/documentation"
_DAY = {"Cache-Control": "public, max-age=86400"}


@router.get("/")
async def page(request: Request) -> HTMLResponse:
    """Every endpoint, to read and to try."""
    root = request.scope.get("root_path", "")
    return get_swagger_ui_html(
        openapi_url=f"{root}{request.app.openapi_url}",
        title=request.app.title,
        swagger_js_url=f"{root}{_FILES}/swagger-ui-bundle.js",
        swagger_css_url=f"{root}{_FILES}/swagger-ui.css",
        swagger_favicon_url=f"{root}{_FILES}/favicon.png",
        swagger_ui_parameters={"docExpansion": "list", "defaultModelsExpandDepth": 0},
    )


@router.get(f"{_FILES}/{{name}}")
async def file(name: Literal["swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"]) -> FileResponse:
    """A file of Swagger UI."""
    with as_file(files("fastapi_offline") / "static" / name) as path:
        return FileResponse(path, headers=_DAY)
