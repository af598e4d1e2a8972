"""The report page: all figures of a run for a browser, without a network."""

from __future__ import annotations

import html
import json
from base64 import b64encode
from functools import cache
from importlib.resources import files
from typing import Any
from zlib import compress

from make_us_rich.domain.run import RunContext

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
<script>
const packed = Uint8Array.from(atob("{plotly}"), character => character.charCodeAt(0));
new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"))).text().then(source => {{
  (0, eval)(source);
  for (const [name, figure] of Object.entries({figures}))
    Plotly.newPlot(name, figure.data, figure.layout, {{responsive: true, displaylogo: false}});
}});
</script>
</html>
"""


def build_report(
    fan: dict[str, Any],
    coverage: dict[str, Any],
    skill: dict[str, Any],
    errors: dict[str, Any],
    reliability: dict[str, Any],
    evaluation_report: dict[str, Any],
    run: RunContext,
) -> str:
    """All figures as one HTML page that needs no network: plotly.js is inside, compressed."""
    figures = {"forecast": fan, "coverage": coverage, "skill": skill, "errors": errors, "reliability": reliability}
    market = ", simulated market" if evaluation_report["simulated"] else ""
    places = "\n".join(f'<div class="figure" id="{name}"></div>' for name in figures)
    # No text of the data can end the script.
    data = json.dumps(figures, allow_nan=False).replace("<", "\\u003c")
    title = html.escape(f"{run.pair}, version {run.version}{market}")
    return _PAGE.format(title=title, places=places, plotly=compressed_plotly(), figures=data)


@cache
def compressed_plotly() -> str:
    """Plotly.js, deflated, in base 64; a sixth of a second once in a process."""
    source = files("plotly") / "package_data" / "plotly.min.js"
    return b64encode(compress(source.read_bytes())).decode()
