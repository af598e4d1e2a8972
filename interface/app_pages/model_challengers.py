"""The newest run: who competed for a pair, and how well by fold and by hour."""

from collections.abc import Iterator

import pandas as pd
import streamlit as st

from interface import cards, records, states, theme, words
from interface.app_pages import model_parts
from interface.charts.skill import contest, skill_by_fold_and_horizon, skill_by_horizon
from interface.numbers import probability, utc
from make_us_rich.domain.judgement import Judged, Judgement


def show(pair: str, run: Judgement | None) -> None:
    """Skill, the test's p, folds and reasons of every challenger."""
    if run is None:
        states.notice("No run has been judged yet.", f"kedro run --pipeline={pair} trains and judges one.", "calm")
        return
    cards.sentences(_outcome(run))
    model_parts.link(run.version)
    if not run.challengers:
        states.notice("There were no challengers.", "The run was for the baseline alone.", "calm")
        return
    figure = contest(run.challengers, theme.colours())
    model_parts.chart("Skill, and the p of the test against the baseline", figure, f"{pair}-challengers")
    rows = [_row(each) for each in run.challengers]
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=_COLUMNS)
    _details(pair, run)


def _details(pair: str, run: Judgement) -> None:
    scores = records.scores(pair, run.version)
    left, right = st.columns(2)
    with left:
        figure = skill_by_horizon(scores, theme.colours())
        model_parts.chart("Skill by horizon", figure, f"{pair}-skill-by-horizon")
    with right:
        names = [each.architecture for each in run.challengers]
        at = names.index(run.choice) if run.choice in names else 0
        title = st.container()
        name = st.selectbox("Of", names, at, key=f"of-{run.version}", format_func=words.member_names)
        figure = skill_by_fold_and_horizon(scores, name, theme.colours())
        with title:
            st.subheader("Skill by fold and horizon", anchor=False)
        st.plotly_chart(figure, theme=None, key="heat", alt="Skill by fold and horizon")


def _outcome(run: Judgement) -> Iterator[str]:
    yield f"The newest run was judged {utc(run.at)}, on candles until {utc(run.candles.end)}."
    against = f"the champion {run.champion} and the baseline" if run.champion else "the baseline"
    yield f"Its challengers were held against {against}."
    for each in run.challengers:
        yield f"{words.member_names(each.architecture)}: {each.verdict.reason}."
    if run.choice not in {each.architecture for each in run.challengers}:
        yield f"{words.member_names(run.choice)}: {run.verdict.reason}."


def _row(each: Judged) -> dict[str, object]:
    return {
        "model": words.member_names(each.architecture),
        "verdict": "passed" if each.verdict.publish else "refused",
        "skill": model_parts.gained(each.skill, 2),
        "p": None if each.p is None else probability(each.p),
        "folds": None if each.folds is None else f"{each.folds_won} of {each.folds}",
        "c90": model_parts.hundred(each.coverage_90),
        "tried": each.tried,
    }


_COLUMNS = {
    "model": "Model",
    "verdict": "Verdict",
    "skill": model_parts.number("Skill, %", "%+.2f", "Share of the baseline's error that is gone"),
    "p": st.column_config.TextColumn("Test", help=model_parts.TEST),
    "folds": st.column_config.TextColumn("Folds won", help="In which its error is below the baseline's"),
    "c90": model_parts.number("90 %", "%.1f", "Outcomes within the 90 % interval, in per cent"),
    "tried": model_parts.number("Tried", "%d", "Since the last promotion: p has to be below 0.05 divided by it"),
}
