"""The checks of the store, the API and the disk, and the commands that run them."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from live_files import write_live
from make_us_rich import cli
from make_us_rich.alerts import AlertKind, read_alerts, run_checks
from make_us_rich.alerts.checks import find_alerts
from make_us_rich.alerts.sending import ADDRESSES
from make_us_rich.domain.champion import Demoted
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.run_log import PipelineRun, write_runs
from make_us_rich.locks import pair_lock
from synthetic import STARTED, VERSION, lay_out, pointer_of, store

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NOW = datetime(2025, 1, 1, 10, 10, tzinfo=UTC)


def monitored(minutes: float = -6, reason: str | None = None, pipeline: str = "monitor_btc_usdt") -> PipelineRun:
    """A run of some minutes before now that took a minute; it failed where there is a reason."""
    started = NOW + minutes * MINUTE
    code = 1 if reason else 0
    result = {"ended": started + MINUTE, "exit_code": code, "reason": reason or "done"}
    return PipelineRun(pair="btc_usdt", pipeline=pipeline, started=started, **result)


class Site:
    """A project without problems, unless a test makes one."""

    def __init__(self, folder: Path) -> None:
        self.folder = lay_out(folder)
        self.configure()
        store(folder, VERSION)
        self.scores()
        self.runs(monitored())

    def configure(self, pairs: Sequence[str] = ("btc_usdt",), **alerts: Any) -> None:
        parameters = {"pairs": list(pairs), "alerts": {"min_disk_free": 0.0, "max_model_age_hours": 100_000, **alerts}}
        (self.folder / "conf/local/parameters.yml").write_text(yaml.safe_dump(parameters))

    def scores(self, **changes: Any) -> None:
        write_live(self.folder, NOW - 5 * MINUTE, **changes)

    def runs(self, *runs: PipelineRun, pair: str = "btc_usdt") -> None:
        file = self.folder / f"data/08_reporting/{pair}/runs.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(write_runs(runs)))

    def problems(self, minutes: float = 0) -> dict[str, str]:
        """By kind, some minutes after now."""
        return {str(alert.kind): alert.text for alert in find_alerts("local", NOW + minutes * MINUTE).alerts}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.chdir(tmp_path)
    for name in ("KEDRO_ENV", "MAKE_US_RICH_API_URL", ADDRESSES):
        monkeypatch.delenv(name, raising=False)
    return Site(tmp_path)


def test_a_project_in_which_nothing_has_run_yet_has_no_alerts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lay_out(tmp_path))
    (tmp_path / "conf/local/parameters.yml").write_text("alerts: {min_disk_free: 0.0}")

    assert find_alerts("local", NOW).alerts == []


DOWN, TRAINING_FAILED = monitored(reason="Binance is down"), monitored(-4, "too few candles", "btc_usdt")
KILLED = monitored().model_copy(update={"ended": None, "exit_code": None})
YEAR = 365 * 24 * 60


@pytest.mark.parametrize(
    ("runs", "minutes", "expected"),
    [
        ([DOWN], 0, "run_failed: the hourly run of 10:04 UTC failed: Binance is down"),
        ([DOWN, monitored(-4)], 0, None),
        (
            [monitored(), TRAINING_FAILED, monitored(-2)],
            0,
            "run_failed: the training of 2025-01-01 10:06 UTC failed: too few candles",
        ),
        ([monitored(), TRAINING_FAILED, monitored(-2, None, "btc_usdt")], 0, None),
        ([monitored()], 80, None),
        (
            [monitored(), KILLED, monitored(YEAR), monitored(YEAR, "failed", "btc_usdt")],
            90,
            "run_late: no hourly run has succeeded since 2025-01-01 10:04 UTC; check the schedule and its log",
        ),
    ],
    ids=["failed", "succeeded afterwards", "training failed", "training succeeded afterwards", "not late", "late"],
)
def test_runs_that_failed_last_or_are_late_are_alerts(
    site: Site, runs: list[PipelineRun], minutes: float, expected: str | None
) -> None:
    site.runs(*runs)
    found = [f"{kind}: {text.removeprefix('btc_usdt: ')}" for kind, text in site.problems(minutes).items()]

    assert found == ([expected] if expected else [])


def test_candles_that_stop_are_stale_by_the_clock_of_the_exchange(site: Site) -> None:
    past = timedelta(days=300)
    site.scores(at=NOW - past, newest_candle=NOW.replace(minute=0) - HOUR - past)
    assert site.problems() == {}

    site.scores(newest_candle=NOW.replace(minute=0) - 5 * HOUR)
    assert "the newest candle closed at 2025-01-01 06:00 UTC" in site.problems()["candles_stale"]


@pytest.mark.parametrize(
    ("rule", "value", "kind", "text"),
    [
        ("max_model_age_hours", 1, "model_old", "kedro champions shows the newest verdicts"),
        ("min_disk_free", 0.999999, "disk_nearly_full", "of the disk is free"),
    ],
)
def test_a_limit_that_is_exceeded_is_an_alert(site: Site, rule: str, value: float, kind: str, text: str) -> None:
    site.configure(**{rule: value})

    assert text in site.problems()[kind]


def test_a_demotion_is_an_alert_while_the_baseline_is_served(site: Site) -> None:
    pointer = pointer_of(site.folder)
    demoted = Demoted(version=VERSION, architecture="har", recipe="abc")
    pointer.save(pointer.load().promote(VERSION, STARTED, "demoted: har was worse", demoted))

    assert site.problems() == {
        "demotion": "btc_usdt: demoted: har was worse; the next challenger that passes the gate replaces it"
    }


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        ({"ready": False, "reasons": ["no model"]}, "api_not_ready", "the API is not ready: no model"),
        (
            {"ready": False, "reasons": ["the database does not answer"], "database": False},
            "quota_store_down",
            "accounts and quotas: the database does not answer; restart the database",
        ),
        ([1], "api_not_ready", "the API at {} answers 503 without its readiness; check its log, or restart it"),
        (
            "<html>Bad Gateway</html>",
            "api_not_ready",
            "the API at {} answers 502 without its readiness; check its log, or restart it",
        ),
        (None, "api_not_ready", "the API at {} does not answer (ConnectionError); check its log, or restart it"),
    ],
    ids=["not ready", "database down", "nonsense", "a gateway's page", "gone"],
)
def test_an_api_that_is_not_ready_is_an_alert(
    site: Site, webhook, monkeypatch: pytest.MonkeyPatch, answer: object, kind: str, text: str
) -> None:
    address = f"http://{webhook.address}/"
    monkeypatch.setenv("MAKE_US_RICH_API_URL", address)
    webhook.ready = {"ready": True, "reasons": [], "database": True}
    assert site.problems() == {}

    webhook.ready = answer
    if answer is None:
        webhook.stop()
    assert site.problems() == {kind: text.format(address)}


def test_a_store_that_cannot_be_used_is_an_alert_and_the_checks_go_on(site: Site) -> None:
    (site.folder / "conf/local/globals.yml").write_text(f"root: {site.folder / 'pyproject.toml'}")
    result = run_checks("local", lambda: NOW)

    assert result is not None
    assert [alert.kind for alert in result.alerts] == [AlertKind.STORE_DOWN]


@pytest.mark.parametrize(
    ("file", "content", "subject", "text"),
    [
        ("08_reporting/btc_usdt/runs.json", '{"runs": [{}]}', "runs", "the run log is damaged"),
        ("08_reporting/btc_usdt/runs.json", "[1]", "runs", "the run log is damaged"),
        ("08_reporting/btc_usdt/runs.json", '{"ru', "runs", "btc_usdt/runs.json: the file is"),
        ("08_reporting/btc_usdt/live_scores.json", "{", "champion", "btc_usdt/live_scores.json: the file is"),
        (f"06_models/btc_usdt/manifest.json/{VERSION}/manifest.json", "{", "champion", "manifest.json: the file is"),
        ("06_models/btc_usdt/champion.json", "{", "champion", "btc_usdt/champion.json: the file is"),
    ],
)
def test_a_damaged_file_is_an_alert_of_its_pair_and_the_checks_go_on(
    site: Site, file: str, content: str, subject: str, text: str
) -> None:
    site.configure(pairs=["btc_usdt", "eth_usdt"], min_disk_free=0.999999)
    other = monitored(reason="Binance is down", pipeline="monitor_eth_usdt").model_copy(update={"pair": "eth_usdt"})
    site.runs(other, pair="eth_usdt")
    if subject == "champion":
        site.runs(DOWN)
    else:
        site.scores(newest_candle=NOW - 5 * HOUR)
    (site.folder / "data" / file).write_text(content)
    alerts = {alert.key: alert.text for alert in find_alerts("local", NOW).alerts}

    go_on = {"runs": "candles_stale btc_usdt", "champion": "run_failed btc_usdt"}[subject]
    assert text in alerts.pop(f"store_down btc_usdt {subject}")
    assert alerts.keys() == {go_on, "run_failed eth_usdt", f"disk_nearly_full {site.folder}"}


def test_an_alert_is_sent_once_and_its_state_is_in_the_store(
    site: Site, webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ADDRESSES, webhook.url)
    site.runs(monitored(reason="Binance is down"))
    for at in range(3):
        run_checks("local", lambda at=at: NOW + at * MINUTE)

    assert [message["title"] for message in webhook.messages] == ["Make Us Rich: 1 alert"]
    state = read_alerts("local")
    assert [each.text[-23:] for each in state.notifications] == ["failed: Binance is down"]
    assert [each.since for each in state.open.values()] == [NOW]

    file = site.folder / "data/08_reporting/alerts.json"
    file.write_text('{"open": [], "told": []}')
    with pytest.raises(ArtifactError, match=f"{file}: the state of the alerts is damaged"):
        read_alerts("local")


@pytest.mark.parametrize("content", ["{", '{"open": []}'])
def test_a_damaged_state_of_this_machine_begins_anew_and_alerts_go_on(
    site: Site, webhook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    monkeypatch.setenv(ADDRESSES, webhook.url)
    (site.folder / "data/alert_state_local.json").write_text(content)
    site.runs(monitored(reason="Binance is down"))
    for at in range(2):
        run_checks("local", lambda at=at: NOW + at * MINUTE)

    assert [message["title"] for message in webhook.messages] == ["Make Us Rich: 1 alert"]
    (warning,) = [record.message for record in caplog.records if "begins anew" in record.message]
    assert "alert_state_local.json" in warning


def test_a_second_process_waits_for_the_first_as_long_as_it_is_asked_to(site: Site) -> None:
    with ThreadPoolExecutor() as pool:
        with pair_lock(str(site.folder / "data"), "alerts"):
            assert run_checks("local", lambda: NOW) is None
            second = pool.submit(run_checks, "local", lambda: NOW, timeout=60)
            with pytest.raises(TimeoutError):
                second.result(timeout=0.5)

        assert second.result(timeout=60) is not None


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(cli.cli, arguments)
    return str(result.exception) if result.exception else result.output


def test_the_commands_report_problems_and_that_there_are_none(site: Site) -> None:
    assert invoke("alerts", "show") == "no open problems; no alert has been sent yet\n"
    site.runs()
    site.scores(recorded_at=datetime.now(UTC))
    assert invoke("check") == (
        "no problems found in 1 pair, store and disk (API not checked: MAKE_US_RICH_API_URL is not set)\n"
    )

    site.runs(monitored(reason="Binance is down"))
    text = "btc_usdt: the hourly run of 10:04 UTC failed: Binance is down"
    assert invoke("check").splitlines() == [f"run_failed: {text}", "1 problem found: run_failed btc_usdt"]
    raised, count = invoke("alerts", "show").splitlines()
    assert raised.endswith(f"UTC raised: {text}")
    assert count == "1 open problem"


def test_the_command_that_sends_a_test(site: Site, webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "MAKE_US_RICH_ALERT_URLS is not set" in invoke("alerts", "test")

    monkeypatch.setenv(ADDRESSES, webhook.url)
    assert invoke("alerts", "test") == "the test message was delivered\n"
    assert webhook.messages[0]["title"] == "Make Us Rich: a test"

    webhook.status = 500
    assert "was not delivered" in invoke("alerts", "test")
