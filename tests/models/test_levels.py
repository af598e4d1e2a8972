from typing import Any

import numpy as np
import pytest

from make_us_rich.domain.forecast import HORIZON, LEVELS, TARGETS
from make_us_rich.models.levels import build_forecaster

MEDIAN = LEVELS.index(0.5)
CLOSE = 7
"""Index of the close among the features."""


@pytest.fixture(scope="module")
def case(case_of: Any) -> Any:
    return case_of("lstm_levels")


def test_the_network_is_built_to_the_recipe(case: Any) -> None:
    lstm = case.fitted.forecaster.network.lstm

    assert (lstm.input_size, lstm.hidden_size, lstm.num_layers, lstm.dropout) == (9, 4, 2, 0.2)


def scaled_by_hand(scaler: Any, values: np.ndarray) -> np.ndarray:
    """The lowest value to -1, the highest to 1; from the data that the scaler was fitted on."""
    span = scaler.data_max_ - scaler.data_min_
    scaled: np.ndarray = 2 * (values - scaler.data_min_) / np.where(span > 0, span, 2) - 1
    return scaled


def test_the_fit_stops_early_with_the_best_weights(case: Any) -> None:
    # A learning rate far too high makes the validation loss jump.
    model = case.fit(learning_rate=0.3, max_epochs=30, patience=1)
    losses = model.history["validation_loss"]

    assert len(losses) < 30
    assert losses.idxmin() < len(losses) - 1
    assert next_close_loss(model, case) == pytest.approx(losses.min(), rel=1e-3)


def next_close_loss(model: Any, case: Any) -> float:
    """Mean squared error of the scaled next close on the validation windows, from the forecast prices."""
    windows, scale = case.parts.validation, case.scaler.scale_[CLOSE]
    forecast = windows.last_closes() * np.exp(model.quantiles(windows.inputs())["close"][:, 0, MEDIAN].astype(float))
    actual = windows.last_closes() * np.exp(windows.targets()[:, 0])
    return float((((forecast - actual) * scale) ** 2).mean())


def test_the_median_of_every_horizon_is_the_networks_own_price(case: Any) -> None:
    import torch

    test = case.parts.test
    scaled = torch.tensor(scaled_by_hand(case.scaler, test.inputs()), dtype=torch.float32)
    with torch.inference_mode():
        close = case.fitted.forecaster.network.eval()(scaled).numpy()[:, 0]
    wide = np.zeros((len(close), 9))
    wide[:, CLOSE] = close
    prices = case.scaler.inverse_transform(wide)[:, CLOSE]

    medians = test.last_closes()[:, None] * np.exp(case.fitted.quantiles(test.inputs())["close"][:, :, MEDIAN])

    np.testing.assert_allclose(medians, np.repeat(prices[:, None], HORIZON, axis=1), rtol=1e-5)


def test_the_spread_is_that_of_the_validation_errors_on_both_sides(case: Any) -> None:
    windows = case.parts.validation
    quantiles = case.fitted.quantiles(windows.inputs())["close"].astype(float)
    errors = np.abs(windows.targets() - quantiles[:, :, MEDIAN])

    low, high = (quantiles[0, :, LEVELS.index(level)] for level in (0.05, 0.95))
    upper, lower = high - quantiles[0, :, MEDIAN], quantiles[0, :, MEDIAN] - low

    # Between the levels 0.05 and 0.95 lie 90 % of the errors.
    np.testing.assert_allclose(upper, np.quantile(errors, 0.9, axis=0), rtol=1e-3)
    np.testing.assert_allclose(lower, upper, rtol=1e-3)


@pytest.mark.parametrize("target", ["high", "low"])
def test_highs_and_lows_lie_as_far_from_the_median_as_in_the_validation_windows(case: Any, target: str) -> None:
    windows = case.parts.validation
    quantiles = case.fitted.quantiles(windows.inputs())
    medians = quantiles["close"][:, :, [MEDIAN]].astype(float)
    spread = np.quantile(windows.targets(target)[:, :, None] - medians, LEVELS, axis=0)[:, :, 0].T

    furthest = np.maximum if target == "high" else np.minimum
    expected = furthest(medians + spread, furthest(quantiles["close"], 0))

    np.testing.assert_allclose(quantiles[target], expected, atol=1e-6)


def test_a_price_below_zero_still_has_a_logarithm(case: Any) -> None:
    import torch

    class Negative(torch.nn.Module):
        def forward(self, scaled: torch.Tensor) -> torch.Tensor:
            return torch.full((len(scaled), 1), -1e6)

    forecaster = build_forecaster(Negative(), case.scaler, CLOSE, dict.fromkeys(TARGETS, np.zeros((1, 1))))

    for quantiles in forecaster(torch.full((2, 12, 9), 100.0)):
        assert torch.isfinite(quantiles).all()
