"""The page Account: the API token, the month's calls, code examples, alerts, logins."""

from typing import Any, Literal

import httpx
import streamlit as st

from interface import error_views, forecasts, layout, session, ui
from interface import formatting as fmt
from make_us_rich.client import ApiError, UnauthorizedError
from make_us_rich.client.alerts import SCHEMES, Alert, Rule, TouchAbove, VolatilityAbove
from make_us_rich.client.schemas import ApiToken, Login

CODE = {
    "curl": """\
curl "{url}/api/v1/predict?currency={base}&compare={quote}" \\
  -H "Authorization: Bearer $MAKE_US_RICH_TOKEN"
""",
    "Python": """\
from make_us_rich.client import Client  # pip install make-us-rich[client]

with Client("{url}") as client:
    forecast = client.predict("{base}_{quote}").forecast
for at, quantiles in zip(forecast.closes_at, forecast.quantiles):
    print(f"{{at:%Y-%m-%dT%H:%M:%SZ}}", dict(zip(forecast.levels, quantiles)))
""",
    "JavaScript": """\
const response = await fetch("{url}/api/v1/predict?currency={base}&compare={quote}", {{
  headers: {{ Authorization: "Bearer " + process.env.MAKE_US_RICH_TOKEN }},
}});
const {{ forecast }} = await response.json();
forecast.closes_at.forEach((at, hour) => console.log(at, forecast.quantiles[hour]));
""",
}
"""Code examples by language; the tests run them."""

_KINDS = {
    "left_band": "the price closed outside its 80 % range",
    "touch_above": "a touch of a price is likely",
    "volatility_above": "the next 24 hours are wild",
    "stale": "the forecast is older than two hours",
}
_ALERT = '<p class="mur-who"><strong>{pair}: {rule}</strong><span>To {destination}. {state}</span></p>'


def show() -> None:
    """The page."""
    layout.header("Account", "Your API token, the calls of this month, and code to begin with.")
    left, right = st.columns(2, gap="small")
    with left.container(border=True, height="stretch"):
        st.subheader("API token")
        _show_token_section()
    with right.container(border=True, height="stretch"):
        st.subheader("This month")
        layout.quota_bar(session.user())
        st.caption(
            "A forecast in this interface is one call for each pair and hour, however often you look."
            " Calls with your API token count as well."
        )
    with st.container(border=True):
        st.subheader("Call the API")
        st.caption("Set the variable MAKE_US_RICH_TOKEN to your token first. Each call counts.")
        pairs = [each.pair for each in forecasts.pairs().pairs] or ["btc_usdt"]
        for tab, language in zip(st.tabs(list(CODE)), CODE, strict=True):
            code = code_example(language, session.settings().public_api_url, pairs[0])
            tab.code(code, language=None, wrap_lines=True)  # Streamlit's syntax colours lack contrast.
    with st.container(border=True):
        st.subheader("Alerts")
        _show_alerts()
    with st.container(border=True):
        st.subheader("Your account")
        st.markdown("A login lasts ten days in this browser. Log out here ends it in every tab.")
        with st.container(horizontal=True):
            if st.button("Log out on all devices"):
                session.log_out(everywhere=True)
                st.rerun()
            if st.button("Change the password"):
                _change_password()
            if st.button("Export my data"):
                _export_data()
            if st.button("Delete the account"):
                _confirm_deletion()


def show_welcome(token: str) -> None:
    """The page after registering, with the first API token."""
    layout.header("Welcome", "Your account is ready. This page is shown once.")
    _show_token(token, "I have saved it, show me the forecasts", "primary")


def code_example(language: str, url: str, pair: str) -> str:
    """Code that requests the forecast of a pair from the API at a URL."""
    base, _, quote = pair.partition("_")
    return CODE[language].format(url=url, base=base, quote=quote)


@st.dialog("Change the password")
def _change_password() -> None:
    st.markdown("All other logins end. Your API token stays.")
    old = st.text_input("Present password", type="password", max_chars=128, autocomplete="current-password")
    new = st.text_input("New password", type="password", max_chars=128, autocomplete="new-password")
    changed = st.button("Change it", type="primary", key="change-password")
    if changed and (response := _confirmed("PUT", "/me/password", password=old, new_password=new)):
        session.log_in(Login.model_validate_json(response.content))
        st.rerun()


@st.dialog("Export my data")
def _export_data() -> None:
    with error_views.errors_shown():
        data = session.client().send("GET", "/me/data").content
        st.download_button("Download as JSON", data, "make-us-rich-account.json", "application/json", type="primary")


@st.dialog("Delete the account?")
def _confirm_deletion() -> None:
    st.markdown(
        "Name, password, roles, logins and token are deleted at once and cannot be restored. The number of calls of"
        " this month stays, without your name, until the month is over."
    )
    password = st.text_input("Password", type="password", max_chars=128, autocomplete="current-password")
    deleted = st.button("Delete it", type="primary", key="delete-account")
    if deleted and _confirmed("POST", "/me/deletion", password=password):
        session.expire("Your account is deleted.")
        st.rerun()


def _confirmed(method: str, path: str, **body: str) -> httpx.Response | None:
    """The response to a request with the present password; None, and a notice, where that is wrong."""
    with error_views.errors_shown():
        try:
            return session.client().send(method, path, json=body)
        except UnauthorizedError as error:
            if error.code != "wrong_password":
                raise
    ui.notice("The password is wrong.", "Correct it.")
    return None


def _show_token(token: str, saved: str, kind: Literal["primary", "secondary"]) -> None:
    ui.notice("This is your API token. It is not shown again.", "Copy it now and keep it like a password.")
    with st.container(key="api-token"):
        st.code(token, language=None, wrap_lines=True)
    st.caption("Programs call the API with it. This interface neither needs nor keeps it.")
    st.button(saved, type=kind, on_click=session.discard_api_token)


def _show_token_section() -> None:
    if token := session.state().api_token:
        _show_token(token, "I have saved it", "secondary")
        return
    st.markdown("The token was shown once and is stored as a hash. If it is lost or leaked, replace it.")
    with st.container(horizontal=True):
        if st.button("Replace the token"):
            _confirm_replacement()
        if st.button("Revoke the token"):
            _confirm_revocation()


@st.dialog("Replace the API token?")
def _confirm_replacement() -> None:
    st.markdown("Programs with the old token are refused from then on.")
    if st.button("Replace it", type="primary", key="replace"):
        with error_views.errors_shown():
            session.state().api_token = session.client().call("POST", "/tokens/rotate", ApiToken).api_token
        st.rerun()


@st.dialog("Revoke the API token?")
def _confirm_revocation() -> None:
    st.markdown("Programs with the token are refused. This interface still works, and you can make a new token.")
    if st.button("Revoke it", type="primary", key="revoke"):
        layout.apply("Your API token is revoked.", "DELETE", "/tokens")


def _show_alerts() -> None:
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
            outcome = {True: "delivered", False: "not delivered", None: "being sent"}[each.delivered]
            state = f"Last message {fmt.utc(each.sent_at)}, {outcome}." if each.sent_at else "No message yet."
            ui.show(_ALERT, rule=_describe_rule(each.rule), state=state, **texts)
            if st.button("Delete", key=f"delete {each.id}"):
                layout.apply("The alert is deleted.", "DELETE", f"/alerts/{each.id}")
    if st.button("Add an alert"):
        _add_alert()


@st.dialog("Add an alert")
def _add_alert() -> None:
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


def _describe_rule(rule: Rule) -> str:
    match rule:
        case TouchAbove():
            likely = f"more than {fmt.percent(rule.probability, 0)} likely"
            return f"a touch of {fmt.price(rule.price)} within {rule.hours} h is {likely}"
        case VolatilityAbove():
            return f"the volatility is above percentile {rule.percentile:g}"
    return _KINDS[rule.kind]
