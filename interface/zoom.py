"""What the user has zoomed to, so that a chart that is drawn anew with newer candles shows the same part.

Streamlit replaces a Plotly chart whose data have changed, and what the browser had zoomed to is lost with it. A script
listens to the chart, and tells the ends of its axes; the next figure begins there (decision 0019).
"""

from typing import Any

import streamlit as st

from interface.charts.forecast import View

_JS = """
export default function ({ data, setStateValue }) {
  const listen = () => {
    const chart = document.querySelector(`.st-key-${data.chart} .js-plotly-plot`);
    if (!chart || !chart.on || chart.makeUsRichListens) return;
    chart.makeUsRichListens = true;
    chart.on("plotly_relayout", () => {
      const { xaxis, yaxis } = chart.layout;
      const whole = xaxis.autorange && yaxis.autorange;
      setStateValue("view", whole ? null : { of: data.of, x: [...xaxis.range], y: [...yaxis.range] });
    });
  };
  listen();
  const appeared = new MutationObserver(listen);
  appeared.observe(document.body, { childList: true, subtree: true });
  return () => appeared.disconnect();
}
"""
_listen = st.components.v2.component("make_us_rich.zoom", js=_JS)

_ENDS = 2


def zoomed(chart: str, of: str) -> View | None:
    """What has been zoomed to in a chart.

    Args:
        chart: Key of the container around it.
        of: What it shows: a zoom of something else does not count.
    """
    with st.container(key=f"{chart}-zoom"):
        told = _listen(key=f"{chart}-listener", data={"chart": chart, "of": of}, on_view_change=_nothing)
    return read(told.view, of)


def read(told: Any, of: str) -> View | None:
    """What the browser has told, if it is about what is shown, and makes sense."""
    if not isinstance(told, dict) or told.get("of") != of:
        return None
    x, y = told.get("x") or [], told.get("y") or []
    if not (_ends(x, str) and _ends(y, float | int)):
        return None
    return View((x[0], x[1]), (float(y[0]), float(y[1])))


def _ends(value: Any, kind: Any) -> bool:
    return isinstance(value, list) and len(value) == _ENDS and all(isinstance(end, kind) for end in value)


def _nothing() -> None:
    """Streamlit tells a component's state only where somebody listens to it."""
