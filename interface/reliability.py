"""Parts of the pages Models and Record about probabilities and losses: what was said, and what happened."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from interface import formatting as fmt
from interface import ui
from interface.charts.scores import reliability_figure
from make_us_rich.domain.evaluation import AtRisk, BinScores, EventScores

_EVENTS = {"close": "Closes beyond a price", "touch": "Touches of a price"}
_ALPHA = 0.05
_BinsByHour = Mapping[int, Sequence[BinScores]]


def show(pair: str, events: EventScores) -> None:
    """What was said of closes, touches and losses, and what happened."""
    close, touch = (
        {each.horizon: each.bins for each in events.probabilities if each.event == event} for event in _EVENTS
    )
    show_diagrams(f"{pair}-said-of", close, touch)
    rows = [
        {
            "Event": _EVENTS[each.event],
            "Within": f"{each.horizon} h",
            "Forecasts": each.outcomes,
            "Off by, points": round(100 * each.error, 1),
            "Error (Brier)": round(each.brier, 4),
            "Baseline's": round(each.baseline_brier, 4),
            "Climatology's": round(each.climatology_brier, 4),
        }
        for each in events.probabilities
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True)
    skill = events.energy.skill if events.energy else None
    paths = "" if skill is None else f" The skill of whole paths is {fmt.percent(skill, signed=True)} (energy score)."
    st.caption(f"Climatology says always how often it happened; lower errors are better.{paths}")
    if events.risks:
        titles = ["Value at risk", "Within", "Forecasts", "Lost more, promised", "Happened", "That is"]
        ui.table("Value at risk", titles, map(_describe_risk, events.risks), numbers_from=2)
        st.caption("How often a holder lost more than the value at risk. As promised: off by chance (Kupiec).")


def show_diagrams(name: str, close: _BinsByHour, touch: _BinsByHour) -> None:
    """Reliability diagrams of closes and touches; the names of exported pictures begin with ``name``."""
    for column, (event, title), bins in zip(st.columns(2), _EVENTS.items(), (close, touch), strict=True):
        with column:
            figure = reliability_figure(bins, ui.palette())
            ui.titled_plot(f"{title}: said and happened", figure, f"{name}-{event}")
    st.caption(
        "What is said with 30 % should happen in 30 of 100 cases: on the dashed line. Large discs are many forecasts."
    )


def _describe_risk(risk: AtRisk) -> list[str]:
    promised, verdict = 1 - risk.level, "as promised"
    if risk.kupiec_p < _ALPHA:
        verdict = "too often" if risk.share > promised else "too seldom"
    span = [fmt.percent(risk.level, 0), f"{risk.horizon} h", f"{risk.outcomes:,}"]
    return [*span, fmt.percent(promised), fmt.percent(risk.share), verdict]
