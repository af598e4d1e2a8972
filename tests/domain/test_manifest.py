from typing import Any

import pytest

from make_us_rich.domain.checksums import sha256, verify
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.manifest import CONTRACT, Manifest

RECORD: dict[str, Any] = {
    "pair": "btc_usdt",
    "architecture": "baseline",
    "feature_set": "returns",
    "columns": ["log_return"],
    "lookback": 24,
    "horizon": 24,
    "levels": [0.05, 0.5, 0.95],
    "data": {"start": "2024-05-01T00:00:00Z", "end": "2025-05-01T00:00:00Z", "rows": 8760},
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


@pytest.mark.parametrize("record", [None, [], "text", {}])
def test_what_is_no_manifest_is_refused_by_name(record: object) -> None:
    with pytest.raises(ArtifactError, match=r"btc_usdt v1: not a valid manifest: .*; train the pair again"):
        Manifest.read(record, "btc_usdt v1")


def test_the_field_that_is_wrong_is_named_by_its_full_path() -> None:
    damaged = RECORD | {"data": RECORD["data"] | {"rows": "many"}}

    with pytest.raises(ArtifactError, match=r"not a valid manifest: data\.rows: "):
        Manifest.read(damaged, "btc_usdt v1")


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ArtifactError, match="not a valid manifest: colour: "):
        Manifest.read(RECORD | {"colour": "blue"}, "btc_usdt v1")


def test_a_manifest_of_another_contract_is_refused() -> None:
    with pytest.raises(ArtifactError, match=f"made for contract 99, this release reads {CONTRACT}"):
        Manifest.read(RECORD | {"contract": 99}, "btc_usdt v1")


def test_another_contract_is_recognised_whatever_its_other_fields_are() -> None:
    with pytest.raises(ArtifactError, match="made for contract 99"):
        Manifest.read({"contract": 99, "colour": "blue"}, "btc_usdt v1")


def test_a_checksum_is_the_published_test_vector_of_sha_256() -> None:
    # FIPS 180-4, the message "abc".
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_other_bytes_than_the_manifests_are_refused() -> None:
    with pytest.raises(ArtifactError, match="model: its checksum is not the one in its manifest; train"):
        verify(b"abd", sha256(b"abc"), "model")
