"""The panel Ask, the range of highs and lows, the volatility, and the page Risk: their answers are the API's."""

import numpy as np
import pytest

from interface.api_client import ApiClient
from interface.formatting import chance, money
from make_us_rich.client import answers
from make_us_rich.domain.forecast import QUANTILE_LEVELS


def line_named(app, name: str) -> dict:
    (found,) = [trace for figure in app.figures for trace in figure["data"] if trace.get("name") == name]
    return found


def test_a_question_is_answered_in_words_and_drawn_and_costs_one_call(opened, member: ApiClient, issued, plain) -> None:
    app = opened(horizon="6")
    last_close = issued.last_close
    price = app.test.number_input(key="price of btc_usdt").value
    assert price == pytest.approx(1.01 * last_close, rel=1e-4)
    assert member.me().used == 2
    app.press("Ask")
    used = member.me().used
    assert used == 3
    path, params = "/probability/btc_usdt", {"price": price, "hours": 6}
    (said,) = member.call("GET", path, answers.Probabilities, params=params).probabilities
    for label, each in (("above", said.close_above), ("below", said.close_below)):
        assert f"Closes {label} {plain(chance(each.probability))}" in plain(app.text)
    assert f"Touched before then {plain(chance(said.touch.probability))}" in plain(app.text)
    assert line_named(app, "asked:")["x"] == ["2025-03-01 10:00", "2025-03-01 16:00"]
    app.test.run()
    app.press("Ask")
    assert member.me().used == used + 1  # That of this test.
    app.test.number_input(key="price of btc_usdt").set_value(10 * last_close)
    assert "Closes above less than 0.5 %" in plain(app.press("Ask").text)
    assert "asked:" not in str(app.press("Clear").figures)


def test_the_range_of_highs_and_lows_is_the_apis_and_in_the_address(opened, member, plain) -> None:
    app = opened(range="highs-lows", horizon="4")
    assert app.test.selectbox(key="range").value == "highs-lows"
    assert member.me().used == 3
    names = {"low": QUANTILE_LEVELS[1], "high": QUANTILE_LEVELS[-2]}
    for target, level in names.items():
        params = {"target": target, "level": level}
        names[target] = member.call("GET", "/quantiles/btc_usdt", answers.Quantiles, params=params).quantiles[3][0]
    (mark,) = [each for each in app.figures[0]["layout"]["shapes"] if each["x0"] == each["x1"]]
    assert (mark["y0"], mark["y1"]) == (names["low"], names["high"])
    assert "Until 1 Mar 2025, 14:00 UTC no price is below" in app.text
    assert "with at least 80 % probability" in plain(app.text)
    app.test.selectbox(key="range").set_value("closes").run()
    assert "range" not in app.test.query_params


def test_closes_are_shown_where_there_are_no_calls_for_highs_and_lows(opened, admin, name) -> None:
    admin.send("PUT", f"/admin/users/{name}/limit", json={"monthly_limit": 1})
    app = opened(range="highs-lows")
    assert "This month's calls are used up: closes are shown" in app.text
    assert "past" in str([trace.get("legendgroup") for trace in app.figures[0]["data"]])


def test_the_risk_of_a_position_is_the_apis_and_a_change_costs_nothing(opened, member, issued, plain) -> None:
    app = opened("risk")
    last_close, side = issued.last_close, "short"
    app.test.selectbox[1].set_value(side)
    stop, target = (float(f"{last_close * (1 + move):.5g}") for move in (0.01, -0.02))
    app.test.number_input(key="stop in btc_usdt").set_value(stop)
    app.test.number_input(key="target in btc_usdt").set_value(target)
    text = plain(app.press("Show the risk").text)
    used = member.me().used
    params = {"side": side, "stop": stop, "target": target}
    risk = member.call("GET", "/risk/btc_usdt", answers.Risk, params=params)
    for name in ("stop", "target"):
        assert f"{name.capitalize()} first {plain(chance(getattr(risk.exits, name)))}" in text
    loss, mean = (getattr(risk.tail[0], name) for name in ("value_at_risk", "expected_shortfall"))
    assert f"In one of 20 such spans of 24 hours you lose {money(loss)} USDT or more, on average {money(mean)}" in text
    assert "Fees, funding and slippage are not in it" in text
    assert "simulated market" in text
    assert line_named(app, "stop")["y"] == [stop, stop]
    shares = [trace["y"] for trace in app.figures[1]["data"] if trace["type"] == "bar"]
    assert sum(shares[0]) == pytest.approx(100, abs=0.5)
    app.test.number_input(key="stop in btc_usdt").set_value(None)
    assert "Target reached" in app.press("Show the risk").text
    assert member.me().used == used + 1  # That of this test.
    app.test.selectbox[1].set_value("long")
    app.test.number_input(key="stop in btc_usdt").set_value(1e9)
    assert "of a long position is not below the last close" in app.press("Show the risk").text


def test_the_risk_of_a_portfolio_has_each_holdings_part(opened, member, plain) -> None:
    app = opened("risk", of="portfolio")
    app.test.number_input(key="size of btc_usdt").set_value(-0.5)
    text = plain(app.press("Show the risk").text)
    assert member.me().used == 1
    content = {"holdings": [{"pair": "btc_usdt", "size": -0.5}]}
    risk = member.call("POST", "/risk/portfolio", answers.PortfolioRisk, json=content)
    assert f"you lose {money(risk.tail[0].value_at_risk)} USDT or more" in text
    assert f"Eight of ten results are between {money(np.quantile(risk.gains, 0.1))} and" in text
    assert f"BTC/USDT -0.5 {money(risk.value)} {money(risk.tail[0].expected_shortfall)} 100 %" in text
    app.test.run()
    assert member.me().used == 2
