"""Nodes of the converting pipeline."""

import json
from typing import Any

import numpy as np
import pandas as pd

from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.evaluation import EvaluationReport
from make_us_rich.domain.forecast import BASELINE, HORIZON, LEVELS
from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.manifest import ARTIFACTS, CONTRACT, Candidate, DataRange, Reads, sha256
from make_us_rich.domain.run import RunContext
from make_us_rich.domain.scenarios import ScenarioRanks, grid_rows, scenario_ranks
from make_us_rich.features.registry import FeatureFrames
from make_us_rich.features.split import Split
from make_us_rich.features.windows import Windows, make_windows
from make_us_rich.inference.session import QuantileSession
from make_us_rich.models.base import Challenger, Challengers, Scaler, cut_parts, scaler_fingerprint
from make_us_rich.models.ensemble import combine
from make_us_rich.models.registry import TrainingParameters, recipe_of
from make_us_rich.pipelines.converting.parity import ConvertingParameters, compare

MIN_WIDTH = 1e-9
"""Smallest width of an interval, log return, for a market that did not move."""


def select_challenger(challengers: Challengers, evaluation_report: dict[str, Any]) -> tuple[Challenger, Challenger]:
    """The fitted model that evaluating has chosen, the members of an ensemble as one, and the baseline beside it.

    Raises:
        ArtifactError: It has not been fitted, or with other hyperparameters than were evaluated.
    """
    report = EvaluationReport.model_validate(evaluation_report)
    members = report.choice.split("+")
    missing = ", ".join(name for name in members if name not in challengers)
    remedy = f"run the whole pipeline: kedro run --pipeline={report.pair}"
    if missing:
        raise ArtifactError(f"{report.pair}: {missing} was chosen and has not been fitted", remedy)
    chosen = challengers[members[0]]
    if len(members) > 1:
        chosen = combine({name: challengers[name] for name in members})
    evaluated = {result.architecture: result.recipe for result in report.challengers}.get(report.choice)
    if evaluated not in (None, recipe_of(report.choice, chosen)):
        raise ArtifactError(
            f"{report.pair}: {report.choice} was evaluated and fitted with different hyperparameters", remedy
        )
    return chosen, challengers[BASELINE]


def sample_windows(
    features: FeatureFrames,
    klines: pd.DataFrame,
    split: dict[str, Any],
    chosen: Challenger,
    converting: ConvertingParameters,
) -> Windows:
    """The newest windows of the fit, as the chosen architecture sees them."""
    return cut_parts(chosen.architecture, features, klines, split).train_validation().newest(converting.parity_windows)


def convert_model(chosen: Challenger, evaluation_report: dict[str, Any], windows: Windows, run: RunContext) -> bytes:
    """The chosen model as an ONNX graph with its description in the metadata, checked by ``onnx.checker``."""
    import onnx

    model = onnx.load_from_string(chosen.fitted.to_onnx())
    properties = {
        "contract": CONTRACT,
        "pair": run.pair.name,
        "architecture": evaluation_report["choice"],
        "feature_set": chosen.architecture.feature_set,
        "columns": windows.columns,
        "lookback": windows.lookback,
        "horizon": HORIZON,
        "levels": LEVELS,
    }
    onnx.helper.set_model_props(model, {name: json.dumps(value) for name, value in properties.items()})
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def check_parity(
    onnx_model: bytes,
    chosen: Challenger,
    evaluation_report: dict[str, Any],
    windows: Windows,
    converting: ConvertingParameters,
    run: RunContext,
) -> dict[str, float]:
    """Compare graph and fitted model on the same windows, down to the price.

    Raises:
        ParityError: They differ by more than the tolerances.
    """
    name, inputs = f"{run.pair} {evaluation_report['choice']}", windows.inputs()
    shapes = (windows.lookback, len(windows.columns)), (HORIZON, len(LEVELS))
    found = QuantileSession(onnx_model, name, shapes).quantiles(inputs)
    return compare(chosen.fitted.quantiles(inputs), found, windows, name, converting)


def convert_baseline(
    baseline: Challenger,
    features: FeatureFrames,
    klines: pd.DataFrame,
    split: dict[str, Any],
    converting: ConvertingParameters,
    run: RunContext,
) -> tuple[bytes, dict[str, Any]]:
    """The baseline of the same run, which is shown beside the model, and the description of its input.

    Raises:
        ParityError: The graph differs from the fit by more than the tolerances.
    """
    report = {"choice": BASELINE}
    windows = sample_windows(features, klines, split, baseline, converting)
    graph = convert_model(baseline, report, windows, run)
    check_parity(graph, baseline, report, windows, converting, run)
    reads = Reads(feature_set=baseline.architecture.feature_set, columns=windows.columns, lookback=windows.lookback)
    return graph, reads.model_dump(mode="json")


def rank_scenarios(
    features: FeatureFrames, klines: pd.DataFrame, chosen: Challenger, training: TrainingParameters
) -> bytes:
    """How closes, highs and lows went together in the last year: the ranks behind the scenarios of a forecast."""
    architecture = chosen.architecture
    windows = make_windows(features[architecture.feature_set](), klines, architecture.lookback, HORIZON)
    windows = windows.at(windows.origins[grid_rows(windows.timestamps[windows.origins])])
    closes = chosen.fitted.quantiles(windows.inputs())["close"]
    low, high = (closes[:, :, LEVELS.index(level)] for level in (0.1, 0.9))
    outcomes = np.stack(list(windows.all_targets().values()), axis=1)
    widths = np.maximum(high - low, MIN_WIDTH)
    ranks = scenario_ranks(outcomes, widths, training.seed)
    return ScenarioRanks(windows.timestamps[windows.origins], ranks, widths.astype(np.float32)).to_bytes()


def describe_candidate(
    onnx_model: bytes,
    baseline_onnx: bytes,
    baseline_reads: dict[str, Any],
    parity: dict[str, float],
    scalers: dict[str, Scaler],
    klines: pd.DataFrame,
    split: dict[str, Any],
    metrics: dict[str, float],
    evaluation_report: dict[str, Any],
    chosen: Challenger,
    windows: Windows,
    past_forecasts: bytes,
    scenario_ranks: bytes,
    run: RunContext,
) -> dict[str, Any]:
    """Describe the converted model, and whether it may be served, for exporting: the record of a ``Candidate``."""
    report, cut = EvaluationReport.model_validate(evaluation_report), Split.model_validate(split)
    used = klines["timestamp"].iloc[-cut.rows :]
    recipe, feature_set = recipe_of(report.choice, chosen), chosen.architecture.feature_set
    # Of an ensemble, the member that sees the features of all.
    widest = next(name for name, member in recipe.items() if member["feature_set"] == feature_set)
    artifacts = onnx_model, baseline_onnx, past_forecasts, scenario_ranks
    candidate = Candidate(
        pair=run.pair.name,
        architecture=report.choice,
        feature_set=feature_set,
        columns=windows.columns,
        lookback=windows.lookback,
        horizon=HORIZON,
        levels=LEVELS,
        data=DataRange(start=used.iloc[0], end=used.iloc[-1], rows=len(used), simulated=report.simulated),
        metrics=metrics,
        parity=parity,
        scaler=scaler_fingerprint(scalers[widest]),
        checksums={name: sha256(content) for name, content in zip(ARTIFACTS, artifacts, strict=True)},
        verdict=report.verdict,
        recipe=recipe,
        trained_until=cut.test_start - HOUR,
        edge=report.edge,
        baseline=Reads.model_validate(baseline_reads),
    )
    return candidate.model_dump(mode="json")
