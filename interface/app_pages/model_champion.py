"""The champion: its card, how it did fold by fold, and whether its ranges hold in calm and in wild hours."""

from collections.abc import Iterator

import pandas as pd
import streamlit as st

from interface import cards, records, states, theme, words
from interface.app_pages import model_parts
from interface.cards import Card
from interface.charts.coverage import coverage_by_volatility
from interface.charts.skill import skill_by_fold
from interface.numbers import THIN, percent, probability, utc
from make_us_rich.domain.card import AtHorizon, ModelCard
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.live import LiveScores

_WHOLE = 0
"""The horizon of the mean over all of them, in a card."""


def show(champion: ChampionPointer) -> None:
    """The model that is served, by its card."""
    if champion.version is None:
        states.notice("No model is served yet.", "The newest run published none: see Verdicts.", "calm")
        return
    card = records.card(champion.pair, champion.version)
    if card is None:
        states.notice("This version has no card.", "An earlier release published it; the next run writes one.", "calm")
        return
    cards.show(_figures(champion, card))
    cards.sentences([*_about(champion, card), *_lived(records.live(champion.pair))])
    model_parts.link(champion.version)
    _charts(card)
    _horizons(card)


def _charts(card: ModelCard) -> None:
    left, right = st.columns(2)
    with left:
        model_parts.chart("Skill by fold", skill_by_fold(card, theme.colours()), f"{card.pair}-skill-by-fold")
    with right:
        figure = coverage_by_volatility(card, theme.colours())
        model_parts.chart("Coverage by volatility", figure, f"{card.pair}-coverage-by-volatility")


def _figures(champion: ChampionPointer, card: ModelCard) -> Iterator[Card]:
    yield Card("Champion", words.member_names(card.choice), "", f"published {utc(champion.promotions[-1].at)}")
    whole = next((each for each in card.horizons if each.horizon == _WHOLE), None)
    if whole is None:
        return
    said = words.better(whole.crps_skill)
    yield Card("Skill, mean of 24 hours", model_parts.signed(whole.crps_skill), "", said.text, said.tone)
    won = sum((fold.crps_skill or 0) > 0 for fold in card.folds)
    yield Card("Folds won", f"{won} of {len(card.folds)}", "", "spans of time that it had not seen")
    held = whole.own.coverage_80
    yield Card(f"80{THIN}% range", "–" if held is None else percent(held), "held", "of the outcomes in those tests")


def _about(champion: ChampionPointer, card: ModelCard) -> Iterator[str]:
    yield from card.described.values()
    yield f"Why it is served: {champion.promotions[-1].reason}."
    yield (
        f"It was trained on candles until {utc(card.trained_until)}; the run had {card.candles.rows:,}"
        f" of them, since {utc(card.candles.start)}."
    )
    yield words.no_edge(_has_edge(card), card.pair)


def _lived(live: LiveScores | None) -> Iterator[str]:
    """How what was served has done, where the hours are recorded."""
    if live is None:
        yield "No forecast has been recorded yet: the hourly job does that, and scores it when it has come true."
        return
    yield (
        f"Live record: {live.issued:,} forecasts, {live.scored:,} of them come true in full,"
        f" {live.holes:,} hours without one. {words.capital(live.standing.reason)}."
    )
    yield f"Inputs: {live.drift.reason}."


def _has_edge(card: ModelCard) -> bool:
    return any(each.edge.publish for each in card.challengers if each.architecture == card.choice)


def _horizons(card: ModelCard) -> None:
    """Scores at one, four and twenty-four hours and their mean, the baseline's error beside the model's."""
    if not card.horizons:
        return
    st.subheader("Scores by horizon", anchor=False)
    ordered = sorted(card.horizons, key=lambda each: (each.horizon == _WHOLE, each.horizon))
    st.dataframe(pd.DataFrame([_row(each) for each in ordered]), hide_index=True, column_config=_COLUMNS)


def _row(each: AtHorizon) -> dict[str, object]:
    own, reference = each.own, each.baseline
    return {
        "horizon": f"{each.horizon} h" if each.horizon else "mean of 1 to 24 h",
        "skill": model_parts.gained(each.crps_skill, 1),
        "crps": model_parts.hundred(model_parts.hundred(own.crps)),
        "baseline": model_parts.hundred(model_parts.hundred(reference.crps)),
        "c50": model_parts.hundred(own.coverage_50),
        "c80": model_parts.hundred(own.coverage_80),
        "c90": model_parts.hundred(own.coverage_90),
        "p": None if each.dm_p is None else probability(each.dm_p),
    }


_COLUMNS = {
    "horizon": "Horizon",
    "skill": model_parts.number("Skill, %", "%+.1f", "Share of the baseline's error that is gone"),
    "crps": model_parts.number("CRPS, bp", "%.2f", "Error of the distribution in basis points; lower is better"),
    "baseline": model_parts.number("Baseline's", "%.2f", "The same of the baseline"),
    "c50": model_parts.number("50 %", "%.1f", "Outcomes within the 50 % interval, in per cent"),
    "c80": model_parts.number("80 %", "%.1f", "Outcomes within the 80 % interval, in per cent"),
    "c90": model_parts.number("90 %", "%.1f", "Outcomes within the 90 % interval, in per cent"),
    "p": st.column_config.TextColumn("Test", help=model_parts.TEST),
}
