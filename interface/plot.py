"""Plotly's charts in the browser, by a component of our own and the part of Plotly that they need (decision 0027)."""

from pathlib import Path

import streamlit as st
from plotly.graph_objects import Figure
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

LIBRARY = "plotly-finance-4.1.0.min.js"
"""Candles, lines and bars; what else there is of Plotly is another 3.4 MB to read for a browser."""

ADDRESS = f"vendored/{LIBRARY}"
"""Below the interface's own, wherever a proxy has put that."""

_HERE = Path(__file__).parent
_FILE = _HERE / "vendored" / f"{LIBRARY}.gz"
_HEADERS = {"Content-Encoding": "gzip", "Cache-Control": "public, immutable, max-age=31536000"}
_draw = st.components.v2.component(
    "make_us_rich.plot",
    js=(_HERE / "plot.js").read_text(),
    isolate_styles=False,
)


def show(figure: Figure, key: str, name: str, alt: str) -> None:
    """Draw a figure; where the key has one already, it takes its place and keeps its zoom.

    Args:
        figure: Of candles, lines and bars.
        key: Of the chart in its page.
        name: Of the file that its button saves, large enough for a slide.
        alt: What it shows, for those who cannot see it.
    """
    picture = {"format": "png", "filename": name, "scale": 2, "width": 1280, "height": 640}
    data = {"figure": figure.to_json(validate=False), "picture": picture, "alt": alt, "library": f"./{ADDRESS}"}
    _draw(key=key, data=data, height=figure.layout.height)


async def _library(_request: Request) -> FileResponse:
    return FileResponse(_FILE, media_type="text/javascript", headers=_HEADERS)


ROUTES = [Route(f"/{ADDRESS}", _library)]
