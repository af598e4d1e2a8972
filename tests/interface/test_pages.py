"""The page Forecast and the page Models, run by Streamlit's own test harness against the real API."""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from html import unescape
from typing import Any

import pytest
import streamlit as st
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

from conftest import free_port
from interface import records, session
from interface.api_client import ApiClient
from interface.app_pages.model_parts import gained
from judged import judge
from published_api import NOW
from serving_process import ApiProcess
from synthetic import VERSION

Opened = Callable[..., AppTest]


def forecast_page() -> None:
    """What the frame runs for somebody who is logged in."""
    from interface import states
    from interface.app_pages import forecast

    with states.told():
        forecast.show()


def models_page() -> None:
    """The same for the other page."""
    from interface import states
    from interface.app_pages import models

    with states.told():
        models.show()


@pytest.fixture(scope="module")
def judged(api: ApiProcess) -> ApiProcess:
    """The API, and beside its model what a run leaves."""
    judge(api.project, NOW)
    return api


@pytest.fixture
def opened(
    judged: ApiProcess, member: ApiClient, client_at: Callable[..., ApiClient], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Opened]:
    """A page as a new member sees it, in the folder of the project."""
    monkeypatch.chdir(judged.project)
    monkeypatch.setattr(session, "_anybody", cache(client_at))
    # The harness has no browser to ask.
    monkeypatch.setattr(ContextProxy, "ip_address", None)
    monkeypatch.setattr(ContextProxy, "headers", {})
    monkeypatch.setenv("MAKE_US_RICH_API_URL", judged.url)
    forget()

    def run(page: Callable[[], None] = forecast_page, **asked: str) -> AppTest:
        app = AppTest.from_function(page, default_timeout=60)
        app.session_state["login_token"], app.session_state["user"] = member.token, member.me()
        app.query_params.update(asked)
        return app.run()

    yield run
    forget()


def forget() -> None:
    """What one test has kept is not the next one's."""
    session.settings.cache_clear()
    records.catalog.cache_clear()
    st.cache_data.clear()


def shown(app: AppTest) -> str:
    """All text that is ours, without its tags."""
    html = " ".join(element.proto.body for element in app.get("html"))
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))).replace("\u00a0", " ")


def figure(app: AppTest) -> dict[str, Any]:
    """What is drawn."""
    (drawn,) = figures(app)
    return drawn


def figures(app: AppTest) -> list[dict[str, Any]]:
    """All that is drawn by our own component."""
    plots = [each for each in app.get("bidi_component") if each.proto.component_name == "make_us_rich.plot"]
    return [json.loads(json.loads(each.proto.json)["figure"]) for each in plots]


def names(drawn: dict[str, Any]) -> set[str]:
    return {each["name"].replace("\u00a0", " ") for each in drawn["data"] if each.get("showlegend") is not False}


def choose(app: AppTest, key: str, value: Any) -> AppTest:
    app.selectbox(key=key).set_value(value)
    return app.run()


def test_the_page_tells_price_ranges_record_and_ages(opened: Opened, member: ApiClient) -> None:
    told, forecast = shown(opened()), member.predict("btc_usdt").forecast
    assert f"{forecast.last_close:,.2f} USDT" in told
    for words in ("In the next hour", "By tomorrow", "Record of the 80 % range", "Skill in tests", "No edge:"):
        assert words in told
    # The exchange's clock stands at half past ten, and candles close at the hour.
    assert "30 min ago" in told
    assert "1 Mar 2025, 10:00 UTC" in told


def test_five_days_of_candles_are_drawn_with_the_fan(opened: Opened) -> None:
    drawn = figure(opened())
    (candles,) = [each for each in drawn["data"] if each["type"] == "candlestick"]
    assert (len(candles["x"]), candles["x"][-1]) == (120, "2025-03-01 10:00")
    assert {"past 80 %", "baseline"} <= names(drawn)


def test_thirty_days_come_from_the_catalog_and_a_gap_stays_one(opened: Opened) -> None:
    app = opened()
    app.button_group(key="days").select(30)
    drawn = figure(app.run())
    (candles,) = [each for each in drawn["data"] if each["type"] == "candlestick"]
    # Ten hours of them are missing.
    assert len(candles["x"]) == 30 * 24 - 10
    assert [each["type"] for each in drawn["layout"]["shapes"]].count("rect") == 1


def test_another_horizon_has_its_own_record_and_range(opened: Opened) -> None:
    app = choose(opened(), "horizon", 6)
    assert "In 6 hours, at 16:00 UTC, the price is between" in shown(app)
    assert "was forecast 6 hours before" in shown(app)


def test_a_page_that_is_looked_at_all_hour_is_one_call(opened: Opened, member: ApiClient) -> None:
    app = opened()
    for horizon in (2, 3, 4):
        choose(app, "horizon", horizon)
    app.run()
    assert member.me().used == 1


def test_a_pair_without_a_model_says_so_with_the_remedy(opened: Opened) -> None:
    told = shown(choose(opened(), "pair", "eth_usdt"))
    assert "No forecast yet" in told
    assert "kedro run" in told


def test_the_address_names_the_pair(opened: Opened) -> None:
    app = opened(pair="eth_usdt")
    assert app.selectbox(key="pair").value == "eth_usdt"
    choose(app, "pair", "btc_usdt")
    assert app.query_params["pair"] in ("btc_usdt", ["btc_usdt"])


def test_an_address_with_a_pair_that_nobody_serves_shows_the_first_one(opened: Opened) -> None:
    assert opened(pair="<b>doge</b>").selectbox(key="pair").value == "btc_usdt"


def test_a_forecast_that_was_seen_stays_when_the_api_goes_away(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened()
    seen = figure(app)
    nowhere = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MAKE_US_RICH_API_URL", nowhere)
    st.cache_data.clear()
    session.settings.cache_clear()
    # The choosers need the pairs; what refreshes itself below them does not.
    told = shown(app.run())
    assert "The API is not there" in told
    assert seen["data"]


def test_the_champions_card_tells_skill_folds_and_coverage(opened: Opened) -> None:
    app = opened(models_page)
    told = shown(app)
    assert "published 1 Jan 2025, 00:05 UTC" in told
    assert "of the outcomes in those tests" in told
    assert "Its run is in MLflow, tagged version = " + VERSION in told
    assert len(figures(app)) + len(app.get("plotly_chart")) == 6


def test_our_part_of_plotly_can_draw_what_it_is_given(opened: Opened) -> None:
    drawn = [
        trace["type"]
        for page in (forecast_page, models_page)
        for each in figures(opened(page))
        for trace in each["data"]
    ]
    assert set(drawn) == {"scatter", "bar", "candlestick"}


def test_challengers_and_verdicts_are_told_with_their_reasons(opened: Opened) -> None:
    told = shown(opened(models_page))
    assert "har: mean CRPS 3 % below the baseline's." in told
    assert "har: published mean CRPS 3 % below the baseline's" in told
    assert "lstm: not published refused: no luck" in told
    assert told.index("har: published") < told.index("lstm: not published")


def test_a_loss_that_rounds_to_nothing_is_not_minus_nothing() -> None:
    assert f"{gained(-0.0004, 1):+.1f}" == "+0.0"
    assert gained(-0.0126, 1) == -1.3
    assert gained(None, 1) is None


def test_scores_are_numbers_in_columns(opened: Opened) -> None:
    horizons, challengers = (table.value for table in opened(models_page).dataframe)
    assert list(horizons["horizon"]) == ["1 h", "4 h", "24 h", "mean of 1 to 24 h"]
    assert horizons["skill"].dtype == "float64"
    assert list(challengers["folds"]) == ["8 of 8"]


def test_a_pair_that_was_never_trained_says_how(opened: Opened) -> None:
    told = shown(opened(models_page, pair="eth_usdt"))
    assert "No model yet" in told
    assert "kedro run --pipeline=eth_usdt" in told


def test_a_damaged_record_is_told_in_words(opened: Opened, judged: ApiProcess) -> None:
    file = judged.project / "data/08_reporting/btc_usdt/judgement.json"
    whole = file.read_text()
    try:
        file.write_text("{")
        told = shown(opened(models_page))
    finally:
        file.write_text(whole)
    assert "A record cannot be read" in told
    assert "Traceback" not in told
