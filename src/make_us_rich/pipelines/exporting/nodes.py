"""Nodes of the exporting pipeline."""

import logging
import pickle
from contextlib import suppress
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pandas as pd
from pydantic import Field

from make_us_rich.backtest.calibration import CalibrationParameters
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.frozen import FrozenModel
from make_us_rich.domain.manifest import ARTIFACTS, Candidate, Manifest, Published, sha256, verify
from make_us_rich.domain.run import RunContext
from make_us_rich.inference.champion import Champion
from make_us_rich.inference.past import PastRecord, measure_scales
from make_us_rich.models.base import Scaler, scaler_fingerprint

log = logging.getLogger(__name__)

PACKAGES = ("make-us-rich", "kedro", "numpy", "onnx", "onnxruntime", "pandas", "scikit-learn", "torch")


class ExportingParameters(FrozenModel):
    """``params:exporting``.

    Attributes:
        max_versions: How many of the newest versions are retained, published or not.
        champion_retention_days: Days for which a past champion is retained as well.
    """

    max_versions: int = Field(ge=1)
    champion_retention_days: int = Field(ge=0)


def publish_artifacts(
    candidate: dict[str, Any],
    onnx_model: bytes,
    baseline_onnx: bytes,
    past_forecasts: bytes,
    scenario_ranks: bytes,
    scalers: dict[str, Scaler],
) -> tuple[Scaler, bytes, bytes, bytes, bytes, dict[str, str]]:
    """Return the scaler and artifacts of one run, which the catalog saves under one version, and their checksums.

    Raises:
        ArtifactError: They come from two runs, as after a run that was killed between two stages.
    """
    card = Candidate.model_validate(candidate)
    scaler = next((each for each in scalers.values() if scaler_fingerprint(each) == card.scaler), None)
    if scaler is None:
        raise ArtifactError(f"{card.pair}: the scaler and the model come from two runs", "run the whole pipeline again")
    artifacts = onnx_model, baseline_onnx, past_forecasts, scenario_ranks
    for artifact, content in zip(ARTIFACTS, artifacts, strict=True):
        verify(content, card.checksums[artifact], f"{card.pair} candidate: {ARTIFACTS[artifact]}")
    checksums = {**card.checksums, "scaler": sha256(pickle.dumps(scaler, protocol=5))}
    return scaler, *artifacts, checksums


def write_manifest(
    candidate: dict[str, Any],
    checksums: dict[str, str],
    onnx_model: bytes,
    baseline_onnx: bytes,
    past_forecasts: bytes,
    scenario_ranks: bytes,
    run: RunContext,
) -> dict[str, Any]:
    """Return the manifest, with the installed packages, after the artifacts were stored and read back unchanged.

    Raises:
        ArtifactError: The store gave back something else.
    """
    card = Candidate.model_validate(candidate).model_dump() | {"checksums": checksums}
    packages = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            packages[package] = version(package)
    manifest = Manifest(**card, version=run.version, packages=packages, git_revision=run.git_revision)
    for artifact, content in zip(ARTIFACTS, (onnx_model, baseline_onnx, past_forecasts, scenario_ranks), strict=True):
        manifest.verify(artifact, content)
    return manifest.model_dump(mode="json")


def promote(manifest: dict[str, Any], stored_champion: ChampionPointer, run: RunContext) -> ChampionPointer:
    """Return the pointer to the new version, or the old pointer if the gate refused it."""
    made = Manifest.read(manifest, f"{run.pair} {run.version}")
    if not made.verdict.publish:
        serving = f"still serving {stored_champion.version}" if stored_champion.version else "nothing is served yet"
        log.warning("%s: not published, %s; %s", run.pair, made.verdict.reason, serving)
        return stored_champion
    log.info("%s: published version %s (%s)", run.pair, made.version, made.architecture)
    return stored_champion.promote(made.version, run.clock(), made.verdict.reason)


def select_retained_versions(
    stored_versions: tuple[str, ...],
    champion: ChampionPointer,
    exporting: ExportingParameters,
    run: RunContext,
) -> tuple[str, ...]:
    """The versions that stay: the newest ones, the champion, and the champions of the last days.

    A version later than this run was made by a wrong clock: it stays, and does not count among the newest.
    """
    later = [version for version in stored_versions if version > run.version]
    if later:
        log.warning("%s: versions later than this run are set aside (%s); check the clock", run.pair, ", ".join(later))
    since = run.started_at - timedelta(days=exporting.champion_retention_days)
    served = {promotion.version for promotion in champion.promotions if promotion.at >= since}
    newest = sorted(set(stored_versions) - set(later))[-exporting.max_versions :]
    return tuple(sorted({*newest, *later, *served, *filter(None, [champion.version, champion.as_of(since)])}))


def calibrate_champion(
    champion: ChampionPointer,
    served_model: Published | None,
    klines: pd.DataFrame,
    calibration: CalibrationParameters,
) -> dict[str, Any]:
    """How wide the intervals of the model being served have to be; it is not fitted again.

    By the forecasts of the backtest before its fit, and since then by its own.

    Args:
        champion: The pointer as this run leaves it; read before the model, so that it is the model's.
        served_model: The champion, loaded after the pointer was written.
        klines: Clean candles.
        calibration: How intervals are calibrated.

    Returns:
        The record that ``ConformalScales`` reads; empty where nothing is served.
    """
    if served_model is None:
        return {}
    name = f"{champion.pair} {champion.version}"
    record = PastRecord.from_bytes(served_model.past_forecasts, name) if served_model.past_forecasts else None
    model = Champion(served_model.manifest, served_model.onnx_model)
    scales = measure_scales(model, klines, calibration, record)
    log.info("%s: conformal scales of %s: %s", champion.pair, champion.version, scales)
    return scales.model_dump(mode="json")
