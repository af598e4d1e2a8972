"""The model cache serves champions as they are published and keeps the last good one."""

import io
import json
import logging
import pickle
import shutil
import zipfile
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from make_us_rich.domain.errors import ArtifactError, StorageError
from make_us_rich.domain.manifest import sha256
from make_us_rich.inference.champion import Champion
from make_us_rich.inference.session import INPUT
from serving.forecasts.models import ModelCache
from synthetic import VERSION, store

from ..conftest import Place

NEXT = "2025-01-01T01.05.00.000Z"
IN_A_BUCKET = pytest.mark.parametrize("place", ["bucket"], indirect=True)


class Served:
    """A model cache of a place, with the first version of btc_usdt."""

    def __init__(self, place: Place, check: Callable[[Champion], None] = lambda _: None) -> None:
        self.place = place
        self.cache = ModelCache(place.repository(), check)
        self.refresh()
        assert self.versions == {"btc_usdt": VERSION}

    def refresh(self) -> None:
        """Look for what the project's folder holds by now, wherever the store is."""
        self.place.send()
        self.cache.refresh()

    @property
    def versions(self) -> dict[str, str]:
        return {pair: model.manifest.version for pair, model in self.cache.snapshot.models.items()}

    @property
    def problem(self) -> str | None:
        return self.cache.snapshot.problems.get("btc_usdt")

    def artifact(self, name: str, version: str = NEXT) -> Path:
        return self.place.project / "data/06_models/btc_usdt" / name / version / name


@pytest.fixture
def served(place: Place) -> Served:
    return Served(place)


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return Path.write_text, (self.path, "executed")


def zip_bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("model.onnx", b"\0" * 50_000_000)
    return buffer.getvalue()


def test_bad_artifacts_are_refused_and_never_executed(served: Served, place: Place, tmp_path: Path) -> None:
    marker, good = tmp_path / "executed", served.artifact("model.onnx", VERSION).read_bytes()
    pickled, scaler = pickle.dumps(Bomb(marker)), served.artifact("scaler.pkl", VERSION)
    scaler.parent.mkdir(parents=True)
    scaler.write_bytes(pickled)
    place.send()
    served.cache.reload()
    assert served.versions == {"btc_usdt": VERSION}

    bad_graphs = {
        "truncated": good[: len(good) // 2],
        "empty": b"",
        "text": b"no model",
        "zip bomb": zip_bomb(),
        "pickle": pickled,
        "other inputs": good.replace(INPUT.encode(), INPUT[::-1].encode()),
        "other bytes": bytes(byte ^ 0xFF for byte in good),
    }
    for hour, (kind, signed) in enumerate(product(bad_graphs, (False, True)), start=1):
        version = f"2025-01-02T{hour:02}.05.00.000Z"
        place.publish(version)
        served.artifact("model.onnx", version).write_bytes(bad_graphs[kind])
        if signed:
            manifest = served.artifact("manifest.json", version)
            record = json.loads(manifest.read_text())
            record["checksums"]["onnx_model"] = sha256(bad_graphs[kind])
            manifest.write_text(json.dumps(record))
        served.refresh()
        assert served.versions == {"btc_usdt": VERSION}, (kind, signed)
        assert version in str(served.problem)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"lookback": 7}, "the ONNX model has the inputs and outputs"),
        ({"columns": ["open", "close"]}, "this release does not compute its features"),
        ({"contract": 99}, "made for contract 99"),
        ({"pair": "eth_usdt"}, "the manifest is that of eth_usdt"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    served: Served, place: Place, change: dict[str, object], reason: str
) -> None:
    place.publish(NEXT)
    manifest = served.artifact("manifest.json")
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | change))
    served.refresh()

    assert served.versions == {"btc_usdt": VERSION}
    assert reason in str(served.problem)


@IN_A_BUCKET
@pytest.mark.parametrize("name", ["manifest.json", "model.onnx"])
def test_a_new_champion_replaces_the_old_one_as_soon_as_it_is_complete(served: Served, place: Place, name: str) -> None:
    first = served.cache.get("btc_usdt")
    served.refresh()
    assert served.cache.get("btc_usdt").champion is first.champion  # What has not changed is not loaded again.

    place.publish(NEXT)
    content = served.artifact(name).read_bytes()
    served.artifact(name).unlink()
    served.refresh()
    assert served.versions == {"btc_usdt": VERSION}

    served.artifact(name).write_bytes(content)
    served.refresh()
    assert (served.versions, served.problem) == ({"btc_usdt": NEXT}, None)


def test_a_damaged_or_missing_pointer_keeps_the_model_and_is_logged_once(
    served: Served, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    pointer = place.project / "data/06_models/btc_usdt/champion.json"
    for damage in (lambda: pointer.write_text("{"), pointer.unlink):
        damage()
        caplog.clear()
        with caplog.at_level(logging.WARNING, "serving"):
            served.refresh()
            served.refresh()
        assert served.versions == {"btc_usdt": VERSION}
        assert [each.getMessage() for each in caplog.records] == [f"{served.problem}; still serving {VERSION}"]


@pytest.mark.parametrize("damage", ["missing", "unknown error"])
def test_a_pair_whose_champion_of_another_date_cannot_be_loaded_is_not_served(
    make_place: Callable[..., Place], monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    place = make_place()
    store(place.project, VERSION, pair="eth_usdt")
    for pair in ("btc_usdt", "eth_usdt"):
        store(place.project, NEXT, pair=pair)
    cache = ModelCache(place.repository("btc_usdt", "eth_usdt"))
    cache.refresh()
    promoted_at = cache.get("eth_usdt").promotions[0].at
    if damage == "missing":
        shutil.rmtree(place.project / f"data/06_models/eth_usdt/model.onnx/{VERSION}")
    else:
        cache._check = lambda champion: champion.manifest.pair == "eth_usdt" and 1 / 0
    snapshot = cache.serve_as_of(promoted_at)

    assert {pair: model.manifest.version for pair, model in snapshot.models.items()} == {"btc_usdt": VERSION}
    assert snapshot.problems.keys() == {"eth_usdt"}
    cache.refresh()
    assert cache.snapshot.models.keys() == {"btc_usdt"}

    monkeypatch.setattr(cache, "_check", lambda _: None)
    cache.serve_as_of(None)
    assert cache.snapshot.models.keys() == {"btc_usdt", "eth_usdt"}


def test_a_store_that_is_down_keeps_every_model_and_recovers(served: Served, place: Place) -> None:
    folder = place.project / "data/06_models"
    folder.rename(place.project / "gone")
    folder.write_text("a file where the folder was")
    served.refresh()
    assert served.versions == {"btc_usdt": VERSION}
    assert "move that file away" in str(served.problem)
    with pytest.raises(StorageError, match="move that file away"):
        served.cache.reload()

    folder.unlink()
    (place.project / "gone").rename(folder)
    served.refresh()
    assert served.problem is None


def test_a_champion_that_cannot_forecast_is_refused(place: Place) -> None:
    def check(champion: Champion) -> None:
        if champion.manifest.version == NEXT:
            raise ArtifactError("btc_usdt: its quantiles are not finite", "train the pair again")

    served = Served(place, check)
    place.publish(NEXT)
    served.refresh()

    assert served.versions == {"btc_usdt": VERSION}
    assert str(served.problem).startswith("btc_usdt: its quantiles are not finite")
