"""The models store: champions are taken as they are published, and the last good one is kept."""

import json
import logging
import pickle
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from bad_artifacts import KINDS, Bomb, spoil
from make_us_rich.domain.errors import ArtifactError, StorageError
from places import Place
from serving.store.store import ModelsStore
from synthetic import STARTED, VERSION, lay_out

NEXT = "2025-01-01T01.05.00.000Z"
Open = Callable[..., ModelsStore]
ON_BOTH = pytest.mark.parametrize("place", ["files", "bucket_alone"], indirect=True)


def artifact(place: Place, name: str, version: str = NEXT) -> Path:
    return place.project / "data/06_models/btc_usdt" / name / version / name


def refresh(place: Place, models: ModelsStore) -> None:
    """Look for what the project's folder holds by now, wherever the store is."""
    place.send()
    models.refresh()


def serving(place: Place, models_of: Open) -> ModelsStore:
    models = models_of(place)
    refresh(place, models)
    return models


def versions(models: ModelsStore) -> dict[str, str]:
    return {pair: served.version for pair, served in models.shelf.served.items()}


@ON_BOTH
def test_what_is_published_is_served(place: Place, models_of: Open) -> None:
    models = serving(place, models_of)

    assert versions(models) == {"btc_usdt": VERSION}
    assert models.shelf.problems == {}


@ON_BOTH
def test_a_new_champion_is_picked_up(place: Place, models_of: Open) -> None:
    models = serving(place, models_of)
    place.publish(NEXT)
    refresh(place, models)

    assert versions(models) == {"btc_usdt": NEXT}


@ON_BOTH
def test_what_has_not_changed_is_not_read_again(place: Place, models_of: Open) -> None:
    models = serving(place, models_of)
    first = models.get("btc_usdt")
    refresh(place, models)

    again = models.get("btc_usdt")
    assert first is not None
    assert again is not None
    assert again.champion is first.champion


@ON_BOTH
def test_new_widths_of_the_same_version_are_picked_up(place: Place, models_of: Open) -> None:
    models = serving(place, models_of)
    widths = {"version": VERSION, "at": STARTED.isoformat(), "forecasts": 900, "factors": [1.5] * 24}
    record = widths | {"coverage_before": [0.7] * 24, "coverage_after": [0.8] * 24}
    (place.project / "data/06_models/btc_usdt/widths.json").write_text(json.dumps(record))
    refresh(place, models)

    served = models.get("btc_usdt")
    assert served is not None
    assert served.champion.widths is not None
    assert served.champion.widths.factors == (1.5,) * 24


@ON_BOTH
def test_a_pair_without_a_model_says_what_to_run(place: Place, models_of: Open) -> None:
    models = models_of(place, "btc_usdt", "eth_usdt")
    refresh(place, models)

    assert versions(models) == {"btc_usdt": VERSION}
    assert models.shelf.problems == {
        "eth_usdt": "eth_usdt: no model is published; run the pair: kedro run --pipeline=eth_usdt"
    }


@ON_BOTH
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("signed", [False, True], ids=["wrong checksum", "right checksum"])
def test_a_bad_graph_is_refused_and_the_last_good_one_stays(
    place: Place, models_of: Open, kind: str, signed: bool
) -> None:
    models = serving(place, models_of)
    place.publish(NEXT)
    marker = place.project / "executed"
    spoil(place.project, NEXT, kind, marker, signed=signed)
    refresh(place, models)

    assert versions(models) == {"btc_usdt": VERSION}
    assert NEXT in models.shelf.problems["btc_usdt"]
    assert not marker.exists()


@ON_BOTH
def test_the_scaler_pickle_is_never_opened(place: Place, models_of: Open) -> None:
    marker = place.project / "executed"
    scaler = artifact(place, "scaler.pkl", VERSION)
    scaler.parent.mkdir(parents=True)
    scaler.write_bytes(pickle.dumps(Bomb(marker)))
    models = serving(place, models_of)

    assert versions(models) == {"btc_usdt": VERSION}
    assert not marker.exists()


@ON_BOTH
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"lookback": 7}, "the ONNX model has the ends"),
        ({"columns": ["open", "close"]}, "which this release does not compute"),
        ({"contract": 99}, "made for contract 99"),
        ({"pair": "eth_usdt"}, "the manifest is that of eth_usdt"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    place: Place, models_of: Open, change: dict[str, object], reason: str
) -> None:
    models = serving(place, models_of)
    place.publish(NEXT)
    manifest = artifact(place, "manifest.json")
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | change))
    refresh(place, models)

    assert versions(models) == {"btc_usdt": VERSION}
    assert reason in models.shelf.problems["btc_usdt"]


@ON_BOTH
@pytest.mark.parametrize("name", ["manifest.json", "model.onnx"])
def test_a_champion_that_is_half_there_is_refused_until_it_is_whole(place: Place, models_of: Open, name: str) -> None:
    models = serving(place, models_of)
    place.publish(NEXT)
    content = artifact(place, name).read_bytes()
    artifact(place, name).unlink()
    refresh(place, models)
    assert versions(models) == {"btc_usdt": VERSION}

    artifact(place, name).write_bytes(content)
    refresh(place, models)
    assert versions(models) == {"btc_usdt": NEXT}
    assert models.shelf.problems == {}


@ON_BOTH
def test_a_damaged_or_missing_pointer_keeps_the_model(place: Place, models_of: Open) -> None:
    models = serving(place, models_of)
    pointer = place.project / "data/06_models/btc_usdt/champion.json"
    for damage in (lambda: pointer.write_text("{"), pointer.unlink):
        damage()
        refresh(place, models)
        assert versions(models) == {"btc_usdt": VERSION}
        assert models.shelf.problems.keys() == {"btc_usdt"}


def test_a_store_that_is_down_keeps_every_model_and_recovers(place: Place, models_of: Open) -> None:
    models = serving(place, models_of)
    checked = models.shelf.checked_at
    folder = place.project / "data/06_models"
    folder.rename(place.project / "gone")
    folder.write_text("a file where the folder was")
    refresh(place, models)
    assert versions(models) == {"btc_usdt": VERSION}
    assert "move that file away" in models.shelf.problems["btc_usdt"]
    assert models.shelf.checked_at == checked

    folder.unlink()
    (place.project / "gone").rename(folder)
    refresh(place, models)
    assert models.shelf.problems == {}


def test_a_store_that_is_down_at_the_start_is_filled_later(tmp_path: Path, models_of: Open) -> None:
    place = Place(lay_out(tmp_path), database_url="")
    place.configure()
    models = serving(place, models_of)
    assert models.shelf.served == {}

    place.publish(VERSION)
    refresh(place, models)
    assert versions(models) == {"btc_usdt": VERSION}


def test_a_champion_that_cannot_forecast_is_refused(place: Place, models_of: Open) -> None:
    models = serving(place, models_of)

    def refuse(champion: object) -> None:
        raise ArtifactError("btc_usdt: its quantiles are not finite; train the pair again")

    models._try_out = refuse
    place.publish(NEXT)
    refresh(place, models)

    assert versions(models) == {"btc_usdt": VERSION}
    assert models.shelf.problems["btc_usdt"].startswith("btc_usdt: its quantiles are not finite")


@ON_BOTH
def test_champions_as_of_a_date_are_served_until_now_is_asked_for(place: Place, models_of: Open) -> None:
    place.publish(NEXT)  # promoted at STARTED + 1 h
    models = serving(place, models_of)
    assert versions(models) == {"btc_usdt": NEXT}

    models.serve_as_of(STARTED + timedelta(minutes=30))
    refresh(place, models)
    assert versions(models) == {"btc_usdt": VERSION}

    models.serve_as_of(None)
    assert versions(models) == {"btc_usdt": NEXT}


@ON_BOTH
def test_a_date_before_any_model_changes_nothing(place: Place, models_of: Open) -> None:
    models = serving(place, models_of)
    before = models.shelf
    with pytest.raises(ArtifactError, match="no model was published at 2024-12-31 00:05 UTC; choose a later date"):
        models.serve_as_of(STARTED - timedelta(days=1))

    assert models.shelf is before


@ON_BOTH
def test_reloading_reads_every_champion_again(place: Place, models_of: Open) -> None:
    models = serving(place, models_of)
    first = models.get("btc_usdt")
    shelf = models.reload()

    assert first is not None
    assert shelf.served["btc_usdt"].champion is not first.champion


def test_reloading_from_a_store_that_is_down_is_an_error(place: Place, models_of: Open) -> None:
    models = serving(place, models_of)
    folder = place.project / "data/06_models"
    folder.rename(place.project / "gone")
    folder.write_text("a file where the folder was")
    with pytest.raises(StorageError, match="move that file away"):
        models.reload()

    assert versions(models) == {"btc_usdt": VERSION}


@ON_BOTH
def test_a_problem_is_logged_once(place: Place, models_of: Open, caplog: pytest.LogCaptureFixture) -> None:
    models = serving(place, models_of)
    (place.project / "data/06_models/btc_usdt/champion.json").write_text("{")
    with caplog.at_level(logging.WARNING, "serving"):
        refresh(place, models)
        refresh(place, models)

    assert [record.getMessage() for record in caplog.records] == [
        f"{models.shelf.problems['btc_usdt']}; still serving {VERSION}"
    ]
