"""Nodes of the monitoring pipeline that judge the champion, and put the baseline in its place."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import pandas as pd

from make_us_rich.domain.card import ModelCard
from make_us_rich.domain.champion import ChampionPointer, Demoted
from make_us_rich.domain.forecast import BASELINE
from make_us_rich.domain.live import Standing
from make_us_rich.domain.manifest import NO_EDGE, Manifest, Verdict
from make_us_rich.domain.publication import Publication
from make_us_rich.domain.published import Published
from make_us_rich.domain.run import RunContext
from make_us_rich.live.demotion import judge
from make_us_rich.live.scores import Lived, live_through
from make_us_rich.models.recipes import recipe_id
from make_us_rich.pipelines.monitoring.issuing import Issue
from make_us_rich.pipelines.monitoring.parameters import MonitoringParameters

log = logging.getLogger(__name__)

_SKILL = "crps_skill_"


def judge_champion(
    live_record: pd.DataFrame,
    stored_champion: ChampionPointer,
    served_model: Published | None,
    issued: Issue,
    monitoring: MonitoringParameters,
) -> Standing:
    """Whether the champion stands, by the forecasts of its recipe that have come true since the last demotion.

    Args:
        live_record: The record.
        stored_champion: What is served, and what was demoted before.
        served_model: The champion.
        issued: For the time.
        monitoring: When it is demoted.
    """
    if served_model is None:
        return Standing(version=None, demote=False, reason="no model is published")
    manifest, rules = served_model.manifest, monitoring.demotion
    if manifest.architecture == BASELINE:
        return Standing(version=manifest.version, demote=False, reason="the baseline is served: nothing is below it")
    lived = _of_recipe(live_through(live_record), recipe_id(manifest.recipe))
    since = issued.now - pd.Timedelta(days=rules.days)
    demotion = stored_champion.demotion
    standing = judge(lived.since(max(since, demotion.at) if demotion else since), manifest.version, rules)
    if standing.demote and served_model.baseline_onnx is None:
        told = f"{standing.reason}; no baseline is stored beside it: train the pair again"
        return standing.model_copy(update={"demote": False, "reason": told})
    return standing


def _of_recipe(lived: Lived, recipe: str) -> Lived:
    return lived.at(lived.recipes == recipe)


def make_baseline_version(
    standing: Standing, served_model: Published | None, run: RunContext
) -> tuple[tuple[Publication, ...], tuple[Publication, ...]]:
    """A version of the baseline, made without training from the graph beside the champion; none where that one stands.

    Args:
        standing: The champion's.
        served_model: The champion.
        run: Version, revision and clock.

    Returns:
        The same twice: once for the store, once for those who ask whether there is one.
    """
    if not standing.demote or served_model is None or served_model.baseline_onnx is None:
        return (), ()
    graph, manifest = served_model.baseline_onnx, _manifest(served_model.manifest, standing, run)
    card = _card(manifest, run.clock())
    made = (Publication(Published(manifest, graph, graph), card, _card_text(manifest)),)
    return made, made


def stand_down(
    stored_champion: ChampionPointer,
    whole_versions: tuple[str, ...],
    demotion: tuple[Publication, ...],
    served_model: Published | None,
    run: RunContext,
) -> ChampionPointer:
    """The pointer to the baseline's version, once all of it is stored; the old pointer where the champion stands.

    Args:
        stored_champion: The pointer as it is.
        whole_versions: Versions that the store has, each with all its artifacts.
        demotion: The baseline's version, or nothing.
        served_model: Who is demoted.
        run: For the log, and the time.
    """
    if served_model is None or not demotion or demotion[0].published.manifest.version not in whole_versions:
        return stored_champion
    made, old = demotion[0].published.manifest, served_model.manifest
    log.warning("%s: %s", run.pair, made.verdict.reason)
    demoted = Demoted(version=old.version, architecture=old.architecture, recipe=recipe_id(old.recipe))
    return stored_champion.promote(made.version, run.clock(), made.verdict.reason, demoted)


def _manifest(old: Manifest, standing: Standing, run: RunContext) -> Manifest:
    """Of the baseline that was fitted in the champion's run, on the same candles."""
    reads = old.baseline or old.reads
    reason = f"demoted: {old.architecture} {old.version}: {standing.reason}; the baseline is served"
    checksum = old.checksums["baseline_onnx"]
    return old.model_copy(
        update={
            **reads.model_dump(),
            "version": run.version,
            "architecture": BASELINE,
            "metrics": _metrics(old.metrics),
            "parity": {},
            "scaler": "",
            "checksums": {"onnx_model": checksum, "baseline_onnx": checksum},
            "verdict": Verdict(publish=True, reason=reason),
            "recipe": {},
            "edge": NO_EDGE,
            "git_revision": run.git_revision,
        }
    )


def _metrics(metrics: dict[str, float]) -> dict[str, float]:
    """The baseline's own scores on the folds, which stand beside the champion's; its skill is none."""
    beside = {name: value for name, value in metrics.items() if name.startswith(f"{BASELINE}_")}
    own = {name.removeprefix(f"{BASELINE}_"): value for name, value in beside.items()}
    skills = {name: 0.0 for name in metrics if name.startswith(_SKILL)}
    return {**beside, **own, **skills}


def _card(manifest: Manifest, at: datetime) -> dict[str, Any]:
    card = ModelCard(
        pair=manifest.pair,
        version=manifest.version,
        at=at,
        choice=BASELINE,
        verdict=manifest.verdict,
        challengers=(),
        champion=None,
        candles=manifest.data,
        described={BASELINE: _DESCRIBED},
        recipe={},
        trained_until=manifest.trained_until or manifest.data.end,
        horizons=(),
        volatilities=(),
        folds=(),
        calibration=(),
    )
    return card.model_dump(mode="json")


def _card_text(manifest: Manifest) -> str:
    data = manifest.data
    return (
        f"# {manifest.pair}: baseline, version {manifest.version}\n\n"
        f"{_DESCRIBED}\n\n"
        f"**Published by a demotion.** {manifest.verdict.reason[:1].upper()}{manifest.verdict.reason[1:]}.\n\n"
        "It was not fitted anew: its graph is the one that was stored beside the model that it replaces, fitted in the"
        f" same run on the {data.rows:,} candles from {data.start:%Y-%m-%d %H:%M} to {data.end:%Y-%m-%d %H:%M} UTC.\n"
        "There are no folds to show: on them it is what others are measured by.\n"
    )


_DESCRIBED = "The last close, EWMA volatility, empirical quantiles."
