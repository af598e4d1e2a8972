"""The page Risk: what a position or a portfolio may gain and lose in the next hours."""

import numpy as np
import streamlit as st

from interface import forecasts, layout, ui
from interface import formatting as fmt
from interface.ask import price_input
from interface.charts.chart_data import NamedFan, join_candles
from interface.charts.forecast import ForecastChart, PriceLine, forecast_figure
from interface.charts.results import describe_middle, describe_tail, result_figure
from interface.ui import Card
from make_us_rich.client.answers import PortfolioRisk
from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.domain.risk import Exits, Position, TailRisk, results, shown_levels, tail_risk

_KINDS = ("position", "portfolio")
_HOURS = range(1, HORIZON + 1)
_SIDES = {"long": "Long: bought", "short": "Short: sold"}
_LEFT_OUT = "Fees, funding and slippage are not in it: a stop may be filled at a worse price than its own."


def show() -> None:
    """Choose a position or a portfolio, and see what it may gain and lose."""
    layout.header("Risk", "What a position or a portfolio may gain and lose in the next hours.")
    served = layout.served_pairs()
    with st.container(horizontal=True, vertical_alignment="bottom", key="selectors"):
        bound = layout.bind("of", _KINDS, _KINDS[0])
        kind = st.segmented_control("Of a", _KINDS, required=True, format_func=str.capitalize, **bound)
        pair = layout.pair_selector(served) if kind == _KINDS[0] else None
    if pair is None:
        _show_portfolio([each.pair for each in served.pairs])
    else:
        _show_position(pair)


def _show_position(pair: str) -> None:
    key, current = f"position in {pair}", forecasts.current(pair)
    forecast, last_close = current.prediction.forecast, current.prediction.forecast.last_close
    with st.form(f"form of {key}"):
        with st.container(horizontal=True):
            side = st.selectbox("Side", list(_SIDES), format_func=_SIDES.__getitem__)
            size = st.number_input(f"Size, {fmt.base(pair)}", 1e-8, 1e15, 1.0, format="%g")
            hours = st.selectbox("Hours", _HOURS, HORIZON - 1)
            stop = price_input(f"Stop, {fmt.quote(pair)}", f"stop in {pair}", last_close, "none")
            target = price_input(f"Target, {fmt.quote(pair)}", f"target in {pair}", last_close, "none")
        if st.form_submit_button("Show the risk", type="primary"):
            position = Position(size, "short" if side == "short" else "long", stop or None, target or None)
            st.session_state[key] = (position, hours)
        st.caption("It costs one call for each pair and hour beside the forecast's own, however often you change it.")
    asked: tuple[Position, int] | None = st.session_state.get(key)
    if asked is None:
        return
    position, hours = asked
    try:
        position.check(last_close)
    except ParameterError as error:
        ui.notice(fmt.sentence(error.message), fmt.sentence(error.remedy or ""))
        return
    paths = forecasts.scenarios(pair)[:, :, :hours]
    gains, exits = results(paths, last_close, position)
    _show_exits(position, hours, exits)
    unit, palette = fmt.quote(pair), ui.palette()
    tail = [tail_risk(gains, level) for level in shown_levels(len(gains))]
    source = f"From {fmt.count(len(gains), 'scenario')} of the forecast of {fmt.utc(forecast.issued_at)}."
    if forecast.fallback:
        source += f" The baseline forecasts instead of the model: {fmt.sentence(forecast.fallback)}"
    ui.sentences(
        [*(describe_tail(each, hours, unit) for each in tail), describe_middle(gains, unit), source, _LEFT_OUT]
    )
    prices = {"stop": position.stop, "target": position.target}
    lines = tuple(PriceLine(name, price, hours) for name, price in prices.items() if price)
    candles = join_candles(None, current.prediction.data.to_frame().reset_index(), 2)
    fan = NamedFan(forecast.architecture, forecast, last_close)
    chart = ForecastChart(pair, candles, fan, None, None, hours, current.prediction.simulated, lines)
    figure, alt = forecast_figure(chart, palette, drag=False), "The forecast with stop and target"
    with st.container(key="risk-chart"):
        ui.plot(figure, "risk", f"{current.file_stem}-risk", alt)
    ui.titled_plot("Results", result_figure(gains, tail, unit, palette), f"{pair}-results")


def _show_exits(position: Position, hours: int, found: Exits) -> None:
    """What comes first, or whether the only one of them is reached."""
    within = f"within {fmt.count(hours, 'hour')}"
    given = {"Stop": (position.stop, found.stop), "Target": (position.target, found.target)}
    both = None not in (position.stop, position.target)
    cards = [
        Card(f"{name} first" if both else f"{name} reached", fmt.chance(share), "", f"{fmt.price(price)} {within}")
        for name, (price, share) in given.items()
        if price is not None
    ]
    if both:
        cards.append(Card("Both in one hour", fmt.chance(found.same_hour), "", "in unknown order; counted as the stop"))
    if cards:
        ui.cards([*cards, Card("Neither" if both else "Not reached", fmt.chance(found.neither), "", within)])


def _show_portfolio(names: list[str]) -> None:
    chosen = st.multiselect("Holdings", names, names[:1], key="holdings", format_func=fmt.pair_label)
    with st.form("portfolio"):
        with st.container(horizontal=True):
            sizes = {
                name: st.number_input(f"Size, {fmt.base(name)}", -1e15, 1e15, 1.0, format="%g", key=f"size of {name}")
                for name in chosen
            }
            hours = st.selectbox("Hours", _HOURS, HORIZON - 1)
        if st.form_submit_button("Show the risk", type="primary"):
            st.session_state["portfolio asked"] = ({name: size for name, size in sizes.items() if size}, hours)
        st.caption("Below 0 is sold short. Each question costs one call, and one more where a forecast is newer.")
    held, hours = st.session_state.get("portfolio asked", ({}, hours))
    if not held:
        return
    content = {"holdings": [{"pair": name, "size": size} for name, size in held.items()], "hours": hours}
    risk = forecasts.answer(PortfolioRisk, "/risk/portfolio", list(held), json=content)
    unit, tail = fmt.quote(next(iter(held))), [TailRisk(**each.model_dump()) for each in risk.tail]
    gains = np.array(risk.gains)
    ui.sentences(
        [
            f"At the last close it is worth {fmt.money(risk.value)} {unit}.",
            *(describe_tail(each, hours, unit) for each in tail),
            describe_middle(gains, unit),
            f"From {fmt.count(risk.scenarios, 'scenario')} that the pairs share. {_LEFT_OUT}",
        ]
    )
    if not tail:
        ui.notice("The pairs share too few scenarios for a value at risk.", "They have traded too short.")
        return
    part, rows = f"{tail[0].level:g}", []
    for each in risk.holdings:
        loss = each.contributions[part]
        share = fmt.percent(loss / tail[0].expected_shortfall, 0) if tail[0].expected_shortfall > 0 else None
        rows.append([fmt.pair_label(each.pair), f"{each.size:g}", fmt.money(each.value), fmt.money(loss), share])
    heads = ["Pair", "Size", f"Value, {unit}", f"Part of the loss, {unit}", "Share"]
    ui.table("Holdings", heads, rows, numbers_from=1)
    st.caption("Its part of the average loss in the worst one of 20; below 0, the holding makes that loss smaller.")
    ui.titled_plot("Results", result_figure(gains, tail, unit, ui.palette()), "portfolio-results")
