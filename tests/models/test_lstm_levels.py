import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import yaml

from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.features.split import Parts
from make_us_rich.models.lstm_levels import LstmLevels
from make_us_rich.models.registry import TrainingParameters
from synthetic import SETTINGS, TRAINING, Prepared, prepared, published, simulated_klines, trained

REPO = Path(__file__).resolve().parents[2]
MEDIAN = QUANTILE_LEVELS.index(0.5)
RECIPE = TRAINING.lstm_levels


@pytest.fixture(scope="module")
def parts() -> Parts:
    return prepared("baseline+lstm_levels").parts("lstm_levels")


@pytest.fixture(scope="module")
def fitted() -> Any:
    return trained("baseline+lstm_levels")["lstm_levels"].fitted


@pytest.fixture(scope="module")
def graph() -> bytes:
    return published("lstm_levels")[1]


@pytest.fixture(scope="module")
def session(graph: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(graph)


def fit(recipe: LstmLevels, made: Prepared, seed: int = 42) -> Any:
    settings = type(SETTINGS)(SETTINGS.levels, seed, SETTINGS.accelerator)
    return recipe.fit(made.parts("lstm_levels"), made.scalers["lstm_levels"], settings)


def test_the_configured_recipe_is_the_original_one() -> None:
    configured = TrainingParameters.model_validate(
        yaml.safe_load((REPO / "conf/base/parameters_training.yml").read_text())["training"]
    )

    assert configured.seed == 42
    assert configured.lstm_levels == LstmLevels(
        lookback=120,
        batch_size=64,
        hidden_size=128,
        layers=2,
        dropout=0.2,
        learning_rate=1e-4,
        max_epochs=100,
        patience=2,
    )


def test_it_sees_the_original_features() -> None:
    assert RECIPE.feature_set == "calendar_ohlc"


def test_the_network_is_built_to_the_recipe(fitted: Any) -> None:
    lstm = fitted.forecaster.network.lstm

    assert (lstm.input_size, lstm.hidden_size, lstm.num_layers, lstm.dropout) == (9, 4, 2, 0.2)


def test_the_optimiser_is_adamw_at_the_recipes_rate() -> None:
    import torch

    from make_us_rich.models.lightning_fit import NextCloseModule

    optimiser = NextCloseModule(torch.nn.Linear(1, 1), 1e-4).configure_optimizers()

    assert type(optimiser) is torch.optim.AdamW
    assert optimiser.param_groups[0]["lr"] == 1e-4


def scaled_by_hand(scaler: Any, values: np.ndarray) -> np.ndarray:
    """The lowest value to -1, the highest to 1; from what the scaler was fitted on, not from what it computes."""
    span = scaler.data_max_ - scaler.data_min_
    return 2 * (values - scaler.data_min_) / np.where(span > 0, span, 2) - 1


def test_a_training_sample_is_a_scaled_window_and_the_scaled_next_close(parts: Parts) -> None:
    from make_us_rich.models.lightning_fit import ScaledWindows

    scaler: Any = prepared("baseline+lstm_levels").scalers["lstm_levels"]
    inputs, target = ScaledWindows(parts.fit, scaler, parts.fit.columns.index("close")).__getitems__([3, 0])

    closes = simulated_klines()["close"].to_numpy()
    origins = parts.fit.origins[[3, 0]]
    low, high = (edge[parts.fit.columns.index("close")] for edge in (scaler.data_min_, scaler.data_max_))
    np.testing.assert_allclose(target[:, 0], 2 * (closes[origins + 1] - low) / (high - low) - 1, atol=1e-6)
    unscaled = parts.fit.features[origins[0] - 11 : origins[0] + 1]
    np.testing.assert_allclose(inputs[0], scaled_by_hand(scaler, unscaled), atol=1e-5)


def test_the_same_seed_gives_the_same_weights(fitted: Any) -> None:
    again = fit(RECIPE, prepared("baseline+lstm_levels")).forecaster.state_dict()

    for name, weights in fitted.forecaster.state_dict().items():
        np.testing.assert_array_equal(again[name], weights, err_msg=name)


def test_another_seed_gives_other_weights(fitted: Any) -> None:
    other = fit(RECIPE.model_copy(update={"max_epochs": 1}), prepared("baseline+lstm_levels"), seed=1)

    assert not np.array_equal(
        other.forecaster.network.head.weight.detach(), fitted.forecaster.network.head.weight.detach()
    )


def test_a_refit_begins_with_the_weights_of_the_fit_before(fitted: Any, parts: Parts) -> None:
    scaler = prepared("baseline+lstm_levels").scalers["lstm_levels"]
    frozen = RECIPE.model_copy(update={"learning_rate": 1e-12, "max_epochs": 1})

    refitted: Any = frozen.refit(fitted, parts, scaler, SETTINGS)

    before = fitted.forecaster.network.state_dict()
    for name, weights in refitted.forecaster.network.state_dict().items():
        np.testing.assert_allclose(weights, before[name], atol=1e-9)


def test_the_history_has_a_row_for_each_epoch(fitted: Any) -> None:
    assert fitted.history["step"].tolist() == [0, 1]
    assert fitted.history[["train_loss", "validation_loss"]].notna().all(axis=None)


def test_the_fit_stops_early_and_keeps_the_best_weights() -> None:
    # A rate far too high makes the validation loss jump about.
    recipe = RECIPE.model_copy(update={"learning_rate": 0.3, "max_epochs": 30, "patience": 1})
    made = prepared("baseline+lstm_levels")
    model = fit(recipe, made)
    losses = model.history["validation_loss"]

    assert len(losses) < 30
    assert losses.idxmin() < len(losses) - 1
    assert next_close_loss(model, made) == pytest.approx(losses.min(), rel=1e-3)


def next_close_loss(model: Any, made: Prepared) -> float:
    """Mean squared error of the scaled next close on the validation windows, from the forecast prices."""
    windows = made.parts("lstm_levels").validation
    scaler: Any = made.scalers["lstm_levels"]
    scale = scaler.scale_[windows.columns.index("close")]
    forecast = windows.last_closes() * np.exp(model.quantiles(windows.inputs())[:, 0, MEDIAN].astype(float))
    actual = windows.last_closes() * np.exp(windows.targets()[:, 0])
    return float((((forecast - actual) * scale) ** 2).mean())


def test_the_median_is_the_networks_own_price_carried_forward(fitted: Any, parts: Parts) -> None:
    import torch

    inputs = parts.test.inputs()
    scaler: Any = prepared("baseline+lstm_levels").scalers["lstm_levels"]
    scaled = torch.tensor(scaled_by_hand(scaler, inputs), dtype=torch.float32)
    with torch.inference_mode():
        close = fitted.forecaster.network.eval()(scaled).numpy()[:, 0]
    wide = np.zeros((len(close), 9))
    wide[:, parts.test.columns.index("close")] = close
    prices = scaler.inverse_transform(wide)[:, parts.test.columns.index("close")]

    medians = parts.test.last_closes()[:, None] * np.exp(fitted.quantiles(inputs)[:, :, MEDIAN])

    np.testing.assert_allclose(medians, np.repeat(prices[:, None], HORIZON, axis=1), rtol=1e-5)


def test_the_spread_is_that_of_the_validation_errors_on_both_sides(fitted: Any, parts: Parts) -> None:
    windows = parts.validation
    quantiles = fitted.quantiles(windows.inputs()).astype(float)
    errors = np.abs(windows.targets() - quantiles[:, :, MEDIAN])

    upper = quantiles[0, :, -1] - quantiles[0, :, MEDIAN]
    lower = quantiles[0, :, MEDIAN] - quantiles[0, :, 0]

    # Between the levels 0.05 and 0.95 lie 90 % of the errors.
    np.testing.assert_allclose(upper, np.quantile(errors, 0.9, axis=0), rtol=1e-3)
    np.testing.assert_allclose(lower, upper, rtol=1e-3)


def test_quantiles_ascend(fitted: Any, parts: Parts) -> None:
    assert (np.diff(fitted.quantiles(parts.test.inputs()), axis=-1) >= 0).all()


@pytest.mark.parametrize("batch", [1, 2, 45])
def test_onnx_equals_torch_in_quote_currency(
    session: onnxruntime.InferenceSession, fitted: Any, parts: Parts, batch: int
) -> None:
    inputs, closes = parts.test.inputs()[:batch], parts.test.last_closes()[:batch, None, None]

    (found,) = session.run(["quantiles"], {"features": inputs})

    assert found.shape == (batch, HORIZON, len(QUANTILE_LEVELS))
    # A cent on a price of some forty thousand.
    np.testing.assert_allclose(closes * np.exp(found), closes * np.exp(fitted.quantiles(inputs)), rtol=0, atol=0.05)


def test_the_graph_holds_no_path_of_the_machine_that_made_it(graph: bytes) -> None:
    assert b"site-packages" not in graph
    assert b"make_us_rich" not in graph


def test_a_price_below_zero_still_has_a_logarithm() -> None:
    import torch

    from make_us_rich.models.levels_network import LevelsForecaster

    class Astray(torch.nn.Module):
        def forward(self, scaled: torch.Tensor) -> torch.Tensor:
            return torch.full((len(scaled), 1), -1e6)

    scaler: Any = prepared("baseline+lstm_levels").scalers["lstm_levels"]
    forecaster = LevelsForecaster(Astray(), scaler, 7, np.zeros((1, 1)))

    assert torch.isfinite(forecaster(torch.full((2, 12, 9), 100.0))).all()


def test_a_fitted_model_survives_pickling(fitted: Any, parts: Parts) -> None:
    import pickle

    again = pickle.loads(pickle.dumps(fitted))

    np.testing.assert_array_equal(again.quantiles(parts.test.inputs()), fitted.quantiles(parts.test.inputs()))


def test_torch_is_not_imported_when_only_the_baseline_is_fitted() -> None:
    code = """
import sys
sys.path.insert(0, sys.argv[1])
from synthetic import trained
assert list(trained("baseline")) == ["baseline"]
print(*sorted({"torch", "pytorch_lightning"} & sys.modules.keys()))
"""
    ended = subprocess.run(
        [sys.executable, "-c", code, str(REPO / "tests")], capture_output=True, text=True, timeout=120, check=False
    )

    assert (ended.returncode, ended.stdout.strip()) == (0, ""), ended.stderr
