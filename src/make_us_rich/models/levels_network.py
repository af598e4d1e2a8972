"""The network of ``lstm_levels``, its training, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from make_us_rich.models.closed_form import symmetric_quantiles
from make_us_rich.models.lightning_fit import NextCloseModule, ScaledWindows, WindowData, train
from make_us_rich.models.torch_onnx import to_onnx

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from make_us_rich.features.split import Parts
    from make_us_rich.features.windows import Windows
    from make_us_rich.models.interface import FitSettings, Scaler
    from make_us_rich.models.lstm_levels import LstmLevels

PREDICT_BATCH = 512


class LevelsNetwork(nn.Module):
    """LSTM over scaled features; the last hidden state gives the scaled close of the next hour."""

    def __init__(self, features: int, recipe: LstmLevels) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            features,
            recipe.hidden_size,
            recipe.layers,
            batch_first=True,
            dropout=recipe.dropout if recipe.layers > 1 else 0.0,
        )
        self.head = nn.Linear(recipe.hidden_size, 1)

    def forward(self, scaled: Tensor) -> Tensor:
        """``[batch, lookback, feature]`` to ``[batch, 1]``, both scaled."""
        hidden, _ = self.lstm(scaled)
        close: Tensor = self.head(hidden[:, -1])
        return close


class LevelsForecaster(nn.Module):
    """The network between its scalers: unscaled features in, quantiles of log returns out.

    Buffers: ``scale`` and ``shift`` of the min-max scaler, ``[feature]``; ``spread``, ``[horizon, level]``.
    """

    def __init__(self, network: nn.Module, scaler: Scaler, close: int, spread: NDArray[np.float64]) -> None:
        super().__init__()
        self.network = network
        self.close = close
        self.scale: Tensor
        self.shift: Tensor
        self.spread: Tensor
        self.register_buffer("scale", torch.tensor(scaler.scale_, dtype=torch.float32))
        self.register_buffer("shift", torch.tensor(scaler.min_, dtype=torch.float32))
        self.register_buffer("spread", torch.tensor(spread, dtype=torch.float32))

    def forward(self, features: Tensor) -> Tensor:
        """``[batch, lookback, feature]``, unscaled, to ``[batch, horizon, level]``, log returns."""
        scaled = self.network(features * self.scale + self.shift)
        price = (scaled - self.shift[self.close]) / self.scale[self.close]
        last = features[:, -1, self.close : self.close + 1]
        # A network that has gone astray may predict a price below zero, which has no logarithm.
        returns = torch.log(torch.clamp(price / last, min=1e-6))
        return returns.unsqueeze(-1) + self.spread


@dataclass(frozen=True)
class FittedLevels:
    """A trained forecaster and its curve; see ``FittedModel``."""

    forecaster: LevelsForecaster
    lookback: int
    features: int
    history: pd.DataFrame

    def quantiles(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """See ``FittedModel``."""
        return predict(self.forecaster, inputs)

    def to_onnx(self) -> bytes:
        """See ``FittedModel``."""
        return to_onnx(self.forecaster, self.lookback, self.features)


def fit_levels(
    recipe: LstmLevels, parts: Parts, scaler: Scaler, settings: FitSettings, previous: FittedLevels | None = None
) -> FittedLevels:
    """Train the recipe, then read its spread off the validation windows.

    Args:
        recipe: Its hyperparameters.
        parts: What it learns from and is stopped on.
        scaler: Of these parts.
        settings: Levels, seed, accelerator.
        previous: The training begins with its weights; None: with random ones.
    """
    columns = parts.fit.columns
    torch.manual_seed(settings.seed)
    network = LevelsNetwork(len(columns), recipe)
    if previous is not None:
        network.load_state_dict(previous.forecaster.network.state_dict())
    fit, validation = (ScaledWindows(part, scaler, columns.index("close")) for part in (parts.fit, parts.validation))
    data = WindowData(fit, validation, recipe.batch_size, settings.seed)
    module = NextCloseModule(network, recipe.learning_rate)
    history = train(module, data, recipe.max_epochs, recipe.patience, settings.accelerator)
    bare = LevelsForecaster(network, scaler, columns.index("close"), np.zeros((1, 1)))
    spread = symmetric_spread(bare, parts.validation, settings.levels)
    forecaster = LevelsForecaster(network, scaler, columns.index("close"), spread).eval()
    return FittedLevels(forecaster, recipe.lookback, len(columns), history)


def symmetric_spread(bare: nn.Module, windows: Windows, levels: tuple[float, ...]) -> NDArray[np.float64]:
    """Quantiles of the absolute errors of the carried-forward price, signed by side; ``[horizon, level]``."""
    return symmetric_quantiles(windows.targets() - predict(bare, windows.inputs())[:, :, 0], levels)


@torch.inference_mode()
def predict(forecaster: nn.Module, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run a forecaster over windows, a batch at a time, on the CPU."""
    forecaster.eval().cpu()
    batches = (torch.tensor(inputs[at : at + PREDICT_BATCH]) for at in range(0, len(inputs), PREDICT_BATCH))
    return np.concatenate([forecaster(batch).numpy() for batch in batches])
