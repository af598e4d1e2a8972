"""Nodes of the monitoring pipeline that check the champion, and replace it by the baseline."""

from __future__ import annotations

import logging

import pandas as pd

from make_us_rich.domain.champion import ChampionPointer, Demoted
from make_us_rich.domain.forecast import BASELINE
from make_us_rich.domain.live import ChampionStatus
from make_us_rich.domain.manifest import NO_EDGE, Manifest, Publication, Published, Verdict
from make_us_rich.domain.model_card import ModelCard
from make_us_rich.domain.run import RunContext
from make_us_rich.models.registry import config_hash
from make_us_rich.monitoring.scores import ScoredForecasts, compare_with_baseline
from make_us_rich.pipelines.monitoring.nodes import Issued, MonitoringParameters

log = logging.getLogger(__name__)

_DESCRIPTION = "The last close, EWMA volatility, empirical quantiles."


def check_champion(
    live_record: pd.DataFrame,
    stored_champion: ChampionPointer,
    served_model: Published | None,
    issued: Issued,
    monitoring: MonitoringParameters,
) -> ChampionStatus:
    """Compare the champion with the baseline on the forecasts of its recipe since its last demotion."""
    if served_model is None:
        return ChampionStatus(version=None, demote=False, reason="no model is published")
    manifest, rules = served_model.manifest, monitoring.demotion
    if manifest.architecture == BASELINE:
        reason = "the baseline is served and cannot be demoted"
        return ChampionStatus(version=manifest.version, demote=False, reason=reason)
    since = issued.now - pd.Timedelta(days=rules.window_days)
    if stored_champion.demotion:
        since = max(since, stored_champion.demotion.at)
    compared = (live_record["recipe"] == config_hash(manifest.recipe)) & (live_record["issued_at"] > since)
    status = compare_with_baseline(ScoredForecasts.of(live_record[compared]), manifest.version, rules)
    if status.demote and served_model.baseline_onnx is None:
        reason = f"{status.reason}; no baseline is stored beside it: train the pair again"
        return status.model_copy(update={"demote": False, "reason": reason})
    return status


def make_baseline_version(
    champion_status: ChampionStatus, served_model: Published | None, run: RunContext
) -> tuple[tuple[Publication, ...], tuple[Publication, ...]]:
    """Make a version of the baseline from the graph beside a champion that is demoted, without training."""
    if not champion_status.demote or served_model is None or served_model.baseline_onnx is None:
        return (), ()
    graph, manifest = served_model.baseline_onnx, _manifest(served_model.manifest, champion_status, run)
    card = ModelCard(
        pair=manifest.pair,
        version=manifest.version,
        at=run.clock(),
        choice=BASELINE,
        verdict=manifest.verdict,
        challengers=(),
        champion=None,
        candles=manifest.data,
        described={BASELINE: _DESCRIPTION},
        recipe={},
        trained_until=manifest.trained_until or manifest.data.end,
    )
    published = Published(manifest, graph, graph, scenario_ranks=served_model.scenario_ranks)
    made = (Publication(published, card.model_dump(mode="json"), _card_text(manifest)),)
    return made, made


def demote_champion(
    stored_champion: ChampionPointer,
    complete_versions: tuple[str, ...],
    demotion: tuple[Publication, ...],
    served_model: Published | None,
    run: RunContext,
) -> ChampionPointer:
    """Promote the baseline's version once all its artifacts are stored; the pointer is unchanged without a demotion."""
    if served_model is None or not demotion or demotion[0].published.manifest.version not in complete_versions:
        return stored_champion
    made, old = demotion[0].published.manifest, served_model.manifest
    log.warning("%s: %s", run.pair, made.verdict.reason)
    demoted = Demoted(version=old.version, architecture=old.architecture, recipe=config_hash(old.recipe))
    return stored_champion.promote(made.version, run.clock(), made.verdict.reason, demoted)


def _manifest(old: Manifest, status: ChampionStatus, run: RunContext) -> Manifest:
    """The manifest of the baseline that was fitted in the champion's run, on the same candles."""
    scores = {name: value for name, value in old.metrics.items() if name.startswith(f"{BASELINE}_")}
    own = {name.removeprefix(f"{BASELINE}_"): value for name, value in scores.items()}
    skills = dict.fromkeys((name for name in old.metrics if "crps_skill_" in name), 0.0)
    reason = f"demoted: {old.architecture} {old.version}: {status.reason}; the baseline is served"
    checksum = old.checksums["baseline_onnx"]
    return old.model_copy(
        update={
            **(old.baseline or old.reads).model_dump(),
            "version": run.version,
            "architecture": BASELINE,
            "metrics": {**scores, **own, **skills},
            "parity": {},
            "scaler": "",
            "checksums": {name: value for name, value in old.checksums.items() if name == "scenario_ranks"}
            | dict.fromkeys(("onnx_model", "baseline_onnx"), checksum),
            "verdict": Verdict(publish=True, reason=reason),
            "recipe": {},
            "edge": NO_EDGE,
            "git_revision": run.git_revision,
        }
    )


def _card_text(manifest: Manifest) -> str:
    data = manifest.data
    return (
        f"# {manifest.pair}: baseline, version {manifest.version}\n\n"
        f"{_DESCRIPTION}\n\n"
        f"**Published by a demotion.** {manifest.verdict.reason[:1].upper()}{manifest.verdict.reason[1:]}.\n\n"
        "Its graph was stored beside the model that it replaces, and fitted in the same run on the"
        f" {data.rows:,} candles from {data.start:%Y-%m-%d %H:%M} to {data.end:%Y-%m-%d %H:%M} UTC.\n"
        "It has no skill of its own: other models are compared with it.\n"
    )
