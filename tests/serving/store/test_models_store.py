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
from serving.store.store import ModelsStore
from synthetic import STARTED, VERSION, lay_out, store

NEXT = "2025-01-01T01.05.00.000Z"
Open = Callable[..., ModelsStore]


def artifact(project: Path, name: str, version: str = NEXT) -> Path:
    return project / "data/06_models/btc_usdt" / name / version / name


def serving(project: Path, models_of: Open) -> ModelsStore:
    models = models_of(project)
    models.refresh()
    return models


def versions(models: ModelsStore) -> dict[str, str]:
    return {pair: served.version for pair, served in models.shelf.served.items()}


def test_what_is_published_is_served(project: Path, models_of: Open) -> None:
    models = serving(project, models_of)

    assert versions(models) == {"btc_usdt": VERSION}
    assert models.shelf.problems == {}


def test_a_new_champion_is_picked_up(project: Path, models_of: Open) -> None:
    models = serving(project, models_of)
    store(project, NEXT)
    models.refresh()

    assert versions(models) == {"btc_usdt": NEXT}


def test_what_has_not_changed_is_not_read_again(project: Path, models_of: Open) -> None:
    models = serving(project, models_of)
    first = models.get("btc_usdt")
    models.refresh()

    again = models.get("btc_usdt")
    assert first is not None
    assert again is not None
    assert again.champion is first.champion


def test_new_widths_of_the_same_version_are_picked_up(project: Path, models_of: Open) -> None:
    models = serving(project, models_of)
    widths = {"version": VERSION, "at": STARTED.isoformat(), "forecasts": 900, "factors": [1.5] * 24}
    record = widths | {"coverage_before": [0.7] * 24, "coverage_after": [0.8] * 24}
    (project / "data/06_models/btc_usdt/widths.json").write_text(json.dumps(record))
    models.refresh()

    served = models.get("btc_usdt")
    assert served is not None
    assert served.champion.widths is not None
    assert served.champion.widths.factors == (1.5,) * 24


def test_a_pair_without_a_model_says_what_to_run(project: Path, models_of: Open) -> None:
    models = models_of(project, "btc_usdt", "eth_usdt")
    models.refresh()

    assert versions(models) == {"btc_usdt": VERSION}
    assert models.shelf.problems == {
        "eth_usdt": "eth_usdt: no model is published; run the pair: kedro run --pipeline=eth_usdt"
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("signed", [False, True], ids=["wrong checksum", "right checksum"])
def test_a_bad_graph_is_refused_and_the_last_good_one_stays(
    project: Path, models_of: Open, kind: str, signed: bool
) -> None:
    models = serving(project, models_of)
    store(project, NEXT)
    marker = project / "executed"
    spoil(project, NEXT, kind, marker, signed=signed)
    models.refresh()

    assert versions(models) == {"btc_usdt": VERSION}
    assert NEXT in models.shelf.problems["btc_usdt"]
    assert not marker.exists()


def test_the_scaler_pickle_is_never_opened(project: Path, models_of: Open) -> None:
    marker = project / "executed"
    scaler = artifact(project, "scaler.pkl", VERSION)
    scaler.parent.mkdir(parents=True)
    scaler.write_bytes(pickle.dumps(Bomb(marker)))
    models = serving(project, models_of)

    assert versions(models) == {"btc_usdt": VERSION}
    assert not marker.exists()


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
    project: Path, models_of: Open, change: dict[str, object], reason: str
) -> None:
    models = serving(project, models_of)
    store(project, NEXT)
    manifest = artifact(project, "manifest.json")
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | change))
    models.refresh()

    assert versions(models) == {"btc_usdt": VERSION}
    assert reason in models.shelf.problems["btc_usdt"]


@pytest.mark.parametrize("name", ["manifest.json", "model.onnx"])
def test_a_champion_that_is_half_there_is_refused_until_it_is_whole(project: Path, models_of: Open, name: str) -> None:
    models = serving(project, models_of)
    store(project, NEXT)
    content = artifact(project, name).read_bytes()
    artifact(project, name).unlink()
    models.refresh()
    assert versions(models) == {"btc_usdt": VERSION}

    artifact(project, name).write_bytes(content)
    models.refresh()
    assert versions(models) == {"btc_usdt": NEXT}
    assert models.shelf.problems == {}


def test_a_damaged_or_missing_pointer_keeps_the_model(project: Path, models_of: Open) -> None:
    models = serving(project, models_of)
    pointer = project / "data/06_models/btc_usdt/champion.json"
    for damage in (lambda: pointer.write_text("{"), pointer.unlink):
        damage()
        models.refresh()
        assert versions(models) == {"btc_usdt": VERSION}
        assert models.shelf.problems.keys() == {"btc_usdt"}


def test_a_store_that_is_down_keeps_every_model_and_recovers(project: Path, models_of: Open) -> None:
    models = serving(project, models_of)
    checked = models.shelf.checked_at
    folder = project / "data/06_models"
    folder.rename(project / "gone")
    folder.write_text("a file where the folder was")
    models.refresh()
    assert versions(models) == {"btc_usdt": VERSION}
    assert "move that file away" in models.shelf.problems["btc_usdt"]
    assert models.shelf.checked_at == checked

    folder.unlink()
    (project / "gone").rename(folder)
    models.refresh()
    assert models.shelf.problems == {}


def test_a_store_that_is_down_at_the_start_is_filled_later(tmp_path: Path, models_of: Open) -> None:
    models = serving(lay_out(tmp_path), models_of)
    assert models.shelf.served == {}

    store(tmp_path, VERSION)
    models.refresh()
    assert versions(models) == {"btc_usdt": VERSION}


def test_a_champion_that_cannot_forecast_is_refused(project: Path, models_of: Open) -> None:
    models = serving(project, models_of)

    def refuse(champion: object) -> None:
        raise ArtifactError("btc_usdt: its quantiles are not finite; train the pair again")

    models._try_out = refuse
    store(project, NEXT)
    models.refresh()

    assert versions(models) == {"btc_usdt": VERSION}
    assert models.shelf.problems["btc_usdt"].startswith("btc_usdt: its quantiles are not finite")


def test_champions_as_of_a_date_are_served_until_now_is_asked_for(project: Path, models_of: Open) -> None:
    store(project, NEXT)  # promoted at STARTED + 1 h
    models = serving(project, models_of)
    assert versions(models) == {"btc_usdt": NEXT}

    models.serve_as_of(STARTED + timedelta(minutes=30))
    models.refresh()
    assert versions(models) == {"btc_usdt": VERSION}

    models.serve_as_of(None)
    assert versions(models) == {"btc_usdt": NEXT}


def test_a_date_before_any_model_changes_nothing(project: Path, models_of: Open) -> None:
    models = serving(project, models_of)
    before = models.shelf
    with pytest.raises(ArtifactError, match="no model was published at 2024-12-31 00:05 UTC; choose a later date"):
        models.serve_as_of(STARTED - timedelta(days=1))

    assert models.shelf is before


def test_reloading_reads_every_champion_again(project: Path, models_of: Open) -> None:
    models = serving(project, models_of)
    first = models.get("btc_usdt")
    shelf = models.reload()

    assert first is not None
    assert shelf.served["btc_usdt"].champion is not first.champion


def test_reloading_from_a_store_that_is_down_is_an_error(project: Path, models_of: Open) -> None:
    models = serving(project, models_of)
    folder = project / "data/06_models"
    folder.rename(project / "gone")
    folder.write_text("a file where the folder was")
    with pytest.raises(StorageError, match="move that file away"):
        models.reload()

    assert versions(models) == {"btc_usdt": VERSION}


def test_a_problem_is_logged_once(project: Path, models_of: Open, caplog: pytest.LogCaptureFixture) -> None:
    models = serving(project, models_of)
    (project / "data/06_models/btc_usdt/champion.json").write_text("{")
    with caplog.at_level(logging.WARNING, "serving"):
        models.refresh()
        models.refresh()

    assert [record.getMessage() for record in caplog.records] == [
        f"{models.shelf.problems['btc_usdt']}; still serving {VERSION}"
    ]
