"""What the page Forecast needs from the server, asked for at once and answered from memory (decision 0027).

Streamlit's page learns piece by piece what it needs: a script names the next one, the first message the element that
is drawn, and that its own script. Each of these is another way to the server and back.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from gzip import compress
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.file_util import get_static_dir

from interface import plot
from interface.cookie import NAME

_DRAWN = ("Html", "Button", "Selectbox", "ButtonGroup", "BidiComponent")
"""Streamlit's names of what the page is made of; one that a later release calls otherwise comes as late as ever."""

_IMPORTED = re.compile(r'(?:from|import)"\./([^"]+\.js)"')
_NAMED = re.compile(r'(?:src|href)="\./(static/(?:js|css)/[^"]+)"')
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
_FOREVER = "public, immutable, max-age=31536000"
_STARTS = f"""<link rel="preload" as="script" href="./{plot.ADDRESS}" />
<script>
  // After Streamlit has started, while it waits for its first message.
  addEventListener("DOMContentLoaded", () => {{
    const script = Object.assign(document.createElement("script"), {{ src: "./{plot.ADDRESS}" }});
    script.onerror = () => script.remove();  // Who needs it asks again.
    document.head.append(script);
  }});
</script>
"""


@dataclass(frozen=True)
class Kept:
    """A file as it goes over the line."""

    body: bytes
    headers: list[tuple[bytes, bytes]]


class FromMemory:
    """Answers for the scripts and styles that a page begins with, packed once; everything else is Streamlit's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        kept = packed().get(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        if kept is None or "gzip" not in Headers(scope=scope).get("accept-encoding", ""):
            await self._app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": kept.headers})
        await send({"type": "http.response.body", "body": kept.body})


@cache
def packed() -> dict[str, Kept]:
    """What a page begins with, by its address."""
    named = [*_NAMED.findall(index()), *(f"static/js/{name}" for name in later())]
    return {f"/{name}": _pack(Path(get_static_dir(), name)) for name in named}


@cache
def index() -> str:
    """Streamlit's page."""
    return Path(get_static_dir(), "index.html").read_text()


@cache
def later() -> tuple[str, ...]:
    """Scripts of the page Forecast that Streamlit's page does not name, those that they import included."""
    scripts = Path(get_static_dir(), "static", "js")
    found = _closure(scripts, (each.name for name in _DRAWN for each in scripts.glob(f"{name}.*.js")))
    return tuple(sorted(name for name in found if name not in index()))


@cache
def page() -> str:
    """Streamlit's page, which names them."""
    links = "".join(f'<link rel="modulepreload" crossorigin href="./static/js/{name}" />\n' for name in later())
    return index().replace("</head>", f"{links}{_STARTS}</head>")


def _closure(scripts: Path, names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += _IMPORTED.findall((scripts / name).read_text())
    return found


def _pack(file: Path) -> Kept:
    body = compress(file.read_bytes(), 6, mtime=0)
    headers = {
        "content-type": _TYPES[file.suffix],
        "content-encoding": "gzip",
        "content-length": str(len(body)),
        "cache-control": _FOREVER,
        "vary": "Accept-Encoding",
    }
    return Kept(body, [(name.encode(), value.encode()) for name, value in headers.items()])


async def _forecast(request: Request) -> Response:
    # Without a login there is the form, which needs none of it.
    text = page() if NAME in request.cookies else index()
    return Response(text, media_type="text/html", headers={"Cache-Control": "no-cache"})


async def _root(request: Request) -> Response:
    asked = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"./{asked}")


ROUTES = [Route("/", _forecast), Route("/forecast", _root)]
"""The page Forecast is the one at the root; Streamlit does not know the address that it has in a menu."""
