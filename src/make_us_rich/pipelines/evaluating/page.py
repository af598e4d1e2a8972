"""Figures as one page for a browser."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

PLOTLY = "https://cdn.plot.ly/plotly-4.1.1.min.js"
"""What draws the figures in the browser; the data are in the page itself."""

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font-family: system-ui, sans-serif; max-width: 70rem; margin: 1rem auto; padding: 0 1rem }}
.figure {{ height: 30rem }}
</style>
<h1>{title}</h1>
{places}
<script src="{plotly}"></script>
<script>
for (const [name, figure] of Object.entries({figures})) {{
  const place = document.getElementById(name);
  if (window.Plotly) Plotly.newPlot(place, figure.data, figure.layout, {{responsive: true, displaylogo: false}});
  else place.textContent = name + ": not drawn, since {plotly} cannot be reached";
}}
</script>
</html>
"""


def page(figures: Mapping[str, dict[str, Any]], title: str) -> str:
    """One HTML page with all figures, one below the other.

    Args:
        figures: By name, ``{"data": [...], "layout": {...}}`` without NaN.
        title: Plain text.

    Raises:
        ValueError: A number is not finite.
    """
    places = "\n".join(f'<div class="figure" id="{html.escape(name)}"></div>' for name in figures)
    # No text of the data can end the script.
    data = json.dumps(dict(figures), allow_nan=False).replace("<", "\\u003c")
    return _PAGE.format(title=html.escape(title), places=places, plotly=PLOTLY, figures=data)
