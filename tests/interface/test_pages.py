"""The log-in and the pages Forecast, Models and Account on the real API."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from interface import catalog_reader, forecasts, session
from interface.api_client import ApiClient
from interface.pages import account
from make_us_rich.backtest.multiple_testing import verdict_rows
from make_us_rich.client import UnauthorizedError
from make_us_rich.client.alerts import Alert
from make_us_rich.client.schemas import ApiToken, Fan, Pairs
from make_us_rich.domain.evaluation import AtRisk, EvaluationReport
from make_us_rich.domain.live import HorizonScores, LiveScores, WindowScores
from network import HttpServer, free_port
from processes import PASSWORD, make_admin
from synthetic import VERSION, judgement

COMMANDS = {
    "curl": ["bash", "-c"],
    "Python": [sys.executable, "-c"],
    "JavaScript": ["node", "--input-type=module", "-e"],
}


def candlesticks(app) -> dict:
    (figure,) = app.figures
    (trace,) = [each for each in figure["data"] if each["type"] == "candlestick"]
    return trace


def test_the_page_has_ranges_record_and_ages_and_five_days_with_the_past(opened, issued, plain) -> None:
    app = opened()
    assert f"{issued.last_close:,.2f} USDT" in app.text
    for words in ("In the next hour", "By tomorrow", "Record of the 80 % range", "Skill in the backtest", "No edge:"):
        assert words in app.text
    # The exchange's clock stands at half past ten.
    assert "30 min ago" in app.text
    assert "1 Mar 2025, 10:00 UTC" in app.text
    (figure,) = app.figures
    trace = candlesticks(app)
    assert (len(trace["x"]), trace["x"][-1]) == (120, "2025-03-01 10:00")
    shown = {plain(each["name"]) for each in figure["data"] if each.get("showlegend") is not False}
    assert {"past 80 %", "baseline"} <= shown
    app.test.selectbox(key="horizon").set_value(6).run()
    assert "In 6 hours, at 16:00 UTC, the price is between" in app.text
    assert "forecast 6 hours before" in app.text


def test_the_address_selects_the_baseline_whose_cards_are_its_own(opened, member, monkeypatch) -> None:
    current = forecasts.current

    def with_another_champion(pair: str) -> forecasts.CurrentForecast:
        found = current(pair)
        forecast = found.prediction.forecast
        forecast = forecast.model_copy(update={"architecture": "har", "baseline": Fan(**forecast.model_dump())})
        return replace(found, prediction=found.prediction.model_copy(update={"forecast": forecast}))

    renamed = [{**each.model_dump(), "architecture": "har"} for each in member.pairs().pairs]
    monkeypatch.setattr(ApiClient, "pairs", lambda _: Pairs(pairs=renamed, as_of=None))
    monkeypatch.setattr(forecasts, "current", with_another_champion)
    app = opened(pair="btc_usdt", horizon="7", days="2", model="baseline")
    assert [app.test.selectbox(key=key).value for key in ("pair", "horizon", "model")] == ["btc_usdt", 7, "baseline"]
    assert len(candlesticks(app)["x"]) == 48
    assert "the baseline's in the backtest" in app.text
    assert "the baseline is what skill is measured against" in app.text
    assert "Skill in the backtest" not in app.text


@pytest.mark.parametrize(
    ("architecture", "outcomes", "figure"),
    [
        ("baseline", 20, "+2.4 % error 2.4 % below the baseline's, 20 outcomes of baseline 1 h ahead"),
        ("baseline", 19, "– 19 outcomes of baseline 1 h ahead so far, a figure needs 20"),
        ("lstm", 500, "– 0 outcomes of baseline 1 h ahead so far, a figure needs 20"),
    ],
)
def test_live_skill_needs_20_outcomes_of_the_champions_architecture(
    opened, monkeypatch, architecture: str, outcomes: int, figure: str
) -> None:
    scores = HorizonScores(horizon=1, n_outcomes=outcomes, skill=0.024)
    window = WindowScores(days=7, architecture=architecture, n_forecasts=500, overall=scores, horizons=(scores,))
    live = LiveScores.model_construct(windows=(window,))
    monkeypatch.setattr(catalog_reader, "live_scores", lambda _pair: live)
    assert f"Live skill, 7 days {figure}" in opened().text


def test_the_page_models_has_scores_reasons_and_for_admins_the_tag_of_the_run(open_app, admin) -> None:
    app = open_app("models", admin)
    for words in (
        "published 1 Jan 2025, 00:05 UTC",
        "of the outcomes in the backtest",
        "Folds won",
        f"has the tag version = {VERSION}",
        "har: Mean CRPS 3 % below the baseline's.",
        "har: published mean CRPS 3 % below the baseline's",
    ):
        assert words in app.text
    assert app.text.index("har: published") < app.text.index("lstm: not published refused: no luck")
    assert {trace["type"] for each in app.figures for trace in each["data"]} == {"scatter", "bar"}
    assert len(app.figures) + len(app.test.get("plotly_chart")) == 8
    horizons, probabilities, challengers = (table.value for table in app.test.dataframe)
    assert list(horizons["horizon"]) == ["1 h", "4 h", "24 h", "mean of 1 to 24 h"]
    assert {horizons[name].dtype for name in ("skill", "high", "low")} == {np.dtype("float64")}
    assert list(probabilities["Event"]) == ["Closes beyond a price"] * 3 + ["Touches of a price"] * 3
    assert list(challengers["folds"]) == ["8 of 8"]


@pytest.mark.parametrize(
    ("share", "p", "verdict"), [(0.054, 0.5, "as promised"), (0.07, 0.01, "too often"), (0.03, 0.01, "too seldom")]
)
def test_losses_are_compared_with_what_was_promised(opened, monkeypatch, plain, share, p, verdict) -> None:
    stored = catalog_reader.card("btc_usdt", VERSION)
    risk = AtRisk.model_construct(level=0.95, horizon=1, outcomes=4032, share=share, kupiec_p=p)
    events = stored.events.model_copy(update={"risks": (risk,)})
    monkeypatch.setattr(catalog_reader, "card", lambda *_: stored.model_copy(update={"events": events}))
    text = plain(opened("models").text)
    assert f"95 % 1 h 4,032 5.0 % {100 * share:.1f} % {verdict}" in text


def test_only_a_promotion_was_published_and_the_newest_verdict_comes_first(forget_caches, monkeypatch) -> None:
    rows = verdict_rows(EvaluationReport.model_validate(judgement("har")), {"har": "0123"})
    killed, refused = rows.assign(version="killed"), rows.assign(version="refused", publish=False)
    log = pd.concat([rows, killed, refused], ignore_index=True)
    monkeypatch.setattr(catalog_reader.ModelRepository, "find", lambda *_: log)
    found = catalog_reader.verdicts("btc_usdt", VERSION, frozenset({VERSION, "refused"}))
    assert found["version"].tolist() == ["refused", "killed", VERSION]
    assert found["published"].tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("record", "message"),
    [("{", "evaluation_report.json"), ('{"pair": "btc_usdt"}', "another release wrote the newest evaluation")],
)
def test_a_damaged_record_is_reported_in_words(opened, api, record: str, message: str) -> None:
    file = api.project / "data/08_reporting/btc_usdt/evaluation_report.json"
    content = file.read_text()
    try:
        file.write_text(record)
        text = opened("models").text
    finally:
        file.write_text(content)
    assert "A record cannot be read" in text
    assert message in text
    assert "Traceback" not in text


def test_a_run_in_mlflow_is_linked_by_its_version(opened, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(_: str, path: str, __: bytes) -> tuple[int, str, dict[str, str]]:
        known = path.endswith("experiments/get-by-name?experiment_name=make_us_rich")
        return 200 if known else 404, json.dumps({"experiment": {"experiment_id": "7"}}), {}

    query = f"searchFilter=tags.version%20%3D%20%22{VERSION}%22"
    with HttpServer(answer) as mlflow:
        here, nowhere = f"http://{mlflow.address}", f"http://127.0.0.1:{free_port()}"
        for url, expected in ((here, f"{here}/#/experiments/7/runs?{query}"), (nowhere, nowhere)):
            monkeypatch.setenv("MAKE_US_RICH_MLFLOW_URL", url)
            session.settings.cache_clear()
            links = opened("models").test.get("link_button")
            assert {link.proto.url for link in links} == {expected}


def test_alerts_are_listed_and_deleted_and_logging_out_on_all_devices_ends_every_login(opened, member, plain) -> None:
    rule = {"kind": "touch_above", "price": 70_000, "hours": 24, "probability": 0.3}
    new = {"pair": "btc_usdt", "rule": rule, "destination": "ntfys://1.1.1.1/a-secret-topic"}
    member.send("POST", "/alerts", json=new)
    app = opened("account")
    assert "BTC/USDT: a touch of 70,000.00 within 24 h is more than 30 % likely" in plain(app.text)
    assert "To ntfys://***. No message yet." in app.text
    assert "The alert is deleted." in app.press("Delete").text
    assert member.call("GET", "/alerts", list[Alert]) == []
    app.press("Log out on all devices")
    with pytest.raises(UnauthorizedError):
        member.me()


@pytest.mark.parametrize("language", account.CODE)
def test_the_code_examples_print_a_forecast(api, member, language: str) -> None:
    command = [*COMMANDS[language], account.code_example(language, api.url, "btc_usdt")]
    token = member.call("POST", "/tokens/rotate", ApiToken).api_token
    environment = {**os.environ, "MAKE_US_RICH_TOKEN": token, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert "2025-03-01T11:00:00Z" in done.stdout
    assert member.me().used == 1


def test_registration_is_not_offered_for_what_the_api_would_refuse(open_app) -> None:
    app = open_app().log_in("ada-of-1843", "my-ada-of-1843-word")
    assert "it cannot be registered" in app.text
    assert "Register and log in" not in [button.label for button in app.test.button]


def test_an_outage_is_reported_without_the_address_and_only_a_page_that_retries_says_so(
    open_app, member, name, monkeypatch
) -> None:
    nowhere = ApiClient.connect(f"http://127.0.0.1:{free_port()}")
    form, page = open_app(), open_app(client=member)
    monkeypatch.setattr(session, "_connections", lambda _url: nowhere)
    form.test.run()
    page.test.run()
    assert "The API is not there It does not answer. Try again in a moment." in form.log_in(name).text
    assert "It does not answer. Your login is kept. This page tries again every 15 seconds." in page.text
    assert "127.0.0.1" not in form.text + page.text


def test_a_login_forgets_the_password_follows_its_roles_and_may_end_elsewhere(
    open_app, api, anybody, member, name
) -> None:
    app = open_app().log_in(name)
    state = app.test.session_state
    assert "1 of 1,000 calls" in app.text
    assert PASSWORD not in str([state[key] for key in state._state.filtered_state])
    make_admin(api, name)
    app.test.run()
    assert "Admin" in app.text
    anybody.as_user(state["session"].login_token).send("DELETE", "/logins")
    app.test.run()
    assert "Your login has ended." in app.text
    assert name not in app.text
