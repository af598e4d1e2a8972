"""An admin looks at how the last hourly runs ended."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from make_us_rich.catalog import open_catalog
from make_us_rich.hourly.runs import Run, write_runs
from places import Place
from serving.accounts.tables import ADMIN

pytestmark = pytest.mark.parametrize("place", ["files", "servers"], indirect=True)

PATH = "/api/v1/admin/runs"
NINE = datetime(2025, 3, 1, 9, tzinfo=UTC)


@pytest.fixture
def ask(api) -> Callable[..., object]:
    """Requests of an admin."""
    admin = {"Authorization": f"Bearer {api.register('root', ADMIN).login_token}"}
    return lambda path=PATH: api.client.get(path, headers=admin)


def run(hour: int, *, ok: bool = True) -> Run:
    """A run of nine minutes."""
    begun = NINE + timedelta(hours=hour)
    return Run(
        pair="btc_usdt",
        pipeline="monitor_btc_usdt",
        hour=begun,
        started=begun,
        ended=begun + timedelta(minutes=9),
        ok=ok,
        exit_code=0 if ok else 1,
        reason="the forecast is recorded" if ok else "the exchange does not answer",
    )


def write(place: Place, *runs: Run) -> None:
    """As the job does."""
    catalog = open_catalog("local", place.project)
    catalog.save("btc_usdt.runs", write_runs(list(runs), 100))


def test_before_the_first_run_there_are_none(ask) -> None:
    assert ask().json() == {"runs": [], "problems": []}


def test_the_newest_run_comes_first_with_how_it_ended(ask, place: Place) -> None:
    write(place, run(0), run(1, ok=False))
    first, second = ask().json()["runs"]

    assert first == {
        "pair": "btc_usdt",
        "pipeline": "monitor_btc_usdt",
        "hour": "2025-03-01T10:00:00Z",
        "started": "2025-03-01T10:00:00Z",
        "ended": "2025-03-01T10:09:00Z",
        "ok": False,
        "exit_code": 1,
        "reason": "the exchange does not answer",
        "missed": 0,
    }
    assert (second["ok"], second["ended"]) == (True, "2025-03-01T09:09:00Z")


def test_no_more_are_told_than_are_asked_for(ask, place: Place) -> None:
    write(place, *(run(hour) for hour in range(30)))

    assert [len(ask(path).json()["runs"]) for path in (PATH, f"{PATH}?most=2")] == [25, 2]
    assert ask(f"{PATH}?most=0").status_code == 422


def test_a_damaged_record_is_told_in_words(ask, place: Place) -> None:
    open_catalog("local", place.project).save("btc_usdt.runs", {"runs": [{"pair": "btc_usdt"}]})
    told = ask().json()

    assert told["runs"] == []
    assert told["problems"] == ["btc_usdt: the record of runs is damaged; delete runs.json of the pair"]


def test_only_the_login_of_an_admin_may(api) -> None:
    member, admin = api.register("ada"), api.register("root", ADMIN)

    assert api.client.get(PATH).status_code == 401
    for token in (member.login_token, admin.api_token):
        assert api.client.get(PATH, headers={"Authorization": f"Bearer {token}"}).status_code == 403
