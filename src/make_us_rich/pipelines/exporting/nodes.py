"""Nodes of the exporting pipeline."""

import logging
import pickle
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pandas as pd

from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.checksums import sha256, verify
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.manifest import GRAPHS, Candidate, Manifest
from make_us_rich.domain.published import Published
from make_us_rich.domain.run import RunContext
from make_us_rich.evaluation.calibration import Calibration
from make_us_rich.inference.champion import Champion
from make_us_rich.inference.past import measure_widths
from make_us_rich.models.interface import Scaler, scaler_fingerprint
from make_us_rich.pipelines.exporting.parameters import ExportingParameters

log = logging.getLogger(__name__)

PACKAGES = ("make-us-rich", "kedro", "numpy", "onnx", "onnxruntime", "pandas", "scikit-learn", "torch")


def publish_artifacts(
    candidate: dict[str, Any], candidate_onnx: bytes, candidate_baseline_onnx: bytes, scalers: dict[str, Scaler]
) -> tuple[Scaler, bytes, bytes, dict[str, str]]:
    """The scaler and the graphs of one run, for the catalog to save under one version, and their checksums.

    Raises:
        ArtifactError: They come from two runs, as after a run that was killed between two stages.
    """
    card = Candidate.model_validate(candidate)
    scaler = next((each for each in scalers.values() if scaler_fingerprint(each) == card.scaler), None)
    if scaler is None:
        raise ArtifactError(f"{card.pair}: the scaler and the model come from two runs; run the whole pipeline again")
    for artifact, graph in {"onnx_model": candidate_onnx, "baseline_onnx": candidate_baseline_onnx}.items():
        verify(graph, card.checksums[artifact], f"{card.pair} candidate: {GRAPHS[artifact]}")
    checksums = {**card.checksums, "scaler": sha256(pickle.dumps(scaler))}
    return scaler, candidate_onnx, candidate_baseline_onnx, checksums


def write_manifest(
    candidate: dict[str, Any],
    checksums: dict[str, str],
    onnx_model: bytes,
    baseline_onnx: bytes,
    run: RunContext,
) -> dict[str, Any]:
    """The manifest, written only after the artifacts and only when what the store holds is what was sent.

    Args:
        candidate: What the model is, and whether it may be served.
        checksums: Of what was sent to the store.
        onnx_model: The graph, read back from the store.
        baseline_onnx: The baseline's graph, read back as well.
        run: Version and revision.

    Raises:
        ArtifactError: The store gave back something else.
    """
    card = Candidate.model_validate(candidate).model_dump() | {"checksums": checksums}
    manifest = Manifest(
        **card,
        version=run.version,
        packages=installed_versions(),
        git_revision=run.git_revision,
    )
    manifest.verify("onnx_model", onnx_model)
    manifest.verify("baseline_onnx", baseline_onnx)
    return manifest.model_dump(mode="json")


def installed_versions() -> dict[str, str]:
    """Versions of the packages that a model depends on, those that are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def promote(manifest: dict[str, Any], stored_champion: ChampionPointer, run: RunContext) -> ChampionPointer:
    """The pointer to the new version, or the old pointer untouched when the verdict says no."""
    made = Manifest.read(manifest, f"{run.pair} {run.version}")
    if not made.verdict.publish:
        serving = f"still serving {stored_champion.version}" if stored_champion.version else "nothing is served yet"
        log.warning("%s: not published, %s; %s", run.pair, made.verdict.reason, serving)
        return stored_champion
    log.info("%s: published version %s (%s)", run.pair, made.version, made.architecture)
    return stored_champion.promote(made.version, run.clock(), made.verdict.reason)


def choose_kept(
    stored_versions: tuple[str, ...],
    champion: ChampionPointer,
    exporting: ExportingParameters,
    run: RunContext,
) -> tuple[str, ...]:
    """The versions that stay: the newest ones, the one being served, and the champions of the last days."""
    since = run.started_at - timedelta(days=exporting.keep_champions_days)
    served = {promotion.version for promotion in champion.promotions if promotion.at >= since}
    newest = sorted(stored_versions)[-exporting.keep_versions :]
    return tuple(sorted({*newest, *served, *filter(None, [champion.version, champion.as_of(since)])}))


def calibrate_champion(
    champion: ChampionPointer, newly_served_model: Published | None, klines: pd.DataFrame, calibration: Calibration
) -> dict[str, Any]:
    """How wide the intervals of the model being served have to be by its newest forecasts; it is not fitted again.

    Args:
        champion: The pointer as this run leaves it; read before the model, so that it is the model's.
        newly_served_model: What the pointer names.
        klines: Clean candles.
        calibration: How widths are calibrated.

    Returns:
        The record that ``Widths`` reads; empty where nothing is served.
    """
    if newly_served_model is None:
        return {}
    model = Champion(newly_served_model.manifest, newly_served_model.onnx_model)
    widths = measure_widths(model, klines, calibration)
    log.info("%s: widths of %s %s", champion.pair, champion.version, widths)
    return widths.model_dump(mode="json")
