"""A round: the store, the API and the disk are looked at, and what has changed is told."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from make_us_rich import cli
from make_us_rich.alerts import Kind, check_all, read_told, watch
from make_us_rich.alerts.sending import VARIABLE
from make_us_rich.domain.attempt import Attempt, attempts_record
from make_us_rich.domain.champion import Demoted
from make_us_rich.domain.live import Drift, LiveScores, Standing
from make_us_rich.locks import pair_lock
from synthetic import STARTED, VERSION, lay_out, pointer_of, store

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NOW = datetime(2025, 1, 1, 10, 10, tzinfo=UTC)
SCORES = LiveScores(
    pair="btc_usdt",
    at=NOW - 5 * MINUTE,
    noted_at=NOW - 5 * MINUTE,
    newest_candle=NOW.replace(minute=0) - HOUR,
    version=VERSION,
    architecture="har",
    issued_at=NOW.replace(minute=0),
    issued=10,
    scored=0,
    holes=0,
    unexplained=0,
    newest_holes=(),
    windows=(),
    drift=Drift(rows=0, stretches=0, reason="too few rows"),
    standing=Standing(version=VERSION, demote=False, reason="not judged yet"),
)


class Site:
    """A project that is well unless it is made ill."""

    def __init__(self, folder: Path) -> None:
        self.folder = lay_out(folder)
        parameters = {"pairs": ["btc_usdt"], "alerts": {"disk_free": 0.0, "model_hours": 100_000}}
        self.configure(parameters)
        store(folder, VERSION)
        self.scores()
        self.attempts(Attempt(began=NOW - 6 * MINUTE, ended=NOW - 5 * MINUTE))

    def configure(self, parameters: dict[str, Any]) -> None:
        (self.folder / "conf/local/parameters.yml").write_text(yaml.safe_dump(parameters))

    def scores(self, **changes: Any) -> None:
        made = SCORES.model_copy(update=changes)
        self._write("08_reporting/btc_usdt/live_scores.json", made.model_dump(mode="json"))

    def attempts(self, *attempts: Attempt) -> None:
        self._write("07_model_output/btc_usdt/attempts.json", attempts_record(attempts))

    def runs(self, *runs: dict[str, Any]) -> None:
        self._write("08_reporting/btc_usdt/runs.json", {"runs": runs})

    def _write(self, path: str, record: dict[str, Any]) -> None:
        file = self.folder / "data" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(record))

    def wrong(self, now: datetime = NOW) -> dict[str, str]:
        return {str(alert.kind): alert.text for alert in check_all("local", lambda: now)}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    monkeypatch.delenv("MAKE_US_RICH_API_URL", raising=False)
    monkeypatch.delenv(VARIABLE, raising=False)
    return Site(tmp_path)


def test_nothing_is_wrong_with_a_project_that_is_well(site: Site) -> None:
    assert site.wrong() == {}


def test_a_project_in_which_nothing_has_run_yet_is_no_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lay_out(tmp_path))
    (tmp_path / "conf/local/parameters.yml").write_text("alerts: {disk_free: 0.0}")

    assert check_all("local", lambda: NOW) == []


def test_a_run_that_failed_is_told_with_its_error(site: Site) -> None:
    site.attempts(Attempt(began=NOW - 6 * MINUTE, ended=NOW, error="Binance cannot be reached"))

    assert site.wrong() == {"run_failed": "btc_usdt: the hourly run of 10:04 UTC failed: Binance cannot be reached"}


def test_a_run_that_did_better_afterwards_is_no_alarm(site: Site) -> None:
    site.attempts(
        Attempt(began=NOW - 6 * MINUTE, ended=NOW - 5 * MINUTE, error="Binance cannot be reached"),
        Attempt(began=NOW - 4 * MINUTE, ended=NOW - 3 * MINUTE),
    )

    assert site.wrong() == {}


@pytest.mark.parametrize("ok", [True, False])
def test_a_training_that_failed_is_told(site: Site, *, ok: bool) -> None:
    run = {"pipeline": "btc_usdt", "hour": "2025-01-01T10:00:00Z", "ok": ok, "reason": "BTC_USDT: too few candles"}
    site.runs({**run, "ok": False}, run, {**run, "pipeline": "monitor_btc_usdt", "ok": True})

    told = "btc_usdt: the training of 2025-01-01T10:00:00Z failed: BTC_USDT: too few candles"
    assert site.wrong() == ({} if ok else {"run_failed": told})


def test_without_a_run_for_long_it_is_late(site: Site) -> None:
    assert "run_late" not in site.wrong(NOW + 80 * MINUTE)
    assert "no hourly run has ended well since 2025-01-01 10:04 UTC" in site.wrong(NOW + 90 * MINUTE)["run_late"]


def test_runs_that_are_killed_are_late_too(site: Site) -> None:
    site.attempts(*(Attempt(began=NOW + at * HOUR) for at in range(3)))

    assert list(site.wrong(NOW + 2 * HOUR)) == ["run_late"]


def test_candles_that_do_not_come_any_more_are_stale(site: Site) -> None:
    site.scores(newest_candle=NOW.replace(minute=0) - 5 * HOUR)

    assert "the newest candle closed at 2025-01-01 06:00 UTC" in site.wrong()["candles_stale"]


def test_a_replay_that_lives_in_the_past_is_not_stale(site: Site) -> None:
    past = timedelta(days=300)
    site.scores(at=SCORES.at - past, newest_candle=SCORES.newest_candle - past)

    assert site.wrong() == {}


def test_an_old_model_is_told(site: Site) -> None:
    site.configure({"pairs": ["btc_usdt"], "alerts": {"disk_free": 0.0, "model_hours": 1}})

    assert "kedro champions says why" in site.wrong()["model_old"]


def test_a_demotion_is_told_while_the_baseline_is_served(site: Site) -> None:
    pointer = pointer_of(site.folder)
    demoted = Demoted(version=VERSION, architecture="har", recipe="abc")
    pointer.save(pointer.load().promote(VERSION, STARTED, "demoted: har was worse", demoted))

    assert site.wrong() == {
        "demotion": "btc_usdt: demoted: har was worse. The next challenger that passes the gate takes over"
    }


def test_a_full_disk_is_told(site: Site) -> None:
    site.configure({"pairs": ["btc_usdt"], "alerts": {"disk_free": 0.999999, "model_hours": 100_000}})

    assert "of the disk are free" in site.wrong()["disk_nearly_full"]


def test_an_api_that_is_ready_is_no_alarm(site: Site, webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKE_US_RICH_API_URL", f"http://127.0.0.1:{webhook.port}")

    assert site.wrong() == {}


def test_an_api_that_is_not_ready_says_why(site: Site, webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKE_US_RICH_API_URL", f"http://127.0.0.1:{webhook.port}/")
    webhook.ready = {"ready": False, "reasons": ["no model has been loaded yet"], "degraded": [], "database": True}

    assert site.wrong() == {"api_not_ready": "the API is not ready: no model has been loaded yet"}


def test_a_database_that_is_down_has_an_alert_of_its_own(site: Site, webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKE_US_RICH_API_URL", f"http://127.0.0.1:{webhook.port}")
    reasons = ["the accounts database does not answer"]
    webhook.ready = {"ready": False, "reasons": reasons, "degraded": [], "database": False}

    assert list(site.wrong()) == ["quota_store_down"]


@pytest.mark.parametrize("said", ["gone", [1]])
def test_an_api_that_is_gone_is_told(site: Site, webhook, monkeypatch: pytest.MonkeyPatch, said: object) -> None:
    monkeypatch.setenv("MAKE_US_RICH_API_URL", f"http://127.0.0.1:{webhook.port}")
    webhook.ready = said
    if said == "gone":
        webhook.stop()

    assert list(site.wrong()) == ["api_not_ready"]


def test_a_store_that_cannot_be_used_is_told_and_the_round_goes_on(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    (site.folder / "conf/local/globals.yml").write_text(f"root: {site.folder / 'pyproject.toml'}")
    told = watch("local", lambda: NOW)

    assert told is not None
    assert [alert.kind for alert in told.found] == [Kind.STORE]


def test_a_round_tells_and_remembers(site: Site, webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, webhook.address)
    site.attempts(Attempt(began=NOW - 6 * MINUTE, ended=NOW, error="Binance cannot be reached"))
    for at in range(3):
        watch("local", lambda at=at: NOW + at * MINUTE)

    assert [message["title"] for message in webhook.messages] == ["Make Us Rich: 1 alert"]
    assert read_told("local")["told"][0]["text"].endswith("failed: Binance cannot be reached")


def test_a_second_process_leaves_the_round_to_the_first(site: Site) -> None:
    with pair_lock(str(site.folder / "data"), "alerts"):
        assert watch("local", lambda: NOW) is None


def test_a_second_process_waits_for_the_first_if_it_is_asked_to(site: Site) -> None:
    with ThreadPoolExecutor() as pool:
        with pair_lock(str(site.folder / "data"), "alerts"):
            second = pool.submit(watch, "local", lambda: NOW, patience=60)
            time.sleep(0.5)
            assert not second.done()

        assert second.result(timeout=60) is not None


def test_the_commands_watch_and_show(site: Site) -> None:
    site.attempts(Attempt(began=NOW - 6 * MINUTE, ended=NOW, error="Binance cannot be reached"))
    watched = CliRunner().invoke(cli.cli, ["watch"])
    shown = CliRunner().invoke(cli.cli, ["alerts", "show"])

    assert "run_failed: btc_usdt: the hourly run of 10:04 UTC failed" in watched.output
    # Without an address there is nobody to tell, which is no failure.
    assert (watched.exit_code, shown.exit_code) == (0, 0)


def test_the_command_that_sends_a_test(site: Site, webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = CliRunner().invoke(cli.cli, ["alerts", "test"])
    assert "MAKE_US_RICH_ALERT_URLS is not set" in refused.output

    monkeypatch.setenv(VARIABLE, webhook.address)
    assert CliRunner().invoke(cli.cli, ["alerts", "test"]).output == "the test has arrived\n"
    assert webhook.messages[0]["title"] == "Make Us Rich: a test"

    webhook.status = 500
    assert "did not arrive" in CliRunner().invoke(cli.cli, ["alerts", "test"]).output
