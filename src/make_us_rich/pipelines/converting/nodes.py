"""Nodes of the converting pipeline."""

import json
from typing import Any

import pandas as pd

from make_us_rich.domain.checksums import sha256
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.forecast import BASELINE, HORIZON, QUANTILE_LEVELS
from make_us_rich.domain.judgement import Judgement
from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.manifest import CONTRACT, NO_EDGE, Candidate, DataRange, Reads, Verdict
from make_us_rich.domain.run import RunContext
from make_us_rich.features.split import Split
from make_us_rich.features.windows import Windows
from make_us_rich.inference.session import QuantileSession
from make_us_rich.models.challengers import Challenger, Challengers
from make_us_rich.models.combination import combine
from make_us_rich.models.interface import Scaler, scaler_fingerprint
from make_us_rich.models.parts import Features, cut_parts
from make_us_rich.models.recipes import Recipe, recipe_of
from make_us_rich.pipelines.converting.parameters import ConvertingParameters
from make_us_rich.pipelines.converting.parity import compare


def pick_challenger(challengers: Challengers, choice: dict[str, str]) -> Challenger:
    """The chosen one; where it is a combination, its members as one."""
    members = choice["architecture"].split("+")
    return challengers[members[0]] if len(members) == 1 else combine({name: challengers[name] for name in members})


def draw_windows(
    features: Features,
    klines: pd.DataFrame,
    split: dict[str, Any],
    chosen: Challenger,
    converting: ConvertingParameters,
) -> Windows:
    """The newest real windows of the test part, as the chosen architecture sees them."""
    test = cut_parts(chosen.architecture, features, klines, split).test
    return test.at(test.origins[-converting.parity_windows :])


def convert_model(chosen: Challenger, choice: dict[str, str], windows: Windows, run: RunContext) -> bytes:
    """The chosen model as an ONNX graph that says what it is and has passed ``onnx.checker``."""
    import onnx

    model = onnx.load_from_string(chosen.fitted.to_onnx())
    properties = {
        "contract": CONTRACT,
        "pair": run.pair.name,
        "architecture": choice["architecture"],
        "feature_set": chosen.architecture.feature_set,
        "columns": windows.columns,
        "lookback": windows.lookback,
        "horizon": HORIZON,
        "levels": QUANTILE_LEVELS,
    }
    onnx.helper.set_model_props(model, {name: json.dumps(value) for name, value in properties.items()})
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def check_parity(
    onnx_model: bytes,
    chosen: Challenger,
    choice: dict[str, str],
    windows: Windows,
    converting: ConvertingParameters,
    run: RunContext,
) -> dict[str, float]:
    """Run both on the same real windows and compare what they say, down to the price.

    Raises:
        ParityError: They differ by more than the tolerances.
    """
    name = f"{run.pair} {choice['architecture']}"
    shapes = (windows.lookback, len(windows.columns)), (HORIZON, len(QUANTILE_LEVELS))
    session = QuantileSession(onnx_model, name, shapes)
    inputs = windows.inputs()
    return compare(chosen.fitted.quantiles(inputs), session.quantiles(inputs), windows, name, converting)


def describe_candidate(
    onnx_model: bytes,
    parity: dict[str, float],
    scalers: dict[str, Scaler],
    klines: pd.DataFrame,
    split: dict[str, Any],
    metrics: dict[str, float],
    judgement: dict[str, Any],
    chosen: Challenger,
    windows: Windows,
    run: RunContext,
) -> dict[str, Any]:
    """What the converted model is and whether it may be served, for exporting to publish.

    Raises:
        ArtifactError: The judgement is on another recipe, as after a stage that was run alone.
    """
    made, cut = Judgement.model_validate(judgement), Split.model_validate(split)
    used = klines["timestamp"].iloc[-cut.rows :]
    recipe = recipe_of(made.choice, chosen)
    candidate = Candidate(
        pair=run.pair.name,
        architecture=made.choice,
        feature_set=chosen.architecture.feature_set,
        columns=windows.columns,
        lookback=windows.lookback,
        horizon=HORIZON,
        levels=QUANTILE_LEVELS,
        data=DataRange(start=used.iloc[0], end=used.iloc[-1], rows=len(used)),
        metrics=metrics,
        parity=parity,
        scaler=scaler_fingerprint(scalers[_widest(recipe, chosen)]),
        checksums={"onnx_model": sha256(onnx_model)},
        verdict=made.verdict,
        recipe=recipe,
        trained_until=cut.test_start - HOUR,
        edge=_edge_of(made, recipe),
    )
    return candidate.model_dump(mode="json")


def convert_baseline(
    challengers: Challengers,
    features: Features,
    klines: pd.DataFrame,
    split: dict[str, Any],
    converting: ConvertingParameters,
    run: RunContext,
) -> tuple[bytes, dict[str, Any]]:
    """The baseline of the same run, checked like the model beside which it is shown, and what it takes.

    Raises:
        ParityError: The graph differs from the fit by more than the tolerances.
    """
    baseline, choice = challengers[BASELINE], {"architecture": BASELINE}
    windows = draw_windows(features, klines, split, baseline, converting)
    graph = convert_model(baseline, choice, windows, run)
    check_parity(graph, baseline, choice, windows, converting, run)
    reads = Reads(feature_set=baseline.architecture.feature_set, columns=windows.columns, lookback=windows.lookback)
    return graph, reads.model_dump(mode="json")


def add_baseline(described: dict[str, Any], baseline_onnx: bytes, reads: dict[str, Any]) -> dict[str, Any]:
    """The candidate's description with that of the baseline beside it."""
    checksums = {**described["checksums"], "baseline_onnx": sha256(baseline_onnx)}
    return {**described, "checksums": checksums, "baseline": reads}


def _edge_of(made: Judgement, recipe: Recipe) -> Verdict:
    judged = {each.architecture: each for each in made.challengers}.get(made.choice)
    if judged is None:
        return NO_EDGE
    if judged.recipe != recipe:
        raise ArtifactError(
            f"{made.pair}: {made.choice} was judged with other hyperparameters than it was fitted with;"
            " run the whole pipeline again"
        )
    return judged.edge


def _widest(recipe: Recipe, chosen: Challenger) -> str:
    """The member that sees all features of a combination; a plain model's own name."""
    return next(name for name, member in recipe.items() if member["feature_set"] == chosen.architecture.feature_set)
