"""The page Record, for everybody: what was forecast of a pair, what happened, and every hour without a forecast."""

from collections.abc import Sequence
from datetime import timedelta

import pandas as pd
import streamlit as st

from interface import forecasts, layout, reliability, session, ui
from interface import formatting as fmt
from interface.charts.scores import skill_figure
from interface.pages.models import COLUMNS
from interface.ui import Card
from make_us_rich.client.record import MissedHours, PairRecord, RecordScores, RecordWindow
from make_us_rich.domain.evaluation import BinScores

_DEFAULT_DAYS = 30
_RELIABILITY_HOURS = (1, 4, 24)
_TARGETS = {"close": "closes", "high": "highs", "low": "lows"}
_BADGE = '<img src="{url}" alt="{alt}" height="20">'


def show() -> None:
    """Select a pair and a number of days, and see the record."""
    layout.header("Record", "What was forecast and what happened, whichever model was served, and every missed hour.")
    served = layout.served_pairs()
    selectors = st.container(horizontal=True, vertical_alignment="bottom", key="selectors")
    with selectors:
        pair = layout.pair_selector(served)
    record = forecasts.record(pair)
    windows = {each.days: each for each in record.windows}
    if not windows or record.as_of is None:
        ui.notice("Nothing is recorded yet.", "The record begins with the first hourly run.", "calm")
    else:
        bound = layout.bind("last", list(windows), min(windows, key=lambda days: abs(days - _DEFAULT_DAYS)))
        days = selectors.segmented_control("Last", windows, required=True, format_func="{} d".format, **bound)
        window = windows[days]
        st.caption(f"The {window.days} days until {fmt.utc(record.as_of)}. Figures need {fmt.MIN_OUTCOMES} outcomes.")
        _show_scores(record, window)
        since = record.as_of - timedelta(days=window.days)
        _show_missed([each for each in record.missed[::-1] if each.last > since])
    _show_badge(pair)


def _show_scores(record: PairRecord, window: RecordWindow) -> None:
    overall, models = window.overall, ", ".join(map(fmt.model_label, window.architectures))
    coverage = overall.coverage["80"]
    tone: fmt.Tone = "poor" if window.missed else "fair"
    held = ("–", "") if coverage is None else (fmt.percent(coverage), "held")
    ui.cards(
        [
            Card("Forecasts", f"{window.forecasts:,}", f"{window.missed:,} missed", f"one an hour, by {models}", tone),
            Card(f"80{fmt.NBSP}% range", *held, "of the closes 1 to 24 hours ahead"),
            *(ui.skill_card(f"Skill of {name}", overall.skill[target]) for target, name in _TARGETS.items()),
        ]
    )
    by_hour = {each.hours: each for each in window.horizons}
    skills = pd.DataFrame({name: [each.skill[target] for each in window.horizons] for target, name in _TARGETS.items()})
    figure = skill_figure(skills.set_axis(list(by_hour)), ui.palette())
    ui.titled_plot("Skill beside the baseline's", figure, f"{record.pair}-record-skill")
    shown = {hours: by_hour[hours] for hours in _RELIABILITY_HOURS if hours in by_hour}
    close, touch = (
        {hours: bins(scores, record.levels) for hours, scores in shown.items()} for bins in (_close_bins, _touch_bins)
    )
    reliability.show_diagrams(f"{record.pair}-record-of", close, touch)
    st.subheader("By horizon", anchor=False)
    rows = [
        {
            "horizon": f"{each.hours} h" if each.hours else "mean of 1 to 24 h",
            "outcomes": each.outcomes["close"],
            **{f"c{share}": fmt.in_percent(held) for share, held in each.coverage.items()},
            **{"skill" if of == "close" else of: fmt.in_percent(skill, 1) for of, skill in each.skill.items()},
        }
        for each in [*window.horizons, overall]
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=COLUMNS)


def _close_bins(scores: RecordScores, levels: Sequence[float]) -> list[BinScores]:
    outcomes, below = scores.outcomes["close"], scores.below["close"] or ()
    return [BinScores(said=said, happened=share, outcomes=outcomes) for said, share in zip(levels, below, strict=False)]


def _touch_bins(scores: RecordScores, levels: Sequence[float]) -> list[BinScores]:
    """The mean of both sides: quantiles of the highs that were reached, and of the lows; levels are symmetric."""
    high, low, outcomes = scores.below["high"], scores.below["low"], scores.outcomes["high"] + scores.outcomes["low"]
    return [
        BinScores(said=said, happened=(1 - above + below) / 2, outcomes=outcomes)
        for said, above, below in zip(levels, reversed(high or ()), low or (), strict=False)
    ]


def _show_missed(missed: Sequence[MissedHours]) -> None:
    st.subheader("Missed hours", anchor=False)
    if not missed:
        ui.notice("No hour was missed.", tone="calm")
        return
    rows = [[f"{each.first:%Y-%m-%d %H:%M}", f"{each.last:%Y-%m-%d %H:%M}", each.hours, each.reason] for each in missed]
    st.dataframe(pd.DataFrame(rows, columns=["First (UTC)", "Last (UTC)", "Hours", "Reason"]), hide_index=True)


def _show_badge(pair: str) -> None:
    st.subheader("Embed", anchor=False)
    url = f"{session.settings().public_api_url}/api/v1/record/{pair}/badge.svg"
    alt = f"Record of {fmt.pair_label(pair)}"
    ui.show(_BADGE, url=url, alt=alt)
    st.code(f"[![{alt}]({url})]({st.context.url}?pair={pair})", language=None, wrap_lines=True)
