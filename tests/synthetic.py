"""Small markets, and what each stage makes of them, for the tests of the stages after it."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from kedro.io import Version

from make_us_rich.backtest.backtest import Backtests, empty_backtests
from make_us_rich.backtest.calibration import CalibrationParameters
from make_us_rich.backtest.folds import BacktestParameters
from make_us_rich.datasets.files import BytesDataset, JSONDataset
from make_us_rich.datasets.published import ChampionPointerDataset
from make_us_rich.domain.evaluation import ChallengerResult, EvaluationReport
from make_us_rich.domain.forecast import HORIZON, LEVELS
from make_us_rich.domain.manifest import NO_EDGE, DataRange, Manifest, Published, Verdict
from make_us_rich.domain.pair import Pair
from make_us_rich.domain.run import RunContext
from make_us_rich.features.split import Parts, Split, split_windows
from make_us_rich.features.windows import make_windows
from make_us_rich.inference.past import past_forecasts_of
from make_us_rich.klines.frame import to_klines
from make_us_rich.models.base import Challengers, FitSettings, Scaler
from make_us_rich.models.registry import TrainingParameters
from make_us_rich.pipelines.converting.nodes import (
    check_parity,
    convert_baseline,
    convert_model,
    describe_candidate,
    rank_scenarios,
    sample_windows,
)
from make_us_rich.pipelines.converting.parity import ConvertingParameters
from make_us_rich.pipelines.exporting.nodes import publish_artifacts, write_manifest
from make_us_rich.pipelines.fetching.nodes import FetchingParameters, check_klines
from make_us_rich.pipelines.preprocessing.nodes import (
    compute_features,
    fit_scalers,
    select_candidates,
    split_klines,
)
from make_us_rich.pipelines.training.nodes import fit_challengers, run_backtest
from make_us_rich.replay import SimulatedMarket

# Threads that wait for one another make tiny networks slow where the cores are busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPO = Path(__file__).resolve().parents[1]
ROWS = 720
STARTED = datetime(2025, 1, 1, 0, 5, tzinfo=UTC)
VERSION = "2025-01-01T00.05.00.000Z"
RUN = RunContext(Pair.parse("btc_usdt"), VERSION, STARTED, "0123abc")
PLAN = BacktestParameters(n_folds=2, test_size=72, calibration_size=72, min_train_size=100)
SPLIT = {
    "rows": ROWS,
    "test_start": "2025-01-28T00:00:00Z",
    "validation_fraction": 0.2,
    "horizon": HORIZON,
    "train_size": PLAN.train_size,
}
SETTINGS = FitSettings(LEVELS, seed=42, accelerator="cpu")


def configured_parameters() -> dict[str, Any]:
    """The parameters of conf/base."""
    made: dict[str, Any] = {"exchange_url": "https://api.binance.com", "exchange_weight": 4800}
    for path in (REPO / "conf/base").glob("parameters*.yml"):
        made = yaml.safe_load(path.read_text()) | made
    return made


CONFIGURED: dict[str, Any] = configured_parameters()["training"]
NETWORK: dict[str, Any] = {
    "lookback": 12,
    "members": 2,
    "holdout_block_hours": 168,
    "hidden_size": 4,
    "learning_rate": 0.01,
    "max_epochs": 2,
    "warm_start_epochs": 1,
    "patience": 2,
}
SMALL: dict[str, Any] = {
    "accelerator": "cpu",
    "baseline": {"lookback": 24, "decays": [0.9, 0.97]},
    "patch_transformer": CONFIGURED["patch_transformer"] | NETWORK,
    "lstm": CONFIGURED["lstm"] | NETWORK | {"lookback": 6},
    "lstm_levels": CONFIGURED["lstm_levels"]
    | {"lookback": 12, "hidden_size": 4, "learning_rate": 0.01, "max_epochs": 2},
}
TRAINING = TrainingParameters.model_validate(CONFIGURED | SMALL)

Features = dict[str, Callable[[], pd.DataFrame]]


@cache
def simulated_klines(symbol: str = "BTCUSDT", rows: int = ROWS) -> pd.DataFrame:
    """The first hours of the simulated market; nobody traded them."""
    series = SimulatedMarket(seed=42).series(symbol, 1_514_764_800_000)
    assert series is not None
    return to_klines([json.loads(row) for row in series.rows[:rows]], symbol)


@dataclass(frozen=True)
class Prepared:
    """What preprocessing hands to training."""

    klines: pd.DataFrame
    candidates: dict[str, Any]
    features: Features
    split: dict[str, Any]
    scalers: dict[str, Scaler]

    def parts(self, architecture: str) -> Parts:
        """The windows of one architecture."""
        chosen = TRAINING.architecture(architecture)
        windows = make_windows(self.features[chosen.feature_set](), self.klines, chosen.lookback, HORIZON)
        return split_windows(windows, Split.model_validate(self.split))


def line(architectures: str, training: TrainingParameters = TRAINING) -> dict[str, Any]:
    """The candidates of a first run."""
    return select_candidates(simulated_klines(), ROWS // 24, architectures, training, PLAN, {}, None)


def prepare(klines: pd.DataFrame, architectures: str = "baseline", training: TrainingParameters = TRAINING) -> Prepared:
    """Run preprocessing on a frame."""
    days, candidates = len(klines) // 24, line(architectures, training)
    frames = compute_features(klines, days, candidates)
    features: Features = {name: lambda frame=frame: frame for name, frame in frames.items()}  # type: ignore[misc]
    split = split_klines(klines, days, candidates, PLAN)
    scalers = fit_scalers(features, split, candidates, data_report(), PLAN, RUN)
    return Prepared(klines, candidates, features, split, scalers)


@cache
def prepared(architectures: str = "baseline") -> Prepared:
    """Preprocessing of the simulated market."""
    return prepare(simulated_klines(), architectures)


def fit(made: Prepared) -> Challengers:
    """Training on what preprocessing has made."""
    return fit_challengers(made.features, made.klines, made.split, made.scalers, made.candidates, TRAINING, RUN)


@cache
def trained(architectures: str = "baseline") -> Challengers:
    """Training on the simulated market."""
    return fit(prepared(architectures))


@cache
def walked(architectures: str = "baseline") -> Backtests:
    """A backtest on the simulated market."""
    made = prepared(architectures)
    return run_backtest(made.features, made.klines, made.scalers, made.candidates, TRAINING, PLAN, RUN)


def data_report(*reasons: str) -> dict[str, Any]:
    """A data report of the simulated market: whole unless there are reasons against it."""
    now = simulated_klines()["timestamp"].iloc[-1] + pd.Timedelta("1h")
    rules = FetchingParameters.model_validate(configured_parameters()["fetching"] | {"min_training_candles": 1})
    _, report = check_klines(simulated_klines(), {"now": now.isoformat()}, RUN, rules)
    return report | {"valid": not reasons, "reasons": list(reasons)}


CONVERTING = ConvertingParameters(parity_windows=16, rtol=1e-3, atol=1e-5)


def judgement(architecture: str = "baseline", *, publish: bool = True) -> dict[str, Any]:
    """What the gate might have found, with this architecture as the choice."""
    verdict = Verdict(publish=publish, reason="mean CRPS 3 % below the baseline's" if publish else "refused: no luck")
    challenger = ChallengerResult(
        architecture=architecture,
        recipe={name: TRAINING.architecture(name).model_dump(mode="json") for name in architecture.split("+")},
        verdict=verdict,
        edge=NO_EDGE,
        n_comparisons=1,
        skill=0.03,
        dm_t=3.5,
        p=0.001,
        folds_won=8,
        folds=8,
        coverage_90=0.9,
    )
    candles = simulated_klines()["timestamp"]
    made = EvaluationReport(
        pair="btc_usdt",
        version=VERSION,
        at=STARTED,
        choice=architecture,
        verdict=verdict,
        challengers=() if architecture == "baseline" else (challenger,),
        champion=None,
        candles=DataRange(start=candles.iloc[0], end=candles.iloc[-1], rows=ROWS),
    )
    return made.model_dump(mode="json")


@cache
def baseline_beside(architecture: str = "baseline") -> tuple[bytes, dict[str, Any]]:
    """The graph of the baseline that is stored beside an architecture, and what it takes."""
    made = prepared(architecture)
    return convert_baseline(trained(architecture)["baseline"], made.features, made.klines, made.split, CONVERTING, RUN)


def publish(made: Prepared, challengers: Challengers, architecture: str) -> Published:
    """What converting and exporting make of a challenger."""
    inputs = made.features, made.klines, made.split
    chosen, report = challengers[architecture], judgement(architecture)
    metrics = {"rmse_1h": 0.0, "baseline_rmse_1h": 0.0, "crps_skill_mean": 0.0}
    windows = sample_windows(*inputs, chosen, CONVERTING)
    graph = convert_model(chosen, report, windows, RUN)
    parity = check_parity(graph, chosen, report, windows, CONVERTING, RUN)
    beside = convert_baseline(challengers["baseline"], *inputs, CONVERTING, RUN)
    ranks, past = rank_scenarios(made.features, made.klines, chosen, TRAINING), no_past_forecasts()
    graphs, described = (graph, *beside, parity, made.scalers), (metrics, report, chosen, windows)
    candidate = describe_candidate(*graphs, *inputs[1:], *described, past, ranks, RUN)
    *_, checksums = publish_artifacts(candidate, graph, beside[0], past, ranks, made.scalers)
    artifacts = graph, beside[0], past, ranks
    return Published(Manifest.read(write_manifest(candidate, checksums, *artifacts, RUN), "btc_usdt"), *artifacts)


def no_past_forecasts() -> bytes:
    """What evaluating keeps where there are too few candles for a backtest."""
    record = past_forecasts_of(empty_backtests(LEVELS, {}, {}), "baseline", CalibrationParameters(), center=True)
    return record.to_bytes()


@cache
def published_version(architecture: str = "baseline") -> Published:
    """What exporting stores of an architecture."""
    return publish(prepared(architecture), trained(architecture), architecture)


def published(architecture: str = "baseline") -> tuple[Manifest, bytes]:
    """Its manifest and its graph."""
    made = published_version(architecture)
    return made.manifest, made.onnx_model


def lay_out(project: Path) -> Path:
    """A project in a folder of its own, with the real configuration of base."""
    for name in ("base", "local"):
        (project / "conf" / name).mkdir(parents=True)
    for file in (REPO / "conf/base").glob("*.yml"):
        (project / "conf/base" / file.name).write_bytes(file.read_bytes())
    (project / "pyproject.toml").write_bytes((REPO / "pyproject.toml").read_bytes())
    return project


def write_config(project: Path, env: str, **files: object) -> None:
    """Write files of an environment, named without their ending."""
    for name, content in files.items():
        (project / "conf" / env / f"{name}.yml").write_text(yaml.safe_dump(content))


def store(project: Path, version: str, *, publish: bool = True, pair: str = "btc_usdt") -> None:
    """Store the published model as one more version of a pair, and as the champion if its verdict says so."""
    manifest, graph = published()
    verdict = Verdict(publish=publish, reason="data whole" if publish else "data not whole: 3 candles missing")
    update = {"pair": pair, "version": version, "verdict": verdict}
    record = manifest.model_copy(update=update).model_dump(mode="json")
    models = project / "data/06_models" / pair
    made = published_version()
    for name, model in {
        "model.onnx": graph,
        "baseline.onnx": made.baseline_onnx,
        "past_forecasts.npz": made.past_forecasts,
        "scenario_ranks.npz": made.scenario_ranks,
    }.items():
        BytesDataset(filepath=models / name, version=Version(None, version)).save(model)
    JSONDataset(filepath=str(models / "manifest.json"), version=Version(None, version)).save(record)
    if publish:
        pointer = pointer_of(project, pair)
        at = STARTED + timedelta(hours=len(pointer.load().promotions))
        pointer.save(pointer.load().promote(version, at, verdict.reason))


def pointer_of(project: Path, pair: str = "btc_usdt") -> ChampionPointerDataset:
    """The champion pointer of a published pair of the project."""
    return ChampionPointerDataset(pair=pair, filepath=project / "data/06_models" / pair / "champion.json")
