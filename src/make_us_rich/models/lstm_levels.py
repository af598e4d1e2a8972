"""The original recipe of 2022: an LSTM on min-max-scaled price levels that predicts the next close."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, cast

from pydantic import Field

from make_us_rich.models.interface import Architecture, FitSettings, FittedModel, Scaler

if TYPE_CHECKING:
    from make_us_rich.features.split import Parts


class LstmLevels(Architecture):
    """The original recipe of 2022, an LSTM on scaled price levels; kept as it was, so that it can be compared.

    docs/concepts.md tells how it fares. The network predicts the scaled close of the next hour. To keep the
    contract of all architectures, that price is carried forward to the other horizons, and the spread around it
    comes from the validation windows: the quantiles of the absolute errors by horizon, made symmetric, so that the
    median is the network's own price.

    Attributes:
        batch_size: Windows a training step.
        hidden_size: Width of each LSTM layer.
        layers: Number of LSTM layers.
        dropout: Between the LSTM layers.
        learning_rate: Of AdamW.
        max_epochs: At most this many passes over the training windows.
        patience: Epochs without a better validation loss before the fit stops; the best weights are kept.
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

    def fit(self, parts: Parts, scaler: Scaler, settings: FitSettings) -> FittedModel:
        """Train with Lightning, which is imported here and nowhere earlier: it takes eight seconds."""
        from make_us_rich.models.levels_network import fit_levels

        return fit_levels(self, parts, scaler, settings)

    def refit(self, previous: FittedModel, parts: Parts, scaler: Scaler, settings: FitSettings) -> FittedModel:
        """Train from where the weights were; see ``Architecture.refit``."""
        from make_us_rich.models.levels_network import FittedLevels, fit_levels

        return fit_levels(self, parts, scaler, settings, cast("FittedLevels", previous))
