"""What was recorded is served; what is damaged or missing leaves what was read before, or the re-lived past."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from live_files import FAN, HOUR, write_live
from make_us_rich.catalog import open_catalog
from places import Place
from serving.store.live import EVERY_SECONDS, Live
from serving.store.stores import Stores

NOW = datetime(2025, 3, 1, 10, 30, tzinfo=UTC)
TEN = NOW.replace(minute=0)


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def live(project: Path, seconds: Seconds) -> Live:
    write_live(project, NOW)
    made = Live(open_catalog("base", project), ["btc_usdt", "eth_usdt"], seconds)
    made.refresh()
    return made


@pytest.fixture
def stores(stores_of: Callable[..., Stores], place: Place) -> Stores:
    write_live(place.project, NOW)
    place.send()
    made = stores_of()
    made.refresh_models()
    made.refresh_candles()
    return made


def test_a_pair_that_nobody_monitors_has_no_scores(live: Live) -> None:
    assert set(live.scores) == {"btc_usdt"}
    assert live.recorded("eth_usdt") is None


def test_the_store_is_asked_once_a_minute(live: Live, seconds: Seconds, project: Path) -> None:
    write_live(project, NOW, hours=31)
    live.refresh()
    assert live.scores["btc_usdt"].issued == 30

    seconds.now = EVERY_SECONDS
    live.refresh()
    assert live.scores["btc_usdt"].issued == 31


def test_recent_forecasts_are_read_again_only_when_there_are_newer_ones(
    live: Live, seconds: Seconds, project: Path
) -> None:
    first = live.recorded("btc_usdt")
    assert live.recorded("btc_usdt") is first

    write_live(project, NOW + HOUR)
    seconds.now = EVERY_SECONDS
    live.refresh()
    newer = live.recorded("btc_usdt")
    assert newer is not None
    assert newer.issued_at[-1] == TEN + HOUR


@pytest.mark.parametrize("name", ["live_scores", "live_recent"])
def test_what_is_damaged_leaves_what_was_read_before(
    live: Live, seconds: Seconds, project: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = live.recorded("btc_usdt")
    write_live(project, NOW + HOUR)
    (project / f"data/08_reporting/btc_usdt/{name}.json").write_text('{"pair": 3}')
    for at in (1, 2):
        seconds.now = at * EVERY_SECONDS
        live.refresh()
        assert live.recorded("btc_usdt") is first

    assert caplog.text.count("keeping what was read before") == 1


@pytest.mark.parametrize("place", ["files", "bucket_alone"], indirect=True)
def test_past_forecasts_are_those_that_were_recorded(stores: Stores) -> None:
    past = stores.past.at("btc_usdt", 4)

    assert past is not None
    assert (past.source, past.version, len(past.forecasts)) == ("recorded", "v2", 26)
    newest = past.forecasts[-1]
    assert (newest.issued_at, newest.closes_at, newest.outcome) == (TEN - 4 * HOUR, TEN, 101.0)
    assert newest.quantiles == list(FAN[3])


def test_their_coverage_is_counted_at_the_horizon(stores: Stores) -> None:
    # 101 lies within the quarters from one hour on, whose fan is 99 to 101 around 100.
    past = stores.past.at("btc_usdt", 1)

    assert past is not None
    assert past.coverage == {"50": 1.0, "80": 1.0, "90": 1.0}


def test_without_an_outcome_at_the_horizon_the_past_is_relived(stores_of: Callable[..., Stores], project: Path) -> None:
    write_live(project, NOW, hours=3)
    stores = stores_of()
    stores.refresh_models()
    stores.refresh_candles()

    sources = [stores.past.at("btc_usdt", horizon).source for horizon in (1, 4)]  # type: ignore[union-attr]
    assert sources == ["recorded", "relived"]


def test_what_is_older_than_a_week_is_not_told(stores_of: Callable[..., Stores], project: Path) -> None:
    write_live(project, NOW, hours=190)
    stores = stores_of()
    stores.refresh_models()
    stores.refresh_candles()
    past = stores.past.at("btc_usdt", 1)

    assert past is not None
    assert past.forecasts[0].issued_at == TEN - 167 * HOUR


def test_champions_of_another_date_are_relived(stores: Stores) -> None:
    stores.models.serve_as_of(datetime(2025, 2, 1, tzinfo=UTC))
    past = stores.past.at("btc_usdt", 1)

    assert past is not None
    assert past.source == "relived"
