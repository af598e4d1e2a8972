"""The original recipe of 2022: an LSTM on min-max-scaled price levels that predicts the next close."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from make_us_rich.domain.forecast import TARGETS
from make_us_rich.models.base import Architecture, FitSettings, FittedModel, Scaler
from make_us_rich.models.closed_form import row_quantiles, symmetric_quantiles

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from make_us_rich.features.split import Parts

MIN_PRICE_RATIO = 1e-6
"""Smallest forecast price over the last close: the network may predict a price below zero, which has no logarithm."""


class LstmLevels(Architecture):
    """The original recipe of 2022, an LSTM on scaled price levels, for comparison.

    The network predicts the scaled close of the next hour. To keep the contract of all architectures, that price is
    the median of all horizons, and the other quantiles are the symmetric quantiles of the absolute validation errors;
    highs and lows lie as far from it as they did in the validation windows.

    Attributes:
        batch_size: Windows a training step.
        hidden_size: Width of each LSTM layer.
        layers: Number of LSTM layers.
        dropout: Between the LSTM layers.
        learning_rate: Of AdamW.
        max_epochs: Largest number of passes over the training windows.
        patience: Epochs without a better validation loss before the fit stops; the best weights are used.
    """

    trains_network: ClassVar[bool] = True

    feature_set: Literal["calendar_ohlc"] = "calendar_ohlc"
    batch_size: int = Field(ge=1)
    hidden_size: int = Field(ge=1)
    layers: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    learning_rate: float = Field(gt=0)
    max_epochs: int = Field(ge=1)
    patience: int = Field(ge=1)

    def network(self, features: int) -> nn.Module:
        """``[batch, lookback, feature]`` to ``[batch, 1]``, both scaled."""
        from torch import nn

        from make_us_rich.models.networks import FunctionModule

        dropout = self.dropout if self.layers > 1 else 0.0
        lstm = nn.LSTM(features, self.hidden_size, self.layers, batch_first=True, dropout=dropout)
        return FunctionModule(next_close, lstm=lstm, head=nn.Linear(self.hidden_size, 1))

    def fit(
        self, parts: Parts, scaler: Scaler, settings: FitSettings, previous: FittedModel | None = None
    ) -> FittedModel:
        """Train with Lightning, then take the spread from the validation windows."""
        import torch

        from make_us_rich.models.networks import FittedNetwork, NextValueModule, SequenceDataset, train

        columns = parts.train.columns
        close = columns.index("close")
        torch.manual_seed(settings.seed)
        network = self.network(len(columns))
        if isinstance(previous, FittedNetwork):
            network.load_state_dict(previous.forecaster.network.state_dict())
        scaled = torch.from_numpy((parts.train.features * scaler.scale_ + scaler.min_).astype(np.float32))
        train_windows, validation_windows = (
            SequenceDataset(scaled, part.origins, part.lookback, scaled[part.origins + 1, close, None])
            for part in (parts.train, parts.validation)
        )
        history = train(
            NextValueModule(network, self.learning_rate),
            train_windows,
            validation_windows,
            settings,
            batch_size=self.batch_size,
            max_epochs=self.max_epochs,
            patience=self.patience,
        )

        def fitted(spreads: dict[str, NDArray[np.float64]]) -> FittedNetwork:
            forecaster = build_forecaster(network, scaler, close, spreads).eval().cpu()
            return FittedNetwork(forecaster, self.lookback, len(columns), history)

        without_spread = fitted(dict.fromkeys(TARGETS, np.zeros((1, 1))))
        medians = without_spread.quantiles(parts.validation.inputs())["close"][:, :, 0]
        errors = {target: returns - medians for target, returns in parts.validation.all_targets().items()}
        spreads = {target: row_quantiles(each.T, settings.levels) for target, each in errors.items()}
        spreads["close"] = symmetric_quantiles(errors["close"], settings.levels)
        return fitted(spreads)


def next_close(network: Any, scaled: Tensor) -> Tensor:
    """The scaled close of the next hour, from the last hidden state."""
    hidden, _ = network.lstm(scaled)
    close: Tensor = network.head(hidden[:, -1])
    return close


def build_forecaster(network: nn.Module, scaler: Scaler, close: int, spreads: dict[str, NDArray[np.float64]]) -> Any:
    """The network between its scalers: unscaled features in, quantiles of log returns out.

    The close is the feature of that index; spreads are quantiles around the median by target, ``[horizon, level]``.
    """
    from make_us_rich.models.networks import FunctionModule

    function = partial(log_returns, close=close)
    # An initializer of the graph may not have the name of an output.
    named = {f"{target}_spread": spread for target, spread in spreads.items()}
    return FunctionModule(function, network=network, scale=scaler.scale_, shift=scaler.min_, **named)


def log_returns(forecaster: Any, features: Tensor, close: int) -> tuple[Tensor, Tensor, Tensor]:
    """Closes, highs and lows, ``[batch, horizon, level]``, from unscaled features, ``[batch, lookback, feature]``."""
    from make_us_rich.models.networks import nested

    scaled = forecaster.network(features * forecaster.scale + forecaster.shift)
    price = (scaled - forecaster.shift[close]) / forecaster.scale[close]
    ratio = (price / features[:, -1, close : close + 1]).clamp(min=MIN_PRICE_RATIO)
    median = ratio.log().unsqueeze(-1)
    return nested(*(median + getattr(forecaster, f"{target}_spread") for target in TARGETS))
