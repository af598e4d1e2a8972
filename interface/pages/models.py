"""The page Models: the champion of each pair, the challengers of the newest run, and all verdicts."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pandas as pd
import streamlit as st
from streamlit.column_config import NumberColumn as Number
from streamlit.column_config import TextColumn as Text

from interface import catalog_reader, error_views, layout, reliability, session, ui
from interface import formatting as fmt
from interface.charts import scores as figures
from interface.ui import Card, palette, skill_card, titled_plot
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.evaluation import EvaluationReport
from make_us_rich.domain.model_card import ModelCard

_MAX_VERDICTS = 50
_ALL_HORIZONS = 0
_SKILL_HELP = "Reduction of the CRPS against the baseline"
COLUMNS: dict[str, Any] = {
    "horizon": "Horizon",
    "outcomes": Number("Forecasts", format="%d", help="Forecasts whose outcome is known"),
    "skill": Number("Skill, %", format="%+.1f", help=_SKILL_HELP),
    "high": Number("Highs', %", format="%+.1f", help="Skill of the highest high until then"),
    "low": Number("Lows', %", format="%+.1f", help="Skill of the lowest low until then"),
    "crps": Number("CRPS, bp", format="%.2f", help="Error of the distribution in basis points; lower is better"),
    "baseline": Number("Baseline's", format="%.2f", help="CRPS of the baseline in basis points"),
    "c50": Number("50 %", format="%.1f", help="Share of outcomes within the 50 % interval"),
    "c80": Number("80 %", format="%.1f", help="Share of outcomes within the 80 % interval"),
    "c90": Number("90 %", format="%.1f", help="Share of outcomes within the 90 % interval"),
    "model": "Model",
    "verdict": "Verdict",
    "run_skill": Number("Skill, %", format="%+.2f", help=_SKILL_HELP),
    "p": Text("Test", help="One-sided Diebold-Mariano test against the baseline"),
    "folds": Text("Folds won", help="Folds with an error below the baseline's"),
    "tried": Number("Tried", format="%d", help="Since the last promotion: p has to be below 0.05 divided by it"),
}


def show() -> None:
    """Select a pair, and see its champion, challengers and verdicts."""
    layout.header("Models", "What is served for each pair, why, and how it did on out-of-sample hours.")
    served = layout.served_pairs()
    with st.container(key="selectors", width=360):
        pair = layout.pair_selector(served)
    champion, run = catalog_reader.champion(pair), catalog_reader.newest_run(pair)
    if champion.version is None and run is None:
        text = f"No model has been trained for {fmt.pair_label(pair)} so far."
        error_views.show(error_views.ErrorView("No model yet", text, "It appears here after its first run.", "wait"))
        return
    serving, testing, deciding = st.tabs(["Champion", "Challengers", "Verdicts"])
    with serving:
        _show_champion(champion)
    with testing:
        _show_challengers(pair, run)
    with deciding:
        _show_verdicts(champion, run)


def _show_champion(champion: ChampionPointer) -> None:
    if champion.version is None:
        ui.notice("No model is served yet.", "The newest run published none: see Verdicts.", "calm")
        return
    card = catalog_reader.card(champion.pair, champion.version)
    if card is None:
        ui.notice("This version has no card.", "An earlier release published it; the next run writes one.", "calm")
        return
    ui.cards(_cards(champion, card))
    ui.sentences([*_description(champion, card), *_live_record(champion.pair)])
    _link_mlflow(champion.version)
    left, right = st.columns(2)
    with left:
        titled_plot("Skill by fold", figures.fold_figure(card, palette()), f"{card.pair}-skill-by-fold")
    with right:
        figure = figures.coverage_figure(card, palette())
        titled_plot("Coverage by volatility", figure, f"{card.pair}-coverage-by-volatility")
    if card.horizons:
        st.subheader("Scores by horizon", anchor=False)
        ordered = sorted(card.horizons, key=lambda each: (each.horizon == _ALL_HORIZONS, each.horizon))
        rows = [
            {
                "horizon": f"{each.horizon} h" if each.horizon else "mean of 1 to 24 h",
                "skill": fmt.in_percent(each.crps_skill, 1),
                "high": fmt.in_percent(each.high_crps_skill, 1),
                "low": fmt.in_percent(each.low_crps_skill, 1),
                "crps": None if each.own.crps is None else 1e4 * each.own.crps,
                "baseline": None if each.baseline.crps is None else 1e4 * each.baseline.crps,
                **{f"c{level}": fmt.in_percent(getattr(each.own, f"coverage_{level}")) for level in (50, 80, 90)},
                "p": None if each.dm_p is None else fmt.p_value(each.dm_p),
            }
            for each in ordered
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=COLUMNS)
    if card.events.probabilities:
        reliability.show(card.pair, card.events)


def _link_mlflow(version: str) -> None:
    """A link to a run, where the operator has set MLflow's address; admins see how to find it otherwise."""
    if url := session.settings().mlflow_url:
        condition, experiment = quote(f'tags.version = "{version}"'), catalog_reader.mlflow_experiment(url)
        runs = f"{url}/#/experiments/{experiment}/runs?searchFilter={condition}" if experiment else url
        st.link_button("This run in MLflow", runs, icon=":material/open_in_new:")
    elif session.user().is_admin:
        st.caption(f"Its run in MLflow has the tag version = {version}.")


def _cards(champion: ChampionPointer, card: ModelCard) -> Iterator[Card]:
    yield Card("Champion", fmt.model_label(card.choice), note=f"published {fmt.utc(champion.promotions[-1].at)}")
    overall = next((each for each in card.horizons if each.horizon == _ALL_HORIZONS), None)
    if overall is None:
        return
    yield skill_card("Skill, mean of 24 hours", overall.crps_skill)
    won = sum((fold.crps_skill or 0) > 0 for fold in card.folds)
    note = "out-of-sample periods with an error below the baseline's"
    yield Card("Folds won", f"{won} of {len(card.folds)}", note=note)
    coverage = overall.own.coverage_80
    figure = "–" if coverage is None else fmt.percent(coverage)
    yield Card(f"{fmt.percent(0.8, 0)} range", figure, "held", "of the outcomes in the backtest")


def _description(champion: ChampionPointer, card: ModelCard) -> Iterator[str]:
    yield from card.described.values()
    yield f"Why it is served: {fmt.sentence(champion.promotions[-1].reason)}"
    candles = f"{fmt.count(card.candles.rows, 'candle')} since {fmt.utc(card.candles.start)}"
    yield f"It was trained on candles until {fmt.utc(card.trained_until)}, of {candles}."
    has_edge = any(each.edge.publish for each in card.challengers if each.architecture == card.choice)
    yield fmt.describe_edge(has_edge, card.pair)


def _live_record(pair: str) -> Iterator[str]:
    live = catalog_reader.live_scores(pair)
    if live is None:
        yield "No live forecast is recorded yet: the hourly job records and scores them."
        return
    scored = f"{fmt.count(live.n_forecasts, 'forecast')}, {live.n_scored:,} with all outcomes"
    missed = fmt.count(live.n_missed, "missed hour")
    yield f"Live record: {scored}, {missed}. {fmt.sentence(live.champion_status.reason)}"
    yield f"Inputs: {fmt.sentence(live.drift.reason)}"


def _show_challengers(pair: str, run: EvaluationReport | None) -> None:
    if run is None:
        ui.notice("No run has been evaluated yet.", "The results of the first run appear here.", "calm")
        return
    ui.sentences(_summary(run))
    _link_mlflow(run.version)
    if not run.challengers:
        ui.notice("There were no challengers.", "The run was for the baseline alone.", "calm")
        return
    figure = figures.challenger_figure(run.challengers, palette())
    titled_plot("Skill, and significance against the baseline", figure, f"{pair}-challengers")
    rows = [
        {
            "model": fmt.model_label(each.architecture),
            "verdict": "published" if each.verdict.publish else "not published",
            "run_skill": fmt.in_percent(each.skill, 2),
            "p": None if each.p is None else fmt.p_value(each.p),
            "folds": None if each.folds is None else f"{each.folds_won} of {each.folds}",
            "c90": fmt.in_percent(each.coverage_90),
            "tried": each.n_comparisons,
        }
        for each in run.challengers
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=COLUMNS)
    scores = catalog_reader.scores(pair, run.version)
    left, right = st.columns(2)
    with left:
        titled_plot("Skill by horizon", figures.horizon_figure(scores, palette()), f"{pair}-skill-by-horizon")
    with right:
        title = st.container()
        names = [each.architecture for each in run.challengers]
        chosen = names.index(run.choice) if run.choice in names else 0
        name = st.selectbox("Of", names, chosen, key=f"of-{run.version}", format_func=fmt.model_label)
        figure = figures.fold_horizon_figure(scores, name, palette())
        with title:
            st.subheader("Skill by fold and horizon", anchor=False)
        # The small build of Plotly has no heat maps.
        st.plotly_chart(figure, theme=None, key="heat-map", alt="Skill by fold and horizon")


def _summary(run: EvaluationReport) -> Iterator[str]:
    yield f"The newest run was evaluated {fmt.utc(run.at)}, on candles until {fmt.utc(run.candles.end)}."
    champion = f"the champion {run.champion} and " if run.champion else ""
    yield f"Its challengers were compared with {champion}the baseline."
    for each in run.challengers:
        yield f"{fmt.model_label(each.architecture)}: {fmt.sentence(each.verdict.reason)}"
    if run.choice not in {each.architecture for each in run.challengers}:
        yield f"{fmt.model_label(run.choice)}: {fmt.sentence(run.verdict.reason)}"


def _show_verdicts(champion: ChampionPointer, run: EvaluationReport | None) -> None:
    promoted = frozenset(each.version for each in champion.promotions)
    verdicts = catalog_reader.verdicts(champion.pair, run.version if run else "", promoted)
    titled_plot("Verdicts of the gate", figures.verdict_figure(verdicts, palette()), f"{champion.pair}-verdicts")
    st.caption("Discs were published, crosses were not. The height is the skill; the dashed line is the baseline.")
    rows = []
    for each in verdicts.head(_MAX_VERDICTS).to_dict("records"):
        verdict = f"{fmt.model_label(each['architecture'])}: {'' if each['published'] else 'not '}published"
        rows.append([fmt.utc(each["at"]), verdict, each["reason"]])
    ui.table("Verdicts", ["At", "Verdict", "Reason"], rows)
    if len(verdicts) > _MAX_VERDICTS:
        st.caption(f"The newest {_MAX_VERDICTS} of {len(verdicts):,}.")
