"""What an architecture is: hyperparameters that can be fitted, and the fitted model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from make_us_rich.backtest.calibration import Quantiles
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.domain.manifest import sha256
from make_us_rich.features.split import Parts, Split, split_windows
from make_us_rich.features.windows import make_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from make_us_rich.features.registry import FeatureFrames

Accelerator = Literal["auto", "cpu", "gpu", "mps"]

SCALED_RANGE = (-1, 1)
"""Scaled values of the lowest and the highest training input."""


class Scaler(Protocol):
    """A fitted min-max scaler: ``scaled = unscaled * scale_ + min_``, each ``[feature]``."""

    scale_: NDArray[np.float64]
    min_: NDArray[np.float64]


def fit_scaler(inputs: pd.DataFrame) -> Scaler:
    """Fit a min-max scaler on the rows that the training windows see, and on no others, ``[row, feature]``."""
    from sklearn.preprocessing import MinMaxScaler

    scaler: Scaler = MinMaxScaler(feature_range=SCALED_RANGE).fit(inputs)
    return scaler


def scaler_fingerprint(scaler: Scaler) -> str:
    """SHA-256 of a scaler's parameters; it matches a graph with the scaler folded into it."""
    return sha256(np.concatenate([scaler.scale_, scaler.min_]).astype("<f8").tobytes())


@dataclass(frozen=True)
class FitSettings:
    """What every fit shares.

    Attributes:
        levels: Quantile levels, ascending.
        seed: Seed of all randomness.
        accelerator: Device on which networks train; ``auto`` uses a GPU if there is one.
    """

    levels: tuple[float, ...]
    seed: int
    accelerator: Accelerator


class FittedModel(Protocol):
    """A fitted architecture. It can be pickled, predicts in its own framework, and exports to ONNX."""

    @property
    def history(self) -> pd.DataFrame:
        """One row a step of the fit: ``step``, ``train_loss``, ``validation_loss`` (NaN without validation)."""
        ...

    def quantiles(self, inputs: NDArray[np.float32]) -> Quantiles:
        """Quantiles of the log returns that `Windows.targets` gives.

        Args:
            inputs: Unscaled features, ``[window, lookback, feature]``.

        Returns:
            By target ``[window, horizon, level]``, ascending along ``level``; see `nest`.
        """
        ...

    def to_onnx(self) -> bytes:
        """The same function as a serialised ONNX graph that keeps the contract of docs/models.md."""
        ...


class ModelInput(BaseModel):
    """What a model reads.

    Attributes:
        feature_set: Name of the feature set of its input.
        lookback: Candles of its input, hours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature_set: str
    lookback: int = Field(ge=1)


class Architecture(ModelInput, ABC):
    """Hyperparameters of one architecture, read from ``training.<name>`` in the configuration.

    Attributes:
        trains_network: Its fit imports torch and Lightning.
    """

    trains_network: ClassVar[bool] = False

    @abstractmethod
    def fit(
        self, parts: Parts, scaler: Scaler, settings: FitSettings, previous: FittedModel | None = None
    ) -> FittedModel:
        """Fit on ``parts.train``, validate on ``parts.validation``, never use ``parts.test``.

        Args:
            parts: Windows of unscaled features.
            scaler: Fitted on the rows that the windows of ``parts.train`` see, and on no others.
            settings: Levels, seed, accelerator.
            previous: A fit of the same recipe on windows that end no later than these. Networks start from its
                weights, all other architectures ignore it.
        """


@dataclass(frozen=True)
class Challenger:
    """A fitted model, and what it was fitted with: the hyperparameters of an architecture, or of an ensemble."""

    architecture: ModelInput
    fitted: FittedModel


Challengers = dict[str, Challenger]
"""By the architecture's name."""


def cut_parts(architecture: ModelInput, features: FeatureFrames, klines: pd.DataFrame, split: dict[str, Any]) -> Parts:
    """Windows of a model by part, from the record of a ``Split``: the same for training and converting.

    Raises:
        DataError: Features, candles and split are not of the same run.
    """
    windows = make_windows(features[architecture.feature_set](), klines, architecture.lookback, HORIZON)
    return split_windows(windows, Split.model_validate(split))


def loss_history(losses: Sequence[float]) -> pd.DataFrame:
    """The history of a fit without validation, one row a step."""
    return pd.DataFrame({"step": np.arange(len(losses)), "train_loss": losses, "validation_loss": np.nan})
