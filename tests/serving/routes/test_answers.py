"""Probabilities, quantiles, volatility, risk and scenarios: from the forecast in memory, counted, consistent."""

import csv
import io
import threading
from dataclasses import replace

import numpy as np
import pyarrow.csv
import pytest
from pyarrow import parquet

from make_us_rich.client import answers as schemas
from make_us_rich.client.schemas import Prediction
from serving.forecasts.prediction import round_prices

PREFIX = "/api/v1"


@pytest.fixture
def ask(api):
    """Asks as a new user; the answer, and the calls that remain."""
    bearer = api.bearer()

    def get(path: str, **query: object):
        return api.client.get(f"{PREFIX}/{path}", params=query, headers=bearer)

    get.post = lambda path, body: api.client.post(f"{PREFIX}/{path}", json=body, headers=bearer)
    get.without_token = api.client.get
    get.last = Prediction.model_validate_json(get("predict", currency="btc", compare="usdt").content).forecast
    return get


def test_each_answer_counts_as_one_call_and_names_its_forecast(ask) -> None:
    last = ask.last.last_close
    answers = [
        ask("probability/btc_usdt", price=last * 1.01),
        ask("quantiles/btc_usdt", level=0.5),
        ask("volatility/btc_usdt"),
        ask("risk/btc_usdt", size=0.5),
        ask("scenarios/btc_usdt"),
        ask("scenarios/btc_usdt", format="csv"),
        ask.post("risk/portfolio", {"holdings": [{"pair": "btc_usdt", "size": 0.5}]}),
    ]

    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == [str(998 - at) for at in range(7)]
    for answer in answers[:5]:
        head = schemas.Answer.model_validate_json(answer.content)
        assert (head.version, head.issued_at, head.last_close) == (ask.last.version, ask.last.issued_at, last)
        assert 1_800 <= head.age_seconds < 3_600
        assert head.simulated
    assert ask.without_token(f"{PREFIX}/volatility/btc_usdt").status_code == 401


def test_probabilities_of_several_prices_at_one_hour_or_all(ask) -> None:
    last = ask.last.last_close
    one = schemas.Probabilities.model_validate_json(
        ask("probability/BTC_USDT", price=[last * 0.99, last * 1.01], hours=6).content
    ).probabilities
    every = schemas.Probabilities.model_validate_json(ask("probability/btc_usdt", price=last * 1.01).content)

    assert [(each.price, each.hours) for each in one] == [(last * 0.99, 6), (last * 1.01, 6)]
    assert one[0].close_above.probability > 0.5 > one[1].close_above.probability
    assert one[1].touch.probability >= one[1].close_above.probability
    assert [each.hours for each in every.probabilities] == list(range(1, 25))
    assert every.probabilities[5] == one[1]


def test_quantiles_are_those_of_the_forecast(ask) -> None:
    levels = [0.05, 0.5, 0.95]
    close, high, low = (
        schemas.Quantiles.model_validate_json(ask("quantiles/btc_usdt", level=levels, target=target).content)
        for target in ("close", "high", "low")
    )

    at = [ask.last.levels.index(level) for level in levels]
    np.testing.assert_allclose(close.quantiles, np.array(ask.last.quantiles)[:, at], rtol=1e-6)
    assert close.closes_at == ask.last.closes_at
    assert (np.array(high.quantiles) >= np.array(close.quantiles) * (1 - 1e-9)).all()
    assert (np.array(low.quantiles) <= np.array(close.quantiles) * (1 + 1e-9)).all()


def test_risk_scenarios_and_portfolio_agree(ask) -> None:
    last, size = ask.last.last_close, 0.5
    risk = schemas.Risk.model_validate_json(ask("risk/btc_usdt", size=size, hours=12).content)
    paths = schemas.Scenarios.model_validate_json(ask("scenarios/btc_usdt").content)
    body = {"holdings": [{"pair": "btc_usdt", "size": 0.3}, {"pair": "BTC_USDT", "size": 0.2}], "hours": 12}
    portfolio = schemas.PortfolioRisk.model_validate_json(ask.post("risk/portfolio", body).content)
    rows = list(csv.DictReader(io.StringIO(ask("scenarios/btc_usdt", format="csv").text)))

    losses = -size * (np.array(paths.close)[:, 11] - last)
    assert risk.tail[0].value_at_risk == pytest.approx(np.quantile(losses, 0.95, method="hazen"), rel=1e-6)
    assert portfolio.tail == risk.tail
    assert portfolio.holdings[0].contributions["0.95"] == pytest.approx(risk.tail[0].expected_shortfall)
    assert portfolio.value == pytest.approx(size * last)
    np.testing.assert_allclose(portfolio.gains, np.sort(size * (np.array(paths.close)[:, 11] - last)), atol=1e-3)
    assert len(rows) == 24 * len(paths.close)
    assert float(rows[11]["close"]) == pytest.approx(paths.close[0][11])


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_of_scenarios_has_the_digits_of_the_json_for_small_prices(api, ask, monkeypatch, form: str) -> None:
    issued = api.service.get("btc_usdt")
    cheap = replace(issued, forecast=replace(issued.forecast, last_close=4.9e-7))
    monkeypatch.setitem(api.service._issued, "btc_usdt", cheap)
    content = ask("scenarios/btc_usdt", format=form).content
    table = pyarrow.csv.read_csv(io.BytesIO(content)) if form == "csv" else parquet.read_table(io.BytesIO(content))

    closes = np.ravel(ask("scenarios/btc_usdt").json()["close"])
    assert len(set(closes)) > 1_000
    np.testing.assert_array_equal(table["close"].to_numpy(), closes)


def test_scenarios_are_written_beside_the_event_loop(api, ask, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set()

    def round_in_a_thread(prices: object) -> list[float]:
        threads.add(threading.current_thread())
        return round_prices(prices)

    monkeypatch.setattr("serving.routes.answers.round_prices", round_in_a_thread)
    answer = ask("scenarios/btc_usdt")

    assert api.client.portal.call(threading.current_thread) not in threads != set()
    assert answer.headers["content-type"] == "application/json"
    assert schemas.Scenarios.model_validate_json(answer.content).closes_at == ask.last.closes_at


def test_volatility_grows_with_the_hours(ask) -> None:
    found = schemas.Volatility.model_validate_json(ask("volatility/btc_usdt").content)

    assert [each.hours for each in found.volatilities] == list(range(1, 25))
    assert found.volatilities[0].sigma < found.volatilities[-1].sigma
    assert found.state in ("calm", "usual", "wild")
    assert all(0 <= each.percentile <= 100 for each in found.volatilities)


@pytest.mark.parametrize(
    ("path", "query", "status", "text"),
    [
        ("probability/doge_usdt", {"price": 1}, 404, "doge_usdt is not served"),
        ("probability/btc_usdt", {}, 422, "price"),
        ("probability/btc_usdt", {"price": 0}, 422, "greater than 0"),
        ("probability/btc_usdt", {"price": "nan"}, 422, "finite"),
        ("probability/btc_usdt", {"price": 1e308}, 422, "less than"),
        ("probability/btc_usdt", {"price": 1, "hours": 25}, 422, "hours"),
        ("probability/btc_usdt", {"price": list(range(1, 52))}, 422, "at most 50"),
        ("quantiles/btc_usdt", {"level": 0.999}, 422, "0.995"),
        ("quantiles/btc_usdt", {"level": [0.5] * 51}, 422, "at most 50"),
        ("quantiles/btc_usdt", {"level": 0.5, "target": "open"}, 422, "target"),
        ("risk/btc_usdt", {"stop": 1e9}, 422, "choose a stop below it"),
        ("risk/btc_usdt", {"size": 0}, 422, "size"),
        ("scenarios/btc_usdt", {"format": "xml"}, 422, "format"),
        ("risk/portfolio", [], 422, "at least 1"),
        ("risk/portfolio", [{"pair": "btc_usdt", "size": 1}] * 1_000, 422, "at most"),
        ("risk/portfolio", [{"pair": "btc_usdt", "size": 0}], 422, "size"),
        ("risk/portfolio", [{"pair": "doge_usdt", "size": 1}], 404, "doge_usdt is not served"),
    ],
)
def test_what_cannot_be_answered_is_refused_and_not_counted(ask, path, query, status, text) -> None:
    answer = ask(path, **query) if isinstance(query, dict) else ask.post(path, {"holdings": query})

    assert answer.status_code == status
    assert text in answer.text
    assert ask("volatility/btc_usdt").headers["x-ratelimit-remaining"] == "998"
