"""Every verdict of the gate on a pair, over time, with its reason."""

import streamlit as st

from interface import markup, records, theme, words
from interface.app_pages import model_parts
from interface.charts.verdicts import Ruling, timeline
from interface.numbers import utc
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.judgement import Judgement

_SHOWN = 50


def show(champion: ChampionPointer, run: Judgement | None) -> None:
    """The timeline, and the newest reasons in words."""
    versions = frozenset(each.version for each in champion.promotions)
    rulings = records.rulings(champion.pair, run.version if run else "", versions)
    model_parts.chart("Verdicts of the gate", timeline(rulings, theme.colours()), f"{champion.pair}-verdicts")
    st.caption("A disc was published, a cross was not. Height is skill; the dashed line is the baseline.")
    markup.show_all('<ol class="mur-timeline">', (_told(each) for each in rulings[:_SHOWN]), "</ol>")
    if len(rulings) > _SHOWN:
        st.caption(f"The newest {_SHOWN} of {len(rulings):,}.")


def _told(each: Ruling) -> str:
    return markup.fill(
        '<li class="mur-ruled-{tone}"><time>{at}</time><strong>{model}: {verdict}</strong><p>{reason}</p></li>',
        tone="published" if each.published else "refused",
        at=utc(each.at),
        model=words.member_names(each.architecture),
        verdict="published" if each.published else "not published",
        reason=each.reason,
    )
