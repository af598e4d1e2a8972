"""Records of the store: manifests, champion pointers, run logs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.manifest import CONTRACT, Manifest
from make_us_rich.domain.run_log import MAX_RUNS, PipelineRun, missed_hours, read_runs, update_runs, write_runs

RECORD: dict[str, Any] = {
    "pair": "btc_usdt",
    "architecture": "baseline",
    "feature_set": "returns",
    "columns": ["log_return"],
    "lookback": 24,
    "horizon": 24,
    "levels": [0.05, 0.5, 0.95],
    "data": {"start": "2024-05-01T00:00:00Z", "end": "2025-05-01T00:00:00Z", "rows": 8760, "simulated": False},
    "metrics": {"crps_mean": 0.01},
    "parity": {"price": 0.001, "output": 1e-7},
    "scaler": "abc",
    "checksums": {"onnx_model": "abc", "scaler": "def"},
    "recipe": {"baseline": {"lookback": 168}},
    "trained_until": "2025-03-26T23:00:00Z",
    "edge": {"publish": False, "reason": "no edge: the point forecast is the last close"},
    "baseline": {"feature_set": "returns", "columns": ["log_return"], "lookback": 168},
    "contract": CONTRACT,
    "version": "v1",
    "verdict": {"publish": True, "reason": "data whole"},
    "packages": {"numpy": "2.0"},
    "git_revision": "0123abc",
}


def test_a_record_survives_a_round_trip() -> None:
    assert Manifest.read(RECORD, "btc_usdt v1").model_dump(mode="json") == RECORD


def test_a_record_of_a_release_without_gate_has_no_recipe_and_no_edge() -> None:
    newer = ("recipe", "trained_until", "edge", "baseline")
    old = {name: value for name, value in RECORD.items() if name not in newer}

    manifest = Manifest.read(old, "btc_usdt v1")

    assert (manifest.recipe, manifest.trained_until, manifest.baseline) == ({}, None, None)
    assert not manifest.edge.publish


@pytest.mark.parametrize(
    ("record", "message"),
    [
        *((record, r"not a valid manifest: .*; train the pair again") for record in (None, [], "text", {})),
        (RECORD | {"data": RECORD["data"] | {"rows": "many"}}, r"not a valid manifest: data\.rows: "),
        (RECORD | {"colour": "blue"}, "not a valid manifest: colour: "),
        (RECORD | {"contract": 99}, f"made for contract 99, this release reads 1 to {CONTRACT}"),
        ({"contract": 99, "colour": "blue"}, "made for contract 99"),
    ],
)
def test_what_is_no_manifest_of_this_release_is_refused_by_name_and_field(record: object, message: str) -> None:
    with pytest.raises(ArtifactError, match=f"btc_usdt v1: {message}"):
        Manifest.read(record, "btc_usdt v1")


SUNDAY, MONDAY, TUESDAY, WEDNESDAY = (datetime(2025, 1, day, tzinfo=UTC) for day in (5, 6, 7, 8))
POINTER = ChampionPointer(pair="btc_usdt").promote("v1", MONDAY, "first").promote("v2", WEDNESDAY, "better")


def test_the_last_promotion_before_a_moment_is_served_and_promoting_leaves_the_old_pointer_as_it_was() -> None:
    served = [POINTER.as_of(moment) for moment in (SUNDAY, MONDAY, TUESDAY, WEDNESDAY)]

    assert served == [None, "v1", "v1", "v2"]
    assert ChampionPointer(pair="btc_usdt").version is None
    assert POINTER.promote("v3", WEDNESDAY, "best").version == "v3"
    assert POINTER.version == "v2"


def test_another_pairs_record_is_refused() -> None:
    with pytest.raises(ArtifactError, match="eth_usdt: the champion pointer names the pair btc_usdt"):
        ChampionPointer.read(POINTER.model_dump(mode="json"), "eth_usdt")


NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


def run(hours: int, exit_code: int | None = 0, pipeline: str = "btc_usdt") -> PipelineRun:
    started = NOON + timedelta(hours=hours, minutes=2)
    ended = None if exit_code is None else started + timedelta(minutes=1)
    return PipelineRun(pair="btc_usdt", pipeline=pipeline, started=started, ended=ended, exit_code=exit_code)


@pytest.mark.parametrize(
    ("runs", "missed"),
    [
        ([run(-1)], 0),
        ([run(-6)], 5),
        ([run(1)], 0),
        ([run(-3), run(-2, exit_code=1), run(-1, exit_code=None)], 2),
        ([run(-5), run(-1, pipeline="monitor_btc_usdt")], 4),
        ([run(-9, exit_code=1)], 0),
    ],
    ids=["hour before", "long ago", "clock set back", "failed and killed", "other pipeline", "never"],
)
def test_missed_hours_are_counted_since_the_last_success(runs: list[PipelineRun], missed: int) -> None:
    assert missed_hours(runs, "btc_usdt", NOON) == missed


def test_a_log_survives_its_file_and_keeps_the_newest_runs() -> None:
    runs = [run(0).model_copy(update={"started": NOON + timedelta(minutes=at)}) for at in range(MAX_RUNS + 3)]

    assert read_runs(write_runs(runs), "btc_usdt") == runs[3:]
    assert read_runs({}, "btc_usdt") == []


def test_a_run_that_ends_replaces_its_start() -> None:
    assert update_runs([run(-1), run(0, exit_code=None)], run(0)) == [run(-1), run(0)]


def test_a_log_of_an_earlier_release_is_read() -> None:
    entry = {**run(0).model_dump(mode="json"), "hour": "2025-03-01T12:00:00Z", "ok": True}

    assert read_runs({"runs": [entry]}, "btc_usdt") == [run(0)]


def test_a_damaged_log_says_what_to_delete() -> None:
    with pytest.raises(ArtifactError, match=r"btc_usdt: the run log is damaged; delete the pair's runs\.json"):
        read_runs({"runs": [{"pair": 3}]}, "btc_usdt")
