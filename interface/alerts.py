"""The part of the page Account about alerts: the user's rules with their last message, and how to change them."""

from typing import Any

import streamlit as st

from interface import forecasts, layout, session, ui
from interface import formatting as fmt
from make_us_rich.client import ApiError
from make_us_rich.client.alerts import SCHEMES, Alert, Rule, TouchAbove, VolatilityAbove

_KINDS = {
    "left_band": "the price closed outside its 80 % range",
    "touch_above": "a touch of a price is likely",
    "volatility_above": "the next 24 hours are wild",
    "stale": "the forecast is older than two hours",
}
_ALERT = '<p class="mur-who"><strong>{pair}: {rule}</strong><span>To {destination}. {state}</span></p>'


def show() -> None:
    """The rules, each with its last message; a notice where the API sends no alerts."""
    try:
        found = session.client().call("GET", "/alerts", list[Alert])
    except ApiError as error:
        if error.code != "alerts_off":
            raise
        ui.notice(fmt.sentence(error.message), fmt.sentence(error.remedy or ""), "calm")
        return
    st.caption("A message is sent when a new forecast meets a rule, at most one an hour, with a link that stops it.")
    for each in found:
        texts = {"pair": fmt.pair_label(each.pair), "destination": each.destination}
        with st.container(horizontal=True, vertical_alignment="center"):
            ui.show(_ALERT, rule=_describe(each.rule), state=_state(each), **texts)
            if st.button("Delete", key=f"delete {each.id}"):
                layout.apply("The alert is deleted.", "DELETE", f"/alerts/{each.id}")
    if st.button("Add an alert"):
        _add()


@st.dialog("Add an alert")
def _add() -> None:
    pairs = [each.pair for each in forecasts.pairs().pairs]
    pair = st.selectbox("Pair", pairs, format_func=fmt.pair_label)
    kind = st.selectbox("When", list(_KINDS), format_func=_KINDS.__getitem__)
    rule: dict[str, Any] = {"kind": kind}
    if kind == "touch_above":
        rule["price"] = st.number_input(f"Price, {fmt.quote(pair)}", 0.0, None, None, format="%g")
        rule["hours"] = st.number_input("Within hours", 1, 24, 24)
        rule["probability"] = st.number_input("More likely than, %", 0.5, 99.0, 30.0, format="%g") / 100
    elif kind == "volatility_above":
        label = "Wilder than this share of the last year's forecasts, %"
        rule["percentile"] = st.number_input(label, 0.0, 99.9, 90.0, format="%g")
    destination = st.text_input("Send it to", placeholder="ntfys://ntfy.sh/a-topic-of-your-own", autocomplete="off")
    st.caption(f"An address of Apprise: {', '.join(SCHEMES)}. It is stored encrypted and not shown again.")
    if st.button("Add it", type="primary", key="add-alert"):
        alert = {"pair": pair, "rule": rule, "destination": destination}
        layout.apply("The alert is added.", "POST", "/alerts", json=alert)


def _describe(rule: Rule) -> str:
    match rule:
        case TouchAbove():
            likely = f"more than {fmt.percent(rule.probability, 0)} likely"
            return f"a touch of {fmt.price(rule.price)} within {rule.hours} h is {likely}"
        case VolatilityAbove():
            return f"the volatility is above percentile {rule.percentile:g}"
    return _KINDS[rule.kind]


def _state(alert: Alert) -> str:
    if alert.sent_at is None:
        return "No message yet."
    outcome = {True: "delivered", False: "not delivered", None: "being sent"}[alert.delivered]
    return f"Last message {fmt.utc(alert.sent_at)}, {outcome}."
