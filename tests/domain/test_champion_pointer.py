from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.errors import ArtifactError

SUNDAY, MONDAY, TUESDAY, WEDNESDAY = (datetime(2025, 1, day, tzinfo=UTC) for day in (5, 6, 7, 8))
POINTER = ChampionPointer(pair="btc_usdt").promote("v1", MONDAY, "first").promote("v2", WEDNESDAY, "better")


def test_the_last_promotion_is_served() -> None:
    assert POINTER.version == "v2"


def test_nothing_is_served_before_a_first_promotion() -> None:
    assert ChampionPointer(pair="btc_usdt").version is None


@pytest.mark.parametrize(
    ("moment", "version"),
    [(MONDAY, "v1"), (TUESDAY, "v1"), (WEDNESDAY, "v2"), (SUNDAY, None)],
)
def test_the_version_of_a_moment_is_the_one_promoted_last_before_it(moment: datetime, version: str | None) -> None:
    assert POINTER.as_of(moment) == version


def test_promoting_leaves_the_old_pointer_as_it_was() -> None:
    POINTER.promote("v3", WEDNESDAY, "best")

    assert POINTER.version == "v2"


def test_a_record_survives_a_round_trip() -> None:
    assert ChampionPointer.read(POINTER.model_dump(mode="json"), "btc_usdt") == POINTER


@pytest.mark.parametrize("record", [None, [], {}, {"pair": "btc_usdt", "promotions": [{"version": 3}]}])
def test_a_damaged_record_is_refused_with_a_remedy(record: object) -> None:
    with pytest.raises(ArtifactError, match=r"btc_usdt: the champion pointer is damaged .*; delete its champion"):
        ChampionPointer.read(record, "btc_usdt")


def test_another_pairs_record_is_refused() -> None:
    with pytest.raises(ArtifactError, match="eth_usdt: the champion pointer names the pair btc_usdt"):
        ChampionPointer.read(POINTER.model_dump(mode="json"), "eth_usdt")


def test_a_pointer_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        POINTER.promotions = ()  # type: ignore[misc]
