from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.domain.klines import KLINE_DTYPES
from make_us_rich.domain.pair import Pair
from make_us_rich.domain.published import Published
from make_us_rich.domain.run import RunContext
from make_us_rich.features.split import Split, split_windows
from make_us_rich.features.windows import input_rows, make_windows
from make_us_rich.models.registry import TrainingParameters
from make_us_rich.pipelines.preprocessing.nodes import compute_features, fit_scalers, line_up, split_klines
from make_us_rich.pipelines.preprocessing.parameters import PreprocessingParameters
from make_us_rich.pipelines.preprocessing.pipeline import create_pipeline
from synthetic import CONFIGURED, line, published

ROWS = 720
DAYS = ROWS // 24
LOOKBACKS = {"baseline": 30, "lstm_levels": 20}
RUN = RunContext(Pair.parse("btc_usdt"), "2025-01-01T00.00.00.000Z", datetime(2025, 1, 1, tzinfo=UTC), "unknown")
PARAMETERS = PreprocessingParameters(test_fraction=0.1, validation_fraction=0.2)
TRAINING = {
    "seed": 1,
    "accelerator": "cpu",
    "baseline": {"lookback": LOOKBACKS["baseline"], "decays": [0.9]},
    "lstm_levels": {
        "lookback": LOOKBACKS["lstm_levels"],
        "batch_size": 8,
        "hidden_size": 4,
        "layers": 1,
        "dropout": 0.0,
        "learning_rate": 0.001,
        "max_epochs": 1,
        "patience": 1,
    },
}


def random_walk(rows: int = ROWS, gaps: tuple[int, ...] = ()) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    hours = np.arange(rows) + 3 * np.isin(np.arange(rows), gaps).cumsum()
    opened = pd.Timestamp("2024-05-01", tz="UTC") + pd.to_timedelta(hours, unit="h")
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, rows)))
    spread = np.exp(rng.exponential(0.004, rows))
    prices = {"open": close, "high": close * spread, "low": close / spread, "close": close}
    flows = {name: rng.exponential(9, rows) for name in ("volume", "quote_av", "tb_base_av", "tb_quote_av")}
    times = {"timestamp": opened, "close_time": opened + pd.Timedelta("59min")}
    return pd.DataFrame({**times, **prices, **flows, "trades": rng.integers(1, 99, rows), "ignore": 0.0}).astype(
        KLINE_DTYPES
    )


@pytest.fixture(scope="module")
def training() -> TrainingParameters:
    return TrainingParameters.model_validate(CONFIGURED | TRAINING)


def lazily(features: dict[str, pd.DataFrame]) -> dict[str, Callable[[], pd.DataFrame]]:
    """As the catalog hands partitions over."""
    return {name: lambda frame=frame: frame for name, frame in features.items()}


def scalers_of(klines: pd.DataFrame, training: TrainingParameters, names: str) -> dict[str, Any]:
    features = lazily(compute_features(klines, DAYS, line(names, training)))
    split = split_klines(klines, DAYS, PARAMETERS, RUN)
    return fit_scalers(features, split, line(names, training), PARAMETERS, RUN)


def rows_seen_in_fitting(klines: pd.DataFrame, training: TrainingParameters, name: str) -> np.ndarray:
    architecture = training.architecture(name)
    frame = compute_features(klines, DAYS, line(name, training))[architecture.feature_set]
    windows = make_windows(frame, klines, architecture.lookback, HORIZON)
    parts = split_windows(windows, Split.model_validate(split_klines(klines, DAYS, PARAMETERS, RUN)))
    return input_rows(parts.fit.origins, architecture.lookback)


def test_only_the_requested_feature_sets_and_the_baselines_are_computed(training: TrainingParameters) -> None:
    klines = random_walk(400)

    assert list(compute_features(klines, DAYS, line("baseline", training))) == ["returns"]
    assert list(compute_features(klines, DAYS, line("lstm_levels", training))) == ["calendar_ohlc", "returns"]


def test_only_the_newest_days_are_used(training: TrainingParameters) -> None:
    klines = random_walk()

    features = compute_features(klines, 12, line("baseline", training))["returns"]
    split = Split.model_validate(split_klines(klines, 12, PARAMETERS, RUN))

    assert features.index.tolist() == klines["timestamp"].tail(12 * 24).tolist()
    assert split.rows == 12 * 24


def test_the_split_is_a_record_of_plain_values() -> None:
    record = split_klines(random_walk(), DAYS, PARAMETERS, RUN)

    assert record == {
        "rows": 720,
        "test_start": "2024-05-28T00:00:00Z",
        "validation_fraction": 0.2,
        "horizon": 24,
    }


@pytest.mark.parametrize("gaps", [(), (400,)])
@pytest.mark.parametrize("name", ["baseline", "lstm_levels"])
def test_a_scaler_is_fitted_on_the_rows_that_fit_windows_see(
    training: TrainingParameters, name: str, gaps: tuple[int, ...]
) -> None:
    klines = random_walk(gaps=gaps)
    architecture = training.architecture(name)
    frame = compute_features(klines, DAYS, line(name, training))[architecture.feature_set]
    rows = rows_seen_in_fitting(klines, training, name)

    scaler = scalers_of(klines, training, name)[name]

    np.testing.assert_array_equal(scaler.data_min_, frame.to_numpy()[rows].min(axis=0))
    np.testing.assert_array_equal(scaler.data_max_, frame.to_numpy()[rows].max(axis=0))
    assert scaler.n_samples_seen_ == len(rows)


@settings(max_examples=25)
@given(factor=st.floats(0.01, 100))
def test_no_other_row_changes_a_scaler(training: TrainingParameters, factor: float) -> None:
    klines = random_walk()
    rows = rows_seen_in_fitting(klines, training, "lstm_levels")
    changed = klines.copy()
    others = ~np.isin(np.arange(ROWS), rows)
    changed.loc[others, ["open", "high", "low", "close"]] *= factor

    before, after = (scalers_of(frame, training, "lstm_levels")["lstm_levels"] for frame in (klines, changed))

    assert others.any()
    np.testing.assert_array_equal(after.scale_, before.scale_)
    np.testing.assert_array_equal(after.min_, before.min_)


def test_every_row_seen_can_change_a_scaler(training: TrainingParameters) -> None:
    klines = random_walk()
    rows = rows_seen_in_fitting(klines, training, "lstm_levels")

    for row in (rows[0], rows[-1]):
        changed = klines.copy()
        changed.loc[row, "high"] = 1e6
        scaler = scalers_of(changed, training, "lstm_levels")["lstm_levels"]
        assert scaler.data_max_[list(scaler.feature_names_in_).index("high")] == 1e6


@settings(max_examples=25)
@given(st.lists(st.floats(1e-3, 1e6), min_size=9, max_size=9))
def test_scaling_there_and_back_changes_nothing(training: TrainingParameters, row: list[float]) -> None:
    scaler = scalers_of(random_walk(), training, "lstm_levels")["lstm_levels"]
    unscaled = pd.DataFrame([row], columns=scaler.feature_names_in_)

    back = scaler.inverse_transform(scaler.transform(unscaled))

    np.testing.assert_allclose(back, unscaled, rtol=1e-9, atol=1e-9)


def test_fit_rows_are_scaled_to_minus_one_and_one(training: TrainingParameters) -> None:
    klines = random_walk()
    frame = compute_features(klines, DAYS, line("baseline", training))["returns"]
    rows = rows_seen_in_fitting(klines, training, "baseline")

    scaled = scalers_of(klines, training, "baseline")["baseline"].transform(frame.iloc[rows])

    np.testing.assert_allclose(scaled.min(axis=0), -1)
    np.testing.assert_allclose(scaled.max(axis=0), 1)


def test_a_scaler_names_its_features(training: TrainingParameters) -> None:
    scalers = scalers_of(random_walk(), training, "lstm_levels")

    assert list(scalers) == ["lstm_levels", "baseline"]
    assert list(scalers["lstm_levels"].feature_names_in_)[-2:] == ["close", "close_change"]


def test_too_few_candles_name_the_pair_the_numbers_and_the_remedy(training: TrainingParameters) -> None:
    # 168 warm-up + 30 lookback + 24 embargo + 30 training windows - 1, and a tenth of all for the test.
    with pytest.raises(
        DataError,
        match=r"btc_usdt: baseline needs 279 candles without a gap, and there are 250 with 0 gaps;"
        r" set history_days to 12 or more, or shorten its lookback",
    ):
        scalers_of(random_walk(250), training, "baseline")


def test_a_challenger_with_too_few_candles_is_left_out_and_the_baseline_stays(
    training: TrainingParameters, caplog: pytest.LogCaptureFixture
) -> None:
    scalers = scalers_of(random_walk(), training, "har")

    assert list(scalers) == ["baseline"]
    assert "btc_usdt: har needs 859 candles without a gap, and there are 720 with 0 gaps" in caplog.text


def test_the_baseline_is_always_in_the_line_up(training: TrainingParameters) -> None:
    assert list(line("lstm_levels", training)["challengers"]) == ["lstm_levels", "baseline"]


def test_what_a_search_has_found_takes_the_place_of_what_is_configured(training: TrainingParameters) -> None:
    found = training.har.model_dump(mode="json") | {"symmetry": 0.25}

    lineup = line_up("har", training, {"har": found}, None)

    assert lineup["challengers"]["har"]["symmetry"] == 0.25


def test_the_recipe_being_served_competes_too(training: TrainingParameters) -> None:
    manifest, graph = published()
    recipe = {"har": training.har.model_dump(mode="json")}
    served = Published(manifest.model_copy(update={"architecture": "har", "recipe": recipe}), graph)

    lineup = line_up("baseline", training, {}, served)

    assert lineup["champion"] == recipe
    assert list(compute_features(random_walk(), DAYS, lineup)) == ["har", "returns"]


def test_the_baseline_being_served_is_no_champion_to_beat_twice(training: TrainingParameters) -> None:
    assert line_up("har", training, {}, Published(*published()))["champion"] == {}


@pytest.mark.parametrize("recipe", [{"har": {"lookback": 1}}, {"transformer": {}}])
def test_a_recipe_of_another_release_is_told_and_does_not_compete(
    training: TrainingParameters, recipe: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    manifest, graph = published()
    served = Published(manifest.model_copy(update={"architecture": "har", "recipe": recipe}), graph)

    assert line_up("har", training, {}, served)["champion"] == {}
    assert f"btc_usdt {manifest.version}: recipe of {next(iter(recipe))}: " in caplog.text
    assert "this run compares nothing with it" in caplog.text


def test_gaps_that_leave_no_window_are_counted(training: TrainingParameters) -> None:
    with pytest.raises(DataError, match="there are 720 with 4 gaps"):
        scalers_of(random_walk(gaps=(150, 300, 450, 600)), training, "baseline")


def test_too_few_candles_to_split_name_the_pair() -> None:
    with pytest.raises(DataError, match=r"btc_usdt: 48 candles leave 5 for the test part and 24 are needed"):
        split_klines(random_walk(48), DAYS, PARAMETERS, RUN)


@pytest.mark.parametrize(
    "wrong",
    [{"test_fraction": 0.9}, {"validation_fraction": 0}, {"test_fractoin": 0.1}, {"test_fraction": "many"}],
)
def test_wrong_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        PreprocessingParameters.model_validate({"test_fraction": 0.1, "validation_fraction": 0.2, **wrong})


def test_the_pipeline_runs_from_klines_to_scalers(training: TrainingParameters) -> None:
    class Partitions(MemoryDataset):
        def load(self) -> Any:
            return lazily(super().load())

    class Nothing(MemoryDataset):
        """Where no model is published yet."""

        def load(self) -> None:
            return None

    inputs = {
        "klines": random_walk(),
        "run": RUN,
        "params:history_days": DAYS,
        "params:architectures": "lstm_levels",
        "params:training": training,
        "params:preprocessing": PARAMETERS,
        "stored_tuned": {},
    }
    datasets = {name: MemoryDataset(value) for name, value in inputs.items()}
    catalog = DataCatalog({**datasets, "features": Partitions(), "served_model": Nothing()})

    outputs = SequentialRunner().run(create_pipeline(), catalog)

    assert set(outputs["scalers"].load()) == {"baseline", "lstm_levels"}


def test_every_node_carries_the_tag_of_the_stage() -> None:
    assert all(node.tags == {"preprocessing"} for node in create_pipeline().nodes)
