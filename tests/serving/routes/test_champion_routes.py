"""An admin looks at the versions of a pair and rolls it back, under the pair's lock."""

from collections.abc import Callable

import pytest

from make_us_rich.locks import pair_lock
from places import Place
from serving.accounts.tables import ADMIN
from synthetic import VERSION

pytestmark = pytest.mark.parametrize("place", ["files", "servers"], indirect=True)

NEXT = "2025-01-01T01.05.00.000Z"
PATH = "/api/v1/admin/pairs/btc_usdt/champion"


@pytest.fixture
def ask(api, place: Place, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Requests of an admin; the second version of the pair is served."""
    monkeypatch.chdir(place.project)
    place.publish(NEXT)
    api.stores.models.reload()
    admin = {"Authorization": f"Bearer {api.register('root', ADMIN).login_token}"}
    return lambda method, path=PATH: api.client.request(method, path, headers=admin)


def test_the_versions_of_a_pair_are_listed(ask) -> None:
    told = ask("GET").json()

    assert (told["pair"], told["version"]) == ("btc_usdt", NEXT)
    assert [each["version"] for each in told["earlier"]] == [VERSION]


def test_a_pair_is_rolled_back_and_served_at_once(ask, api) -> None:
    answer = ask("PUT")

    assert answer.status_code == 200
    assert answer.json() == {
        "pair": "btc_usdt",
        "version": VERSION,
        "message": f"btc_usdt: now serving {VERSION}, rolled back from {NEXT}",
    }
    assert api.stores.models.pointer("btc_usdt").version == VERSION
    assert api.stores.forecasts.get("btc_usdt").forecast.version == VERSION


def test_a_version_can_be_named(ask) -> None:
    ask("PUT")
    assert ask("PUT", f"{PATH}?version={NEXT}").json()["version"] == NEXT
    assert [each["version"] for each in ask("GET").json()["earlier"]] == [VERSION]


def test_a_pair_that_a_run_holds_is_409(ask, api, place: Place) -> None:
    with pair_lock(place.root, "btc_usdt", place.credentials):
        answer = ask("PUT")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "locked")
    assert "wait for it to end" in answer.json()["error"]["remedy"]
    assert api.stores.models.pointer("btc_usdt").version == NEXT


def test_a_version_that_is_not_there_is_409_and_changes_nothing(ask, api) -> None:
    answer = ask("PUT", f"{PATH}?version=2024-01-01T00.00.00.000Z")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "cannot_roll_back")
    assert answer.json()["error"]["remedy"] == f"choose one of GET {PATH}"
    assert api.stores.models.pointer("btc_usdt").version == NEXT


@pytest.mark.parametrize(
    ("path", "status"),
    [(f"{PATH}?version=../../../x", 422), ("/api/v1/admin/pairs/doge_usdt/champion", 404)],
)
def test_what_is_no_version_and_no_pair_is_refused(ask, path: str, status: int) -> None:
    assert ask("PUT", path).status_code == status


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_only_the_login_of_an_admin_may(api, method: str) -> None:
    member, admin = api.register("ada"), api.register("root", ADMIN)

    assert api.client.request(method, PATH).status_code == 401
    for token in (member.login_token, admin.api_token):
        assert api.client.request(method, PATH, headers={"Authorization": f"Bearer {token}"}).status_code == 403
