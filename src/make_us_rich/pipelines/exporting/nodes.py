"""Nodes of the exporting pipeline."""

import logging
import pickle
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from make_us_rich.candles.report import DataReport
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.checksums import sha256, verify
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.manifest import Candidate, Manifest, Verdict
from make_us_rich.domain.run import RunContext
from make_us_rich.features.feature_set import find_feature_set
from make_us_rich.models.interface import Scaler, scaler_fingerprint
from make_us_rich.pipelines.exporting.parameters import ExportingParameters

log = logging.getLogger(__name__)

PACKAGES = ("make-us-rich", "kedro", "numpy", "onnx", "onnxruntime", "pandas", "scikit-learn", "torch")


def publish_artifacts(
    candidate: dict[str, Any], candidate_onnx: bytes, scalers: dict[str, Scaler]
) -> tuple[Scaler, bytes, dict[str, str]]:
    """The scaler and the graph of one run, for the catalog to save under one version, and their checksums.

    Raises:
        ArtifactError: They come from two runs, as after a run that was killed between two stages.
    """
    card = Candidate.model_validate(candidate)
    scaler = scalers.get(card.architecture)
    if scaler is None or scaler_fingerprint(scaler) != card.scaler:
        raise ArtifactError(f"{card.pair}: the scaler and the model come from two runs; run the whole pipeline again")
    verify(candidate_onnx, card.checksums["onnx_model"], f"{card.pair} candidate")
    return scaler, candidate_onnx, {**card.checksums, "scaler": sha256(pickle.dumps(scaler))}


def judge(candidate: dict[str, Any], data_report: dict[str, Any]) -> dict[str, Any]:
    """Whether the candidate may be served: its parity holds (or it would not exist) and its data are whole."""
    card = Candidate.model_validate(candidate)
    reasons = _reasons_against(card, DataReport.model_validate(data_report))
    if reasons:
        return Verdict(publish=False, reason=f"data not whole: {'; '.join(reasons)}").model_dump()
    return Verdict(publish=True, reason=f"data whole, parity within {card.parity['price']:.2g}").model_dump()


def _reasons_against(card: Candidate, report: DataReport) -> tuple[str, ...]:
    """Why the candles are not whole, or torn within the hours that this architecture's next forecast needs."""
    if not report.whole:
        return report.reasons
    depth = find_feature_set(card.feature_set).depth(card.lookback)
    first = card.data.end - (depth - 1) * HOUR
    return tuple(
        f"{card.pair.upper()}: {gap}, within the last {depth} hours that a forecast of {card.architecture} needs"
        for gap in report.gaps
        if gap.end > first
    )


def write_manifest(
    candidate: dict[str, Any],
    verdict: dict[str, Any],
    checksums: dict[str, str],
    onnx_model: bytes,
    run: RunContext,
) -> dict[str, Any]:
    """The manifest, written only after the artifacts and only when what the store holds is what was sent.

    Args:
        candidate: What the model is.
        verdict: Whether it may be served.
        checksums: Of what was sent to the store.
        onnx_model: The graph, read back from the store.
        run: Version and revision.

    Raises:
        ArtifactError: The store gave back something else.
    """
    verify(onnx_model, checksums["onnx_model"], f"{run.pair} {run.version}")
    card = Candidate.model_validate(candidate).model_dump() | {"checksums": checksums}
    manifest = Manifest(
        **card,
        version=run.version,
        verdict=Verdict.model_validate(verdict),
        packages=installed_versions(),
        git_revision=run.git_revision,
    )
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
        log.warning("%s: not published, %s; still serving %s", run.pair, made.verdict.reason, stored_champion.version)
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
